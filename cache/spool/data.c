/* SPDX-License-Identifier: Apache-2.0 */
/*
 * cache/spool/data.c - the bytes of a file: written, cut, read, and filled up
 * from the version that it began from.
 */
#include "base/io.h"
#include "cache/spool/impl.h"
#include "cache/spool/lease.h"

#include <assert.h>
#include <errno.h>
#include <sys/stat.h>
#include <unistd.h>

enum {
	STAT_BLOCK_BYTES = 512,
	/* What a write may occupy besides its bytes: the parts of blocks at
	 * its ends, a block of the journal, one of the file's tree. */
	SLACK_BYTES = 4 * 4096,
};

/* What the data file occupies now. */
static uint64_t occupied(const struct spool_entry *entry, uint64_t otherwise)
{
	struct stat about;

	return fstat(entry->data_fd, &about) < 0
	    ? otherwise
	    : (uint64_t)about.st_blocks * STAT_BLOCK_BYTES;
}

/* Give back of a lease what a change did not use. */
static void settle(struct spool_entry *entry, uint64_t taken)
    REQUIRES(spool_work_lock);
static void settle(struct spool_entry *entry, uint64_t taken)
{
	uint64_t now = occupied(entry, entry->disk_bytes + taken);
	uint64_t used = now > entry->disk_bytes ? now - entry->disk_bytes : 0;

	entry->disk_bytes = now;
	if (used < taken)
		lease_give(entry->spool, entry->uid, taken - used);
}

/* The part of [start, end) that the base has and the journal does not call
 * ours, below the limit; whether there is any. */
static bool below_limit(const struct spool_entry *entry, uint64_t start,
    uint64_t *end) REQUIRES(spool_work_lock);
static bool below_limit(
    const struct spool_entry *entry, uint64_t start, uint64_t *end)
{
	bool wanted;

	spool_facts_enter(entry->spool);
	if (*end > entry->limit_bytes)
		*end = entry->limit_bytes;
	wanted = start < *end && !ranges_cover(&entry->ours, start, *end);
	spool_facts_leave(entry->spool);
	return wanted;
}

/* Say in the journal whose the bytes below the limit are. */
static int note_range(struct spool_entry *entry, uint64_t start, uint64_t end)
    REQUIRES(spool_work_lock);
static int note_range(struct spool_entry *entry, uint64_t start, uint64_t end)
{
	struct disk_range range;
	int code;

	if (!below_limit(entry, start, &end))
		return 0;
	range = (struct disk_range){
	    .offset_bytes = htole64(start), .size_bytes = htole64(end - start)};
	spool_facts_enter(entry->spool);
	code = ranges_reserve(&entry->ours);
	if (code == 0)
		code = ranges_reserve(&entry->here);
	spool_facts_leave(entry->spool);
	if (code == 0)
		code = journal_append(&entry->journal, DISK_RANGE,
		    &(struct journal_part){&range, sizeof(range)}, 1);
	if (code < 0)
		return code;
	spool_facts_enter(entry->spool);
	ranges_add(&entry->ours, start, end);
	ranges_add(&entry->here, start, end);
	spool_facts_leave(entry->spool);
	return 0;
}

/* What is filled up there is ours from now on: it stays what it was, should the
 * journal take no range when bytes were written over it. */
static int own_here(struct spool_entry *entry, uint64_t start, uint64_t end)
    REQUIRES(spool_work_lock);
static int own_here(struct spool_entry *entry, uint64_t start, uint64_t end)
{
	int code = 0;

	while (code == 0 && below_limit(entry, start, &end)) {
		struct spool_piece piece = spool_map(entry, start);
		uint64_t next = start + piece.size_bytes;

		if (piece.size_bytes == 0)
			break;
		if (piece.where == SPOOL_HERE)
			code =
			    note_range(entry, start, next < end ? next : end);
		start = next;
	}
	return code;
}

/* Whether bytes may change now. */
static int writable(struct spool_entry *entry, uint64_t end, struct err *err)
    REQUIRES(spool_work_lock);
