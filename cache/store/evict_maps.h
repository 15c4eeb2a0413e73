/* SPDX-License-Identifier: Apache-2.0 */
/*
 * cache/store/evict_maps.h - counting maps, and removing those that are of no use:
 * of files last used before every pack that is left; the least recently used
 * ones, when maps take more than a 16th of the bound or inodes are few.
 *
 * Threads: the writer's.
 */
#ifndef CACHE_STORE_EVICT_MAPS_H
#define CACHE_STORE_EVICT_MAPS_H

#include "cache/store/usage.h"

#include <stdint.h>

struct generation;

/** Count the maps of all directories, removing none; may wait. */
void evict_count_maps(struct generation *generation);

/** Count a few directories, and remove maps used before `cutoff_ns`; the next
 *  call looks at the next ones. May wait. */
void evict_some_maps(struct generation *generation, int64_t cutoff_ns);

/** All directories, when the cache is full: counted anew in `usage`; may
 *  wait. */
void evict_maps(
    struct generation *generation, struct usage *usage, int64_t cutoff_ns);

#endif
