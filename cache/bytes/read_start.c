/* SPDX-License-Identifier: Apache-2.0 */
/*
 * cache/bytes/read_start.c - a read begins: what it needs is held, made or
 * asked for. See read.h.
 */
#include "base/stats.h"
#include "cache/bytes/read.h"
#include "cache/core.h"
#include "fetch/fetch.h"

#include <assert.h>
#include <errno.h>
#include <stdlib.h>

/* A small random read of a block that may be on the disk: its pages alone
 * are read. 1: on its way or done, 0: not such a read, -ENOMEM. */
static int try_pages(struct cache *cache, struct read *read,
    struct run_builder *builder) REQUIRES(cache_lock);
static int try_pages(
    struct cache *cache, struct read *read, struct run_builder *builder)
{
	struct object *object = read->object;
	uint64_t index = read->offset_bytes / CACHE_BLOCK_BYTES;
	struct block *block;
	uint32_t from;
	uint32_t until;

	read_part(read, index, &from, &until);
	if (!reader_may_hold(cache, read->reader, 1) || read->whole ||
	    read->plan.sequential || read->plan.strides > 0 ||
	    until - from != read->size_bytes ||
	    read->size_bytes > READ_PAGES_BYTES_MAX ||
	    !object_may_have(object, index) ||
	    pool_find(&cache->pool, object, index) != NULL)
		return 0;
	block = pool_take(&cache->pool, object, index, true, false);
	if (block == NULL)
		return 0;
	read->blocks[0] = block;
	read_holds(read, 1);
	read->missing = 1;
	read->waits[0].until_bytes = until;
	list_push(&block->waits, &read->waits[0].place);
	return run_pages(builder, block, from, until - from) < 0 ? -ENOMEM : 1;
}

/* Give back what hold_blocks() has got so far. */
static void give_back(struct cache *cache, struct read *read, const bool made[],
    unsigned count) REQUIRES(cache_lock);
static void give_back(
    struct cache *cache, struct read *read, const bool made[], unsigned count)
{
	for (unsigned i = 0; i < count; i++) {
		struct block *block = read->blocks[i];

		if (block == NULL)
			continue;
		if (made[i])
			pool_unhash(&cache->pool, block);
		pool_put(&cache->pool, block);
	}
}

/* Hold every block of the read: those that are here, and new ones for those
 * that are not; all or none. */
static bool hold_blocks(struct cache *cache, struct read *read, bool made[])
    REQUIRES(cache_lock);
static bool hold_blocks(struct cache *cache, struct read *read, bool made[])
{
	struct pool *pool = &cache->pool;
	uint64_t first = read->offset_bytes / CACHE_BLOCK_BYTES;
	uint64_t last =
	    (read->offset_bytes + read->size_bytes - 1) / CACHE_BLOCK_BYTES;
	unsigned count = (unsigned)(last - first) + 1;

	assert(count <= READ_BLOCKS_MAX);
	if (!reader_may_hold(cache, read->reader, count))
		return false;
	/* What is here first, so that making room does not recycle it. */
	for (unsigned i = 0; i < count; i++) {
		read->blocks[i] = pool_find(pool, read->object, first + i);
		made[i] = read->blocks[i] == NULL;
		if (!made[i])
			pool_get(pool, read->blocks[i]);
	}
	for (unsigned i = 0; i < count; i++) {
		if (!made[i])
			continue;
		read->blocks[i] = pool_take(
		    pool, read->object, first + i, !read->polite, true);
		if (read->blocks[i] == NULL) {
			give_back(cache, read, made, count);
			return false;
		}
	}
	read_holds(read, count);
	return true;
}

/* A block on its way is wanted by a reader now. */
static void demand_block(struct cache *cache, struct block *block, uid_t uid,
    struct todo *todo) REQUIRES(cache_lock);
static void demand_block(
    struct cache *cache, struct block *block, uid_t uid, struct todo *todo)
{
	bool ahead = block->ahead;

	block->ahead = false;
	if (ahead)
		cache->rates.ahead_blocks--;
	if (block->run != NULL &&
	    (ahead || (cache->config.shared && block->run->ident.uid != uid)))
		run_hurry(block->run, uid, todo);
}

static void await_block(struct cache *cache, struct read *read, unsigned i,
    struct todo *todo) REQUIRES(cache_lock);
static void await_block(
    struct cache *cache, struct read *read, unsigned i, struct todo *todo)
{
	struct block *block = read->blocks[i];
	uint32_t from;
	uint32_t until;

	if (block->state == BLOCK_READY) {
		stats_add(STATS_cache_memory_hits, 1);
		return;
	}
	read_part(read, block->index, &from, &until);
	if (read->polite)
		block->wanted = true;
	else
		demand_block(cache, block, read->ident.uid, todo);
	if (until <= block->arrived_bytes) {
		stats_add(STATS_cache_memory_hits, 1);
		return;
	}
	read->waits[i].until_bytes = until;
	list_push(&block->waits, &read->waits[i].place);
	read->missing++;
}

/* What it has not got is asked for, and what it will want next. */
static int ask_for_blocks(struct read *read, const bool made[],
    struct run_builder *builder) REQUIRES(cache_lock);
static int ask_for_blocks(
    struct read *read, const bool made[], struct run_builder *builder)
{
	int code;

	for (unsigned i = 0; i < read->count; i++)
		await_block(builder->cache, read, i, builder->todo);
	for (unsigned i = 0; i < read->count; i++)
		if (made[i])
			runs_add(builder, read->blocks[i], !read->polite);
	/* Without memory for read-ahead a read still gets what it wants. */
	code = builder->code;
	runs_ahead(builder, &read->plan, read->offset_bytes, read->size_bytes);
	read->plan = (struct stream_plan){
	    .sequential = read->plan.sequential, .full = read->plan.full};
	runs_end(builder);
	return code;
}

