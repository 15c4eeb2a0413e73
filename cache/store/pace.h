/* SPDX-License-Identifier: Apache-2.0 */
/*
 * cache/store/pace.h - how the writer and its disk get along: is it the disk
 * that is too slow for what comes in?
 *
 * Blocks are written past the page cache. A disk that cannot take them as
 * fast as the network brings them would lose them, where the page cache has
 * room for a while. But a writer that is late for want of a processor would
 * be later still: through the page cache a GB costs it 0.37-0.75 CPU s
 * instead of 0.11, and the kernel 0.2 more (measured: bench/run --only seq,
 * two busy cores). So both must be: hardly a pause, and not one quick write.
 *
 * Pure arithmetic; times in us, monotonic. Threads: the writer's alone.
 */
#ifndef CACHE_STORE_PACE_H
#define CACHE_STORE_PACE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/** All zero at first. */
struct pace {
	uint64_t began_us; /* the batch that is written, or was last */
	uint64_t ended_us;
	uint64_t busy_us;      /* of the last while: writing, */
	uint64_t idle_us;      /* and with nothing to write */
	uint64_t bytes_per_us; /* of the best direct write of late */
};

void pace_batch_begins(struct pace *pace, uint64_t now_us);
void pace_batch_ends(struct pace *pace, uint64_t now_us);

/** A direct write took so long; short ones tell nothing. */
void pace_wrote(struct pace *pace, size_t size_bytes, uint64_t took_us);

/** Better through the page cache? */
bool pace_is_behind(const struct pace *pace);

#endif
