/* SPDX-License-Identifier: Apache-2.0 */
/*
 * cache/bytes/run.c - runs of blocks: made, split, finished; what they have in
 * common whether the disk or a server fills them. See fill.h.
 */
#include "base/stats.h"
#include "cache/core.h"

#include <assert.h>
#include <errno.h>
#include <stdlib.h>

static void disk_job(struct disk_job *job, bool stopping)
{
	struct run *run = CONTAINER_OF(job, struct run, job);
	struct cache *cache = run->cache;
	struct todo todo;

	if (!stopping) {
		run_look(run, true);
		return;
	}
	todo_init(&todo);
	cache_enter(cache);
	run_fail(run, -ECANCELED, &todo);
	cache_leave(cache, &todo);
}

static struct run *run_new(struct object *object, const struct ident *ident,
    unsigned room) REQUIRES(cache_lock);
static struct run *run_new(
    struct object *object, const struct ident *ident, unsigned room)
{
	struct run *run = malloc(sizeof(*run) + room * sizeof(struct block *));

	if (run == NULL)
		return NULL;
	*run = (struct run){
	    .job.run = disk_job,
	    .cache = object->cache,
	    .object = object,
	    .ident = *ident,
	    .waiting_uid = ident->uid,
	    .room = room,
	};
	object_get(object);
	list_init(&run->place);
	list_init(&run->job.place);
	return run;
}

static void append(struct run_builder *builder, struct block *block,
    bool demand) REQUIRES(cache_lock);
static void append(
    struct run_builder *builder, struct block *block, bool demand)
{
	struct run *run = builder->run;

	while (run->first + run->count < block->index)
		run->blocks[run->count++] = NULL;
	run->blocks[run->count++] = block;
	run->demand = run->demand || demand;
	if (object_may_have(run->object, block->index))
		run->stage = RUN_ROUTE;
	block->run = run;
	block->ahead = !demand;
	if (!demand)
		builder->cache->rates.ahead_blocks++;
	pool_get(&builder->cache->pool, block);
}

/* Blocks [from, until) are fetched in vain rather than asked around. */
static bool may_join(struct run_builder *builder, uint64_t from, uint64_t until)
    REQUIRES(cache_lock);
static bool may_join(struct run_builder *builder, uint64_t from, uint64_t until)
{
	uint64_t gap_bytes = (until - from) * CACHE_BLOCK_BYTES;

	if (until - from > RUN_GAP_BLOCKS)
		return false;
	if (gap_bytes == 0)
		return true;
	if (!runs_may_guess(builder, gap_bytes))
		return false;
	builder->guess_bytes += gap_bytes;
	return true;
}

void runs_add(struct run_builder *builder, struct block *block, bool demand)
{
	struct run *run = builder->run;

	if (run != NULL) {
		uint64_t next = run->first + run->count;

		if (block->index < next ||
		    block->index - run->first >= run->room ||
		    !may_join(builder, next, block->index))
			runs_end(builder);
	}
	if (builder->run == NULL) {
		run = run_new(
		    builder->object, builder->ident, builder->blocks_max);
		if (run == NULL) {
			builder->code = -ENOMEM;
			pool_unhash(&builder->cache->pool, block);
			block->state = BLOCK_DEAD;
			return;
		}
		run->first = block->index;
		run->stage = RUN_FETCH;
		builder->run = run;
	}
	append(builder, block, demand);
}

void runs_end(struct run_builder *builder)
{
	if (builder->run != NULL)
		list_push(&builder->todo->runs, &builder->run->place);
	builder->run = NULL;
}

int run_pages(struct run_builder *builder, struct block *block,
    uint32_t offset_bytes, uint32_t size_bytes)
{
	runs_add(builder, block, true);
	if (builder->run == NULL)
		return builder->code;
	builder->run->stage = RUN_PAGES;
	builder->run->page_offset_bytes = offset_bytes;
	builder->run->page_size_bytes = size_bytes;
	runs_end(builder);
	return 0;
}

struct run *run_split(struct run *run, unsigned from, unsigned count)
{
	struct run *part = run_new(run->object, &run->ident, count);

	if (part == NULL)
		return NULL;
	part->first = run->first + from;
	part->count = count;
	part->demand = run->demand;
	part->waiting_uid = run->waiting_uid;
	for (unsigned i = 0; i < count; i++) {
		part->blocks[i] = run->blocks[from + i];
		run->blocks[from + i] = NULL;
		if (part->blocks[i] != NULL)
			part->blocks[i]->run = part;
	}
	return part;
}