static int writable(struct spool_entry *entry, uint64_t end, struct err *err)
{
	if (entry->spoilt)
		return entry_fail(entry, err, -EIO,
		    "an earlier flush failed, its bytes may be lost");
	if (!entry->file || spool_attr(entry).state != SPOOL_OPEN)
		return entry_fail(entry, err, -EBADF, "not open for writing");
	if (end > SPOOL_FILE_BYTES_MAX)
		return entry_fail(entry, err, -EFBIG, "written");
	return entry_ready(entry, err);
}

static int write_locked(struct spool_entry *entry, const void *bytes,
    size_t size_bytes, uint64_t offset_bytes, struct err *err)
    REQUIRES(spool_work_lock);
static int write_locked(struct spool_entry *entry, const void *bytes,
    size_t size_bytes, uint64_t offset_bytes, struct err *err)
{
	uint64_t taken = size_bytes + SLACK_BYTES;
	uint64_t size = spool_attr(entry).size_bytes;
	uint64_t end = offset_bytes + size_bytes;
	int code = lease_take(entry->spool, entry->uid, taken, err);

	if (code < 0)
		return code;
	code = own_here(entry, offset_bytes, end);
	if (code == 0)
		code =
		    io_pwrite(entry->data_fd, bytes, size_bytes, offset_bytes);
	if (code == 0)
		code = note_range(entry, offset_bytes, end);
	if (code < 0) {
		/* It had another end before. */
		entry->cut_pending =
		    end > size && ftruncate(entry->data_fd, (off_t)size) < 0;
		settle(entry, taken);
		return entry_fail(entry, err, code, "written");
	}
	settle(entry, taken);
	spool_facts_enter(entry->spool);
	if (end > size)
		entry->item.attr.size_bytes = end;
	entry->item.attr.changes++;
	spool_facts_leave(entry->spool);
	return 0;
}

int spool_write(struct spool_entry *entry, const void *bytes, size_t size_bytes,
    uint64_t offset_bytes, struct err *err)
{
	uint64_t end;
	int code;

	if (__builtin_add_overflow(offset_bytes, size_bytes, &end))
		end = UINT64_MAX;
	code = entry_enter(entry, err);
	if (code == 0)
		code = writable(entry, end, err);
	if (code == 0 && size_bytes > 0)
		code =
		    write_locked(entry, bytes, size_bytes, offset_bytes, err);
	entry_leave(entry);
	return code;
}

int spool_truncate(
    struct spool_entry *entry, uint64_t size_bytes, struct err *err)
{
	int code;

	code = entry_enter(entry, err);
	if (code == 0)
		code = writable(entry, size_bytes, err);
	if (code == 0 && ftruncate(entry->data_fd, (off_t)size_bytes) < 0)
		code = entry_fail(entry, err, -errno, "cut or lengthened");
	if (code < 0) {
		entry_leave(entry);
		return code;
	}
	spool_facts_enter(entry->spool);
	entry->item.attr.size_bytes = size_bytes;
	entry->item.attr.changes++;
	if (size_bytes < entry->limit_bytes) {
		entry->limit_bytes = size_bytes;
		ranges_cut(&entry->ours, size_bytes);
		ranges_cut(&entry->here, size_bytes);
		entry->limit_pending = true;
	}
	spool_facts_leave(entry->spool);
	entry->disk_bytes = occupied(entry, entry->disk_bytes);
	/* Done it is; until it is written down nothing else is. */
	if (entry_ready(entry, err) < 0)
		err->code = 0;
	entry_leave(entry);
	return 0;
}

struct spool_piece spool_map(
    const struct spool_entry *entry, uint64_t offset_bytes)
{
	struct spool_piece piece = {.where = SPOOL_END};
	uint64_t until;
	uint64_t size;

	spool_facts_enter(entry->spool);
	size = entry->item.attr.size_bytes;
	if (offset_bytes >= size) {
		spool_facts_leave(entry->spool);
		return piece;
	}
	piece.where = SPOOL_HERE;
	until = size;
	if (offset_bytes < entry->limit_bytes) {
		if (!ranges_at(&entry->here, offset_bytes, &until))
			piece.where = SPOOL_BASE;
		/* What is ours may go on behind the limit. */
		if (until >= entry->limit_bytes)
			until = piece.where == SPOOL_HERE ? size
			                                  : entry->limit_bytes;
	}
	piece.size_bytes = until - offset_bytes;
	spool_facts_leave(entry->spool);
	return piece;
}

