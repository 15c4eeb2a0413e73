/* SPDX-License-Identifier: Apache-2.0 */
/*
 * cache/pack_write.h - the pack that a store appends to: reserved under the
 * directory's lock before it is made, held by flock while it is written,
 * adopted by another writer when its own one died.
 *
 * Threads: the writer's.
 */
#ifndef CACHE_PACK_WRITE_H
#define CACHE_PACK_WRITE_H

#include "base/attr.h"
#include "cache/format.h"

#include <stddef.h>
#include <stdint.h>
#include <sys/uio.h>

struct generation;
struct store;

/**
 * Have a pack with room for `size_bytes` (at most 128 KiB).
 *
 * @retval 0        there is one.
 * @retval -ENOSPC  the bound leaves no room, even after eviction.
 * @retval -EBUSY   another process holds the lock: not kept this time.
 * @retval -EAGAIN  it failed a moment ago.
 * @retval -errno   of the file system.
 */
NODISCARD int append_room(
    struct store *store, struct generation *generation, size_t size_bytes);

/** Bytes that still fit into the pack that is open. */
size_t append_left(const struct store *store);

/** Append; the pack is given up when that fails. @retval 0, or -errno. */
NODISCARD int append_write(struct store *store, struct generation *generation,
    const struct iovec vectors[], unsigned count, size_t size_bytes);

/** Give the pack up, for another writer to adopt. */
void append_close(struct store *store);

#endif
