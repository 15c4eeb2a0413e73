/* SPDX-License-Identifier: Apache-2.0 */
/*
 * cache/spool/anew.c - a journal that has grown is written anew.
 *
 * Each change of an entry's state is a record more. A file that stays open and
 * is flushed by every program that ends (standard output of a script), or is
 * tried in vain for days, would come to SPOOL_JOURNAL_BYTES_MAX, and could be
 * neither written nor sent from then on.
 *
 * What the records say in the end goes into a file beside it, is flushed, and
 * takes its place by one renaming: whoever is killed on the way leaves the one
 * or the other. After a loss of power the old one could come back, and is right
 * until the next promise, which flushes the directory (entry_flush()).
 */
#include "base/log.h"
#include "cache/spool/files.h"
#include "cache/spool/impl.h"
#include "cache/spool/item.h"
#include "cache/spool/tries.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

enum {
	ANEW_BYTES = 1024 * 1024, /* less is not worth it */
	ANEW_TIMES = 4,           /* what it had when it was new */
};

static int put_ranges(const struct spool_entry *entry, struct journal *out)
{
	struct disk_range disk;
	bool there = true;
	int code = 0;

	for (size_t i = 0; there && code == 0; i++) {
		spool_facts_enter(entry->spool);
		there = i < entry->ours.count;
		if (there)
			disk = (struct disk_range){
			    .offset_bytes = htole64(entry->ours.list[i].start),
			    .size_bytes = htole64(entry->ours.list[i].end -
			        entry->ours.list[i].start)};
		spool_facts_leave(entry->spool);
		if (there)
			code = journal_append(out, DISK_RANGE,
			    &(struct journal_part){&disk, sizeof(disk)}, 1);
	}
	return code;
}

static int put_time(const struct spool_item *item, struct journal *out)
{
	struct disk_attr disk = {.mode = htole32(item->attr.mode),
	    .flags = htole32(DISK_HAS_MTIME),
	    .mtime_s = (int64_t)htole64((uint64_t)item->attr.mtime_s),
	    .mtime_ns = htole32(item->attr.mtime_ns)};

	return journal_append(
	    out, DISK_ATTR, &(struct journal_part){&disk, sizeof(disk)}, 1);
}

/* A state, as entry_state() puts it. */
static int put_state(struct spool_entry *entry, const struct spool_item *item,
    enum spool_state state, uint64_t limit_bytes, struct journal *out)
    REQUIRES(spool_work_lock);
static int put_state(struct spool_entry *entry, const struct spool_item *item,
    enum spool_state state, uint64_t limit_bytes, struct journal *out)
{
	const char *part = item->text[SPOOL_PART];
	const char *why = item->text[SPOOL_WHY];
	struct disk_try_list list;
	struct disk_state disk = {.state = htole32(state),
	    .code = (int32_t)htole32((uint32_t)item->code),
	    .flags = htole32((entry->durable ? DISK_DURABLE : 0u) |
	        (entry->dropped ? DISK_DROPPED : 0u)),
	    .part_bytes = htole16((uint16_t)strlen(part)),
	    .why_bytes = htole16((uint16_t)strlen(why)),
	    .when_s = htole64(item->when_s),
	    .size_bytes = htole64(item->attr.size_bytes),
	    .limit_bytes = htole64(limit_bytes)};

	memcpy(disk.boot, entry->spool->boot, sizeof(disk.boot));
	return journal_append(out, DISK_STATE,
	    (struct journal_part[]){{&disk, sizeof(disk)}, {part, strlen(part)},
	        {why, strlen(why)},
	        {&list, state == SPOOL_SENDING ? tries_write(item, &list) : 0}},
	    4);
}

/* All that the old one says. */
static int put_all(struct spool_entry *entry, struct journal *out)
    REQUIRES(spool_work_lock);
static int put_all(struct spool_entry *entry, struct journal *out)
{
	struct spool_item item;
	struct spool_wish wish;
	uint64_t limit_bytes;
	int code = spool_item_of(entry, &item);

	if (code < 0)
		return code;
	spool_facts_enter(entry->spool);
	limit_bytes = entry->limit_bytes;
	spool_facts_leave(entry->spool);
	wish = (struct spool_wish){.kind = item.kind,
	    .from = item.from,
	    .origin = item.text[SPOOL_ORIGIN],
	    .path = item.text[SPOOL_PATH],
	    .to = item.text[SPOOL_TO],
	    .credential = item.text[SPOOL_CREDENTIAL],
	    .base = item.base,
	    .mode = item.attr.mode};
	code = entry_begun(out, &wish, limit_bytes, item.since_s);
	if (code == 0)
		code = put_ranges(entry, out);
	if (code == 0 && item.attr.has_mtime)
		code = put_time(&item, out);
	/* Tries stand behind that state alone. */
	if (code == 0 && item.try_count > 0 && item.state != SPOOL_SENDING)
		code = put_state(entry, &item, SPOOL_SENDING, limit_bytes, out);
	if (code == 0)
		code = put_state(entry, &item, item.state, limit_bytes, out);
	spool_item_fini(&item);
	return code;
}

/* Written, flushed and in its place. */
static int replace(struct spool_entry *entry, struct journal *out)
    REQUIRES(spool_work_lock);
static int replace(struct spool_entry *entry, struct journal *out)
{
	struct files_name name = {
	    .serial = entry->serial, .uid = entry->uid, .kind = FILES_NEW};
	char new[FILES_NAME_BYTES];
	char old[FILES_NAME_BYTES];
	int dir_fd = entry->spool->dir_fd;
	int code;

	files_name(new, &name);
	name.kind = FILES_JOURNAL;
	files_name(old, &name);
	out->fd = files_open(dir_fd, new, O_RDWR | O_CREAT | O_TRUNC, NULL);
	if (out->fd < 0)
		return out->fd;
	code = put_all(entry, out);
	if (code == 0 && fdatasync(out->fd) < 0)
		code = -errno;
	if (code == 0 && renameat(dir_fd, new, dir_fd, old) < 0)
		code = -errno;
	if (code < 0) {
		(void)unlinkat(dir_fd, new, 0);
		(void)close(out->fd);
	}
	return code;
}

void entry_anew(struct spool_entry *entry)
{
	struct journal journal = {.serial = entry->serial};
	uint64_t grown_bytes = entry->journal.end_bytes;
	int code;

	if (grown_bytes < ANEW_BYTES || grown_bytes < entry->anew_bytes)
		return;
	code = replace(entry, &journal);
	if (code < 0) {
		entry->anew_bytes = grown_bytes + ANEW_BYTES;
		log_line(LOG_LEVEL_WARN, LOG_CACHE,
		    "journal of an unsent file not written anew",
		    "entry=%llu bytes=%llu error=%s",
		    (unsigned long long)entry->serial,
		    (unsigned long long)grown_bytes, err_name(code));
		return;
	}
	(void)close(entry->journal.fd);
	entry->journal = journal;
	entry->anew_bytes = ANEW_TIMES * journal.end_bytes;
	entry->named = false;
	entry->made = false; /* the old one may come back: no spare */
}
