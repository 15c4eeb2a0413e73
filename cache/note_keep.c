/* SPDX-License-Identifier: Apache-2.0 */
/*
 * cache/note_keep.c - the bytes of a version that we put on the server are
 * kept, as if they had been read from there. See note.h.
 *
 * They go the way of fetched blocks: a buffer of the pool, the writer's queue,
 * the disk. Of both no more is taken than readers leave, and each block is
 * given up as soon as the disk has it: the kernel has the pages of what was
 * written through it, and what others read stays in memory. (A buffer that was
 * used serves the next small file; an untouched one of 64 KiB costs the kernel
 * 40 us to make, a sixth of what the drafts threads do for such a file.)
 */
#include "base/clock.h"
#include "cache/core.h"
#include "cache/note.h"
#include "cache/store/store.h"
#include "fetch/fetch.h"

#include <errno.h>

enum {
	KEEP_MEMORY_BLOCKS = 16, /* without a disk: 1 MiB of a file */
	KEEP_WAIT_MS = 2000,     /* for a buffer, or room at the writer */
};

struct keep {
	struct cache *cache;
	struct object *object; /* one reference */
	int64_t (*read)(
	    void *arg, uint64_t offset_bytes, void *out, size_t size_bytes);
	void *arg;
	bool disk; /* it takes blocks */
};

/* A buffer of our own; NULL: there is none, or there is nothing to keep. */
static struct block *take(struct keep *keep, uint64_t index)
    REQUIRES(cache_lock);
static struct block *take(struct keep *keep, uint64_t index)
{
	struct cache *cache = keep->cache;
	uint64_t until_ms = clock_now_ms(clock_system()) + KEEP_WAIT_MS;

	while (!cache->stopping && !keep->object->stale) {
		struct block *block = NULL;

		if (!keep->disk || writer_has_room(cache))
			block = pool_take(
			    &cache->pool, keep->object, index, false, false);
		if (block != NULL || !keep->disk ||
		    clock_now_ms(clock_system()) >= until_ms)
			return block;
		writer_wait_room(cache);
	}
	return NULL;
}

/* Its bytes, and their sums. @return 0, or that there are none. */
static int fill(struct keep *keep, struct block *block)
{
	const struct store *store = keep->cache->store;
	uint64_t at = block->index * CACHE_BLOCK_BYTES;
	uint32_t size = block->size_bytes;

	for (uint32_t done = 0; done < size;) {
		int64_t got = keep->read(
		    keep->arg, at + done, block->bytes + done, size - done);

		if (got <= 0 || got > (int64_t)(size - done))
			return -EIO;
		done += (uint32_t)got;
	}
	for (uint32_t page = 0; keep->disk && page * STORE_PAGE_BYTES < size;
	     page++) {
		uint32_t from = page * STORE_PAGE_BYTES;
		uint32_t left = size - from;

		block->sums.pages[page] =
		    store_page_sum(store, block->bytes + from,
		        left < STORE_PAGE_BYTES ? left : STORE_PAGE_BYTES);
	}
	return 0;
}

/* It is READY, unless somebody was quicker. */
static void give(struct keep *keep, struct block *block) REQUIRES(cache_lock);
static void give(struct keep *keep, struct block *block)
{
	struct cache *cache = keep->cache;
	struct object *object = keep->object;

	if (object->stale || cache->stopping ||
	    pool_find(&cache->pool, object, block->index) != NULL) {
		block->state = BLOCK_DEAD;
		return;
	}
	pool_share(&cache->pool, block);
	block->arrived_bytes = block->size_bytes;
	block->state = BLOCK_READY;
	if (object->disk != OBJECT_DISK_OPEN)
		return;
	writer_add(cache, block);
	block_set_spent(block);
}

/* @return 0, or that no more is kept. */
static int keep_block(struct keep *keep, uint64_t index)
{
	struct cache *cache = keep->cache;
	struct block *block = NULL;
	bool here;
	int code;

	cache_enter(cache);
	here = pool_find(&cache->pool, keep->object, index) != NULL;
	if (!here)
		block = take(keep, index);
	cache_exit(cache);
	if (block == NULL)
		return here ? 0 : -ENOMEM;
	code = fill(keep, block);
	cache_enter(cache);
	if (code == 0)
		give(keep, block);
	else
		block->state = BLOCK_DEAD;
	pool_put(&cache->pool, block);
	cache_exit(cache);
	return code;
}

/* Whether the cache takes so much at once. */
static bool fits(const struct keep *keep)
{
	const struct cache *cache = keep->cache;
	uint64_t blocks = object_block_count(keep->object);

	if (!keep->disk)
		return blocks <= KEEP_MEMORY_BLOCKS;
	return blocks * CACHE_BLOCK_BYTES <= store_size_bytes(cache->store) / 2;
}

static struct object *open_object(struct cache *cache, const char *path,
    const struct meta_attr *attr, bool *disk)
{
	struct object_key key = object_key_of(path, attr);
	struct object *object = NULL;

	cache_enter(cache);
	if (!cache->stopping && key.shared)
		object = object_open(cache, &key);
	if (object != NULL)
		*disk = object_open_disk(object);
	cache_exit(cache);
	return object;
}

void cache_keep(struct cache *cache, const char *path,
    const struct fetch_version *version,
    int64_t (*read)(
        void *arg, uint64_t offset_bytes, void *out, size_t size_bytes),
    void *arg)
{
	struct keep keep = {.cache = cache, .read = read, .arg = arg};
	struct meta_attr attr;
	struct todo todo;
	uint64_t count;

	/* Another one is there by now, or it is not known which. */
	if (meta_find_old(cache, path, &attr) != META_THERE ||
	    attr.kind == CACHE_DIRECTORY || !attr.exact ||
	    !fetch_version_equal(&attr.version, version))
		return;
	keep.object = open_object(cache, path, &attr, &keep.disk);
	if (keep.object == NULL)
		return;
	count = fits(&keep) ? object_block_count(keep.object) : 0;
	for (uint64_t i = 0; i < count; i++)
		if (keep_block(&keep, i) < 0)
			break;
	todo_init(&todo);
	cache_enter(cache);
	object_put(keep.object, &todo);
	cache_leave(cache, &todo);
}
