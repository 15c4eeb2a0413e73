/* SPDX-License-Identifier: Apache-2.0 */
/* cache/checks/checksum_sum.c - the thread that sums; see checksum.h. */
#include "cache/checks/checksum.h"
#include "cache/core.h"
#include "cache/store/store.h"
#include "fetch/fetch.h"

#include <assert.h>
#include <errno.h>
#include <stdlib.h>

static_assert((int)CHECKSUM_STEP_BLOCKS <= (int)STORE_RUN_BLOCKS, "one load");

/* What became of a step. */
enum step { STEP_DONE, STEP_MISSING };

/* Blocks that are in memory, from `next` on; held. */
static unsigned hold(struct object *object, struct block *blocks[])
    REQUIRES(cache_lock);
static unsigned hold(struct object *object, struct block *blocks[])
{
	struct pool *pool = &object->cache->pool;
	uint64_t left = object_block_count(object) - object->checksum.next;
	unsigned count = 0;

	while (count < CHECKSUM_STEP_BLOCKS && count < left) {
		struct block *block =
		    pool_find(pool, object, object->checksum.next + count);

		if (block == NULL || block->state != BLOCK_READY)
			break;
		pool_get(pool, block);
		blocks[count++] = block;
	}
	return count;
}

static enum step sum_memory(struct object *object, struct block *blocks[],
    unsigned count) REQUIRES(cache_lock);
static enum step sum_memory(
    struct object *object, struct block *blocks[], unsigned count)
{
	struct cache *cache = object->cache;

	cache_exit(cache);
	for (unsigned i = 0; i < count; i++)
		fetch_sum_add(object->checksum.sum, blocks[i]->bytes,
		    blocks[i]->size_bytes);
	cache_enter(cache);
	for (unsigned i = 0; i < count; i++)
		pool_put(&cache->pool, blocks[i]);
	object->checksum.next += count;
	return STEP_DONE;
}

/* From the disk, into the thread's buffer. */
static enum step sum_disk(struct object *object) REQUIRES(cache_lock);
static enum step sum_disk(struct object *object)
{
	struct cache *cache = object->cache;
	struct checksum *checksum = &object->checksum;
	uint64_t left = object_block_count(object) - checksum->next;
	unsigned count =
	    left < CHECKSUM_STEP_BLOCKS ? (unsigned)left : CHECKSUM_STEP_BLOCKS;
	unsigned char *buffer = cache->checksums.buffer;
	void *buffers[CHECKSUM_STEP_BLOCKS];
	int got;

	if (object->disk != OBJECT_DISK_OPEN)
		return STEP_MISSING;
	cache_exit(cache);
	for (unsigned i = 0; i < count; i++)
		buffers[i] = buffer + (size_t)i * CACHE_BLOCK_BYTES;
	got = store_load(
	    object->store, checksum->next, count, STORE_WAIT, buffers);
	for (int i = 0; i < got; i++)
		fetch_sum_add(checksum->sum, buffers[i],
		    object_block_bytes(object, checksum->next + (unsigned)i));
	cache_enter(cache);
	if (got <= 0)
		return STEP_MISSING;
	checksum->next += (unsigned)got;
	return STEP_DONE;
}

/* Be summing with this algorithm, from the begin when it was another. */
static bool use(struct checksum *checksum, enum fetch_algorithm algorithm)
    REQUIRES(cache_lock);
static bool use(struct checksum *checksum, enum fetch_algorithm algorithm)
{
	if (checksum->sum != NULL &&
	    fetch_sum_algorithm(checksum->sum) != algorithm)
		fetch_sum_free(STEAL(checksum->sum));
	if (checksum->sum == NULL) {
		checksum->next = 0;
		checksum->sum = fetch_sum_new(algorithm);
	}
	if (checksum->sum == NULL)
		checksum->state = CHECKSUM_NONE;
	return checksum->sum != NULL;
}

static enum step sum_on(struct object *object) REQUIRES(cache_lock);
static enum step sum_on(struct object *object)
{
	const struct checksum *checksum = &object->checksum;
	struct block *blocks[CHECKSUM_STEP_BLOCKS];
	unsigned count = hold(object, blocks);

	if (count > 0)
		return sum_memory(object, blocks, count);
	return checksum->state == CHECKSUM_SUMMING ? sum_disk(object)
	                                           : STEP_MISSING;
}

