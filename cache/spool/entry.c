/* SPDX-License-Identifier: Apache-2.0 */
/*
 * cache/spool/entry.c - an open entry: its life, its states on disk, what is
 * flushed and when.
 */
#include "base/clock.h"
#include "base/log.h"
#include "cache/spool/files.h"
#include "cache/spool/impl.h"
#include "cache/spool/item.h"
#include "cache/spool/owners.h"
#include "cache/spool/spare.h"
#include "cache/spool/tries.h"

#include <assert.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* Nobody else knows it yet. */
struct spool_entry *entry_new(struct spool *spool,
    const struct files_name *name, int journal_fd, int data_fd) UNCHECKED
{
	struct spool_entry *entry =
	    calloc(1, sizeof(*entry) + sizeof(*entry->readers));

	if (entry == NULL)
		return NULL;
	entry->readers = (unsigned *)(entry + 1);
	(void)pthread_mutex_init(&entry->work, NULL);
	entry->spool = spool;
	entry->serial = name->serial;
	entry->uid = name->uid;
	entry->journal =
	    (struct journal){.fd = journal_fd, .serial = name->serial};
	entry->file = data_fd >= 0;
	entry->data_fd = data_fd;
	spool_facts_enter(spool);
	spool->entries++;
	spool->awake++;
	spool_facts_leave(spool);
	spare_make_way(spool);
	return entry;
}

/* Nobody else knows it any more. */
void entry_free(struct spool_entry *entry) UNCHECKED
{
	struct spool *spool = entry->spool;

	if (entry->journal.fd >= 0)
		(void)close(entry->journal.fd);
	if (entry->data_fd >= 0)
		(void)close(entry->data_fd);
	if (!entry->spared)
		owners_leave(spool, entry->serial);
	spool_facts_enter(spool);
	spool->awake -= entry->journal.fd >= 0;
	spool_item_fini(&entry->item);
	ranges_fini(&entry->ours);
	ranges_fini(&entry->here);
	spool->entries--;
	spool_facts_leave(spool);
	(void)pthread_mutex_destroy(&entry->work);
	free(entry);
}

void spool_release(struct spool_entry *entry)
{
	if (entry != NULL)
		entry_free(entry);
}

int entry_fail(const struct spool_entry *entry, struct err *err, int code,
    const char *what)
{
	const char *text;
	char path[200];

	spool_facts_enter(entry->spool);
	text = entry->item.text[SPOOL_PATH];
	(void)snprintf(path, sizeof(path), "%s", text == NULL ? "" : text);
	spool_facts_leave(entry->spool);
	return err_set(err, code, "spool '%.120s', entry %llu ('%s'): %s: %s",
	    entry->spool->dir, (unsigned long long)entry->serial, path, what,
	    err_message(code));
}

int entry_flush(struct spool_entry *entry, struct err *err)
{
	int code = 0;

	/* The kernel forgets pages that it could not write: what a second
	 * flush says of them would be no truth. */
	if (entry->spoilt)
		return entry_fail(entry, err, -EIO,
		    "an earlier flush failed, its bytes may be lost");
	if (entry->data_fd >= 0 && fdatasync(entry->data_fd) < 0)
		code = -errno;
	if (code == 0 && fdatasync(entry->journal.fd) < 0)
		code = -errno;
	if (code < 0) {
		entry->spoilt = true;
		/* Nor may another process take it for whole. */
		if (entry_state(entry, SPOOL_ASIDE, false, code,
		        "the disk failed when it was flushed; bytes of it may "
		        "be lost",
		        err) < 0)
			log_line(LOG_LEVEL_ERROR, LOG_CACHE,
			    "spool entry not flushed and not put aside",
			    "entry=%llu error=%s",
			    (unsigned long long)entry->serial, err_name(code));
		return entry_fail(entry, err, code, "flushed to the disk");
	}
	if (!entry->named && fsync(entry->spool->dir_fd) < 0)
		return entry_fail(
		    entry, err, -errno, "its name flushed to the disk");
	entry->named = true;
	return 0;
}

int entry_ready(struct spool_entry *entry, struct err *err)
{
	uint64_t size = spool_attr(entry).size_bytes;
	uint64_t limit;
	int code;

	if (entry->damaged)
		return entry_fail(entry, err, -EBADMSG,
		    "its journal is damaged, it can be taken out or removed");
	/* A write that failed left bytes behind the end. */
	if (entry->cut_pending && ftruncate(entry->data_fd, (off_t)size) < 0)
		return entry_fail(entry, err, -errno, "cut");
	entry->cut_pending = false;
	entry_anew(entry);
	if (!entry->limit_pending)
		return 0;
	spool_facts_enter(entry->spool);
	limit = htole64(entry->limit_bytes);
	spool_facts_leave(entry->spool);
	code = journal_append(&entry->journal, DISK_LIMIT,
	    &(struct journal_part){&limit, sizeof(limit)}, 1);
	if (code < 0)
		return entry_fail(entry, err, code, "its journal");
	entry->limit_pending = false;
	return 0;
}

