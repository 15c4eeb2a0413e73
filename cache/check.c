/* SPDX-License-Identifier: Apache-2.0 */
/*
 * cache/check.c - a small file that a cache gave: what the origin says of it,
 * before anybody gets a byte. See checksum.h.
 *
 * Threads: the fetch thread, without cache_lock.
 */
#include "base/sync.h"
#include "cache/core.h"
#include "fetch/fetch.h"

#include <assert.h>
#include <errno.h>

/* A cache gave some of it, and the origin may be able to tell. */
bool run_is_checked(const struct run *run)
{
	struct fetch *fetch = run->cache->config.fetch;
	enum fetch_algorithm algorithm;

	return run->rides && run->sum == NULL &&
	    (run->servers & ~FETCH_GAVE(0)) != 0 &&
	    fetch_digests(fetch, &algorithm) != FETCH_DIGESTS_NONE;
}

static void told(void *arg, int code, const struct fetch_digest *digest)
{
	struct run *run = arg;

	if (code == -ECANCELED) {
		run_done(run, code);
		return;
	}
	if (code == 0)
		run->sum = fetch_sum_new(digest->algorithm);
	if (run->sum != NULL) {
		run->told = *digest;
		/* It rides: all blocks are there (checksum_rides()). */
		for (unsigned i = 0; i < run->count; i++)
			fetch_sum_add(run->sum, run->blocks[i]->bytes,
			    run->blocks[i]->size_bytes);
	} else {
		/* Not now: it is compared like a large one, later. */
		run->rides = false;
	}
	run_done(run, 0);
}

void run_check(struct run *run)
{
	struct cache *cache = run->cache;

	assert(run->next_bytes == run->until_bytes);
	fetch_digest(cache->config.fetch, &run->ident, run->object->server_path,
	    &run->object->version, cache_now_ms(cache) + RUN_CHECK_MS, told,
	    run);
}
