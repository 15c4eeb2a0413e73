/* SPDX-License-Identifier: Apache-2.0 */
/*
 * cache/store/table.c - see table.h.
 *
 * Which entry gives way: each has a use mark of one byte. Entering sets it
 * to 1, finding raises it; when a full bucket needs a slot, the lowest mark
 * loses and the others are lowered by as much, so that old fame fades.
 */
#include "cache/store/table.h"

#include "cache/store/io.h"
#include "cache/store/table_impl.h"

#include <errno.h>
#include <fcntl.h>
#include <stddef.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

enum {
	MARK_ENTERED = 1,
	MARK_MAX = 8,
	/* Of the table of objects, read ahead when it is opened: it is asked
	 * about each file, at places that no read-ahead can guess. All of it
	 * for a cache of up to 32 GiB. */
	TABLE_AHEAD_BYTES = 16 * 1024 * 1024,
};

/* A table is a file of one size from the day it is made. */
static int give_size(int fd, uint64_t size_bytes)
{
	struct stat stat;

	if (fstat(fd, &stat) < 0)
		return -errno;
	if (!S_ISREG(stat.st_mode))
		return -EISDIR;
	if ((uint64_t)stat.st_size == size_bytes)
		return 0;
	return ftruncate(fd, (off_t)size_bytes) < 0 ? -errno : 0;
}

int table_open(struct table *table, int dir_fd, const char *name)
{
	int fd = openat(dir_fd, name,
	    O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK, 0600);
	int code;

	if (fd < 0)
		return -errno;
	code = give_size(fd, (uint64_t)table->buckets * FORMAT_BUCKET_BYTES);
	if (code < 0) {
		(void)close(fd);
		return code;
	}
	table->fd = fd;
	/* Of a hint nobody needs the result. */
	if (table->kind == TABLE_OBJECTS)
		(void)posix_fadvise(
		    fd, 0, TABLE_AHEAD_BYTES, POSIX_FADV_WILLNEED);
	return 0;
}

void table_close(struct table *table)
{
	if (table->fd >= 0)
		(void)close(table->fd);
	table->fd = -1;
}

uint64_t table_bucket_offset(const struct table *table, struct hash128 key)
{
	uint64_t bucket = (key.low >> 32) * table->buckets >> 32;

	return bucket * FORMAT_BUCKET_BYTES;
}

/* A bucket behind the end of a shortened file is an empty one. */
int table_read_bucket(const struct table *table, uint64_t offset_bytes,
    struct table_bucket *bucket)
{
	struct format_bucket *entries = &bucket->entries;
	ssize_t n;

	bucket->offset_bytes = offset_bytes;
	n = io_pread(
	    table->fd, entries, sizeof(*entries), bucket->offset_bytes);
	if (n < 0)
		return (int)n;
	memset((char *)entries + n, 0, sizeof(*entries) - (size_t)n);
	return 0;
}

bool table_is_good(const struct table *table, const struct format_entry *entry)
{
	return entry->place != 0 &&
	    le32toh(entry->check) ==
	    hash_entry(table->secret, (uint32_t)table->kind, entry);
}

bool table_has_key(const struct format_entry *entry, struct hash128 key)
{
	return le64toh(entry->key[0]) == key.low &&
	    le64toh(entry->key[1]) == key.high;
}

static unsigned mark_of(const struct format_entry *entry)
{
	return (unsigned)(le64toh(entry->place) & 0xff);
}

static void set_mark(struct format_entry *entry, unsigned mark)
{
	entry->place =
	    htole64((le64toh(entry->place) & ~UINT64_C(0xff)) | (uint64_t)mark);
}

void table_decode(const struct format_entry *entry, struct table_entry *out)
{
	out->key.low = le64toh(entry->key[0]);
	out->key.high = le64toh(entry->key[1]);
	out->place = place_decode(entry->place);
	out->extra = le32toh(entry->extra);
	out->mark = (uint8_t)mark_of(entry);
}

/* Entries of a key in a bucket; `torn` tells that one with that key did not
 * carry its check. */
static int search(const struct table *table, const struct format_bucket *bucket,
    struct hash128 key, struct table_entry found[TABLE_MATCHES_MAX], bool *torn)
{
	int count = 0;

	*torn = false;
	for (unsigned i = 0; i < FORMAT_BUCKET_ENTRIES; i++) {
		const struct format_entry *entry = &bucket->entries[i];

		if (!table_has_key(entry, key) || entry->place == 0)
			continue;
		if (!table_is_good(table, entry))
			*torn = true;
		else if (count < TABLE_MATCHES_MAX)
			table_decode(entry, &found[count++]);
	}
	return count;
}

int table_find_in(const struct table *table, struct hash128 key,
    struct table_bucket *bucket, struct table_entry found[TABLE_MATCHES_MAX])
{
	bool torn = true;
	int count = 0;

	if (table->fd < 0)
		return 0;
	/* Twice: another process may be writing the entry just now. */
	for (unsigned try = 0; try < 2 && torn && count == 0; try++) {
		int code = table_read_bucket(
		    table, table_bucket_offset(table, key), bucket);

		if (code < 0)
			return code;
		count = search(table, &bucket->entries, key, found, &torn);
	}
	return count;
}

