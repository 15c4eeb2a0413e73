/* SPDX-License-Identifier: Apache-2.0 */
/*
 * cache/bytes/writer.h - the one thread that puts fetched blocks on the disk.
 *
 * Blocks queue with their buffers, 32 MiB at most: when it is behind, blocks
 * are not kept (and counted), so that no reader ever waits for the disk. It
 * writes in batches, and each second it tends the store (its bound, its
 * descriptors).
 *
 * Threads: writer_add() under cache_lock.
 */
#ifndef CACHE_BYTES_WRITER_H
#define CACHE_BYTES_WRITER_H

#include "base/attr.h"
#include "base/list.h"
#include "base/sync.h"

#include <pthread.h>
#include <stdbool.h>
#include <stdint.h>

struct block;
struct cache;
struct object;

enum {
	WRITER_BLOCKS = 512,   /* 32 MiB */
	WRITER_BATCH = 128,    /* 8 MiB at once */
	WRITER_GATHER_MS = 20, /* single blocks are written together */
	WRITER_TEND_MS = 1000,
};

struct writer {
	pthread_cond_t wake;
	pthread_cond_t room; /* some blocks were written, or a disk has said
	                        what it has */
	pthread_t thread;
	bool running;
	bool stopping;
	struct block **queue; /* a ring of limits.writer_blocks */
	unsigned first;
	unsigned count;
	uint64_t added;      /* blocks that were ever queued */
	uint64_t done;       /* of these, kept or found not to be */
	struct list forgets; /* of struct object, with a reference each */
};

/** Start the thread when there is a store. @retval -EAGAIN, -ENOMEM */
NODISCARD int writer_start(struct cache *cache);

/** Keep a READY block of an object with a store; may drop it. */
void writer_add(struct cache *cache, struct block *block) REQUIRES(cache_lock);

/** Have the disk forget an object, whose `disk` is NONE by now: of what is
 *  queued of it nothing is written. Then checksum_dropped(). Of one without a
 *  store: what looks like its version on the disk. */
void writer_forget(struct cache *cache, struct object *object)
    REQUIRES(cache_lock);

/** Whether the queue has room for what nobody reads. */
bool writer_has_room(const struct cache *cache) REQUIRES(cache_lock);

/** Wait a moment, without the lock, for there to be room. */
void writer_wait_room(struct cache *cache) REQUIRES(cache_lock);

/** Write what is queued and end the thread. */
void writer_stop(struct cache *cache);

#endif
