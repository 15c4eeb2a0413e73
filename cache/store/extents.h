/* SPDX-License-Identifier: Apache-2.0 */
/*
 * cache/store/extents.h - a set of pages of packs: which are named by somebody.
 *
 * Threads: a set belongs to one.
 */
#ifndef CACHE_STORE_EXTENTS_H
#define CACHE_STORE_EXTENTS_H

#include "base/attr.h"
#include "cache/store/format.h"
#include "cache/store/usage.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum { EXTENTS_PAGES = FORMAT_PACK_BYTES_MAX / 4096 };

struct extents_pack {
	uint64_t number;
	uint64_t *pages; /* a bit each; malloc'ed at first use */
};

struct extents {
	struct extents_pack *packs; /* malloc'ed, by number */
	size_t count;
};

/** An empty set over the packs that were counted. @retval 0, -ENOMEM */
NODISCARD int extents_init(struct extents *extents, const struct usage *usage);

void extents_fini(struct extents *extents);

/** Is the page at a place in it? Of packs that are not known none is. */
bool extents_has(const struct extents *extents, struct place place);

/** Add the pages that [place, place + bytes) touches; pages of packs that
 *  are not known are none. @retval 0, -ENOMEM */
NODISCARD int extents_add(
    struct extents *extents, struct place place, size_t size_bytes);

#endif
