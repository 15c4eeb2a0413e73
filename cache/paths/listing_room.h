/* SPDX-License-Identifier: Apache-2.0 */
/*
 * cache/paths/listing_room.h - how much all listings that are held may occupy:
 * those that come in, that are remembered, that open directories hold.
 *
 * In a cache of many users nobody's occupy more than is left for others: half
 * of all alone, a third each of two. Who holds many large directories open
 * gets no more, and the mount goes on for the others.
 *
 * Threads: every function may be called from any thread.
 */
#ifndef CACHE_PATHS_LISTING_ROOM_H
#define CACHE_PATHS_LISTING_ROOM_H

#include "base/attr.h"
#include "base/list.h"
#include "base/sync.h"

#include <pthread.h>
#include <stdbool.h>
#include <stddef.h>
#include <sys/types.h>

enum { LISTING_ROOM_BYTES = 512 * 1024 * 1024 };

/** One user's; of all, where one user has all. */
struct listing_user {
	struct list place; /* room.users */
	uid_t uid;
	unsigned listings;
	size_t used_bytes;
};

struct listing_room {
	pthread_mutex_t mutex;
	struct suspects *suspects; /* for whoever numbers versions */
	struct written *written;   /* the same */
	bool apart;                /* many users */
	size_t limit_bytes;
	size_t used_bytes GUARDED_BY(listing_lock);
	struct list users GUARDED_BY(listing_lock);
};

void listing_room_init(struct listing_room *room, struct suspects *suspects,
    struct written *written, bool apart, size_t limit_bytes);

/** When all listings have gone. */
void listing_room_fini(struct listing_room *room);

/** Count a listing in; NULL: out of memory. */
struct listing_user *listing_room_join(struct listing_room *room, uid_t uid);

/** Count it out, with all that it took. */
void listing_room_leave(
    struct listing_room *room, struct listing_user *user, size_t bytes);

/** @return false: there is no room for so much more. */
NODISCARD bool listing_room_take(
    struct listing_room *room, struct listing_user *user, size_t bytes);

void listing_room_give(
    struct listing_room *room, struct listing_user *user, size_t bytes);

#endif
