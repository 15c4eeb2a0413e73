/* SPDX-License-Identifier: Apache-2.0 */
/*
 * cache/store/usage.h - what a cache directory occupies and may occupy.
 *
 * The truth is what its files occupy on disk; nothing is kept in a counter
 * that could drift. A pack that is not full counts as if it were, so that
 * whoever appends to it has the room reserved.
 *
 * Threads: the writer's.
 */
#ifndef CACHE_STORE_USAGE_H
#define CACHE_STORE_USAGE_H

#include "base/attr.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/stat.h>

struct generation;
struct store;

struct usage_pack {
	uint64_t number;
	uint64_t size_bytes;     /* its length */
	uint64_t disk_bytes;     /* what it occupies */
	uint64_t reserved_bytes; /* what it may come to occupy */
};

struct usage {
	struct usage_pack *packs; /* malloc'ed; freed by usage_fini() */
	size_t pack_count;
	uint64_t disk_bytes;     /* occupied by all files */
	uint64_t map_bytes;      /* of that, by maps */
	uint64_t reserved_bytes; /* with packs that are not full as full ones */
	uint64_t bound_bytes;    /* in force now */
	bool inodes_low;         /* less than the reserve is free */
};

/** Count. @retval 0, or -errno; usage_fini() in any case. */
NODISCARD int usage_count(
    struct store *store, struct generation *generation, struct usage *out);

/** When a map was used last, on disk. */
static inline int64_t usage_time_ns(const struct stat *stat)
{
	return (int64_t)stat->st_mtim.tv_sec * 1000000000 +
	    stat->st_mtim.tv_nsec;
}

void usage_fini(struct usage *usage);

/** Size of a full pack: a 256th of the bound in force, 1 to 64 MiB. */
uint64_t usage_pack_bytes(const struct store *store);

/** Has the cache room for packs of two classes, and for carrying blocks from
 *  one pack to another? */
bool usage_has_classes(const struct store *store);

/** Can more be appended to a pack of that length? */
bool usage_is_unfinished(const struct store *store, uint64_t size_bytes);

#endif
