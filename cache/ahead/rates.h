/* SPDX-License-Identifier: Apache-2.0 */
/*
 * cache/ahead/rates.h - how fast bytes come, and what follows from it: how far
 * ahead of its reader a stream is fetched, in ranges of which length, how
 * many of them at once.
 *
 * A connection that is given one range after the other stands idle for a
 * round trip between two. A range is therefore so long that this is a small
 * part of its time, and a window holds as many ranges as are fetched at once
 * (climb.h). All windows together are at most half of the block buffers.
 *
 * Threads: under cache_lock.
 */
#ifndef CACHE_AHEAD_RATES_H
#define CACHE_AHEAD_RATES_H

#include "base/sync.h"
#include "cache/ahead/climb.h"

#include <stdbool.h>
#include <stdint.h>

struct cache;

struct rates {
	/* Of one range while its bytes came, smoothed. */
	uint64_t range_bytes_per_s;
	uint64_t wait_us; /* until the first byte, of late */
	uint64_t bytes;   /* of all ranges, since the period began */
	uint64_t period_ms;
	unsigned ticks;        /* of the period */
	unsigned hungry_ticks; /* in which a stream waited for bytes */
	unsigned hungry;       /* streams that wait */
	bool was_hungry;       /* one did since the last tick */
	unsigned objects;      /* being fetched */
	unsigned ahead_blocks; /* on their way for read-ahead */
	struct climb climb;
};

/** How a stream is to be fetched now. */
struct rates_pace {
	uint64_t window_bytes; /* ahead of its reader at most */
	uint64_t room_bytes;   /* ahead of all readers of its file */
	uint64_t range_bytes;
};

void rates_init(struct rates *rates, uint64_t now_ms);

struct rates_pace rates_pace(const struct cache *cache) REQUIRES(cache_lock);

/** Blocks of one range at most. */
unsigned rates_range_blocks(const struct cache *cache, uint64_t window_bytes)
    REQUIRES(cache_lock);

/** The first bytes of a range have come after so long. */
void rates_note_wait(struct rates *rates, uint64_t wait_ms);

/** A range has ended: its bytes have come in so long. */
void rates_note_range(
    struct rates *rates, uint64_t size_bytes, uint64_t flow_ms);

/** A reader with a whole window ahead of it waits for bytes all the same,
 *  or no longer. */
void rates_note_hunger(struct rates *rates, bool waits);

/** Once per 100 ms. */
void rates_tick(struct rates *rates, uint64_t now_ms);

#endif
