/* SPDX-License-Identifier: Apache-2.0 */
/*
 * cache/ahead/ahead.c - blocks that are fetched before anybody asks for them:
 * what a stream's plan says, and the begin of files that a walk will come to.
 * See fill.h.
 *
 * Only as many as leave room for those who wait, only as long as the disk
 * keeps up, and only what the budget has. That is asked twice: when blocks
 * are chosen, so that a stream knows how far it got; and when a run is about
 * to be fetched, which is what binds, because of what the disk may have
 * nobody knows sooner whether it is to be fetched.
 */
#include "base/stats.h"
#include "cache/core.h"

static struct budget_note *note_of(struct block *block)
{
	struct budget_note *note =
	    budget_find(&block->object->budget, block->index);

	return note == NULL || block->note.how != BUDGET_ELSE ? &block->note
	                                                      : note;
}

/* Nobody has asked for it: no reader, and no prefetch by its name. */
static bool is_guess(const struct block *block) REQUIRES(cache_lock);
static bool is_guess(const struct block *block)
{
	return block == NULL || (block->ahead && !block->wanted);
}

bool runs_may_guess(const struct run_builder *builder, uint64_t guess_bytes)
{
	if (budget_may(&builder->cache->budget, &builder->object->budget,
	        builder->guess_bytes + guess_bytes))
		return true;
	stats_add(STATS_cache_ahead_refused, 1);
	return false;
}

/* Blocks of a run that there is budget for: at least all up to the last one
 * that a reader waits for. */
static unsigned paid_count(const struct run *run) REQUIRES(cache_lock);
static unsigned paid_count(const struct run *run)
{
	uint64_t guess_bytes = 0;
	unsigned least = run->count;

	while (least > 0 && is_guess(run->blocks[least - 1]))
		least--;
	for (unsigned i = 0; i < run->count; i++) {
		if (is_guess(run->blocks[i]))
			guess_bytes +=
			    object_block_bytes(run->object, run->first + i);
		if (i >= least &&
		    !budget_may(
		        &run->cache->budget, &run->object->budget, guess_bytes))
			return i;
	}
	return run->count;
}

bool run_pay(struct run *run, struct todo *todo)
{
	struct object *object = run->object;
	struct budget *budget = &run->cache->budget;
	uint64_t block_count = object_block_count(object);
	unsigned count = paid_count(run);
	int64_t guess_bytes = 0;

	if (count < run->count) {
		stats_add(STATS_cache_ahead_refused, 1);
		run_cut(run, count, todo);
	}
	for (unsigned i = 0; i < run->count; i++) {
		struct block *block = run->blocks[i];
		uint32_t size = object_block_bytes(object, run->first + i);
		struct budget_note *note;

		if (is_guess(block))
			guess_bytes += size;
		if (block == NULL) {
			budget_gap(budget, &object->budget, size);
			continue;
		}
		note = budget_make(
		    budget, &object->budget, block_count, block->index);
		budget_ask(budget, &object->budget,
		    note != NULL ? note : &block->note, size, is_guess(block));
	}
	if (guess_bytes > 0)
		stats_add(STATS_cache_ahead_bytes, guess_bytes);
	return run->count > 0;
}

void run_refund(struct run *run, unsigned i)
{
	struct block *block = run->blocks[i];
	uint64_t begin = block->index * CACHE_BLOCK_BYTES;
	uint64_t end = begin + block->size_bytes;

	/* Never paid for: it was not asked for, or the disk was. */
	if (!block->fetched || run->next_bytes >= end)
		return;
	budget_miss(&run->cache->budget, &run->object->budget, note_of(block),
	    (uint32_t)(end -
	        (run->next_bytes > begin ? run->next_bytes : begin)));
}

uint32_t block_use(struct cache *cache, struct block *block, uint16_t pages)
{
	return budget_use(&cache->budget, &block->object->budget,
	    note_of(block), block->size_bytes, pages);
}

/* When the writer is behind, only what readers wait for is fetched for a
 * moment: better a little slower than read again from the server later. A
 * disk that stays behind costs cache writes, never a reader's time. */
