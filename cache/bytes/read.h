/* SPDX-License-Identifier: Apache-2.0 */
/*
 * cache/bytes/read.h - one cache_read(): which blocks it needs, which it still
 * waits for, and that it is answered exactly once.
 *
 * Lifecycle:
 *   READING -> WAITING -> DONE     for blocks
 *           -> PARKED  -> ...      until the disk says what it has
 *           -> STARVED -> ...      until buffers are free: it holds none
 *           -> DONE                when it finds everything
 * DONE is entered once, under the lock; whoever enters it puts the read into
 * its todo, and whoever leaves the lock answers it and frees it.
 *
 * Threads: under cache_lock.
 */
#ifndef CACHE_BYTES_READ_H
#define CACHE_BYTES_READ_H

#include "base/attr.h"
#include "base/ident.h"
#include "base/list.h"
#include "base/sync.h"
#include "cache/ahead/stream.h"
#include "cache/bytes/reader.h"
#include "cache/cache.h"

#include <stdbool.h>
#include <stdint.h>

struct block;
struct cache;
struct object;
struct todo;

enum {
	READ_BLOCKS_MAX = CACHE_READ_VECTORS_MAX,
	READ_TRIES_MAX = 3,
	READ_PAGES_BYTES_MAX = 16 * 1024, /* a small random read */
	/* A server is silent after this, or a quarter of the timeout when
	 * that is shorter: then only so many reads may wait for it. */
	READ_SILENT_MS = 10 * 1000,
	READS_SPARE_MAX = 64, /* kept for reuse */
};

enum read_state {
	READ_READING,
	READ_WAITING,
	READ_PARKED,
	READ_STARVED,
	READ_DONE
};

struct read_wait {
	struct list place; /* block.waits */
	struct read *read;
	uint32_t until_bytes; /* of the block must have come */
};

struct read {
	struct list place; /* parked, starved, or a todo's */
	struct read *spare_next;
	struct list deadline;  /* reads.waiting, oldest first */
	struct object *object; /* one reference */
	struct reader *reader; /* whose it is */
	struct ident ident;
	uint64_t offset_bytes;
	size_t size_bytes;
	cache_read_fn answer;
	void *arg;
	uint64_t deadline_ms;
	uint64_t started_ms;
	enum read_state state;
	int code;
	unsigned tries;
	bool whole;  /* whole blocks: its pages alone are not on the disk */
	bool polite; /* see read_ask */
	bool hungry; /* in a stream, and waits for bytes */
	struct stream_plan plan;
	unsigned missing; /* blocks not yet here */
	unsigned count;   /* blocks held */
	struct block *blocks[READ_BLOCKS_MAX];
	struct read_wait waits[READ_BLOCKS_MAX];
};

struct reads {
	struct list waiting; /* all but READING and DONE, by deadline */
	struct list readers; /* of struct reader */
	struct read *spare;  /* through spare_next */
	unsigned spare_count;
	unsigned waiting_count;
};

/** What cache_read() was asked; it may have to wait at the door
 *  (read_door.c). */
struct read_ask {
	struct object *object;
	struct ident ident; /* whose token it goes with */
	uint64_t offset_bytes;
	size_t size_bytes; /* inside the file */
	uint64_t deadline_ms;
	/* Nobody waits for it: it goes behind those for whom somebody does,
	 * takes no buffer that they might want (-EAGAIN), and is not tried
	 * again. Whole blocks; what it brings is to be kept. */
	bool polite;
	uint64_t ahead_until_bytes; /* of a polite one: fetched in one range
				       with it, for those that follow */
	cache_read_fn answer;
	void *arg;
};

/** A polite read, through the door: `ask` has its ident, offset, size and
 *  `ahead_until_bytes`, inside the file, and whom to answer. */
void read_politely(const struct cache_file *file, struct read_ask *ask);

/** Past the door: begin. */
void read_start(const struct read_ask *ask);

void reads_init(struct reads *reads);
void reads_fini(struct reads *reads);

/** Go on with a read: it finishes, waits for blocks, or for something else.
 *  It holds no blocks. */
void read_go_on(struct cache *cache, struct read *read, struct todo *todo)
    REQUIRES(cache_lock);

/** Enter DONE: the one place. */
void read_finish(struct cache *cache, struct read *read, int code,
    struct todo *todo) REQUIRES(cache_lock);

/** It holds its blocks. */
void read_holds(struct read *read, unsigned count) REQUIRES(cache_lock);

/** Enter a state of waiting, in a list or (NULL) at its blocks. */
void read_wait_in(struct cache *cache, struct read *read, enum read_state state,
    struct list *list) REQUIRES(cache_lock);

/** Give its blocks back. */
void read_release(struct cache *cache, struct read *read) REQUIRES(cache_lock);

/** Part of block `index` that a read wants, in bytes of the block. */
void read_part(const struct read *read, uint64_t index, uint32_t *from_bytes,
    uint32_t *until_bytes);

/** A block has got further, or is READY: finish those who have all now. */
void reads_block_came(struct cache *cache, struct block *block,
    struct todo *todo) REQUIRES(cache_lock);

/** A block will not come to `ident`, who asked. `again`: a reader may ask
 *  once more. Who has another token than that asks with their own. */
void reads_block_failed(struct cache *cache, struct block *block, int code,
    const struct ident *ident, bool again, struct todo *todo)
    REQUIRES(cache_lock);

/** The disk has said what it has. */
void reads_unpark(struct object *object, struct todo *todo)
    REQUIRES(cache_lock);

/** Call the callback of a finished read; without the lock. */
void read_answer(struct read *read);

/** Give back what a finished and answered read holds. */
void read_free(struct cache *cache, struct read *read, struct todo *todo)
    REQUIRES(cache_lock);

/** Answer those past their deadline, and the oldest when too many wait for a
 *  silent server. */
void reads_tick(struct cache *cache, uint64_t now_ms, bool silent,
    struct todo *todo) REQUIRES(cache_lock);

/** Answer all with -ECANCELED. */
void reads_stop(struct cache *cache, struct todo *todo) REQUIRES(cache_lock);

#endif
