/* SPDX-License-Identifier: Apache-2.0 */
/* cache/bytes/writer.c - see writer.h. */
#include "cache/bytes/writer.h"

#include "base/stats.h"
#include "cache/core.h"
#include "cache/store/store.h"

#include <errno.h>
#include <stdlib.h>
#include <time.h>

void writer_add(struct cache *cache, struct block *block)
{
	struct writer *writer = &cache->writer;
	unsigned room = cache->limits.writer_blocks;

	if (!writer->running || writer->count == room) {
		stats_add(STATS_cache_dropped_writes, 1);
		return;
	}
	pool_get(&cache->pool, block);
	object_get(block->object);
	writer->queue[(writer->first + writer->count) % room] = block;
	writer->count++;
	writer->added++;
	/* One wake for the first, one when a batch is full. */
	if (writer->count == 1 || writer->count == WRITER_BATCH)
		(void)pthread_cond_signal(&writer->wake);
}

/* Until one of the two is signalled. */
static void wait_for(struct cache *cache, pthread_cond_t *cond, uint64_t ms)
    REQUIRES(cache_lock);
static void wait_for(struct cache *cache, pthread_cond_t *cond, uint64_t ms)
{
	struct timespec until;

	(void)clock_gettime(CLOCK_MONOTONIC, &until);
	until.tv_nsec += (long)(ms % 1000) * 1000000;
	until.tv_sec += (time_t)(ms / 1000) + until.tv_nsec / 1000000000;
	until.tv_nsec %= 1000000000;
	(void)pthread_cond_timedwait(cond, &cache->mutex, &until);
}

static void wait_ms(struct cache *cache, uint64_t ms) REQUIRES(cache_lock);
static void wait_ms(struct cache *cache, uint64_t ms)
{
	wait_for(cache, &cache->writer.wake, ms);
}

bool writer_has_room(const struct cache *cache)
{
	/* The rest is for what readers have fetched. */
	return cache->writer.count < cache->limits.writer_blocks / 2 + 1;
}

void writer_wait_room(struct cache *cache)
{
	wait_for(cache, &cache->writer.room, WRITER_GATHER_MS);
}

/* Take a batch off the queue. */
static unsigned take(struct cache *cache, struct block *batch[])
    REQUIRES(cache_lock);
static unsigned take(struct cache *cache, struct block *batch[])
{
	struct writer *writer = &cache->writer;
	unsigned count = writer->count;

	if (count > WRITER_BATCH)
		count = WRITER_BATCH;
	for (unsigned i = 0; i < count; i++) {
		batch[i] = writer->queue[writer->first];
		writer->first =
		    (writer->first + 1) % cache->limits.writer_blocks;
	}
	writer->count -= count;
	return count;
}

void writer_forget(struct cache *cache, struct object *object)
{
	struct writer *writer = &cache->writer;

	object_get(object);
	list_push(&writer->forgets, &object->forget);
	(void)pthread_cond_signal(&writer->wake);
}

/* One that nobody has a store of: what looks like it on the disk goes. */
static void clean(struct cache *cache, const struct object *object)
{
	struct store_identity identity = object_identity(object);
	struct store_object *store;

	if (store_object_open(cache->store, &identity, &store) < 0)
		return;
	store_object_forget(store);
	store_object_close(store);
}

/* Versions whose bytes are wrong. */
static void forget(struct cache *cache) REQUIRES(cache_lock);
static void forget(struct cache *cache)
{
	struct list *item;

	while ((item = list_pop(&cache->writer.forgets)) != NULL) {
		struct object *object =
		    CONTAINER_OF(item, struct object, forget);
		struct todo todo;

		todo_init(&todo);
		cache_exit(cache);
		if (object->store == NULL)
			clean(cache, object);
		else
			store_object_forget(object->store);
		cache_enter(cache);
		if (object->store != NULL)
			checksum_dropped(object);
		object_put(object, &todo);
		cache_leave(cache, &todo);
		cache_enter(cache);
	}
}

/* Those that may be written first. @return their number. */
static unsigned weed(struct block *batch[], unsigned count)
    REQUIRES(cache_lock);
static unsigned weed(struct block *batch[], unsigned count)
{
	unsigned good = 0;

	for (unsigned i = 0; i < count; i++) {
		struct block *block = batch[i];

		if (block->object->disk != OBJECT_DISK_OPEN)
			continue;
		batch[i] = batch[good];
		batch[good++] = block;
	}
	return good;
}

/* Write the first `good` of a batch, and let go of all. */
static void keep(
    struct cache *cache, struct block *batch[], unsigned good, unsigned count)
{
	struct store_block blocks[WRITER_BATCH];
	struct todo todo;

	for (unsigned i = 0; i < good; i++)
		blocks[i] = (struct store_block){
		    .object = batch[i]->object->store,
		    .index = batch[i]->index,
		    .bytes = batch[i]->bytes,
		    .size_bytes = batch[i]->size_bytes,
		    .sums = &batch[i]->sums,
		    .wanted = batch[i]->wanted,
		};
	/* The store counts what it kept and logs what it could not. */
	if (good > 0)
		(void)store_keep(cache->store, blocks, good);
	todo_init(&todo);
	cache_enter(cache);
	for (unsigned i = 0; i < count; i++) {
		struct object *object = batch[i]->object;

		if (i < good)
			object_note_kept(object, batch[i]->index);
		pool_put(&cache->pool, batch[i]);
		object_put(object, &todo);
	}
	cache->writer.done += count;
	(void)pthread_cond_broadcast(&cache->writer.room);
	prefetches_settle(cache, &todo);
	cache_leave(cache, &todo);
}

static void *writer_main(void *arg)
{
	struct cache *cache = arg;
	struct writer *writer = &cache->writer;
	uint64_t tend_ms = cache_now_ms(cache) + WRITER_TEND_MS;

	cache_enter(cache);
	for (;;) {
		struct block *batch[WRITER_BATCH];
		bool stopping = writer->stopping;
		unsigned count;
		unsigned good;

		forget(cache);
		if (writer->count == 0 && !stopping)
			wait_ms(cache, WRITER_TEND_MS);
		if (writer->count > 0 && writer->count < WRITER_BATCH &&
		    !stopping)
			wait_ms(cache, WRITER_GATHER_MS);
		count = take(cache, batch);
		good = weed(batch, count);
		cache_exit(cache);
		if (count > 0)
			keep(cache, batch, good, count);
		else if (stopping)
			return NULL;
		if (cache_now_ms(cache) >= tend_ms) {
			store_tend(cache->store);
			tend_ms = cache_now_ms(cache) + WRITER_TEND_MS;
		}
		cache_enter(cache);
	}
}

int writer_start(struct cache *cache)
{
	struct writer *writer = &cache->writer;
	int code;

	thread_cond_init(&writer->wake);
	thread_cond_init(&writer->room);
	list_init(&writer->forgets);
	if (cache->store == NULL)
		return 0;
	writer->queue =
	    calloc(cache->limits.writer_blocks, sizeof(struct block *));
	if (writer->queue == NULL)
		return -ENOMEM;
	code =
	    thread_start(&writer->thread, "cache-writer", writer_main, cache);
	writer->running = code == 0;
	return code;
}

void writer_stop(struct cache *cache)
{
	struct writer *writer = &cache->writer;

	if (writer->running) {
		cache_enter(cache);
		writer->stopping = true;
		(void)pthread_cond_signal(&writer->wake);
		cache_exit(cache);
		(void)pthread_join(writer->thread, NULL);
		writer->running = false;
	}
	free(writer->queue);
	writer->queue = NULL;
}
