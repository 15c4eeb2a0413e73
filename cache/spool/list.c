/* SPDX-License-Identifier: Apache-2.0 */
/*
 * cache/spool/list.c - everything that lies in a spool is told of: entries,
 * and what is none.
 */
#include "base/io.h"
#include "cache/spool/files.h"
#include "cache/spool/find.h"
#include "cache/spool/impl.h"
#include "cache/spool/item.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

struct listing {
	struct spool *spool;
	const struct spool_filter *filter;
	spool_item_fn each;
	void *arg;
};

/* Something that cannot be understood; `name` NULL: it has none of ours. */
static int tell_damaged(const struct listing *listing,
    const struct files_name *name, const char *place, int code_why,
    const char *why)
{
	struct spool_item item;
	struct stat about;
	int code = item_init(&item);

	if (code == 0)
		code = item_text(&item, SPOOL_WHY, why, strlen(why));
	if (code == 0) {
		item.serial = name == NULL ? 0 : name->serial;
		item.attr.state = SPOOL_DAMAGED;
		item.cure = SPOOL_CURE_BY_HAND;
		item.code = code_why;
		(void)snprintf(item.place, sizeof(item.place), "%s", place);
		if (fstatat(listing->spool->dir_fd, place, &about,
		        AT_SYMLINK_NOFOLLOW) == 0) {
			item.uid = about.st_uid;
			item.attr.size_bytes = (uint64_t)about.st_size;
			item.disk_bytes = (uint64_t)about.st_blocks * 512;
			item.since_s = item.when_s = (uint64_t)about.st_mtime;
		}
		if (name != NULL)
			item.uid = name->uid;
		if (found_meant(listing->filter, &item))
			code = listing->each(listing->arg, &item);
	}
	spool_item_fini(&item);
	return code;
}

/* Data without a journal: lost with the power, in front of any promise. */
static int tell_orphan(
    const struct listing *listing, const struct files_name *name)
{
	struct files_name data = *name;
	char text[FILES_NAME_BYTES];
	struct stat about;

	data.kind = FILES_DATA;
	files_name(text, &data);
	if (fstatat(listing->spool->dir_fd, text, &about, AT_SYMLINK_NOFOLLOW) <
	        0 ||
	    (S_ISREG(about.st_mode) && about.st_blocks == 0))
		return 0;
	return tell_damaged(listing, name, text, -EBADMSG,
	    "bytes without a journal; nobody can tell whose file they are");
}

static int tell_entry(
    const struct listing *listing, const struct files_name *name)
{
	struct found found;
	char text[FILES_NAME_BYTES];
	int code = found_open(&found, listing->spool, name, false);

	files_name(text, name);
	/* Removed meanwhile, or its journal written anew. */
	if (code == -ENOENT)
		code = found_open(&found, listing->spool, name, false);
	if (code == -ENOENT)
		return 0;
	if (code == -ENODATA) {
		bool busy = found.busy;

		found_fini(&found);
		return busy ? 0 : tell_orphan(listing, name);
	}
	if (code == -ENOMEM)
		return code;
	if (code < 0)
		return tell_damaged(listing, name, text, code,
		    code == -EPERM
		        ? "it is no plain file of this user alone, and is "
		          "not touched"
		        : err_message(code));
	if (found.replay.item.state == SPOOL_DAMAGED)
		code = tell_damaged(listing, name, text, -EBADMSG,
		    "its journal cannot be read from the beginning; bytes "
		    "may lie in the data file of the same number");
	else if (found_meant(listing->filter, &found.replay.item) &&
	    (found.busy || found.replay.item.state != SPOOL_SENT))
		code = listing->each(listing->arg, &found.replay.item);
	found_fini(&found);
	return code;
}

static int tell_foreign(void *arg, int dir_fd, const char *text)
{
	struct files_name name;

	(void)dir_fd;
	if (files_parse(&name, text) || strcmp(text, "next") == 0 ||
	    strcmp(text, "owners") == 0 || strcmp(text, "claims") == 0)
		return 0;
	return tell_damaged(arg, NULL, text, -EPERM,
	    "it is no file of a spool, and is not touched");
}

/* What other versions of the program may have left beside v1/. */
static int tell_version(void *arg, int dir_fd, const char *text)
{
	const struct listing *listing = arg;
	char place[64];

	(void)dir_fd;
	if (strcmp(text, DISK_GENERATION) == 0)
		return 0;
	(void)snprintf(place, sizeof(place), "../%.50s", text);
	return tell_damaged(listing, NULL, place, -EPROTO,
	    text[0] == 'v' && strspn(text + 1, "0123456789") > 0 &&
	            text[1 + strspn(text + 1, "0123456789")] == '\0'
	        ? "unsent files of another version of the program; send them "
	          "with that one"
	        : "it is no file of a spool, and is not touched");
}

int spool_list(struct spool *spool, const struct spool_filter *filter,
    spool_item_fn each, void *arg, struct err *err)
{
	struct listing listing = {
	    .spool = spool, .filter = filter, .each = each, .arg = arg};
	struct files_name *names;
	ssize_t count = files_all(spool, &names);
	int code = count < 0 ? (int)count : 0;

	for (ssize_t i = 0; i < count && code == 0; i++) {
		bool begins = i == 0 || names[i - 1].serial != names[i].serial;
		bool ends =
		    i + 1 == count || names[i + 1].serial != names[i].serial;

		if (names[i].kind == FILES_JOURNAL)
			code = tell_entry(&listing, &names[i]);
		else if (names[i].kind == FILES_DATA && begins && ends)
			code = tell_orphan(&listing, &names[i]);
	}
	if (count >= 0)
		free(names);
	if (code == 0)
		code = io_each_name(spool->dir_fd, ".", tell_foreign, &listing);
	if (code == 0)
		code =
		    io_each_name(spool->dir_fd, "..", tell_version, &listing);
	if (code < 0 && err->code == 0)
		(void)err_set(
		    err, code, "spool '%s': %s", spool->dir, err_message(code));
	return code;
}
