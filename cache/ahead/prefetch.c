/* SPDX-License-Identifier: Apache-2.0 */
/* cache/ahead/prefetch.c - see prefetch.h. */
#include "cache/ahead/prefetch.h"

#include "cache/ahead/prefetch_impl.h"
#include "cache/store/store.h"
#include "fetch/fetch.h"

#include <assert.h>
#include <errno.h>

void prefetches_init(struct prefetches *prefetches)
{
	list_init(&prefetches->waiting);
	list_init(&prefetches->settling);
}

static void finish(struct prefetch *prefetch, int code, struct todo *todo)
    REQUIRES(cache_lock);
static void finish(struct prefetch *prefetch, int code, struct todo *todo)
{
	prefetch->state = PREFETCH_DONE;
	prefetch->code = code;
	list_push(&todo->prefetches, &prefetch->place);
}

void prefetch_look(
    struct cache *cache, struct prefetch *prefetch, struct todo *todo)
{
	prefetch->state = PREFETCH_LOOKING;
	if (cache->stopping)
		finish(prefetch, -ECANCELED, todo);
	else
		disk_push(cache, &prefetch->job, false);
}

/* On a disk reader. @return bytes that are missing. */
static uint64_t probe(struct prefetch *prefetch, struct store_object *store)
{
	const struct object *object = prefetch->file->object;
	uint64_t missing_bytes = 0;

	for (unsigned done = 0; done < prefetch->count;) {
		bool have[STORE_RUN_BLOCKS];
		unsigned n = store_want(store, prefetch->first + done,
		    prefetch->count - done, have);

		for (unsigned i = 0; i < n; i++) {
			prefetch->missing[done + i] = !have[i];
			if (!have[i])
				missing_bytes += object_block_bytes(
				    object, prefetch->first + done + i);
		}
		done += n;
	}
	return missing_bytes;
}

/* What is missing is fetched, unless it was often enough. */
static void judge(struct cache *cache, struct prefetch *prefetch,
    uint64_t missing_bytes, struct todo *todo) REQUIRES(cache_lock);
static void judge(struct cache *cache, struct prefetch *prefetch,
    uint64_t missing_bytes, struct todo *todo)
{
	int state = store_state(cache->store);

	if (!prefetch->looked)
		prefetch->brought_bytes = missing_bytes;
	prefetch->looked = true;
	if (missing_bytes == 0) {
		finish(prefetch, 0, todo);
	} else if (prefetch->tries == PREFETCH_TRIES_MAX ||
	    (prefetch->tries > 0 && state < 0)) {
		finish(prefetch, state < 0 ? state : -ENOSPC, todo);
	} else {
		prefetch->state = PREFETCH_WAITING;
		list_push(&cache->prefetches.waiting, &prefetch->place);
		prefetches_go(cache, todo);
	}
}

void prefetch_run_look(struct disk_job *job, bool stopping)
{
	struct prefetch *prefetch = CONTAINER_OF(job, struct prefetch, job);
	const struct object *object = prefetch->file->object;
	struct cache *cache = object->cache;
	struct store_identity identity = {
	    .origin = cache->config.origin,
	    .path = object->server_path,
	    .size_bytes = object->version.size_bytes,
	    .mtime_s = object->version.mtime_s,
	    .etag = object->version.etag,
	};
	struct store_object *store = NULL;
	uint64_t missing_bytes = 0;
	struct todo todo;
	int code = -ECANCELED;

	if (!stopping)
		code = store_object_open(cache->store, &identity, &store);
	if (code == 0)
		missing_bytes = probe(prefetch, store);
	todo_init(&todo);
	cache_enter(cache);
	if (code < 0 || cache->stopping)
		finish(prefetch, code < 0 ? code : -ECANCELED, &todo);
	else
		judge(cache, prefetch, missing_bytes, &todo);
	cache_leave(cache, &todo);
	if (store != NULL)
		store_object_close(store);
}

/* Blocks that are in memory and not on the disk: the writer had no room for
 * them, or the disk had none. */
static void write_what_is_here(struct cache *cache, struct prefetch *prefetch)
    REQUIRES(cache_lock);
static void write_what_is_here(struct cache *cache, struct prefetch *prefetch)
{
	struct object *object = prefetch->file->object;

	if (object->disk != OBJECT_DISK_OPEN)
		return;
	for (unsigned i = 0; i < prefetch->count; i++) {
		struct block *block;

		if (!prefetch->missing[i])
			continue;
		block = pool_find(&cache->pool, object, prefetch->first + i);
		if (block == NULL || block->state != BLOCK_READY)
			continue;
		block->wanted = true;
		writer_add(cache, block);
	}
}