/* One that was thought to be here is not: it may land again. */
static void miss(struct object *object) REQUIRES(cache_lock);
static void miss(struct object *object)
{
	struct checksum *checksum = &object->checksum;
	uint64_t index = checksum->next;
	uint8_t bit = (uint8_t)(1u << (index % 8));

	checksum->state = CHECKSUM_OPEN;
	if (checksum->landed != NULL &&
	    (checksum->landed[index / 8] & bit) != 0) {
		checksum->landed[index / 8] ^= bit;
		checksum->landed_count--;
	} else if (checksum->disk_count > 0) {
		checksum->disk_count--;
	}
}

/* A step of a file of which blocks are missing still, in memory only. */
static void follow(struct object *object) REQUIRES(cache_lock);
static void follow(struct object *object)
{
	enum fetch_algorithm algorithm;

	if (fetch_digests(object->cache->config.fetch, &algorithm) ==
	        FETCH_DIGESTS_TOLD &&
	    use(&object->checksum, algorithm) &&
	    object->checksum.next < object_block_count(object) &&
	    sum_on(object) == STEP_DONE)
		checksum_push(object);
}

/* A step of one of which all is here. */
static void sum(struct object *object) REQUIRES(cache_lock);
static void sum(struct object *object)
{
	struct checksum *checksum = &object->checksum;

	if (!use(checksum, checksum->told.algorithm))
		return;
	if (checksum->next == object_block_count(object))
		checksum_compare(object);
	else if (sum_on(object) == STEP_DONE)
		checksum_push(object);
	else
		miss(object);
}

static void work(struct object *object) REQUIRES(cache_lock);
static void work(struct object *object)
{
	struct checksum *checksum = &object->checksum;

	if (checksum->state == CHECKSUM_OPEN && checksum_is_complete(object)) {
		if (checksum->told.known)
			checksum->state = CHECKSUM_SUMMING;
		else
			checksum_ask(object);
	}
	/* What is summed while the server is asked is summed. */
	if (checksum->state == CHECKSUM_OPEN ||
	    checksum->state == CHECKSUM_ASKING)
		follow(object);
	else if (checksum->state == CHECKSUM_SUMMING)
		sum(object);
}

static void wait_for_work(struct cache *cache) REQUIRES(cache_lock);
static void wait_for_work(struct cache *cache)
{
	(void)pthread_cond_wait(&cache->checksums.wake, &cache->mutex);
}

static void *checksums_main(void *arg)
{
	struct cache *cache = arg;
	struct checksums *checksums = &cache->checksums;

	cache_enter(cache);
	for (;;) {
		struct list *item = checksums_next(checksums);
		struct object *object;
		struct todo todo;

		if (item == NULL) {
			if (checksums->stopping)
				break;
			wait_for_work(cache);
			continue;
		}
		object = CONTAINER_OF(item, struct object, checksum.place);
		object->checksum.queued = false;
		if (!checksums->stopping && !object->stale)
			work(object);
		todo_init(&todo);
		object_put(object, &todo);
		cache_leave(cache, &todo);
		cache_enter(cache);
	}
	cache_exit(cache);
	return NULL;
}

int checksums_start(struct cache *cache)
{
	struct checksums *checksums = &cache->checksums;
	int code;

	list_init(&checksums->queue);
	list_init(&checksums->waiting);
	thread_cond_init(&checksums->wake);
	/* As the store wants it. */
	checksums->buffer = aligned_alloc(
	    STORE_PAGE_BYTES, (size_t)CHECKSUM_STEP_BLOCKS * CACHE_BLOCK_BYTES);
	if (checksums->buffer == NULL)
		return -ENOMEM;
	code = thread_start(
	    &checksums->thread, "cache-sums", checksums_main, cache);
	checksums->running = code == 0;
	return code;
}

void checksums_stop(struct cache *cache)
{
	struct checksums *checksums = &cache->checksums;

	cache_enter(cache);
	checksums->stopping = true;
	if (checksums->running)
		(void)pthread_cond_signal(&checksums->wake);
	cache_exit(cache);
	if (checksums->running)
		(void)pthread_join(checksums->thread, NULL);
	checksums->running = false;
	free(STEAL(checksums->buffer));
}
