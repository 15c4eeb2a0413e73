/* SPDX-License-Identifier: Apache-2.0 */
/*
 * cache/store/evict.h - what goes when the cache is full: whole packs, those used
 * least recently first, and the maps of files that were not used since.
 *
 * The order is a pure function, apart from the doing. Recency is a file's
 * mtime: all processes of the directory see the same, and it survives them.
 *
 * Threads: the writer's; of all processes one at a time (flock).
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
};

/** Sort packs by the order in which they go: least recently used first. */
void evict_order(struct usage_pack packs[], size_t count);

/** Make room for `need_bytes`, when the cache is above its high mark or
 *  would be. Does nothing while another process evicts. May wait. */
void evict_run(
    struct store *store, struct generation *generation, uint64_t need_bytes);

/** Evict when the cache is above its high mark; look at a few directories of
 *  maps: count them, remove those of files that were last used before every
 *  pack that is left. May wait. @return packs there are. */
size_t evict_tend(struct store *store, struct generation *generation);

/** After maps were made: evict when they brought the cache above its high
 *  mark. May wait. */
void evict_after_maps(struct store *store, struct generation *generation);

#endif
