/* SPDX-License-Identifier: Apache-2.0 */
/*
 * cache/paths/changes.h - what was changed in a directory since its listing was
 * asked for: a listing is shared and does not change, and one of a million
 * entries cannot be copied for each file that is written into it.
 *
 * Of a name the newest change counts.
 *
 * Threads: under meta_lock.
 */
#ifndef CACHE_PATHS_CHANGES_H
#define CACHE_PATHS_CHANGES_H

#include "base/attr.h"
#include "cache/paths/listing.h"

#include <stddef.h>
#include <stdint.h>

struct changes {
	struct listing_change *items; /* their names are ours */
	uint32_t count;
	uint32_t room;
	uint32_t *index; /* item + 1; 0: none */
	uint32_t index_mask;
	size_t text_bytes; /* of all names */
};

/** NULL: out of memory. */
struct changes *changes_new(void);
void changes_free(struct changes *changes); /* NULL is allowed */

/** Add one; its name is copied.
 *  @retval -ENOMEM
 *  @retval -EFBIG  META_CHANGES_MAX are there. */
NODISCARD int changes_put(
    struct changes *changes, const struct listing_change *change);

/** The change of a name; NULL: none. */
const struct listing_change *changes_find(
    const struct changes *changes, const char *name);

/** Of this name none is known any more. */
void changes_remove(struct changes *changes, const char *name);

/** Those up to a serial number are known to the listing. */
void changes_drop(struct changes *changes, uint64_t until);

/** A copy of those behind a serial number, in one piece of memory that is to
 *  be freed. @retval -ENOMEM */
NODISCARD int changes_copy(const struct changes *changes, uint64_t behind,
    struct listing_change **out, size_t *count);

/** Memory they occupy. NULL: none. */
size_t changes_bytes(const struct changes *changes);

#endif
