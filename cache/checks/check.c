/* SPDX-License-Identifier: Apache-2.0 */
/*
 * cache/checks/check.c - a small file is compared before anybody gets a byte:
 * with the checksum that came along, or, when a cache gave it, with what the
 * origin says then. See checksum.h.
 *
 * Threads: the fetch thread, without cache_lock.
 */
#include "base/stats.h"
#include "base/sync.h"
#include "cache/core.h"
#include "fetch/fetch.h"

#include <assert.h>
#include <errno.h>

/* What is to be remembered. @return whether the log says it. */
static bool note_brought(struct object *object, const struct fetch_digest *told,
    bool equal, bool differs) REQUIRES(cache_lock);
static bool note_brought(struct object *object, const struct fetch_digest *told,
    bool equal, bool differs)
{
	struct checksum *checksum = &object->checksum;

	if (differs) {
		checksum->suspect = true;
		if (++checksum->wrong_brought >= CHECKSUM_WRONG_MAX)
			checksum->failed_until_ms =
			    cache_now_ms(object->cache) + CHECKSUM_FAILED_MS;
		return checksum->wrong_brought == 1;
	}
	checksum->wrong_brought = 0;
	/* What was not told with it is not asked for again. */
	if (checksum->state == CHECKSUM_OPEN)
		checksum->state = equal ? CHECKSUM_RIGHT : CHECKSUM_NONE;
	if (equal)
		checksum->told = *told;
	return false;
}

bool checksum_brought(struct run *run)
{
	struct cache *cache = run->cache;
	struct fetch_digest computed = {.known = false};
	bool equal;
	bool differs;
	bool say;

	if (run->sum != NULL)
		fetch_sum_end(run->sum, &computed);
	equal = fetch_digest_equal(&computed, &run->told);
	differs = computed.known && !equal;
	cache_enter(cache);
	say = note_brought(run->object, &run->told, equal, differs);
	cache_exit(cache);
	if (equal)
		stats_add(STATS_cache_checksums_equal, 1);
	if (differs) {
		stats_add(STATS_cache_checksums_differed, 1);
		fetch_blame(cache->config.fetch, &run->ident,
		    run->object->server_path, run->servers);
	}
	if (say)
		checksum_tell(cache,
		    &(struct checksum_difference){.path = run->object->path,
		        .told = &run->told,
		        .computed = &computed},
		    "fetched again; if they differ again, EIO");
	return !differs;
}

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

	cache_enter(run->cache);
	checksum_asked(run->cache);
	cache_exit(run->cache);
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

bool run_check(struct run *run)
{
	struct cache *cache = run->cache;
	bool may_ask;

	assert(run->next_bytes == run->until_bytes);
	cache_enter(cache);
	may_ask = checksum_may_ask(cache);
	if (may_ask)
		cache->checksums.asking++;
	cache_exit(cache);
	if (!may_ask) {
		run->rides = false;
		return false;
	}
	fetch_digest(cache->config.fetch,
	    &(struct fetch_digest_ask){.ident = &run->ident,
	        .path = run->object->server_path,
	        .version = &run->object->version,
	        .deadline_ms = cache_now_ms(cache) + RUN_CHECK_MS},
	    told, run);
	return true;
}
