/* SPDX-License-Identifier: Apache-2.0 */
/*
 * cache/ahead/prefetch.h - ranges of files that are brought onto the disk
 * because somebody has asked for just that: cache_prefetch().
 *
 * What is missing is asked for by polite reads (read.h), in one range, once
 * the writer has room for it, so that it does not drop what was fetched to be
 * kept. That it has been kept is not believed but looked at.
 *
 * Lifecycle:
 *   LOOKING -> DONE       all of it is on the disk
 *           -> WAITING    for buffers, and room in the writer's queue
 *   WAITING -> FETCHING   until its reads are answered
 *           -> SETTLING   until the writer has been through them
 *           -> LOOKING    once more
 *           -> DONE       when a read failed, or it was not kept thrice
 *
 * Threads: under cache_lock; prefetch_go_on() without it.
 */
#ifndef CACHE_AHEAD_PREFETCH_H
#define CACHE_AHEAD_PREFETCH_H

#include "base/list.h"
#include "base/sync.h"
#include "cache/cache.h"

#include <assert.h>

struct cache;
struct todo;

enum {
	PREFETCH_BLOCKS = CACHE_PREFETCH_BYTES / CACHE_BLOCK_BYTES,
	PREFETCH_TRIES_MAX = 3,
	/* Of the bound, what certainly finds room: eviction goes down to 90
	 * per cent, and a file takes more than its bytes. */
	PREFETCH_ROOM_PERCENT = 80,
};

static_assert(CACHE_PREFETCH_BYTES % CACHE_BLOCK_BYTES == 0, "whole blocks");

struct prefetches {
	struct list waiting;  /* for room */
	struct list settling; /* for the writer */
	unsigned blocks;      /* of those FETCHING or SETTLING */
};

void prefetches_init(struct prefetches *prefetches);

/** Go on with those for which there is room now. */
void prefetches_go(struct cache *cache, struct todo *todo) REQUIRES(cache_lock);

/** The writer has got further. */
void prefetches_settle(struct cache *cache, struct todo *todo)
    REQUIRES(cache_lock);

/** Answer those who wait with -ECANCELED; the rest follow their reads. */
void prefetches_stop(struct cache *cache, struct todo *todo)
    REQUIRES(cache_lock);

/** One of a todo: send its reads, or answer and free it. */
void prefetch_go_on(struct list *place);

#endif
