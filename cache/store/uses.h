/* SPDX-License-Identifier: Apache-2.0 */
/*
 * cache/store/uses.h - the file `uses`: which parts of each pack were read,
 * which packs are proven, and where eviction's hand stands.
 *
 * All processes of the directory write it without a lock; a slot that two
 * change at once loses one of the changes. Everything in it is a hint: what
 * is lost, torn or foreign reads as "fresh and never used".
 *
 * Threads: the writer's.
 */
#ifndef CACHE_STORE_USES_H
#define CACHE_STORE_USES_H

#include "cache/store/format.h"

#include <stdbool.h>
#include <stdint.h>

struct generation;

struct uses {
	bool proven;
	uint64_t used[FORMAT_USE_WORDS];
};

/** Open it, making it when it is missing. Without it nothing is noted. */
void uses_open(struct generation *generation);
void uses_close(struct generation *generation);

/** What is noted of a pack. */
void uses_read(
    const struct generation *generation, uint64_t number, struct uses *out);

/** Note anew. */
void uses_write(const struct generation *generation, uint64_t number,
    const struct uses *uses);

/** Note that more of it was used. */
void uses_add(const struct generation *generation, uint64_t number,
    const uint64_t used[FORMAT_USE_WORDS]);

/** The pack that eviction looked at last; 0: none. */
uint64_t uses_hand(const struct generation *generation);
void uses_set_hand(const struct generation *generation, uint64_t number);

/** Bytes that it occupies. */
uint64_t uses_disk_bytes(const struct generation *generation);

/** Units that were used. */
unsigned uses_count(const uint64_t used[FORMAT_USE_WORDS]);

/** Was the unit at that offset of its pack used? */
static inline bool uses_has(
    const uint64_t used[FORMAT_USE_WORDS], uint64_t offset_bytes)
{
	uint64_t unit = offset_bytes / FORMAT_USE_UNIT_BYTES;

	return unit < (uint64_t)FORMAT_USE_WORDS * 64 &&
	    (used[unit / 64] >> unit % 64 & 1) != 0;
}

#endif