void run_hurry(struct run *run, uid_t uid, struct todo *todo)
{
	bool ahead = run->polite && !run->hurried;

	if (!run->demand)
		disk_hurry(run->cache, &run->job);
	run->demand = true;
	run->waiting_uid = uid;
	/* One whose number is not known yet is hurried by its issuer. */
	if (run->number == 0 || (!ahead && uid == run->ident.uid))
		return;
	run->hurried = true;
	todo_hurry(todo, run->number, uid);
}

/* The block has no run any more. */
static struct block *take_out(struct run *run, unsigned i) REQUIRES(cache_lock);
static struct block *take_out(struct run *run, unsigned i)
{
	struct block *block = run->blocks[i];

	run->blocks[i] = NULL;
	block->run = NULL;
	if (block->ahead)
		run->cache->rates.ahead_blocks--;
	block->ahead = false;
	return block;
}

void run_block_ready(struct run *run, unsigned i, struct todo *todo)
{
	struct cache *cache = run->cache;
	struct block *block = take_out(run, i);

	block->arrived_bytes = block->size_bytes;
	block->state = BLOCK_READY;
	reads_block_came(cache, block, todo);
	if (block->fetched)
		checksum_landed(run, block);
	if (block->fetched && run->object->disk == OBJECT_DISK_OPEN)
		writer_add(cache, block);
	if (!block->fetched)
		stats_add(STATS_cache_disk_hits, 1);
	pool_put(&cache->pool, block);
}

void run_fail_blocks(struct run *run, int code, struct todo *todo)
{
	struct cache *cache = run->cache;
	bool again = run->polite || run->stage == RUN_PAGES || run->differs ||
	    code == -ECANCELED;

	/* All before any reader is told: one that asks again must not find
	 * another block of this run. */
	for (unsigned i = 0; i < run->count; i++) {
		if (run->blocks[i] == NULL)
			continue;
		run_refund(run, i);
		pool_unhash(&cache->pool, run->blocks[i]);
		run->blocks[i]->state = BLOCK_DEAD;
	}
	for (unsigned i = 0; i < run->count; i++) {
		struct block *block;

		if (run->blocks[i] == NULL)
			continue;
		block = take_out(run, i);
		reads_block_failed(
		    cache, block, code, &run->ident, again, todo);
		pool_put(&cache->pool, block);
	}
}

void run_cut(struct run *run, unsigned from, struct todo *todo)
{
	struct cache *cache = run->cache;

	for (unsigned i = from; i < run->count; i++) {
		struct block *block;

		if (run->blocks[i] == NULL)
			continue;
		block = take_out(run, i);
		pool_unhash(&cache->pool, block);
		block->state = BLOCK_DEAD;
		reads_block_failed(
		    cache, block, -ECANCELED, &run->ident, true, todo);
		pool_put(&cache->pool, block);
	}
	while (from > 0 && run->blocks[from - 1] == NULL)
		from--;
	run->count = from;
}

void run_fail(struct run *run, int code, struct todo *todo)
{
	run_fail_blocks(run, code, todo);
	run_free(run, todo);
}

void run_free(struct run *run, struct todo *todo)
{
	struct object *object = run->object;

	assert(list_is_empty(&run->place));
	fetch_sum_free(run->sum);
	free(run);
	object_put(object, todo);
}

void run_go(struct run *run)
{
	if (run->stage == RUN_FETCH)
		run_issue(run);
	else
		run_look(run, false);
}

unsigned runs_abandon(struct object *object, uint64_t numbers[], unsigned max)
{
	unsigned count = 0;

	for (struct list *item = object->runs.next; item != &object->runs;
	     item = item->next) {
		struct run *run = CONTAINER_OF(item, struct run, place);
		bool wanted = false;

		for (unsigned i = 0; i < run->count; i++)
			if (run->blocks[i] != NULL &&
			    !list_is_empty(&run->blocks[i]->waits))
				wanted = true;
		if (wanted || run->cancel ||
		    run->until_bytes - run->next_bytes < RUN_CANCEL_BYTES)
			continue;
		/* One whose number is not known yet is ended by its issuer. */
		if (run->number != 0) {
			if (count == max)
				break;
			numbers[count++] = run->number;
		}
		run->cancel = true;
	}
	return count;
}
