/* SPDX-License-Identifier: Apache-2.0 */
/*
 * cache/cache.c - a cache is made, ticks, is described and ends. See
 * cache.h.
 */
#include "cache/cache.h"

#include "base/clock.h"
#include "base/stats.h"
#include "cache/ahead/budget_show.h"
#include "cache/core.h"
#include "cache/store/store.h"
#include "fetch/fetch.h"

#include <assert.h>
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static const struct cache_limits default_limits = {
    .pool_blocks = POOL_BLOCKS,
    .meta_bytes = META_BYTES,
    .idle_objects = OBJECT_IDLE_MAX,
    .writer_blocks = WRITER_BLOCKS,
};

static int open_store(struct cache *cache, struct err *err)
{
	const struct store_config config = {
	    .clock = cache->config.clock,
	    .dir = cache->dir,
	    .size_bytes = cache->config.size_bytes,
	};

	if (cache->dir == NULL) {
		(void)snprintf(cache->why_off, sizeof(cache->why_off),
		    "no cache directory");
		return 0;
	}
	return store_open(&cache->store, &config, err);
}

static int copy_strings(struct cache *cache, const struct cache_config *config)
{
	cache->origin = strdup(config->origin);
	cache->source_path = strdup(config->source_path);
	if (config->dir != NULL)
		cache->dir = strdup(config->dir);
	if (cache->origin == NULL || cache->source_path == NULL ||
	    (config->dir != NULL && cache->dir == NULL))
		return -ENOMEM;
	cache->config.origin = cache->origin;
	cache->config.source_path = cache->source_path;
	cache->config.dir = cache->dir;
	return 0;
}

static int start(struct cache *cache, struct err *err)
{
	int code = pool_init(
	    &cache->pool, cache->limits.pool_blocks, cache->dir != NULL);

	if (code == 0)
		code = meta_init(&cache->meta, cache->limits.meta_bytes);
	if (code == 0)
		cache->offline = offline_new(cache, &code);
	if (code < 0)
		return err_set(
		    err, code, "memory of the cache: %s", err_message(code));
	code = open_store(cache, err);
	if (code < 0)
		return code;
	code = disk_start(cache);
	if (code == 0)
		code = writer_start(cache);
	if (code == 0)
		code = checksums_start(cache);
	if (code < 0)
		return err_set(
		    err, code, "threads of the cache: %s", err_message(code));
	return 0;
}

int cache_new_limited(struct cache **out, const struct cache_config *config,
    const struct cache_limits *limits, struct err *err)
{
	struct cache *cache = calloc(1, sizeof(*cache));
	int code;

	if (cache == NULL)
		return err_set(err, -ENOMEM, "out of memory");
	cache->config = *config;
	cache->limits = *limits;
	clock_random(&cache->seed, sizeof(cache->seed));
	(void)pthread_mutex_init(&cache->mutex, NULL);
	access_init(&cache->access);
	walks_init(&cache->walks);
	suspects_init(&cache->suspects);
	written_init(&cache->written);
	listing_room_init(&cache->listing_room, &cache->suspects,
	    &cache->written, config->shared,
	    limits->listing_bytes != 0 ? limits->listing_bytes
	                               : LISTING_ROOM_BYTES);
	objects_init(&cache->objects);
	reads_init(&cache->reads);
	cache_enter(cache);
	prefetches_init(&cache->prefetches);
	rates_init(&cache->rates, cache_now_ms(cache));
	budget_init(&cache->budget);
	cache_exit(cache);
	code = copy_strings(cache, config);
	if (code < 0)
		(void)err_set(err, code, "out of memory");
	else
		code = start(cache, err);
	if (code < 0) {
		cache_stop(cache);
		cache_free(cache);
		return code;
	}
	*out = cache;
	return 0;
}

int cache_new(
    struct cache **out, const struct cache_config *config, struct err *err)
{
	return cache_new_limited(out, config, &default_limits, err);
}

void cache_stop(struct cache *cache)
{
	struct todo todo;

	todo_init(&todo);
	cache_enter(cache);
	cache->stopping = true;
	reads_stop(cache, &todo);
	prefetches_stop(cache, &todo);
	cache_leave(cache, &todo);
	access_stop(cache);
	checksums_stop(cache);
	disk_stop(cache);
	writer_stop(cache);
}

