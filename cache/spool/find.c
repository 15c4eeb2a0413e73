/* SPDX-License-Identifier: Apache-2.0 */
/* cache/spool/find.c - see find.h. */
#include "cache/spool/find.h"

#include "base/path.h"
#include "cache/spool/impl.h"
#include "cache/spool/owners.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { STAT_BLOCK_BYTES = 512 };

/* Whether a name still leads to an open file: its owner may have removed it
 * between our open and our lock. */
static bool is_there(int dir_fd, const char *text, const struct stat *about)
{
	struct stat now;

	return fstatat(dir_fd, text, &now, AT_SYMLINK_NOFOLLOW) == 0 &&
	    now.st_ino == about->st_ino && now.st_dev == about->st_dev;
}

static int open_journal(struct found *found, struct spool *spool,
    const struct files_name *name, struct stat *about, bool own)
{
	int code = 0;
	char text[FILES_NAME_BYTES];

	files_name(text, name);
	found->journal_fd = files_open(spool->dir_fd, text, O_RDWR, about);
	if (found->journal_fd < 0)
		return found->journal_fd;
	if (about->st_nlink > 1)
		return -EPERM;
	if (own)
		code = owners_take(spool, name->serial);
	else if (owners_have(spool, name->serial))
		code = -EBUSY;
	if (own && code == 0)
		found->owned = spool;
	found->serial = name->serial;
	found->busy = code == -EBUSY;
	if (code < 0 && !found->busy)
		return code;
	if (!is_there(spool->dir_fd, text, about))
		return -ENOENT;
	return fstat(found->journal_fd, about) < 0 ? -errno : 0;
}

static int read_journal(struct found *found, const struct files_name *name)
{
	static const uint8_t nothing[1];
	void *bytes = NULL;
	ssize_t n =
	    files_read(found->journal_fd, SPOOL_JOURNAL_BYTES_MAX, &bytes);
	int code;

	/* A larger one is none of ours. */
	if (n == -EFBIG)
		n = 0;
	else if (n == 0) {
		free(bytes);
		return -ENODATA;
	}
	if (n < 0)
		return (int)n;
	code = replay_run(&found->replay, bytes != NULL ? bytes : nothing,
	    (size_t)n, name->serial);
	free(bytes);
	/* Its maker died within the first record. */
	if (code == 0 && n > 0 && !found->replay.begun && !found->replay.noise)
		code = -ENODATA;
	return code;
}

/* Judge, with the data file. */
static int judge(struct found *found, const struct spool *spool,
    const struct files_name *name, uint64_t journal_bytes)
{
	struct spool_item *item = &found->replay.item;
	struct files_name data = *name;
	char text[FILES_NAME_BYTES];
	struct stat about;
	bool have;

	files_name(text, name);
	memcpy(item->place, text, sizeof(text));
	data.kind = FILES_DATA;
	files_name(text, &data);
	found->data_fd = files_open(spool->dir_fd, text, O_RDWR, &about);
	have = found->data_fd >= 0;
	/* A passing failure says nothing about the data. */
	if (!have && found->data_fd != -ENOENT && found->data_fd != -EPERM)
		return found->data_fd;
	item->uid = name->uid;
	item->busy = found->busy;
	item->disk_bytes = journal_bytes;
	if (have)
		item->disk_bytes +=
		    (uint64_t)about.st_blocks * STAT_BLOCK_BYTES;
	if (found->busy) {
		item->cure = SPOOL_CURE_WAIT;
		if (have && item->state == SPOOL_OPEN)
			replay_size(&found->replay, &about);
	} else {
		found->changed = replay_judge(
		    &found->replay, have ? &about : NULL, spool->boot);
	}
	item->attr.state = item->state;
	if (found->replay.begun)
		item->missing_bytes = found->replay.limit_bytes -
		    ranges_bytes(&found->replay.ours);
	return 0;
}

int found_open(struct found *found, struct spool *spool,
    const struct files_name *name, bool own)
{
	char text[FILES_NAME_BYTES];
	struct stat about;
	int code;

	*found = (struct found){.journal_fd = -1, .data_fd = -1};
	code = open_journal(found, spool, name, &about, own);
	if (code == 0)
		code = read_journal(found, name);
	if (code == 0)
		code = judge(found, spool, name,
		    (uint64_t)about.st_blocks * STAT_BLOCK_BYTES);
	/* What was read under this name may be another entry's since
	 * (spare.h). */
	files_name(text, name);
	if ((code == 0 || code == -ENODATA) && found->busy &&
	    !is_there(spool->dir_fd, text, &about))
		code = -ENOENT;
	if (code < 0 && code != -ENODATA)
		found_fini(found);
	return code;
}

void found_fini(struct found *found)
{
	if (found->journal_fd >= 0)
		(void)close(found->journal_fd);
	if (found->data_fd >= 0)
		(void)close(found->data_fd);
	if (found->owned != NULL)
		owners_leave(found->owned, found->serial);
	found->owned = NULL;
	replay_fini(&found->replay);
}

bool found_meant(
    const struct spool_filter *filter, const struct spool_item *item)
{
	if (!filter->any_uid && filter->uid != item->uid)
		return false;
	if (filter->serial != 0 && filter->serial != item->serial)
		return false;
	/* What cannot be understood may be anybody's. */
	if (item->state == SPOOL_DAMAGED)
		return true;
	if (filter->origin != NULL &&
	    strcmp(filter->origin, item->text[SPOOL_ORIGIN]) != 0)
		return false;
	return filter->below == NULL ||
	    path_is_within(item->text[SPOOL_PATH], filter->below);
}
