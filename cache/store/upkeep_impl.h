/* SPDX-License-Identifier: Apache-2.0 */
/*
 * cache/store/upkeep_impl.h - what the files of the upkeep share: the
 * directory, and going through all that it holds.
 *
 * Threads: one at a time.
 */
#ifndef CACHE_STORE_UPKEEP_IMPL_H
#define CACHE_STORE_UPKEEP_IMPL_H

#include "base/attr.h"
#include "cache/store/object.h"
#include "cache/store/record.h"
#include "cache/store/table.h"
#include "cache/store/upkeep.h"
#include "cache/store/usage.h"

#include <stdbool.h>
#include <stdint.h>

struct upkeep {
	struct store *store;
	struct generation *generation; /* held */
	uint32_t let_go_ms;
};

/** Names of a file, as texts: what a head has in them is bytes. */
struct upkeep_name {
	char origin[FORMAT_TEXT_BYTES_MAX + 1];
	char path[FORMAT_TEXT_BYTES_MAX + 1];
};

/** A larger file that is in the cache. */
struct upkeep_map {
	const char *file; /* "ab/<32 hex>" */
	const struct upkeep_name *name;
	struct store_object *object; /* NULL: its head is not right */
	struct map_object seen;      /* of the object */
};

/** A small file that is in the cache, or what an entry takes for one. */
struct upkeep_record {
	const struct table_entry *entry;
	const struct upkeep_name *name; /* texts may be "" when it is bad */
	bool right;                     /* verified; else the rest is void */
	struct record record;
};

/** What is called of each; not 0 ends the walk. */
typedef int (*upkeep_map_fn)(void *arg, const struct upkeep_map *map);
typedef int (*upkeep_record_fn)(void *arg, const struct upkeep_record *record);

/** Go through every map. Those that a mount is beginning just now are left
 *  out. @retval 0, what `each` returned, or -errno. */
NODISCARD int upkeep_each_map(
    struct upkeep *upkeep, upkeep_map_fn each, void *arg);

/** Go through every entry of small files whose pack is there; what is wrong
 *  is read twice. @retval as above. */
NODISCARD int upkeep_each_record(
    struct upkeep *upkeep, upkeep_record_fn each, void *arg);

/** Called with each block of a file that is there, and with those whose entry
 *  is not right (pack 0); not 0 ends it. */
typedef int (*upkeep_block_fn)(
    void *arg, uint64_t index, struct place place, size_t size_bytes);

/** Go through the blocks of a file as its map tells. */
NODISCARD int upkeep_each_block(
    const struct upkeep_map *map, upkeep_block_fn each, void *arg);

/** Count the directory. @retval 0, or -errno with a sentence. */
NODISCARD int upkeep_count(
    struct upkeep *upkeep, struct usage *out, struct err *err);

/** Tell how far it is. */
void upkeep_tell(const struct upkeep_progress *progress, uint64_t done_bytes,
    uint64_t all_bytes);

/** A sentence on the directory. @return code */
int upkeep_fail(const struct upkeep *upkeep, int code, struct err *err);

#endif