/* What of an item a state's record repeats. */
static void fill_state(const struct spool_entry *entry, struct disk_state *out,
    char part[SPOOL_TEXT_BYTES_MAX], struct journal_part *tries,
    struct disk_try_list *list)
{
	bool sends = out->state == htole32(SPOOL_SENDING);

	spool_facts_enter(entry->spool);
	out->size_bytes = htole64(entry->item.attr.size_bytes);
	out->limit_bytes = htole64(entry->limit_bytes);
	(void)snprintf(
	    part, SPOOL_TEXT_BYTES_MAX, "%s", entry->item.text[SPOOL_PART]);
	*tries = (struct journal_part){
	    list, sends ? tries_write(&entry->item, list) : 0};
	spool_facts_leave(entry->spool);
	out->part_bytes = htole16((uint16_t)strlen(part));
}

int entry_state(struct spool_entry *entry, enum spool_state state, bool durable,
    int code_why, const char *why, struct err *err)
{
	uint64_t now_s = clock_wall_s(entry->spool->clock);
	struct disk_state disk = {.state = htole32(state),
	    .code = (int32_t)htole32((uint32_t)code_why),
	    .flags = htole32((durable ? DISK_DURABLE : 0u) |
	        (entry->dropped ? DISK_DROPPED : 0u)),
	    .when_s = htole64(now_s)};
	struct disk_try_list list;
	struct journal_part tries;
	char part[SPOOL_TEXT_BYTES_MAX];
	size_t why_bytes = why == NULL ? 0 : strlen(why);
	int code = entry_ready(entry, err);

	if (code < 0)
		return code;
	fill_state(entry, &disk, part, &tries, &list);
	if (why_bytes >= SPOOL_WHY_BYTES_MAX)
		why_bytes = SPOOL_WHY_BYTES_MAX - 1;
	disk.why_bytes = htole16((uint16_t)why_bytes);
	memcpy(disk.boot, entry->spool->boot, sizeof(disk.boot));
	code = journal_append(&entry->journal, DISK_STATE,
	    (struct journal_part[]){{&disk, sizeof(disk)}, {part, strlen(part)},
	        {why, why_bytes}, tries},
	    4);
	if (code < 0)
		return entry_fail(entry, err, code, "its journal");
	spool_facts_enter(entry->spool);
	entry->item.state = state;
	entry->item.code = code_why;
	entry->item.when_s = now_s;
	/* Without memory the sentence is on the disk still. */
	if (item_text(&entry->item, SPOOL_WHY, why, why_bytes) < 0)
		entry->item.text[SPOOL_WHY][0] = '\0';
	spool_facts_leave(entry->spool);
	return 0;
}

int entry_settle(struct spool_entry *entry, enum spool_state state,
    int code_why, const char *why, struct err *err)
{
	int code = entry_ready(entry, err);

	if (code == 0)
		code = entry_flush(entry, err);
	if (code == 0)
		code = entry_state(entry, state, true, code_why, why, err);
	if (code == 0)
		code = entry_flush(entry, err);
	if (code == 0)
		entry->durable = true;
	return code;
}

int entry_remove(struct spool_entry **entry_in, struct err *err)
{
	struct spool_entry *entry = STEAL(*entry_in);
	struct files_name name = {
	    .serial = entry->serial, .uid = entry->uid, .kind = FILES_JOURNAL};
	char from[FILES_NAME_BYTES];
	char gone[FILES_NAME_BYTES];
	char data[FILES_NAME_BYTES];
	int dir_fd = entry->spool->dir_fd;
	int code = 0;

	files_name(from, &name);
	name.kind = FILES_GONE;
	files_name(gone, &name);
	name.kind = FILES_DATA;
	files_name(data, &name);
	/* From here on it is gone; whoever finds the rest removes it. */
	if (renameat(dir_fd, from, dir_fd, gone) < 0)
		code = entry_fail(entry, err, -errno, "removed");
	else if ((unlinkat(dir_fd, data, 0) == 0 || errno == ENOENT) &&
	    unlinkat(dir_fd, gone, 0) < 0)
		log_line(LOG_LEVEL_WARN, LOG_CACHE, "spool entry lingers",
		    "name=%s error=%s", gone, err_name(errno));
	entry_free(entry);
	return code;
}

int spool_remove(struct spool_entry **entry, struct err *err)
{
	if (!spare_keep(*entry))
		return entry_remove(entry, err);
	entry_free(STEAL(*entry));
	return 0;
}

struct spool_attr spool_attr(const struct spool_entry *entry)
{
	struct spool_attr attr;

	spool_facts_enter(entry->spool);
	attr = entry->item.attr;
	attr.state = entry->item.state;
	spool_facts_leave(entry->spool);
	return attr;
}

int spool_item_of(const struct spool_entry *entry, struct spool_item *out)
{
	int code;

	spool_facts_enter(entry->spool);
	code = item_copy(out, &entry->item);
	out->attr.state = out->state;
	out->missing_bytes = entry->limit_bytes - ranges_bytes(&entry->here);
	spool_facts_leave(entry->spool);
	out->busy = true;
	out->cure = SPOOL_CURE_WAIT;
	return code;
}
