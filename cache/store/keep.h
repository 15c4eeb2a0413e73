/* SPDX-License-Identifier: Apache-2.0 */
/*
 * cache/store/keep.h - a batch of blocks on its way into the store: what
 * keep.c, share.c and write.c do one after the other.
 *
 * Threads: the writer's.
 */
#ifndef CACHE_STORE_KEEP_H
#define CACHE_STORE_KEEP_H

#include "cache/store/object.h"

#include <stdbool.h>
#include <stdint.h>

enum { BATCH_BLOCKS = STORE_BATCH_BLOCKS };

enum item_state {
	ITEM_DROPPED, /* not kept */
	ITEM_NEW,     /* to be written */
	ITEM_SAME_AS, /* as another one of this batch, which is to be written */
	ITEM_STORED,  /* its bytes are in a pack */
};

struct item {
	const struct store_block *block;
	struct map_object object;
	enum item_state state;
	bool fresh;       /* written by this batch */
	bool proven;      /* wanted; or was here before, and was evicted */
	bool looked_up;   /* its bucket is in store->buckets, at its index */
	unsigned same_as; /* ITEM_SAME_AS: index of the other */
	struct hash128 address;
	struct map_place place;
};

struct batch {
	struct store *store;
	struct generation *generation;
	unsigned count;
	struct item items[BATCH_BLOCKS];
	uint16_t births[BATCH_BLOCKS];
	uint64_t carried; /* of the store, when the items were looked up */
	int code;         /* first cause of a loss */
};

/** Find blocks whose bytes are kept already, after comparing them. */
void batch_share(struct batch *batch);

/** Those that are the same as another one are where that was written. */
void batch_settle_same(struct batch *batch);

/** Is what stands at a place what the block has, and there to stay? */
bool batch_is_same(
    struct batch *batch, const struct store_block *block, struct place place);

/** Write what is new, in as few runs as packs and vectors allow. */
void batch_write(struct batch *batch);

#endif
