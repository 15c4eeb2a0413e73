/* SPDX-License-Identifier: Apache-2.0 */
/*
 * cache/store/table.h - hash tables on disk: `blocks` (address -> place, birth)
 * and `objects` (key -> place and length of a small file's record).
 *
 * Buckets of 4 KiB. An entry is overwritten in place, the least useful one
 * of a full bucket; nothing is deleted, moved or grown. Several processes
 * write without a lock: an entry carries a check, and a torn, lost or stale
 * one is a miss. Read by pread and written by pwrite, never mapped.
 *
 * A table that cannot be opened finds nothing and keeps nothing.
 *
 * Threads: any; no state in memory but what is set at opening.
 */
#ifndef CACHE_STORE_TABLE_H
#define CACHE_STORE_TABLE_H

#include "base/attr.h"
#include "cache/store/format.h"
#include "cache/store/hash.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum table_kind { TABLE_BLOCKS = 1, TABLE_OBJECTS = 2 };

struct table {
	int fd; /* -1: off */
	enum table_kind kind;
	uint32_t buckets;
	const struct hash_secret *secret; /* borrowed */
};

#define TABLE_INIT       \
	{                \
		.fd = -1 \
	}

struct table_entry {
	struct hash128 key;
	struct place place;
	uint32_t extra;
	uint8_t mark; /* of use; set by table_find() */
};

enum { TABLE_MATCHES_MAX = 4 };

/** What `blocks` says of a block besides its place. */
static inline uint32_t table_block_extra(uint32_t birth, size_t size_bytes)
{
	return birth << 16 | (uint32_t)((size_bytes - 1) & 0xffff);
}

static inline uint32_t table_block_birth(const struct table_entry *entry)
{
	return entry->extra >> 16;
}

static inline size_t table_block_bytes(const struct table_entry *entry)
{
	return (entry->extra & 0xffff) + 1;
}

/**
 * Open `name` in a directory, making it, or giving it its size, when needed.
 * @retval 0       open.
 * @retval -errno  of open(2), fstat(2), ftruncate(2); -EISDIR when something
 *                 else has its name.
 */
NODISCARD int table_open(struct table *table, int dir_fd, const char *name);

void table_close(struct table *table);

/** A bucket in memory, as it was read. */
struct table_bucket {
	uint64_t offset_bytes;
	struct format_bucket entries;
};

/**
 * Entries of a key; more than one when two processes wrote at the same time.
 * @return number of entries, or -errno of the read.
 */
NODISCARD int table_find(const struct table *table, struct hash128 key,
    struct table_entry found[TABLE_MATCHES_MAX]);

/** As table_find(), out of the page cache alone. @retval -EAGAIN  the disk
 *  would have to be asked, or an entry looked torn. */
NODISCARD int table_find_hot(const struct table *table, struct hash128 key,
    struct table_entry found[TABLE_MATCHES_MAX]);

/** Is that pack known to be gone? Entries of such packs are overwritten
 *  first. */
typedef bool (*table_gone_fn)(void *arg, uint64_t pack);

/**
 * Enter; an entry with the same key is overwritten, else an empty, bad or
 * useless one, else the least used one.
 * @retval 0       entered.
 * @retval -errno  of the read or write.
 */
NODISCARD int table_insert(const struct table *table,
    const struct table_entry *entry, table_gone_fn gone, void *arg);

/** As table_find(), and leaves the bucket, for table_insert_into(). */
NODISCARD int table_find_in(const struct table *table, struct hash128 key,
    struct table_bucket *bucket, struct table_entry found[TABLE_MATCHES_MAX]);

/** As table_insert(), into a bucket that was read a moment ago: the caller
 *  has entered nothing into it since. */
NODISCARD int table_insert_into(const struct table *table,
    struct table_bucket *bucket, const struct table_entry *entry,
    table_gone_fn gone, void *arg);

/** Mark an entry as used, so that it outlives others. Failure is harmless. */
void table_touch(const struct table *table, const struct table_entry *entry);

/** Call with each good entry of a bucket; not 0 ends the walk. */
typedef int (*table_each_fn)(void *arg, const struct table_entry *entry);

/** @retval 0, what `each` returned, or -errno of a read. */
NODISCARD int table_each_of(
    const struct table *table, uint32_t bucket, table_each_fn each, void *arg);

/** Clear an entry, if it is still there. Failure leaves a miss. */
void table_remove(const struct table *table, const struct table_entry *entry);

/** Clear entries of a bucket that do not carry their check, twice in a row.
 *  @return how many; -errno of a read. */
NODISCARD int table_scrub(const struct table *table, uint32_t bucket);

/** Copy every good entry of one table into another (of another size).
 *  @retval 0, or -errno. */
NODISCARD int table_copy(const struct table *from, struct table *to);

#endif
