/* SPDX-License-Identifier: Apache-2.0 */
/*
 * cache/facts.c - what the user.bearerfs.* attributes show of a file, and
 * the space of the source.
 */
#include "cache/ask.h"
#include "cache/core.h"
#include "cache/store.h"
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
	struct object *object;
	struct cache_facts facts;
	cache_facts_fn answer;
	void *arg;
};

/* On a disk reader: how much of it is there? */
static void count_blocks(struct disk_job *job, bool stopping)
{
	struct facts_job *facts = CONTAINER_OF(job, struct facts_job, job);
	struct object *object = facts->object;
	struct cache *cache = object->cache;
	uint64_t count = object_block_count(object);
	struct todo todo;

	if (!stopping && object->store != NULL && count > 0)
		facts->facts.cached_percent =
		    (int)(store_object_blocks(object->store) * 100 / count);
	facts->answer(facts->arg, stopping ? -ECANCELED : 0,
	    stopping ? NULL : &facts->facts);
	todo_init(&todo);
	cache_enter(cache);
	object_put(object, &todo);
	cache_leave(cache, &todo);
	free(facts);
}

static void fill(
    struct cache *cache, const struct meta_attr *attr, struct cache_facts *out)
{
	uint64_t now_ms = cache_now_ms(cache);

	*out = (struct cache_facts){0};
	(void)snprintf(out->etag, sizeof(out->etag), "%s", attr->version.etag);
	(void)snprintf(
	    out->server, sizeof(out->server), "%s", cache->config.origin);
	if (now_ms < attr->fresh_until_ms)
		(void)snprintf(out->freshness, sizeof(out->freshness), "fresh");
	else
		(void)snprintf(out->freshness, sizeof(out->freshness),
		    "stale %" PRIu64 " s",
		    (now_ms - attr->fresh_until_ms) / 1000);
}

void facts_answer(struct cache *cache, const char *path,
    const struct ask_to *to, const struct meta_attr *attr)
{
	struct object_key key = {
	    .path = path,
	    .version = &attr->version,
	    .number = attr->number,
	    .lasting = attr->lasting,
	    .shared = true,
	};
	struct facts_job *facts;

	facts = calloc(1, sizeof(*facts));
	if (facts == NULL) {
		to->answer.facts(to->arg, -ENOMEM, NULL);
		return;
	}
	fill(cache, attr, &facts->facts);
	if (cache->store == NULL || attr->kind == CACHE_DIRECTORY ||
	    !attr->lasting) {
		to->answer.facts(to->arg, 0, &facts->facts);
		free(facts);
		return;
	}
	facts->answer = to->answer.facts;
	facts->arg = to->arg;
	facts->job.run = count_blocks;
	list_init(&facts->job.place);
	cache_enter(cache);
	/* Its own job on the disk stands before this one in the queue. */
	facts->object = object_open(cache, &key);
	if (facts->object != NULL) {
		if (facts->facts.etag[0] == '\0')
			(void)strcpy(facts->facts.etag, facts->object->pin);
		disk_push(cache, &facts->job, true);
	}
	cache_exit(cache);
	if (facts->object == NULL) {
		to->answer.facts(to->arg, -ENOMEM, NULL);
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
	struct space *space = malloc(sizeof(*space));

	if (space == NULL) {
		answer(arg, -ENOMEM, 0, 0);
		return;
	}
	space->answer = answer;
	space->arg = arg;
	fetch_quota(cache->config.fetch, ident, quota_answered, space);
}
