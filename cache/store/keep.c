/* SPDX-License-Identifier: Apache-2.0 */
/*
 * cache/store/keep.c - store_keep(): bytes into packs, then the tables, then
 * the maps, in this order and without a flush: what a crash leaves of it is a
 * right block or a miss.
 *
 * A block whose bytes are kept already is not written again: its place and
 * birth go into the map, after the bytes were compared.
 *
 * Threads: the writer's.
 */
#include "cache/store/keep.h"

#include "base/clock.h"
#include "base/log.h"
#include "base/stats.h"
#include "cache/store/evict.h"
#include "cache/store/pack_write.h"

#include <assert.h>
#include <errno.h>
#include <string.h>

/* The sums are the caller's, if they are of the secret in force. */
static void take_sums(const struct hash_secret *secret,
    const struct store_block *block, uint64_t sums[FORMAT_PAGES])
{
	size_t first = block->size_bytes < STORE_PAGE_BYTES ? block->size_bytes
	                                                    : STORE_PAGE_BYTES;

	if (block->sums == NULL ||
	    hash_page(secret, block->bytes, first) != block->sums->pages[0]) {
		hash_pages(secret, block->bytes, block->size_bytes, sums);
		return;
	}
	memcpy(sums, block->sums->pages, sizeof(block->sums->pages));
	for (size_t i =
	         (block->size_bytes + STORE_PAGE_BYTES - 1) / STORE_PAGE_BYTES;
	     i < FORMAT_PAGES; i++)
		sums[i] = 0;
}

static void prepare(struct batch *batch, const struct store_block *block)
{
	struct item *item = &batch->items[batch->count];
	struct small_file small;

	*item = (struct item){.block = block,
	    .proven = block->wanted && usage_has_classes(batch->store)};
	batch->count++;
	assert(block->size_bytes ==
	    version_block_bytes(block->object, block->index));
	if (block->size_bytes == 0 ||
	    !version_see(batch->store, batch->generation, block->object,
	        &item->object, &small))
		return;
	take_sums(batch->generation->secret, block, item->place.sums);
	item->state = ITEM_NEW;
	/* Kept meanwhile for another reader? */
	if (version_is_small(block->object) && small.content.pack != 0 &&
	    batch_is_same(batch, block, small.content)) {
		item->state = ITEM_STORED;
		return;
	}
	item->address = hash_address(
	    batch->generation->secret, item->place.sums, block->size_bytes);
	item->place.birth = batch->births[batch->count - 1];
}

/* The bucket that an item was looked up in, if nothing of this batch was
 * entered into it since; NULL: to be read anew. */
static struct table_bucket *bucket_of(const struct batch *batch, unsigned index)
{
	struct table_bucket *buckets = batch->store->buckets;

	/* Eviction may have entered what it carried over. */
	if (!batch->items[index].looked_up ||
	    batch->carried != batch->store->carried)
		return NULL;
	for (unsigned i = 0; i < index; i++) {
		if (batch->items[i].fresh && batch->items[i].looked_up &&
		    buckets[i].offset_bytes == buckets[index].offset_bytes)
			return NULL;
	}
	return &buckets[index];
}

static int enter_block(struct batch *batch, unsigned index)
{
	const struct item *item = &batch->items[index];
	struct table *table = &batch->generation->blocks;
	struct table_bucket *bucket = bucket_of(batch, index);
	struct table_entry entry = {
	    .key = item->address,
	    .place = item->place.place,
	    .extra =
	        table_block_extra(item->place.birth, item->block->size_bytes),
	};

	if (bucket == NULL)
		return table_insert(
		    table, &entry, pack_is_gone, batch->generation);
	return table_insert_into(
	    table, bucket, &entry, pack_is_gone, batch->generation);
}

static int enter_small(struct batch *batch, unsigned index)
{
	const struct item *item = &batch->items[index];
	struct table_entry entry = {
	    .key = item->object.key,
	    .place = item->place.place,
	    .extra = (uint32_t)version_content_offset(item->block->object),
	};

	return table_insert(&batch->generation->objects, &entry, pack_is_gone,
	    batch->generation);
}

/* Enter what was written into the tables. An entry that cannot be written
 * only means that nothing is shared with it, or a small file is a miss. */
static void enter_tables(struct batch *batch)
{
	for (unsigned i = 0; i < batch->count; i++) {
		int code;

		if (!batch->items[i].fresh)
			continue;
		code = version_is_small(batch->items[i].block->object)
		    ? enter_small(batch, i)
		    : enter_block(batch, i);
		if (code < 0 && batch->code == 0)
			batch->code = code;
	}
}

