/* SPDX-License-Identifier: Apache-2.0 */
/*
 * cache/store/pack_make.h - a pack to append to: adopted from a writer that
 * died, or reserved under the directory's lock and made. It is held by flock
 * while it is written.
 *
 * Threads: the writer's.
 */
#ifndef CACHE_STORE_PACK_MAKE_H
#define CACHE_STORE_PACK_MAKE_H

#include "base/attr.h"

#include <stdint.h>

struct appender;
struct generation;
struct store;

/** Room that the bound must leave for it. */
uint64_t pack_room_bytes(
    const struct store *store, const struct appender *appender);

/**
 * Give the appender, which has none, a pack.
 *
 * @retval 0        it has one.
 * @retval -ENOSPC  the bound leaves no room.
 * @retval -EBUSY   another process holds the lock: not this time.
 * @retval -errno   of the file system.
 */
NODISCARD int pack_reserve(struct store *store, struct generation *generation,
    struct appender *appender);

#endif
