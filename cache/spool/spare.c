/* SPDX-License-Identifier: Apache-2.0 */
/* cache/spool/spare.c - see spare.h. */
#include "cache/spool/spare.h"

#include "cache/spool/impl.h"
#include "cache/spool/owners.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

/* To cut a larger one costs as much as to unlink it. */
enum { SPARE_BYTES_MAX = 1024 * 1024 };

/* A file's name is its only one. */
static bool has_one_name(int fd, uint64_t size_bytes_max)
{
	struct stat about;

	return fstat(fd, &about) == 0 && about.st_nlink == 1 &&
	    (uint64_t)about.st_size <= size_bytes_max;
}

/* Nobody misses it: neither whoever looks next, nor after a loss of power. */
static bool is_over(const struct spool_entry *entry) REQUIRES(spool_work_lock);
static bool is_over(const struct spool_entry *entry)
{
	return entry->made && !entry->named && !entry->durable &&
	    !entry->spoilt && !entry->damaged &&
	    (entry->dropped || spool_attr(entry).state == SPOOL_SENT);
}

static void unlink_files(struct spool *spool, const struct spare *spare)
{
	struct files_name name = spare->name;
	char text[FILES_NAME_BYTES];

	name.kind = FILES_DATA;
	files_name(text, &name);
	(void)unlinkat(spool->dir_fd, text, 0);
	name.kind = FILES_JOURNAL;
	files_name(text, &name);
	(void)unlinkat(spool->dir_fd, text, 0);
	(void)close(spare->data_fd);
	(void)close(spare->journal_fd);
	owners_leave(spool, spare->name.serial);
}

/* Take the spare at a place out of the row. */
static struct spare take_out(struct spool *spool, unsigned at)
    REQUIRES(spool_facts_lock);
static struct spare take_out(struct spool *spool, unsigned at)
{
	struct spare spare = spool->spares[at];

	spool->spare_count--;
	memmove(&spool->spares[at], &spool->spares[at + 1],
	    (spool->spare_count - at) * sizeof(spare));
	return spare;
}

/* The latest of a user (NULL: any), which the processor still knows best. */
static bool find(struct spool *spool, const uid_t *uid, struct spare *out)
{
	bool found = false;

	spool_facts_enter(spool);
	for (unsigned i = spool->spare_count; i > 0 && !found; i--) {
		found = uid == NULL || spool->spares[i - 1].name.uid == *uid;
		if (found)
			*out = take_out(spool, i - 1);
	}
	spool_facts_leave(spool);
	return found;
}

/* Whether no more have descriptors than may. */
static bool has_room(struct spool *spool)
{
	bool room;

	spool_facts_enter(spool);
	room = spool->awake + spool->spare_count <= spool->awake_max;
	spool_facts_leave(spool);
	return room;
}

bool spare_keep(struct spool_entry *entry)
{
	struct spool *spool = entry->spool;
	struct spare oldest = {.journal_fd = -1};
	bool kept;

	spool_work_enter(entry);
	kept = has_room(spool) && entry->data_fd >= 0 && is_over(entry) &&
	    has_one_name(entry->data_fd, SPARE_BYTES_MAX) &&
	    has_one_name(entry->journal.fd, SPARE_BYTES_MAX) &&
	    ftruncate(entry->data_fd, 0) == 0 &&
	    ftruncate(entry->journal.fd, 0) == 0;
	if (kept) {
		spool_facts_enter(spool);
		if (spool->spare_count == SPARES_MAX)
			oldest = take_out(spool, 0);
		spool->spares[spool->spare_count++] = (struct spare){
		    .name = {.serial = entry->serial, .uid = entry->uid},
		    .journal_fd = entry->journal.fd,
		    .data_fd = entry->data_fd};
		spool->awake--;
		entry->journal.fd = entry->data_fd = -1;
		entry->spared = true;
		spool_facts_leave(spool);
	}
	spool_work_leave(entry);
	if (oldest.journal_fd >= 0)
		unlink_files(spool, &oldest);
	return kept;
}

/* Nothing else may have the new name, whatever the numbers say; under the
 * lock of all processes nobody takes it meanwhile. (RENAME_NOREPLACE is not
 * for NFS.) */
static int rename_file(struct spool *spool, struct files_name from,
    struct files_name to, enum files_kind kind)
{
	char old[FILES_NAME_BYTES];
	char new[FILES_NAME_BYTES];
	struct stat about;

	from.kind = to.kind = kind;
	files_name(old, &from);
	files_name(new, &to);
	if (fstatat(spool->dir_fd, new, &about, AT_SYMLINK_NOFOLLOW) == 0)
		return -EEXIST;
	return renameat(spool->dir_fd, old, spool->dir_fd, new) < 0 ? -errno
	                                                            : 0;
}

bool spare_take(struct spool *spool, const struct files_name *name,
    int *journal_fd, int *data_fd)
{
	struct spare spare;
	int code;

	if (!find(spool, &name->uid, &spare))
		return false;
	code =
	    has_one_name(spare.data_fd, 0) && has_one_name(spare.journal_fd, 0)
	    ? 0
	    : -EPERM;
	if (code == 0)
		code = rename_file(spool, spare.name, *name, FILES_DATA);
	if (code == 0) {
		code = rename_file(spool, spare.name, *name, FILES_JOURNAL);
		/* Back, so that both go under one name. */
		if (code < 0)
			(void)rename_file(spool, *name, spare.name, FILES_DATA);
	}
	if (code < 0) {
		unlink_files(spool, &spare);
		return false;
	}
	/* Whoever gets it now finds nothing under the old name. */
	owners_leave(spool, spare.name.serial);
	*journal_fd = spare.journal_fd;
	*data_fd = spare.data_fd;
	return true;
}

void spare_make_way(struct spool *spool)
{
	struct spare oldest = {.journal_fd = -1};

	spool_facts_enter(spool);
	if (spool->spare_count > 0 &&
	    spool->awake + spool->spare_count > spool->awake_max)
		oldest = take_out(spool, 0);
	spool_facts_leave(spool);
	if (oldest.journal_fd >= 0)
		unlink_files(spool, &oldest);
}

void spare_end(struct spool *spool)
{
	struct spare spare;

	while (find(spool, NULL, &spare))
		unlink_files(spool, &spare);
}
