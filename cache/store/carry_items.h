/* SPDX-License-Identifier: Apache-2.0 */
/*
 * cache/store/carry_items.h - the entries of a table that name used parts of
 * packs which go.
 *
 * Threads: the writer's.
 */
#ifndef CACHE_STORE_CARRY_ITEMS_H
#define CACHE_STORE_CARRY_ITEMS_H

#include "cache/store/format.h"
#include "cache/store/hash.h"

#include <stddef.h>
#include <stdint.h>

struct carry;
struct table;

enum { CARRY_ITEMS_MAX = 128 * 1024 };

struct carry_item {
	struct hash128 key;
	struct place place;
	uint32_t extra;
};

struct carry_items {
	struct carry_item *items; /* malloc'ed; in the order of places */
	size_t count;
	size_t room;
};

void carry_items_init(struct carry_items *items);

/** As many as there is memory for; may wait. */
void carry_items_collect(struct carry_items *items, const struct carry *carry,
    const struct table *table);

void carry_items_fini(struct carry_items *items);

/** Bytes of the block that an entry of `blocks` names. */
static inline size_t carry_block_bytes(const struct carry_item *item)
{
	return (item->extra & 0xffff) + 1;
}

#endif
