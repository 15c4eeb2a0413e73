/* SPDX-License-Identifier: Apache-2.0 */
/*
 * cache/ahead.c - blocks that are fetched before anybody asks for them: what
 * a stream's plan says, and the begin of files that a walk will come to. See
 * fill.h.
 *
 * Only as many as leave room for those who wait, and only as long as the
 * disk keeps up.
 */
#include "cache/core.h"

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
	struct block *block;

	if (pool_find(&cache->pool, builder->object, index) != NULL)
		return true;
	if (cache->rates.ahead_blocks >= cache->pool.count / RUN_AHEAD_SHARE ||
	    writer_is_behind(cache))
		return false;
	block = pool_take(&cache->pool, builder->object, index, false, true);
	if (block == NULL)
		return false;
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
