/* SPDX-License-Identifier: Apache-2.0 */
/* cache/bytes/read.c - see read.h. */
#include "cache/bytes/read.h"

#include "base/stats.h"
#include "cache/core.h"

#include <assert.h>
#include <errno.h>
#include <stdlib.h>

void reads_init(struct reads *reads)
{
	list_init(&reads->waiting);
	list_init(&reads->readers);
}

void reads_fini(struct reads *reads)
{
	struct read *read = reads->spare;

	while (read != NULL) {
		struct read *next = read->spare_next;

		free(read);
		read = next;
	}
	reads->spare = NULL;
}

void read_part(const struct read *read, uint64_t index, uint32_t *from_bytes,
    uint32_t *until_bytes)
{
	uint64_t base = index * CACHE_BLOCK_BYTES;
	uint64_t end = read->offset_bytes + read->size_bytes;

	*from_bytes = read->offset_bytes > base
	    ? (uint32_t)(read->offset_bytes - base)
	    : 0;
	*until_bytes = end < base + CACHE_BLOCK_BYTES ? (uint32_t)(end - base)
	                                              : CACHE_BLOCK_BYTES;
}

/* Count what a reader is given of fetched blocks, each page once. */
static void count_used(struct cache *cache, const struct read *read)
    REQUIRES(cache_lock);
static void count_used(struct cache *cache, const struct read *read)
{
	int64_t used = 0;

	for (unsigned i = 0; i < read->count; i++) {
		struct block *block = read->blocks[i];
		uint32_t from;
		uint32_t until;
		uint16_t pages;

		read_part(read, block->index, &from, &until);
		from /= STORE_PAGE_BYTES;
		until = (until + STORE_PAGE_BYTES - 1) / STORE_PAGE_BYTES;
		pages = (uint16_t)((1u << until) - (1u << from));
		block->used_pages = (uint16_t)(block->used_pages | pages);
		used += block_use(cache, block, pages);
	}
	if (used != 0)
		stats_add(STATS_cache_used_bytes, used);
}

void read_finish(
    struct cache *cache, struct read *read, int code, struct todo *todo)
{
	assert(read->state != READ_DONE);
	if (read->state != READ_READING) {
		list_remove(&read->deadline);
		cache->reads.waiting_count--;
	}
	list_remove(&read->place);
	for (unsigned i = 0; i < read->count; i++)
		list_remove(&read->waits[i].place);
	read->state = READ_DONE;
	read->code = code;
	if (code == 0)
		count_used(cache, read);
	list_push(&todo->answers, &read->place);
}

/* One timeout for all: those who waited at the door apart, the list is in
 * order already. */
static void insert_by_deadline(struct list *waiting, struct read *read)
{
	struct list *after = waiting->prev;

	while (after != waiting &&
	    CONTAINER_OF(after, struct read, deadline)->deadline_ms >
	        read->deadline_ms)
		after = after->prev;
	list_insert_after(after, &read->deadline);
}

void read_wait_in(struct cache *cache, struct read *read, enum read_state state,
    struct list *list)
{
	if (read->state == READ_READING) {
		insert_by_deadline(&cache->reads.waiting, read);
		cache->reads.waiting_count++;
	}
	read->state = state;
	if (list != NULL)
		list_push(list, &read->place);
}

void read_holds(struct read *read, unsigned count)
{
	read->count = count;
	read->reader->held += count;
}

void read_release(struct cache *cache, struct read *read)
{
	read->reader->held -= read->count;
	if (read->hungry)
		rates_note_hunger(&cache->rates, false);
	read->hungry = false;
	for (unsigned i = 0; i < read->count; i++) {
		list_remove(&read->waits[i].place);
		pool_put(&cache->pool, read->blocks[i]);
	}
	read->count = 0;
	read->missing = 0;
}

void reads_block_came(
    struct cache *cache, struct block *block, struct todo *todo)
{
	struct list *item = block->waits.next;

	while (item != &block->waits) {
		struct read_wait *wait =
		    CONTAINER_OF(item, struct read_wait, place);

		item = item->next;
		if (wait->until_bytes > block->arrived_bytes)
			continue;
		list_remove(&wait->place);
		assert(wait->read->missing > 0);
		if (--wait->read->missing == 0)
			read_finish(cache, wait->read, 0, todo);
	}
}

