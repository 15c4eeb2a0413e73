/* SPDX-License-Identifier: Apache-2.0 */
/*
 * cache/paths/offline.h - what is known, however old, is served while no server
 * can be reached.
 *
 * Whether one can be is fetch's to say, and known only as long as somebody
 * asks. So whoever is served here has the server asked as well, without a
 * token and one question at a time: its answer ends the state. What is
 * believed for a while only is told anew by the next who asks.
 *
 * The door opens to a token as in its last second, when cache_config.ended
 * says so; what a server has refused stays refused.
 *
 * Threads: any; without cache_lock and meta_lock.
 */
#ifndef CACHE_PATHS_OFFLINE_H
#define CACHE_PATHS_OFFLINE_H

#include "base/attr.h"
#include "cache/cache.h"

#include <stdbool.h>
#include <stdint.h>

struct cache;
struct offline;

enum {
	/* A server that is started again, or a network that blinks, is waited
	 * for. */
	OFFLINE_AFTER_MS = 1000,
	/* Longer than from one attempt to the next: five seconds are waited
	 * between two, and as many for a connection. */
	OFFLINE_BELIEVED_MS = 15 * 1000,
	/* Between two questions of ours. */
	OFFLINE_PROBE_MS = 5000,
};

/** NULL: it is not allowed, or no memory (`*code`). */
struct offline *offline_new(struct cache *cache, int *code);

/** After fetch_stop(). NULL is allowed. */
void offline_free(struct offline *offline);

/** Whether no server can be reached: what is known may be served. */
bool offline_now(const struct cache *cache);

/** Somebody waits for a token in place of one that has ended: find out. */
void offline_ask(const struct cache *cache);

/** The door for a token that has ended: as in its last second, or
 *  -EKEYEXPIRED, and `ask` as it is. */
NODISCARD int offline_door(const struct cache *cache, const struct ident *ident,
    const char *path, enum cache_want want, bool *ask);

/** Tell the log when it begins and ends, and serve who waits. */
void offline_tick(struct cache *cache, uint64_t now_ms);

/** Since when it has been so, in milliseconds; 0: it is not so now. */
uint64_t offline_for_ms(const struct cache *cache);

#endif
