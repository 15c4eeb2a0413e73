/* SPDX-License-Identifier: Apache-2.0 */
/*
 * cache/store/object.h - what the block store's files need of an open object.
 *
 * Threads: any.
 */
#ifndef CACHE_STORE_OBJECT_H
#define CACHE_STORE_OBJECT_H

#include "base/attr.h"
#include "cache/store/impl.h"
#include "cache/store/map.h"

#include <stdbool.h>

/** A small file as it is known: where its bytes are, and their sums. */
struct small_file {
	struct place content; /* pack 0: not here */
	bool looked;          /* false: it may be here all the same */
	uint64_t sums[FORMAT_PAGES];
};

/**
 * Copy out what a call on an object needs, in this generation. The first
 * call in a new generation begins anew: nothing is known to be there.
 *
 * @param small  filled for a small file; may be NULL.
 * @retval false  nothing can be kept of it (its identity is too long).
 */
NODISCARD bool version_see(struct store *store, struct generation *generation,
    struct store_object *object, struct map_object *out,
    struct small_file *small);

/** Look for a small file's record; may wait. */
void version_find_small(struct store *store, struct generation *generation,
    const struct map_object *object);

/** See whether a small file has no record, without waiting.
 *  @retval 0        it has none, which is remembered.
 *  @retval -EAGAIN  it may have one. */
NODISCARD int version_find_hot(struct store *store,
    struct generation *generation, const struct map_object *object);

/** Remember where a small file is now. pack 0: it is gone. */
void version_set_small(struct store *store, struct generation *generation,
    struct store_object *object, const struct small_file *small);

/** Nothing was found: no need to look again in this generation. */
void version_note_looked(struct store *store, struct generation *generation,
    struct store_object *object);

/**
 * The object that a map's head, which was parsed, tells of: looking at it is
 * no use of it.
 * @retval 0, -ENOMEM
 */
NODISCARD int version_of_head(struct store *store, const uint8_t *head,
    size_t head_bytes, uint64_t size_bytes, struct store_object **out);

/** Offset of a small file's bytes in its record. */
size_t version_content_offset(const struct store_object *object);

#endif
