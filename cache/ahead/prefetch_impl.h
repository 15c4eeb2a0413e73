/* SPDX-License-Identifier: Apache-2.0 */
/*
 * cache/ahead/prefetch_impl.h - what prefetch.c (its states) and prefetch_ask.c
 * (its beginning, its reads) share.
 *
 * Threads: under cache_lock.
 */
#ifndef CACHE_AHEAD_PREFETCH_IMPL_H
#define CACHE_AHEAD_PREFETCH_IMPL_H

#include "base/ident.h"
#include "cache/ahead/prefetch.h"
#include "cache/bytes/disk.h"
#include "cache/core.h"

#include <stdbool.h>
#include <stdint.h>

enum prefetch_state {
	PREFETCH_LOOKING,
	PREFETCH_WAITING,
	PREFETCH_FETCHING,
	PREFETCH_SETTLING,
	PREFETCH_DONE
};

struct prefetch {
	struct list place; /* prefetches.waiting, settling, or a todo's */
	struct disk_job job;
	struct cache_file *file; /* stays open until the answer */
	struct ident ident;
	enum prefetch_state state;
	uint64_t first; /* block */
	unsigned count;
	bool missing[PREFETCH_BLOCKS];
	bool looked; /* before: `brought_bytes` is known */
	uint64_t size_bytes;
	uint64_t brought_bytes;
	unsigned reads; /* that are not answered */
	int code;       /* the first that says more than -EAGAIN */
	unsigned tries;
	uint64_t barrier; /* of writer.done */
	cache_prefetch_fn answer;
	void *arg;
};

static inline struct prefetch *prefetch_of(struct list *place)
{
	return CONTAINER_OF(place, struct prefetch, place);
}

/** Have a disk reader look what is there. */
void prefetch_look(struct cache *cache, struct prefetch *prefetch,
    struct todo *todo) REQUIRES(cache_lock);

/** A disk_job. */
void prefetch_run_look(struct disk_job *job, bool stopping);

/** One of its reads is answered, or all are sent. Without the lock. */
void prefetch_read_came(struct prefetch *prefetch, int code);

#endif
