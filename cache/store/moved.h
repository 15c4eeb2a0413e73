/* SPDX-License-Identifier: Apache-2.0 */
/*
 * cache/store/moved.h - blocks whose pack has gone, but which were carried
 * into another one (carry.h): found by their address, and the map mended.
 *
 * Threads: any; may wait.
 */
#ifndef CACHE_STORE_MOVED_H
#define CACHE_STORE_MOVED_H

#include "cache/store/map.h"

#include <stdbool.h>
#include <stdint.h>

/** Where a block is now, whose entry names a pack that has gone. False:
 *  nowhere. */
bool moved_find(const struct map_object *object, uint64_t index,
    const struct format_map_entry *entry, struct format_map_entry *out);

/** Mend the entries of blocks that follow one another, of which the first
 *  one's pack has gone. */
void moved_mend(const struct map_object *object, uint64_t first, unsigned count,
    const struct format_map_entry entries[]);

#endif
