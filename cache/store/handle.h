/* SPDX-License-Identifier: Apache-2.0 */
/*
 * cache/store/handle.h - descriptors of the block store: shared by threads
 * while they read, bounded in number, the least recently used one closed first.
 *
 * Maps' times are the order in which they are evicted: use sets them, at most
 * each STORE_TOUCH_MS. What was used of packs is noted elsewhere (uses.h).
 *
 * Closing may wait (the last descriptor of an unlinked pack frees its
 * space), so descriptors that are done with are put aside and closed by
 * those who may wait.
 *
 * Threads: any, under the store's lock, but for handles_tend() and
 * handles_close().
 */
#ifndef CACHE_STORE_HANDLE_H
#define CACHE_STORE_HANDLE_H

#include "base/attr.h"
#include "base/sync.h"

#include <stdbool.h>
#include <stdint.h>

struct store;

struct handle {
	struct handle *newer;
	struct handle *older;
	struct handle **owner; /* cleared when it goes; NULL: it is going */
	uint64_t *touched_ms;  /* its owner's; NULL: its time is not set */
	int fd;
	bool touch; /* its time on disk is to be set to now */
	unsigned users;
};

struct handles {
	struct handle *newest;
	struct handle *oldest;
	struct handle *dead; /* by `older`: to be closed */
	unsigned count;      /* of those that have an owner */
	unsigned limit;
};

/**
 * Take a descriptor under `*owner`, used once by the caller; the least
 * recently used one goes when there are too many.
 * @param fd          consumed, on failure too.
 * @param touched_ms  when the file's time on disk was set last; lives as
 *                    long as `owner`. NULL: it is not set.
 * @return            the handle, or NULL: out of memory.
 */
struct handle *handle_add(struct handles *handles, int fd,
    struct handle **owner, uint64_t *touched_ms, uint64_t now_ms)
    REQUIRES(store_lock);

/** Use one more time; newest from now on, on disk too before long. */
void handle_use(struct handles *handles, struct handle *handle, uint64_t now_ms)
    REQUIRES(store_lock);

/** End of one use. */
void handle_done(struct handles *handles, struct handle *handle)
    REQUIRES(store_lock);

/** Take it from its owner; it is closed when its last user is done. */
void handle_drop(struct handles *handles, struct handle *handle)
    REQUIRES(store_lock);

/** Set the time of files that were used, drop those that were unlinked; may
 *  wait. */
void handles_tend(struct store *store, struct handles *handles);

/** Drop all. */
void handles_drop_all(struct handles *handles) REQUIRES(store_lock);

/** Take the dead ones out, to be closed by handles_close(). */
struct handle *handles_take_dead(struct handles *handles) REQUIRES(store_lock);

/** Close what handles_take_dead() gave; may wait. */
void handles_close(struct handle *dead);

#endif
