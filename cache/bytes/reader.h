/* SPDX-License-Identifier: Apache-2.0 */
/*
 * cache/bytes/reader.h - whose turn it is to have buffers: reads that wait for
 * them, by user.
 *
 * In a cache of many users nobody's reads hold more buffers than are left for
 * others: half of all alone, a third each of two. So one user's reads of
 * files that no server gives soon keep nobody else waiting. Where one user
 * has the cache, all is theirs.
 *
 * Threads: under cache_lock.
 */
#ifndef CACHE_BYTES_READER_H
#define CACHE_BYTES_READER_H

#include "base/attr.h"
#include "base/list.h"
#include "base/sync.h"

#include <stdbool.h>
#include <sys/types.h>

struct cache;
struct read;
struct reads;
struct todo;

struct reader {
	struct list place; /* reads.readers */
	uid_t uid;
	unsigned reads;      /* of theirs */
	unsigned held;       /* buffers that these hold */
	struct list starved; /* the first goes first */
};

/** Count a read in; reader_leave() must follow. NULL: out of memory. */
struct reader *reader_join(struct cache *cache, uid_t uid) REQUIRES(cache_lock);

/** The last one out frees it. */
void reader_leave(struct reader *reader) REQUIRES(cache_lock);

/** Whether a read may have so many buffers, as far as others go. */
bool reader_may_hold(const struct cache *cache, const struct reader *reader,
    unsigned count) REQUIRES(cache_lock);

/** Whether any read waits for buffers. */
bool readers_are_starved(const struct reads *reads) REQUIRES(cache_lock);

/** Buffers may be free: go on with those who have none. */
void readers_feed(struct cache *cache, struct todo *todo) REQUIRES(cache_lock);

#endif
