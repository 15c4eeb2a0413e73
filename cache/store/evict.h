/* SPDX-License-Identifier: Apache-2.0 */
/*
 * cache/store/evict.h - what goes when the cache is full: whole packs, in the
 * order of evict_plan.h, and maps that are of no use any more.
 *
 * Eviction begins above the high mark and goes on, some at a time, down to
 * the low one, so that the writer is never away for long.
 *
 * Threads: the writer's; of all processes one at a time (flock, which a
 * killed process lets go of).
 */
#ifndef CACHE_STORE_EVICT_H
#define CACHE_STORE_EVICT_H

#include "base/attr.h"
#include "cache/store/usage.h"

#include <stddef.h>
#include <stdint.h>

struct generation;
struct store;

enum {
	EVICT_HIGH_PERCENT = 95, /* above it, eviction begins */
	EVICT_LOW_PERCENT = 90,  /* down to which it goes */
	EVICT_AT_ONCE = 64,      /* a 64th of the bound, unless it is passed */
};

/** Make room for `need_bytes`, when the cache is above its high mark or
 *  would be. Does nothing while another process evicts. May wait. */
void evict_run(
    struct store *store, struct generation *generation, uint64_t need_bytes);

/** Make `bytes` free wherever the marks are: the disk or its quota has no
 *  room. May wait. @retval 0, or -EBUSY: another process evicts. */
int evict_by(
    struct store *store, struct generation *generation, uint64_t bytes);

/** Evict when the cache is above its high mark; look at a few directories of
 *  maps. May wait. @return packs there are. */
size_t evict_tend(struct store *store, struct generation *generation);

/** After maps were made: evict when they brought the cache above its high
 *  mark. May wait. */
void evict_after_maps(struct store *store, struct generation *generation);

#endif