/* Wait for what is missing, or be done. */
static void wait_or_finish(struct cache *cache, struct read *read, int code,
    struct todo *todo) REQUIRES(cache_lock);
static void wait_or_finish(
    struct cache *cache, struct read *read, int code, struct todo *todo)
{
	if (code < 0 || read->missing == 0) {
		read_finish(cache, read, code, todo);
		return;
	}
	read->hungry = read->plan.full;
	if (read->hungry)
		rates_note_hunger(&cache->rates, true);
	read_wait_in(cache, read, READ_WAITING, NULL);
}

/* Blocks of one range at most. One that nobody waits for may be as long as
 * ranges can be. */
static unsigned range_blocks_max(
    const struct cache *cache, const struct read *read) REQUIRES(cache_lock);
static unsigned range_blocks_max(
    const struct cache *cache, const struct read *read)
{
	if (!read->polite)
		return rates_range_blocks(cache, read->plan.window_bytes);
	return fetch_validates_bytes(cache->config.fetch)
	    ? RUN_BLOCKS_MAX
	    : RUN_UNCONFIRMED_BLOCKS;
}

void read_go_on(struct cache *cache, struct read *read, struct todo *todo)
{
	struct object *object = read->object;
	bool made[READ_BLOCKS_MAX] = {false};
	struct run_builder builder = {
	    .cache = cache,
	    .object = object,
	    .ident = &read->ident,
	    .todo = todo,
	    .blocks_max = range_blocks_max(cache, read),
	    .by_name = read->polite || checksum_wants_whole(object),
	};
	int code;

	if (object->stale || cache->stopping || checksum_fails(object)) {
		code = cache->stopping ? -ECANCELED : -EIO;
		if (object->stale)
			code = -ESTALE;
		read_finish(cache, read, code, todo);
		return;
	}
	object_ask_disk(object, todo);
	if (object->disk == OBJECT_DISK_OPENING) {
		read_wait_in(cache, read, READ_PARKED, &object->parked);
		return;
	}
	if (checksum_wants_whole(object))
		object_fetch_ahead(
		    object, &read->ident, CHECKSUM_RIDES_BLOCKS, todo);
	if ((code = try_pages(cache, read, &builder)) != 0) {
		wait_or_finish(cache, read, code < 0 ? code : 0, todo);
	} else if (hold_blocks(cache, read, made)) {
		code = ask_for_blocks(read, made, &builder);
		wait_or_finish(cache, read, code, todo);
	} else if (read->polite) {
		read_finish(cache, read, -EAGAIN, todo);
	} else {
		read_wait_in(cache, read, READ_STARVED, &read->reader->starved);
	}
}

static struct read *read_new(struct reads *reads)
{
	struct read *read = reads->spare;

	if (read != NULL) {
		reads->spare = read->spare_next;
		reads->spare_count--;
		return read;
	}
	read = malloc(sizeof(*read));
	if (read == NULL)
		return NULL;
	list_init(&read->place);
	list_init(&read->deadline);
	for (unsigned i = 0; i < READ_BLOCKS_MAX; i++) {
		list_init(&read->waits[i].place);
		read->waits[i].read = read;
	}
	return read;
}

/* What is fetched beyond it. A polite read is no step of a stream. */
static struct stream_plan plan_of(
    struct cache *cache, const struct read_ask *ask) REQUIRES(cache_lock);
static struct stream_plan plan_of(
    struct cache *cache, const struct read_ask *ask)
{
	struct rates_pace pace;

	if (ask->polite)
		return (struct stream_plan){.sequential = true,
		    .from_bytes = ask->offset_bytes + ask->size_bytes,
		    .until_bytes = ask->ahead_until_bytes};
	pace = rates_pace(cache);
	return streams_note(&ask->object->streams,
	    &(struct stream_read){
	        .offset_bytes = ask->offset_bytes,
	        .size_bytes = ask->size_bytes,
	        .file_bytes = ask->object->version.size_bytes,
	        .cap_bytes = pace.window_bytes,
	        .room_bytes = pace.room_bytes,
	        .step_bytes = pace.range_bytes,
	    });
}

void read_start(const struct read_ask *ask)
{
	struct object *object = ask->object;
	struct cache *cache = object->cache;
	struct todo todo;
	struct read *read;

	todo_init(&todo);
	cache_enter(cache);
	read = read_new(&cache->reads);
	if (read != NULL) {
		read->reader = reader_join(cache, ask->ident.uid);
		if (read->reader == NULL)
			free(STEAL(read));
	}
	if (read == NULL) {
		cache_exit(cache);
		ask->answer(ask->arg, -ENOMEM, NULL, 0);
		return;
	}
	read->object = object;
	object_get(object);
	read->ident = ask->ident;
	read->offset_bytes = ask->offset_bytes;
	read->size_bytes = ask->size_bytes;
	read->answer = ask->answer;
	read->arg = ask->arg;
	read->deadline_ms = ask->deadline_ms;
	read->started_ms = ask->deadline_ms - cache->config.timeout_ms;
	read->state = READ_READING;
	read->code = 0;
	read->tries = 0;
	read->whole = false;
	read->hungry = false;
	read->missing = 0;
	read->count = 0;
	read->polite = ask->polite;
	read->plan = plan_of(cache, ask);
	read_go_on(cache, read, &todo);
	cache_leave(cache, &todo);
}
