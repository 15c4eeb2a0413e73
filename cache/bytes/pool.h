/* SPDX-License-Identifier: Apache-2.0 */
/*
 * cache/bytes/pool.h - the block buffers: a fixed number of them, found by
 * (object, index), counted, recycled.
 *
 * Every byte on its way between a server, the disk and a reader stands in
 * one of these buffers, so their number bounds the memory of all reads. A
 * block without users keeps its bytes until its buffer is wanted: first go
 * those that were read to the end (the kernel has them now), then the least
 * recently used. Where there is a disk behind, those go even before a buffer
 * that was never touched: a stream of any length lives in a few megabytes,
 * which stay in the CPU's cache. Read-ahead leaves a reserve to those who
 * wait.
 *
 * Lifecycle of a block:
 *   FREE -> COMING (pool_take) -> READY -> FREE (recycled)
 *                             \-> DEAD (failed, or its object has gone) ->
 *                                 FREE at the last pool_put
 *
 * Threads: under cache_lock; the bytes of a COMING block belong to the one
 * who fills it, beyond `arrived_bytes`.
 */
#ifndef CACHE_BYTES_POOL_H
#define CACHE_BYTES_POOL_H

#include "base/attr.h"
#include "base/list.h"
#include "base/sync.h"
#include "cache/ahead/budget.h"
#include "cache/cache.h"
#include "cache/store/store.h"

#include <assert.h>
#include <stdbool.h>
#include <stdint.h>

struct object;
struct run;

enum {
	POOL_BLOCKS = 2048,     /* 128 MiB: half of what a mount may occupy */
	POOL_RESERVE_SHARE = 8, /* an eighth is for those who wait */
};

enum block_state { BLOCK_FREE, BLOCK_COMING, BLOCK_READY, BLOCK_DEAD };

struct block {
	unsigned char *bytes; /* CACHE_BLOCK_BYTES, 4096-aligned; constant */
	struct object *object;
	uint64_t index;
	enum block_state state;
	uint32_t size_bytes;    /* of the block in its file */
	uint32_t arrived_bytes; /* of them here; readers may use these */
	uint32_t refs;
	uint16_t used_pages;     /* bits: pages that a reader was given */
	struct budget_note note; /* where its file has none of it */
	bool fetched;            /* came from a server: to be kept */
	bool ahead;              /* on its way without a reader that waits */
	bool wanted; /* to be kept: it was asked for by name (prefetch.h) */
	bool hashed;
	bool touched;    /* its buffer occupies memory */
	struct run *run; /* who brings it, while COMING */
	struct block *bucket_next;
	struct list place;     /* in pool.free, spent or idle */
	struct list of_object; /* object.blocks */
	struct list waits;     /* of struct read_wait */
	struct store_sums sums;
};

static_assert(CACHE_BLOCK_BYTES / STORE_PAGE_BYTES <= 16, "used_pages fits");
static_assert(
    (int)CACHE_BLOCK_BYTES == (int)STORE_BLOCK_BYTES, "one kind of block");

enum { POOL_BUCKETS = 4096 };

struct pool {
	unsigned char *mapping; /* of mapping_bytes; the arena lies in it */
	size_t mapping_bytes;
	unsigned char *arena; /* huge page aligned */
	struct block *blocks;
	unsigned count;
	unsigned reserve;
	unsigned available; /* free or idle */
	bool frugal;        /* there is a disk behind */
	struct list free;   /* the first goes first, in all three */
	struct list spent;  /* READY without users, read to the end */
	struct list idle;   /* READY without users */
	struct block *buckets[POOL_BUCKETS];
};

/** @retval -ENOMEM */
NODISCARD int pool_init(struct pool *pool, unsigned count, bool frugal);

void pool_fini(struct pool *pool);

/** The block of an object, or NULL. Takes no reference. */
struct block *pool_find(const struct pool *pool, const struct object *object,
    uint64_t index) REQUIRES(cache_lock);

/**
 * A buffer for a block that is not here, COMING, with one reference.
 *
 * @param demand  a reader waits: may use the reserve.
 * @param shared  others find it; false: private to its taker.
 * @return NULL when no buffer can be had now.
 */
struct block *pool_take(struct pool *pool, struct object *object,
    uint64_t index, bool demand, bool shared) REQUIRES(cache_lock);

/** Others find a private block from now on; there is none of its place. */
void pool_share(struct pool *pool, struct block *block) REQUIRES(cache_lock);

/** Nobody needs it in memory: its buffer goes among the first. */
void block_set_spent(struct block *block) REQUIRES(cache_lock);

/** Another reference. */
void pool_get(struct pool *pool, struct block *block) REQUIRES(cache_lock);

/** Release a reference. */
void pool_put(struct pool *pool, struct block *block) REQUIRES(cache_lock);

/** Nobody shall find it any more; its users keep it. */
void pool_unhash(struct pool *pool, struct block *block) REQUIRES(cache_lock);

/** Nobody shall find these blocks of an object any more; those that are used
 *  or on their way stay with who has them. */
void pool_disown(struct pool *pool, struct list *blocks) REQUIRES(cache_lock);

/** An object goes: its blocks have no users any more. */
void pool_forget(struct pool *pool, struct list *blocks) REQUIRES(cache_lock);

#endif
