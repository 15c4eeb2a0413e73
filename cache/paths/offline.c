/* SPDX-License-Identifier: Apache-2.0 */
/* cache/paths/offline.c - see offline.h. */
#include "cache/paths/offline.h"

#include "base/log.h"
#include "cache/core.h"
#include "cache/paths/question.h"
#include "fetch/fetch.h"

#include <errno.h>
#include <inttypes.h>
#include <stdatomic.h>
#include <stdlib.h>

struct offline {
	atomic_bool asking;          /* a question of ours is on its way */
	_Atomic uint64_t asked_ms;   /* when it was sent */
	_Atomic uint64_t serving_ms; /* since then; 0: not */
};

struct offline *offline_new(struct cache *cache, int *code)
{
	struct offline *offline;

	*code = 0;
	if (!cache->config.offline)
		return NULL;
	offline = calloc(1, sizeof(*offline));
	*code = offline == NULL ? -ENOMEM : 0;
	return offline;
}

void offline_free(struct offline *offline)
{
	free(offline);
}

static void answered(
    void *arg, int code, const struct fetch_stat *stat, const struct err *err)
{
	struct offline *offline = arg;

	/* Any answer has ended it; fetch knows. */
	(void)code;
	(void)stat;
	(void)err;
	atomic_store(&offline->asking, false);
}

/* Have the server asked, unless it is being asked. */
static void probe(const struct cache *cache)
{
	struct offline *offline = cache->offline;
	uint64_t now_ms = cache_now_ms(cache);
	uint64_t asked_ms = atomic_load(&offline->asked_ms);
	bool asking = false;

	if (asked_ms != 0 && now_ms - asked_ms < OFFLINE_PROBE_MS)
		return;
	if (!atomic_compare_exchange_strong(&offline->asking, &asking, true))
		return;
	atomic_store(&offline->asked_ms, now_ms);
	fetch_stat_bare(
	    cache->config.fetch, cache->source_path, 0, answered, offline);
}

static bool is_lost(const struct cache *cache, uint64_t now_ms)
{
	struct fetch_reach reach;

	return cache->offline != NULL &&
	    fetch_unreachable(cache->config.fetch, &reach) &&
	    now_ms >= reach.since_ms + OFFLINE_AFTER_MS &&
	    now_ms <= reach.tried_ms + OFFLINE_BELIEVED_MS;
}

bool offline_now(const struct cache *cache)
{
	if (!is_lost(cache, cache_now_ms(cache)))
		return false;
	probe(cache);
	return true;
}

void offline_ask(const struct cache *cache)
{
	if (cache->offline != NULL)
		probe(cache);
}

int offline_door(const struct cache *cache, const struct ident *ident,
    const char *path, enum cache_want want, bool *ask)
{
	if (cache->config.ended == NULL || !offline_now(cache))
		return -EKEYEXPIRED;
	return cache->config.ended(cache->config.arg, ident, path, want, ask);
}

/* It has begun, or the server has been heard again. */
static void tell(struct cache *cache, bool lost, uint64_t now_ms)
{
	struct offline *offline = cache->offline;
	uint64_t since_ms = atomic_load(&offline->serving_ms);
	struct fetch_reach reach;

	if (lost && since_ms == 0) {
		atomic_store(&offline->serving_ms, now_ms);
		log_line(LOG_LEVEL_WARN, LOG_CACHE,
		    "offline: what is known is served", "server=%s",
		    LOG_TEXT(cache->origin));
	} else if (since_ms != 0 &&
	    !fetch_unreachable(cache->config.fetch, &reach)) {
		atomic_store(&offline->serving_ms, 0);
		log_line(LOG_LEVEL_INFO, LOG_CACHE, "online again",
		    "server=%s offline_s=%" PRIu64, LOG_TEXT(cache->origin),
		    (now_ms - since_ms) / 1000);
	}
}

void offline_tick(struct cache *cache, uint64_t now_ms)
{
	bool lost = is_lost(cache, now_ms);

	if (cache->offline == NULL)
		return;
	tell(cache, lost, now_ms);
	if (!lost)
		return;
	questions_serve(cache);
	access_serve(cache);
}

uint64_t offline_for_ms(const struct cache *cache)
{
	uint64_t since_ms;

	if (cache->offline == NULL)
		return 0;
	since_ms = atomic_load(&cache->offline->serving_ms);
	return since_ms == 0 ? 0 : cache_now_ms(cache) - since_ms + 1;
}
