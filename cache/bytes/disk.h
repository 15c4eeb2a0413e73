/* SPDX-License-Identifier: Apache-2.0 */
/*
 * cache/bytes/disk.h - the disk readers: three threads that may wait for the
 * disk, so that nobody who answers requests has to; and the lander, which takes
 * the disk's answers to what was asked for without waiting (store_ask_pages()).
 *
 * Jobs for which a reader waits go before read-ahead. When the cache stops,
 * what is queued is called with `stopping`, so that every job ends.
 *
 * Threads: disk_push() under cache_lock; a job runs without it.
 */
#ifndef CACHE_BYTES_DISK_H
#define CACHE_BYTES_DISK_H

#include "base/attr.h"
#include "base/list.h"
#include "base/sync.h"

#include <pthread.h>
#include <stdbool.h>

struct cache;

enum { DISK_READERS = 3 };

struct disk_job {
	struct list place;
	/** Exactly once, on a disk reader (or in cache_stop()). */
	void (*run)(struct disk_job *job, bool stopping);
};

struct disk {
	pthread_cond_t wake;
	struct list demand;
	struct list ahead;
	pthread_t thread[DISK_READERS];
	unsigned thread_count;
	pthread_t lander;
	bool lands; /* there is one */
	bool stopping;
};

/** Start the readers. @retval -EAGAIN, -ENOMEM */
NODISCARD int disk_start(struct cache *cache);

void disk_push(struct cache *cache, struct disk_job *job, bool demand)
    REQUIRES(cache_lock);

/** A reader waits for this one now: put it before read-ahead when it is
 *  still queued. */
void disk_hurry(struct cache *cache, struct disk_job *job) REQUIRES(cache_lock);

/** End the readers and the jobs. Jobs may not be pushed any more. */
void disk_stop(struct cache *cache);

#endif