/* May it ask once more? */
static bool try_again(struct cache *cache, struct read *read)
    REQUIRES(cache_lock);
static bool try_again(struct cache *cache, struct read *read)
{
	return ++read->tries < READ_TRIES_MAX && !cache->stopping &&
	    cache_now_ms(cache) < read->deadline_ms;
}

/* A refusal of one's token is not another's. Each time at least the one who
 * was refused is answered, so this ends. */
static bool is_anothers(struct cache *cache, const struct read *read, int code,
    const struct ident *ident) REQUIRES(cache_lock);
static bool is_anothers(struct cache *cache, const struct read *read, int code,
    const struct ident *ident)
{
	return access_is_of_token(code) && !cache->stopping &&
	    !access_same(cache, &read->ident, ident) &&
	    cache_now_ms(cache) < read->deadline_ms;
}

void reads_block_failed(struct cache *cache, struct block *block, int code,
    const struct ident *ident, bool again, struct todo *todo)
{
	struct list waits;
	struct list *item;

	/* Asking again may add waits to new blocks, never to this one. */
	list_init(&waits);
	list_move_all(&waits, &block->waits);
	while ((item = list_pop(&waits)) != NULL) {
		struct read *read =
		    CONTAINER_OF(item, struct read_wait, place)->read;

		if (is_anothers(cache, read, code, ident) ||
		    (again && (!read->polite || code == -ECANCELED) &&
		        try_again(cache, read))) {
			read_release(cache, read);
			read->whole = true;
			read_go_on(cache, read, todo);
		} else {
			read_finish(cache, read, code, todo);
		}
	}
}

void reads_unpark(struct object *object, struct todo *todo)
{
	struct list parked;
	struct list *item;

	list_init(&parked);
	list_move_all(&parked, &object->parked);
	while ((item = list_pop(&parked)) != NULL)
		read_go_on(object->cache,
		    CONTAINER_OF(item, struct read, place), todo);
}

void read_answer(struct read *read)
{
	struct iovec vectors[READ_BLOCKS_MAX];

	if (read->code < 0) {
		access_tell(read->object->cache, &read->ident,
		    read->object->server_path, CACHE_BYTES, read->code);
		read->answer(read->arg, read->code, NULL, 0);
		return;
	}
	for (unsigned i = 0; i < read->count; i++) {
		uint32_t from;
		uint32_t until;

		read_part(read, read->blocks[i]->index, &from, &until);
		vectors[i].iov_base = read->blocks[i]->bytes + from;
		vectors[i].iov_len = until - from;
	}
	read->answer(read->arg, 0, vectors, (int)read->count);
}

void read_free(struct cache *cache, struct read *read, struct todo *todo)
{
	struct object *object = read->object;

	assert(read->state == READ_DONE);
	read_release(cache, read);
	reader_leave(STEAL(read->reader));
	read->object = NULL;
	if (cache->reads.spare_count < READS_SPARE_MAX) {
		cache->reads.spare_count++;
		read->spare_next = cache->reads.spare;
		cache->reads.spare = read;
	} else {
		free(read);
	}
	object_put(object, todo);
}

void reads_tick(
    struct cache *cache, uint64_t now_ms, bool silent, struct todo *todo)
{
	struct reads *reads = &cache->reads;
	struct read *read;

	while (!list_is_empty(&reads->waiting)) {
		read = CONTAINER_OF(reads->waiting.next, struct read, deadline);
		if (now_ms < read->deadline_ms)
			break;
		read_finish(cache, read, -ETIMEDOUT, todo);
	}
	while (
	    silent && reads->waiting_count > cache->config.reads_waiting_max) {
		read = CONTAINER_OF(reads->waiting.next, struct read, deadline);
		if (now_ms - read->started_ms < READ_SILENT_MS &&
		    now_ms - read->started_ms < cache->config.timeout_ms / 4)
			break;
		read_finish(cache, read, -ETIMEDOUT, todo);
	}
}

void reads_stop(struct cache *cache, struct todo *todo)
{
	while (!list_is_empty(&cache->reads.waiting))
		read_finish(cache,
		    CONTAINER_OF(
		        cache->reads.waiting.next, struct read, deadline),
		    -ECANCELED, todo);
}