static bool writer_is_behind(const struct cache *cache) REQUIRES(cache_lock);
static bool writer_is_behind(const struct cache *cache)
{
	return cache->writer.count > cache->limits.writer_blocks / 4 * 3;
}

/* Fetch one block ahead; false: not now. */
static bool ahead_block(struct run_builder *builder, uint64_t index)
    REQUIRES(cache_lock);
static bool ahead_block(struct run_builder *builder, uint64_t index)
{
	struct cache *cache = builder->cache;
	uint32_t size_bytes = object_block_bytes(builder->object, index);
	bool guess =
	    !builder->by_name && !object_may_have(builder->object, index);
	struct block *block;

	if (pool_find(&cache->pool, builder->object, index) != NULL)
		return true;
	if (cache->rates.ahead_blocks >= cache->pool.count / RUN_AHEAD_SHARE ||
	    writer_is_behind(cache))
		return false;
	if (guess && !runs_may_guess(builder, size_bytes))
		return false;
	block = pool_take(&cache->pool, builder->object, index, false, true);
	if (block == NULL)
		return false;
	block->wanted = builder->by_name;
	if (guess)
		builder->guess_bytes += size_bytes;
	runs_add(builder, block, false);
	pool_put(&cache->pool, block);
	return builder->code == 0;
}

static void ahead_strides(struct run_builder *builder,
    const struct stream_plan *plan, uint64_t offset_bytes, uint64_t size_bytes)
    REQUIRES(cache_lock);
static void ahead_strides(struct run_builder *builder,
    const struct stream_plan *plan, uint64_t offset_bytes, uint64_t size_bytes)
{
	uint64_t file_bytes = builder->object->version.size_bytes;
	int64_t offset = (int64_t)offset_bytes;

	for (unsigned k = 0; k < plan->strides; k++) {
		uint64_t end;

		if (__builtin_add_overflow(offset, plan->step_bytes, &offset) ||
		    offset < 0 || (uint64_t)offset >= file_bytes)
			return;
		end = (uint64_t)offset + size_bytes;
		if (end > file_bytes)
			end = file_bytes;
		for (uint64_t i = (uint64_t)offset / CACHE_BLOCK_BYTES;
		     i <= (end - 1) / CACHE_BLOCK_BYTES; i++)
			if (!ahead_block(builder, i))
				return;
	}
}

void runs_ahead(struct run_builder *builder, const struct stream_plan *plan,
    uint64_t offset_bytes, uint64_t size_bytes)
{
	uint64_t until =
	    (plan->until_bytes + CACHE_BLOCK_BYTES - 1) / CACHE_BLOCK_BYTES;

	ahead_strides(builder, plan, offset_bytes, size_bytes);
	if (plan->from_bytes >= plan->until_bytes)
		return;
	for (uint64_t i = plan->from_bytes / CACHE_BLOCK_BYTES; i < until;
	     i++) {
		if (ahead_block(builder, i))
			continue;
		streams_cut(
		    &builder->object->streams, plan, i * CACHE_BLOCK_BYTES);
		return;
	}
}

void object_fetch_ahead(struct object *object, const struct ident *ident,
    uint64_t blocks, struct todo *todo)
{
	struct cache *cache = object->cache;
	uint64_t count = object_block_count(object);
	struct run_builder builder = {
	    .cache = cache,
	    .object = object,
	    .ident = ident,
	    .todo = todo,
	    .blocks_max = READ_BLOCKS_MAX,
	    /* No guess where nobody may have a part without the rest. */
	    .by_name = checksum_wants_whole(object),
	};

	if (object->stale || cache->stopping)
		return;
	object_ask_disk(object, todo);
	if (object->disk == OBJECT_DISK_OPENING) {
		object->ahead_blocks = blocks;
		object->ahead_ident = *ident;
		return;
	}
	for (uint64_t i = 0; i < count && i < blocks; i++)
		if (!ahead_block(&builder, i))
			break;
	runs_end(&builder);
}