/* A small file is where its record says, from now on. */
static void note_small(struct batch *batch, struct item *item)
{
	struct small_file small = {
	    .content = {.pack = item->place.place.pack,
	        .offset_bytes = item->place.place.offset_bytes +
	            (uint32_t)version_content_offset(item->block->object)},
	};

	memcpy(small.sums, item->place.sums, sizeof(small.sums));
	version_set_small(
	    batch->store, batch->generation, item->block->object, &small);
}

/* How many stored items from `first` on are consecutive blocks of one file;
 * their entries. */
static unsigned gather(const struct batch *batch, unsigned first,
    struct format_map_entry entries[BATCH_BLOCKS])
{
	const struct item *head = &batch->items[first];
	unsigned count = 0;

	for (unsigned i = first; i < batch->count; i++, count++) {
		const struct item *item = &batch->items[i];

		if (item->state != ITEM_STORED ||
		    item->block->object != head->block->object ||
		    item->block->index != head->block->index + count)
			break;
		map_encode(batch->generation->secret, item->object.bind,
		    item->block->index, item->block->size_bytes, &item->place,
		    &entries[count]);
	}
	return count;
}

static unsigned enter_maps(struct batch *batch)
{
	struct format_map_entry entries[BATCH_BLOCKS];
	unsigned kept = 0;
	unsigned i = 0;

	while (i < batch->count) {
		struct item *item = &batch->items[i];
		unsigned count = 1;
		int code = 0;

		if (item->state != ITEM_STORED) {
			i++;
			continue;
		}
		if (version_is_small(item->block->object)) {
			if (item->fresh)
				note_small(batch, item);
		} else {
			count = gather(batch, i, entries);
			code = map_write(
			    &item->object, item->block->index, count, entries);
		}
		if (code == 0)
			kept += count;
		else if (batch->code == 0)
			batch->code = code;
		i += count;
	}
	return kept;
}

static void tell_loss(struct store *store, unsigned lost, int code)
{
	enum { TELL_MS = 10000 };
	static struct log_limit limit;

	stats_add(STATS_cache_dropped_writes, lost);
	/* Just after a failure nothing is tried: it was told then. */
	if (code != 0 && code != -EAGAIN)
		log_limited(&limit, TELL_MS, LOG_LEVEL_WARN, LOG_CACHE,
		    "cache keeps nothing new", "dir=%s blocks=%u errno=%s",
		    LOG_TEXT(store->dir), lost, err_name(code));
}

static bool is_before(
    const struct store_block *left, const struct store_block *right)
{
	if (left->object != right->object)
		return (uintptr_t)left->object < (uintptr_t)right->object;
	return left->index < right->index;
}

/* Blocks of a file in their order: ranges that are fetched at the same time
 * come mixed, and are to be read in runs. Few and nearly in order. */
static void sort_blocks(const struct store_block blocks[], unsigned count,
    const struct store_block *sorted[BATCH_BLOCKS])
{
	for (unsigned i = 0; i < count; i++) {
		unsigned at = i;

		for (; at > 0 && is_before(&blocks[i], sorted[at - 1]); at--)
			sorted[at] = sorted[at - 1];
		sorted[at] = &blocks[i];
	}
}

static unsigned keep_batch(
    struct batch *batch, const struct store_block blocks[], unsigned count)
{
	const struct store_block *sorted[BATCH_BLOCKS];

	batch->count = 0;
	batch->code = 0;
	clock_random(batch->births, sizeof(batch->births));
	sort_blocks(blocks, count, sorted);
	for (unsigned i = 0; i < count; i++)
		prepare(batch, sorted[i]);
	batch_share(batch);
	batch_write(batch);
	batch_settle_same(batch);
	enter_tables(batch);

	unsigned kept = enter_maps(batch);

	evict_after_maps(batch->store, batch->generation);

	stats_add(STATS_cache_kept_blocks, kept);
	if (kept < count)
		tell_loss(batch->store, count - kept, batch->code);
	if (batch->code != -EAGAIN)
		atomic_store(&batch->store->state_code, batch->code);
	return kept;
}

unsigned store_keep(
    struct store *store, const struct store_block blocks[], unsigned count)
{
	struct batch batch;
	unsigned kept = 0;

	batch.store = store;
	batch.generation = generation_get(store);
	if (batch.generation == NULL) {
		tell_loss(store, count, 0);
		return 0;
	}
	append_batch_begins(store);
	for (unsigned done = 0; done < count;) {
		unsigned part =
		    count - done < BATCH_BLOCKS ? count - done : BATCH_BLOCKS;

		kept += keep_batch(&batch, blocks + done, part);
		done += part;
	}
	append_batch_ends(store);
	generation_put(store, batch.generation);
	return kept;
}
