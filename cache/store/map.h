/* SPDX-License-Identifier: Apache-2.0 */
/*
 * cache/store/map.h - maps: for each block of a larger file, where it is and
 * what its pages' sums are; one file an object, headed by the object's
 * identity.
 *
 * The identity stands at the head of the map and not in a pack, so that a
 * file that lies in many packs does not vanish with the oldest of them. It
 * is compared in full; entries are bound to it by their check as well, so
 * that a map under the wrong name, or with foreign parts, holds nothing.
 *
 * Threads: any.
 */
#ifndef CACHE_STORE_MAP_H
#define CACHE_STORE_MAP_H

#include "base/attr.h"
#include "cache/store/format.h"
#include "cache/store/hash.h"
#include "cache/store/store.h"

#include <stdbool.h>
#include <stdint.h>

struct generation;

/** What an entry says, once its check was right. */
struct map_place {
	struct place place;
	uint32_t birth;
	uint64_t sums[FORMAT_PAGES];
};

/** An object as a call on it needs it: copied out under the lock. */
struct map_object {
	struct store *store;
	struct generation *generation; /* held by the caller */
	struct store_object *object;
	struct hash128 key;
	struct hash128 bind;
};

/**
 * Read entries as they stand on disk; zeros where there is none.
 *
 * @retval 0        read.
 * @retval -EAGAIN  with STORE_NOWAIT: the disk would have to be asked.
 * @retval -errno   the map cannot be opened or read.
 */
NODISCARD int map_read(const struct map_object *object, uint64_t first,
    unsigned count, enum store_how how, struct format_map_entry entries[]);

/** Write entries that follow one another, making the map when needed; may
 *  wait; the writer's thread only. @retval 0, or -errno. */
NODISCARD int map_write(const struct map_object *object, uint64_t first,
    unsigned count, const struct format_map_entry entries[]);

/** Put another entry (NULL: none) in the place of one, if that still stands
 *  there; may wait. */
void map_replace(const struct map_object *object, uint64_t index,
    const struct format_map_entry *entry, const struct format_map_entry *by);

/** Blocks up to the last one that the map has an entry for, none behind the
 *  object's end; may wait. */
uint64_t map_blocks(const struct map_object *object);

/** Encode an entry for a block of `size_bytes`. */
void map_encode(const struct hash_secret *secret, struct hash128 bind,
    uint64_t index, size_t size_bytes, const struct map_place *place,
    struct format_map_entry *out);

/** Check and decode an entry; false when it is not right. */
bool map_decode(const struct hash_secret *secret, struct hash128 bind,
    uint64_t index, size_t size_bytes, const struct format_map_entry *entry,
    struct map_place *out);

/** Is there an entry at all? */
static inline bool map_has(const struct format_map_entry *entry)
{
	return entry->place != 0;
}

#endif