static bool has_room(const struct cache *cache, const struct prefetch *prefetch)
    REQUIRES(cache_lock);
static bool has_room(const struct cache *cache, const struct prefetch *prefetch)
{
	unsigned queue = cache->limits.writer_blocks;
	unsigned others = cache->prefetches.blocks;

	return cache->writer.count <= queue / 2 &&
	    (others == 0 || others + prefetch->count <= queue / 4 * 3) &&
	    cache->pool.available >
	    cache->pool.reserve + (others == 0 ? 0 : prefetch->count) &&
	    !readers_are_starved(&cache->reads);
}

void prefetches_go(struct cache *cache, struct todo *todo)
{
	struct prefetches *prefetches = &cache->prefetches;

	while (!list_is_empty(&prefetches->waiting)) {
		struct prefetch *prefetch =
		    prefetch_of(prefetches->waiting.next);

		if (!has_room(cache, prefetch))
			return;
		list_remove(&prefetch->place);
		prefetches->blocks += prefetch->count;
		prefetch->state = PREFETCH_FETCHING;
		prefetch->code = 0;
		prefetch->reads = 1; /* whoever sends them */
		write_what_is_here(cache, prefetch);
		list_push(&todo->prefetches, &prefetch->place);
	}
}

/* Its blocks are not under way any more. */
static void leave_flight(struct cache *cache, const struct prefetch *prefetch)
    REQUIRES(cache_lock);
static void leave_flight(struct cache *cache, const struct prefetch *prefetch)
{
	assert(cache->prefetches.blocks >= prefetch->count);
	cache->prefetches.blocks -= prefetch->count;
}

/* Whether the server answers others, so that it was politeness alone that
 * took too long. */
static bool was_patience(const struct cache *cache, int code)
{
	return code == -ETIMEDOUT &&
	    fetch_silent_ms(cache->config.fetch) < cache->config.timeout_ms / 2;
}

/* Every read is answered. */
static void all_came(struct cache *cache, struct prefetch *prefetch,
    bool patience, struct todo *todo) REQUIRES(cache_lock);
static void all_came(struct cache *cache, struct prefetch *prefetch,
    bool patience, struct todo *todo)
{
	if (cache->stopping) {
		leave_flight(cache, prefetch);
		finish(prefetch, -ECANCELED, todo);
	} else if (prefetch->code == -EAGAIN) {
		/* Buffers were short: the tick tries again. */
		leave_flight(cache, prefetch);
		prefetch->state = PREFETCH_WAITING;
		list_push(&cache->prefetches.waiting, &prefetch->place);
	} else if (prefetch->code < 0 &&
	    (!patience || ++prefetch->tries >= PREFETCH_TRIES_MAX)) {
		leave_flight(cache, prefetch);
		finish(prefetch, prefetch->code, todo);
	} else {
		/* read.c: blocks of an answered read are in the queue. */
		prefetch->tries += prefetch->code == 0;
		prefetch->state = PREFETCH_SETTLING;
		prefetch->barrier = cache->writer.added;
		list_push(&cache->prefetches.settling, &prefetch->place);
		prefetches_settle(cache, todo);
	}
}

void prefetch_read_came(struct prefetch *prefetch, int code)
{
	struct cache *cache = prefetch->file->object->cache;
	bool patience = was_patience(cache, code);
	struct todo todo;

	todo_init(&todo);
	cache_enter(cache);
	if (code < 0 && (prefetch->code == 0 || prefetch->code == -EAGAIN))
		prefetch->code = code;
	if (--prefetch->reads == 0)
		all_came(cache, prefetch, patience, &todo);
	cache_leave(cache, &todo);
}

void prefetches_settle(struct cache *cache, struct todo *todo)
{
	struct list *settling = &cache->prefetches.settling;
	struct list *item = settling->next;

	while (item != settling) {
		struct prefetch *prefetch = prefetch_of(item);

		item = item->next;
		if (prefetch->barrier > cache->writer.done)
			continue;
		list_remove(&prefetch->place);
		leave_flight(cache, prefetch);
		prefetch_look(cache, prefetch, todo);
	}
	prefetches_go(cache, todo);
}

void prefetches_stop(struct cache *cache, struct todo *todo)
{
	struct list *item;

	while ((item = list_pop(&cache->prefetches.waiting)) != NULL)
		finish(prefetch_of(item), -ECANCELED, todo);
	while ((item = list_pop(&cache->prefetches.settling)) != NULL) {
		leave_flight(cache, prefetch_of(item));
		finish(prefetch_of(item), -ECANCELED, todo);
	}
}
