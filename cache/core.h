/* SPDX-License-Identifier: Apache-2.0 */
/*
 * cache/core.h - what the rooms of cache/ share: the cache itself, its lock,
 * and what has to be done once that is left.
 *
 * Nothing is called back and nothing is asked for under the lock. A function
 * that changes something under it collects what follows from that in a
 * struct todo; cache_leave() gives up the lock and does it.
 */
#ifndef CACHE_CORE_H
#define CACHE_CORE_H

#include "base/attr.h"
#include "base/list.h"
#include "base/path.h"
#include "base/sync.h"
#include "cache/access.h"
#include "cache/ahead/budget.h"
#include "cache/ahead/prefetch.h"
#include "cache/ahead/rates.h"
#include "cache/ahead/walk.h"
#include "cache/bytes/disk.h"
#include "cache/bytes/fill.h"
#include "cache/bytes/object.h"
#include "cache/bytes/pool.h"
#include "cache/bytes/read.h"
#include "cache/bytes/writer.h"
#include "cache/cache.h"
#include "cache/checks/checksum.h"
#include "cache/checks/suspect.h"
#include "cache/paths/listing_room.h"
#include "cache/paths/meta.h"
#include "cache/paths/offline.h"
#include "cache/paths/was.h"

#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

/** Bounds that tests make small. */
struct cache_limits {
	unsigned pool_blocks;
	size_t meta_bytes;
	size_t listing_bytes;  /* of all listings together; 0: as usual */
	unsigned idle_objects; /* closed ones that are remembered */
	unsigned writer_blocks;
};

struct cache {
	struct cache_config config; /* its strings are the three below */
	char *origin;
	char *source_path;
	char *dir;
	struct cache_limits limits;
	uint64_t seed;       /* random: versions that must not last */
	struct store *store; /* NULL: memory only */
	char why_off[ERR_TEXT_BYTES];

	pthread_mutex_t mutex;
	bool stopping GUARDED_BY(cache_lock);
	struct pool pool GUARDED_BY(cache_lock);
	struct objects objects GUARDED_BY(cache_lock);
	struct reads reads GUARDED_BY(cache_lock);
	struct rates rates GUARDED_BY(cache_lock);
	struct budget budget GUARDED_BY(cache_lock);
	struct disk disk GUARDED_BY(cache_lock);
	struct writer writer GUARDED_BY(cache_lock);
	struct prefetches prefetches GUARDED_BY(cache_lock);
	struct checksums checksums GUARDED_BY(cache_lock);

	struct access access;
	struct walks walks;
	struct suspects suspects;
	struct written written;
	struct listing_room listing_room;
	struct meta meta;
	struct offline *offline; /* NULL: not allowed */
};

enum { HURRIES_MAX = 32 };

/** What has to be done without the lock. */
struct todo {
	struct list answers;    /* of struct read */
	struct list runs;       /* of struct run: look for their bytes */
	struct list opens;      /* of struct object: what is on the disk? */
	struct list closes;     /* of struct object: nobody needs them */
	struct list prefetches; /* that go on, or are answered */
	struct todo_hurry {
		uint64_t number;
		uid_t uid;
	} hurry[HURRIES_MAX]; /* for fetch_hurry() */
	unsigned hurry_count;
};

void todo_init(struct todo *todo);

/** A user waits for a range that was asked for ahead, or by another. With
 *  very many at once some stay where they are in the queue. */
void todo_hurry(struct todo *todo, uint64_t number, uid_t uid);

void cache_enter(struct cache *cache) ACQUIRES(cache_lock);

/** Only give up the lock. */
void cache_exit(struct cache *cache) RELEASES(cache_lock);

/** Give up the lock and do what is to be done, and what follows. */
void cache_leave(struct cache *cache, struct todo *todo) RELEASES(cache_lock);

/** cache_new() with other bounds. */
NODISCARD int cache_new_limited(struct cache **out,
    const struct cache_config *config, const struct cache_limits *limits,
    struct err *err);

/** Start a thread that takes no signals. @retval -EAGAIN, -ENOMEM */
NODISCARD int thread_start(
    pthread_t *out, const char *name, void *(*run)(void *arg), void *arg);

/** A condition whose timed waits use the monotonic clock. */
void thread_cond_init(pthread_cond_t *cond);

/** Monotonic now. */
uint64_t cache_now_ms(const struct cache *cache);

/** The server's path of a path in the mount. @retval -ENAMETOOLONG */
NODISCARD int cache_server_path(
    const struct cache *cache, char out[PATH_BYTES_MAX], const char *path);

#endif
