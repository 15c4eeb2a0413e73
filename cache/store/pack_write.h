/* SPDX-License-Identifier: Apache-2.0 */
/*
 * cache/store/pack_write.h - appending to packs. A store has two appenders:
 * one for what is new, and one for what is proven (was evicted and asked for
 * again, or was used and is carried over by eviction).
 *
 * Threads: the writer's.
 */
#ifndef CACHE_STORE_PACK_WRITE_H
#define CACHE_STORE_PACK_WRITE_H

#include "base/attr.h"
#include "cache/store/format.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/uio.h>

struct appender;
struct generation;
struct store;

/**
 * Have a pack with room for `size_bytes` (at most 128 KiB), evicting others
 * when there is none.
 *
 * @retval 0        there is one.
 * @retval -ENOSPC  the bound leaves no room, even after eviction.
 * @retval -EBUSY   another process holds the lock: not kept this time.
 * @retval -EAGAIN  it failed a moment ago.
 * @retval -errno   of the file system.
 */
NODISCARD int append_room(struct store *store, struct generation *generation,
    struct appender *appender, size_t size_bytes);

/** The same without evicting. */
NODISCARD int append_room_now(struct store *store,
    struct generation *generation, struct appender *appender,
    size_t size_bytes);

/** Bytes that still fit into the pack that is open. */
size_t append_left(const struct store *store, const struct appender *appender);

/** Bytes to append. */
struct append_run {
	const struct iovec *vectors;
	unsigned vector_count;
	size_t size_bytes;
	bool
	    aligned; /* vectors and lengths to 4 KiB: may bypass the page cache */
};

/** Go on at the next multiple of `align_bytes`. */
void append_align(struct appender *appender, size_t align_bytes);

/**
 * Append at the offset that was left by the last call; the pack is given up
 * when that fails. When the disk or its quota has no room, others are evicted
 * and it is tried once more.
 *
 * Past the page cache where that can be: filling it with bytes that the
 * kernel caches for the mount already costs 0.2 s of CPU per GB, and up to
 * 1.2 where its pages are fresh (measured on a virtual machine), against
 * 0.05. Through the page cache while the disk does not keep up.
 *
 * @retval 0, or -errno.
 */
NODISCARD int append_write(struct store *store, struct generation *generation,
    struct appender *appender, const struct append_run *run);

/** The same without evicting. */
NODISCARD int append_write_now(struct store *store,
    struct generation *generation, struct appender *appender,
    const struct append_run *run);

/** The writer begins, or is done with, a batch: tells when the disk does not
 *  keep up. */
void append_batch_begins(struct store *store);
void append_batch_ends(struct store *store);

/** Give the pack up when its name does not stand for it any more; may wait.
 */
void append_tend(struct appender *appender, struct generation *generation);

/** Give the pack up, for another writer to adopt. */
void append_close(struct appender *appender);

#endif