int table_find_hot(const struct table *table, struct hash128 key,
    struct table_entry found[TABLE_MATCHES_MAX])
{
	struct table_bucket bucket = {
	    .offset_bytes = table_bucket_offset(table, key)};
	bool torn;
	int count;

	if (table->fd < 0)
		return 0;
	if (io_pread_nowait(table->fd, &bucket.entries, sizeof(bucket.entries),
	        bucket.offset_bytes) != (ssize_t)sizeof(bucket.entries))
		return -EAGAIN;
	count = search(table, &bucket.entries, key, found, &torn);
	return torn && count == 0 ? -EAGAIN : count;
}

int table_find(const struct table *table, struct hash128 key,
    struct table_entry found[TABLE_MATCHES_MAX])
{
	struct table_bucket bucket;

	return table_find_in(table, key, &bucket, found);
}

/* The slot to overwrite. Preference: the same key, an empty or worthless
 * one, the one whose pack is gone longest (it tells for a while that the
 * block was here), the least used one. Checks are not computed here: noise
 * has a mark that we never write, or fades as all do. */
static unsigned choose_slot(const struct format_bucket *bucket,
    const struct format_entry *fresh, table_gone_fn gone, void *arg)
{
	enum { EMPTY = 1, GONE = 2, USED = 3 };
	unsigned best = 0;
	unsigned best_rank = USED + MARK_MAX + 1;
	uint64_t best_pack = 0;

	for (unsigned i = 0; i < FORMAT_BUCKET_ENTRIES; i++) {
		const struct format_entry *entry = &bucket->entries[i];
		unsigned rank = USED + mark_of(entry);
		uint64_t pack = place_decode(entry->place).pack;

		/* It did not do for the one who now enters another. */
		if (memcmp(entry->key, fresh->key, sizeof(entry->key)) == 0)
			return i;
		if (entry->place == 0 || mark_of(entry) > MARK_MAX)
			rank = EMPTY;
		else if (best_rank >= GONE && gone != NULL && gone(arg, pack))
			rank = GONE;
		if (rank < best_rank ||
		    (rank == GONE && best_rank == GONE && pack < best_pack)) {
			best = i;
			best_rank = rank;
			best_pack = pack;
		}
	}
	return best;
}

/* Lower every mark by that of the entry that gives way. */
static bool fade(struct format_bucket *bucket, unsigned loss)
{
	if (loss == 0)
		return false;
	for (unsigned i = 0; i < FORMAT_BUCKET_ENTRIES; i++) {
		struct format_entry *entry = &bucket->entries[i];
		unsigned mark = mark_of(entry);

		set_mark(entry, mark > loss ? mark - loss : 0);
	}
	return true;
}

int table_insert_into(const struct table *table, struct table_bucket *bucket,
    const struct table_entry *entry, table_gone_fn gone, void *arg)
{
	struct format_entry fresh = {
	    .key = {htole64(entry->key.low), htole64(entry->key.high)},
	    .place = place_encode(entry->place),
	    .extra = htole32(entry->extra),
	};

	if (table->fd < 0)
		return 0;
	fresh.check =
	    htole32(hash_entry(table->secret, (uint32_t)table->kind, &fresh));
	set_mark(&fresh, MARK_ENTERED);

	unsigned slot = choose_slot(&bucket->entries, &fresh, gone, arg);
	struct format_entry *old = &bucket->entries.entries[slot];
	bool live = table_is_good(table, old) &&
	    !table_has_key(old, entry->key) &&
	    (gone == NULL || !gone(arg, place_decode(old->place).pack));
	bool faded = live && fade(&bucket->entries, mark_of(old));

	*old = fresh;
	if (faded)
		return io_pwrite(table->fd, &bucket->entries,
		    sizeof(bucket->entries), bucket->offset_bytes);
	return io_pwrite(table->fd, old, sizeof(*old),
	    bucket->offset_bytes + slot * sizeof(*old));
}

int table_insert(const struct table *table, const struct table_entry *entry,
    table_gone_fn gone, void *arg)
{
	struct table_bucket bucket;
	int code;

	if (table->fd < 0)
		return 0;
	code = table_read_bucket(
	    table, table_bucket_offset(table, entry->key), &bucket);
	return code < 0 ? code
	                : table_insert_into(table, &bucket, entry, gone, arg);
}

void table_touch(const struct table *table, const struct table_entry *entry)
{
	struct table_bucket bucket;

	if (table->fd < 0 || entry->mark >= MARK_MAX ||
	    table_read_bucket(
	        table, table_bucket_offset(table, entry->key), &bucket) < 0)
		return;
	for (unsigned i = 0; i < FORMAT_BUCKET_ENTRIES; i++) {
		struct format_entry *found = &bucket.entries.entries[i];
		struct place place = place_decode(found->place);
		unsigned mark = mark_of(found) + 1;

		if (!table_has_key(found, entry->key) ||
		    place.pack != entry->place.pack ||
		    place.offset_bytes != entry->place.offset_bytes ||
		    mark > MARK_MAX)
			continue;

		/* The low byte of a little-endian number is its first. */
		uint8_t byte = (uint8_t)mark;

		/* A mark that is lost only ages the entry. */
		(void)!io_pwrite(table->fd, &byte, 1,
		    bucket.offset_bytes + i * sizeof(*found) +
		        offsetof(struct format_entry, place));
		return;
	}
}