void cache_free(struct cache *cache)
{
	struct todo todo;

	if (cache == NULL)
		return;
	todo_init(&todo);
	cache_enter(cache);
	objects_drop_idle(cache, &todo);
	assert(cache->objects.count == 0);
	cache_leave(cache, &todo);
	if (cache->store != NULL)
		store_close(cache->store);
	walks_fini(&cache->walks);
	meta_fini(&cache->meta);
	listing_room_fini(&cache->listing_room);
	written_fini(&cache->written);
	suspects_fini(&cache->suspects);
	offline_free(cache->offline);
	reads_fini(&cache->reads);
	pool_fini(&cache->pool);
	(void)pthread_mutex_destroy(&cache->mutex);
	free(cache->origin);
	free(cache->source_path);
	free(cache->dir);
	free(cache);
}

void cache_tick(struct cache *cache)
{
	uint64_t now_ms = cache_now_ms(cache);
	uint64_t silent_ms = fetch_silent_ms(cache->config.fetch);
	struct todo todo;

	access_tick(cache, now_ms);
	offline_tick(cache, now_ms);
	suspects_tick(&cache->suspects, now_ms);
	todo_init(&todo);
	cache_enter(cache);
	rates_tick(&cache->rates, now_ms);
	reads_tick(cache, now_ms,
	    silent_ms >= READ_SILENT_MS ||
	        silent_ms >= cache->config.timeout_ms / 4,
	    &todo);
	prefetches_go(cache, &todo);
	cache_leave(cache, &todo);
}

/* Whether what is known is served while no server can be reached. */
static const char *offline_word(const struct cache *cache)
{
	if (cache->offline == NULL)
		return "no";
	return offline_for_ms(cache) > 0 ? "now" : "allowed";
}

int cache_describe(struct cache *cache, struct buf *out)
{
	unsigned blocks;
	unsigned objects;
	unsigned waiting;

	cache_enter(cache);
	blocks = cache->pool.count - cache->pool.available;
	objects = cache->objects.count;
	waiting = cache->reads.waiting_count;
	cache_exit(cache);
	(void)buf_printf(out, "{");
	if (cache->store != NULL) {
		(void)store_describe(cache->store, out);
	} else {
		(void)buf_printf(out, "\"dir\":");
		(void)buf_json(out, cache->dir);
		(void)buf_printf(
		    out, ",\"size_bytes\":0,\"disk_bytes\":0,\"state\":");
		(void)buf_json(out, "off");
		(void)buf_printf(out, ",\"why\":");
		(void)buf_json(out, cache->why_off);
	}
	(void)buf_printf(out,
	    ",\"memory_blocks\":%u,\"objects\":%u,\"reads_waiting\":%u"
	    ",\"offline\":\"%s\",\"offline_s\":%" PRIu64,
	    blocks, objects, waiting, offline_word(cache),
	    offline_for_ms(cache) / 1000);
	budget_show_json(cache, out);
	(void)buf_printf(out, "}");
	return buf_code(out);
}

/* What became of the directory and of what it was given. */
static void describe_store(struct cache *cache, struct buf *out)
{
	int code = store_state(cache->store);

	(void)buf_printf(out, "cache: %s, %" PRIu64 " of %" PRIu64 " MiB",
	    cache->dir, stats_get(STATS_cache_disk_bytes) >> 20,
	    store_size_bytes(cache->store) >> 20);
	if (code < 0)
		(void)buf_printf(
		    out, "; keeps nothing new: %s", err_message(code));
	(void)buf_printf(out,
	    "\ncache: %" PRIu64 " MiB saved by equal blocks, %" PRIu64
	    " MiB evicted, %" PRIu64 " damaged blocks dropped\n",
	    stats_get(STATS_cache_shared_bytes) >> 20,
	    stats_get(STATS_cache_evicted_bytes) >> 20,
	    stats_get(STATS_cache_corrupt_blocks));
}

int cache_describe_text(struct cache *cache, struct buf *out)
{
	uint64_t offline_ms = offline_for_ms(cache);

	if (offline_ms > 0)
		(void)buf_printf(out,
		    "offline: no server can be reached for %" PRIu64
		    " s; what is known is served\n",
		    offline_ms / 1000);
	if (cache->store != NULL)
		describe_store(cache, out);
	else
		(void)buf_printf(
		    out, "cache: memory only (%s)\n", cache->why_off);
	(void)buf_printf(out,
	    "cache: %" PRIu64 " blocks from memory, %" PRIu64
	    " from disk, %" PRIu64 " fetched",
	    stats_get(STATS_cache_memory_hits),
	    stats_get(STATS_cache_disk_hits), stats_get(STATS_cache_misses));
	budget_show_text(cache, out);
	return buf_code(out);
}
