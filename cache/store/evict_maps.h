/* SPDX-License-Identifier: Apache-2.0 */
/*
 * cache/store/evict_maps.h - counting maps, and removing those that are of no
 * use: none of whose blocks is there any more; the least recently used ones,
 * when maps take more than a 16th of the bound or inodes are few.
 *
 * Threads: the writer's.
 */
#ifndef CACHE_STORE_EVICT_MAPS_H
#define CACHE_STORE_EVICT_MAPS_H

#include "cache/store/usage.h"

#include <stdint.h>

struct generation;
struct store;

/** Count the maps of all directories, removing none; may wait. */
void evict_count_maps(struct generation *generation);

/** Count a few directories and, when packs went since they were looked at
 *  last, remove maps that have no block any more; the next call looks at the
 *  next ones. May wait. */
void evict_some_maps(struct store *store, struct generation *generation);

/** Remove all maps that have no block any more; may wait. */
void evict_dead_maps(struct store *store, struct generation *generation);

/** When maps take more than their share or inodes are few: remove those that
 *  have no block any more and, if that is not enough, the least recently used
 *  ones; counted anew in `usage`; may wait. */
void evict_surplus_maps(
    struct store *store, struct generation *generation, struct usage *usage);

#endif
