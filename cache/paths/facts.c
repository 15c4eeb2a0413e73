/* SPDX-License-Identifier: Apache-2.0 */
/*
 * cache/paths/facts.c - what the user.bearerfs.* attributes show of a file, and
 * the space of the source.
 */
#include "base/clock.h"
#include "cache/core.h"
#include "cache/paths/ask.h"
#include "cache/store/store.h"
#include "fetch/fetch.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* What is shown where no server says how much room it has. */
#define SPACE_UNKNOWN_BYTES (UINT64_C(1) << 50)

struct facts_job {
	struct disk_job job;
	struct cache *cache;
	struct fetch_version version;
	uint64_t nonce;
	struct cache_facts facts;
	cache_facts_fn answer;
	void *arg;
	char server_path[PATH_BYTES_MAX];
};

/* On a disk reader: how much of it is there? */
static void count_blocks(struct disk_job *job, bool stopping)
{
	struct facts_job *facts = CONTAINER_OF(job, struct facts_job, job);
	struct cache *cache = facts->cache;
	uint64_t size_bytes = facts->version.size_bytes;
	uint64_t count =
	    (size_bytes + CACHE_BLOCK_BYTES - 1) / CACHE_BLOCK_BYTES;
	struct store_identity identity = {
	    .origin = cache->config.origin,
	    .path = facts->server_path,
	    .size_bytes = size_bytes,
	    .mtime_s = facts->version.mtime_s,
	    .etag = facts->version.etag,
	    .nonce = facts->nonce,
	};
	struct store_object *object;

	if (!stopping && count > 0 &&
	    store_object_open(cache->store, &identity, &object) == 0) {
		facts->facts.cached_percent =
		    (int)(store_object_blocks(object) * 100 / count);
		store_object_close(object);
	}
	if (stopping)
		facts->answer(facts->arg, -ECANCELED, NULL);
	else
		facts->answer(facts->arg, 0, &facts->facts);
	free(facts);
}

static void fill(
    struct cache *cache, const struct meta_attr *attr, struct cache_facts *out)
{
	uint64_t now_s = clock_wall_s(cache->config.clock);

	*out = (struct cache_facts){0};
	(void)snprintf(out->etag, sizeof(out->etag), "%s", attr->version.etag);
	(void)snprintf(
	    out->server, sizeof(out->server), "%s", cache->config.origin);
	if (cache_now_ms(cache) < attr->fresh_until_ms)
		(void)snprintf(out->freshness, sizeof(out->freshness), "fresh");
	else
		(void)snprintf(out->freshness, sizeof(out->freshness),
		    "%s %" PRIu64 " s",
		    offline_now(cache) ? "offline" : "stale",
		    now_s > attr->asked_s ? now_s - attr->asked_s : 0);
}

void facts_answer(struct cache *cache, const char *path,
    const struct ask_to *to, const struct meta_attr *attr)
{
	struct object_key key = object_key_of(path, attr);
	struct facts_job *facts;
	bool stopping;

	facts = calloc(1, sizeof(*facts));
	if (facts == NULL) {
		to->answer.facts(to->arg, -ENOMEM, NULL);
		return;
	}
	fill(cache, attr, &facts->facts);
	if (cache->store == NULL || attr->kind == CACHE_DIRECTORY ||
	    (!attr->lasting && attr->nonce == 0)) {
		to->answer.facts(to->arg, 0, &facts->facts);
		free(facts);
		return;
	}
	facts->cache = cache;
	facts->version = attr->version;
	facts->nonce = attr->nonce;
	facts->answer = to->answer.facts;
	facts->arg = to->arg;
	facts->job.run = count_blocks;
	list_init(&facts->job.place);
	if (cache_server_path(cache, facts->server_path, path) < 0) {
		to->answer.facts(to->arg, -ENAMETOOLONG, NULL);
		free(facts);
		return;
	}
	cache_enter(cache);
	if (facts->facts.etag[0] == '\0')
		object_pin(cache, &key, facts->facts.etag);
	object_checksum(cache, &key, facts->facts.checksum);
	stopping = cache->stopping;
	if (!stopping)
		disk_push(cache, &facts->job, true);
	cache_exit(cache);
	if (stopping) {
		to->answer.facts(to->arg, -ECANCELED, NULL);
		free(facts);
	}
}

void cache_facts(struct cache *cache, const struct ident *ident,
    const char *path, cache_facts_fn answer, void *arg)
{
	ask(cache, ident, path,
	    &(struct ask_to){
	        .kind = ASK_FACTS, .answer.facts = answer, .arg = arg});
}

struct space {
	cache_space_fn answer;
	void *arg;
};

static void quota_answered(void *arg, int code, const struct fetch_quota *quota)
{
	struct space *space = arg;
	uint64_t total = SPACE_UNKNOWN_BYTES;
	uint64_t left = SPACE_UNKNOWN_BYTES;

	/* statfs(2) does not fail because a server cannot count. */
	if (code == 0 && quota->available_bytes >= 0) {
		left = (uint64_t)quota->available_bytes;
		total = left;
		if (quota->used_bytes > 0)
			total += (uint64_t)quota->used_bytes;
	}
	space->answer(space->arg, code == -ECANCELED ? code : 0, total, left);
	free(space);
}

void cache_space(struct cache *cache, const struct ident *ident,
    cache_space_fn answer, void *arg)
{
	struct space *space;
	int code = 0;

	/* Only who may see the source asks how much room it has. */
	if (cache->config.shared)
		code = access_door(
		    cache, ident, cache->source_path, CACHE_LOOK, NULL);
	if (code < 0 && code != -EAGAIN) {
		answer(arg, 0, SPACE_UNKNOWN_BYTES, SPACE_UNKNOWN_BYTES);
		return;
	}
	space = malloc(sizeof(*space));

	if (space == NULL) {
		answer(arg, -ENOMEM, 0, 0);
		return;
	}
	space->answer = answer;
	space->arg = arg;
	fetch_quota(cache->config.fetch, ident, quota_answered, space);
}