static ssize_t read_here(const struct spool_entry *entry,
    const struct iovec *out, uint64_t offset_bytes, bool nowait,
    struct err *err)
{
	struct iovec part = *out;
	struct spool_piece piece = spool_map(entry, offset_bytes);
	ssize_t n;
	int fd;

	if (piece.where != SPOOL_HERE || !entry->file)
		return 0;
	if (part.iov_len > piece.size_bytes)
		part.iov_len = (size_t)piece.size_bytes;
	fd = entry_read_begin(entry, nowait);
	n = fd < 0 ? fd : io_preadv(fd, &part, 1, offset_bytes, nowait);
	if (fd >= 0)
		entry_read_end(entry, fd);
	if (n == -EAGAIN && nowait)
		return n;
	return n < 0 ? entry_fail(entry, err, (int)n, "read") : n;
}

ssize_t spool_read(const struct spool_entry *entry, void *out,
    size_t size_bytes, uint64_t offset_bytes, struct err *err)
{
	return read_here(
	    entry, &(struct iovec){out, size_bytes}, offset_bytes, false, err);
}

ssize_t spool_read_nowait(const struct spool_entry *entry, void *out,
    size_t size_bytes, uint64_t offset_bytes, struct err *err)
{
	return read_here(
	    entry, &(struct iovec){out, size_bytes}, offset_bytes, true, err);
}

/* Put one gap's bytes. */
static int fill_gap(struct spool_entry *entry, const void *bytes,
    uint64_t start, uint64_t end, struct err *err) REQUIRES(spool_work_lock);
static int fill_gap(struct spool_entry *entry, const void *bytes,
    uint64_t start, uint64_t end, struct err *err)
{
	uint64_t taken = end - start + SLACK_BYTES;
	int code = lease_take(entry->spool, entry->uid, taken, err);

	if (code < 0)
		return code;
	spool_facts_enter(entry->spool);
	code = ranges_reserve(&entry->here);
	spool_facts_leave(entry->spool);
	if (code == 0)
		code = io_pwrite(
		    entry->data_fd, bytes, (size_t)(end - start), start);
	settle(entry, taken);
	if (code < 0)
		return entry_fail(entry, err, code, "filled up");
	spool_facts_enter(entry->spool);
	ranges_add(&entry->here, start, end);
	spool_facts_leave(entry->spool);
	return 0;
}

int spool_fill(struct spool_entry *entry, const void *bytes, size_t size_bytes,
    uint64_t offset_bytes, struct err *err)
{
	uint64_t at = offset_bytes;
	uint64_t end;
	int code = entry_enter(entry, err);

	if (__builtin_add_overflow(offset_bytes, size_bytes, &end))
		end = UINT64_MAX;
	if (code == 0 &&
	    (!entry->file || spool_attr(entry).state == SPOOL_SENT))
		code = entry_fail(entry, err, -EBADF, "filled up");
	while (code == 0 && at < end) {
		struct spool_piece piece = spool_map(entry, at);
		uint64_t next = at + piece.size_bytes;

		if (piece.where == SPOOL_END)
			break;
		if (next > end)
			next = end;
		if (piece.where == SPOOL_BASE)
			code = fill_gap(entry,
			    (const uint8_t *)bytes + (at - offset_bytes), at,
			    next, err);
		at = next;
	}
	entry_leave(entry);
	return code;
}

/* The first range that is here from an offset on, up to the limit. */
static bool next_here(
    const struct spool_entry *entry, uint64_t at_bytes, struct range *out)
{
	bool found;

	spool_facts_enter(entry->spool);
	found = ranges_next(&entry->here, at_bytes, out);
	spool_facts_leave(entry->spool);
	return found;
}

int entry_own_filled(struct spool_entry *entry, struct err *err)
{
	struct range range = {.end = 0};
	bool filled;
	int code;

	if (!entry->file)
		return 0;
	spool_facts_enter(entry->spool);
	filled = ranges_bytes(&entry->here) > ranges_bytes(&entry->ours);
	spool_facts_leave(entry->spool);
	if (!filled)
		return 0;
	/* Before the journal says so: these bytes belong to no promise. */
	code = entry_ready(entry, err);
	if (code == 0)
		code = entry_flush(entry, err);
	while (code == 0 && next_here(entry, range.end, &range))
		code = note_range(entry, range.start, range.end);
	return code;
}
