/* SPDX-License-Identifier: Apache-2.0 */
/*
 * cache/store/share.c - blocks that are kept already: found by address,
 * compared byte by byte, and shared with their birth. See keep.h.
 *
 * A file that was published again with the same bytes lies in a pack as it
 * was written: what is found in a row is read in a row.
 */
#include "base/stats.h"
#include "cache/store/keep.h"
#include "cache/store/usage.h"

#include <string.h>

/* Is what stands at a place what we have, and there to stay? */
bool batch_is_same(
    struct batch *batch, const struct store_block *block, struct place place)
{
	bool aligned = !version_is_small(block->object);
	struct iovec vector = {.iov_base = batch->store->scratch,
	    .iov_len = aligned
	        ? (size_t)round_up(block->size_bytes, STORE_PAGE_BYTES)
	        : block->size_bytes};
	struct pack_span span = {
	    .pack = place.pack,
	    .offset_bytes = place.offset_bytes,
	    .vectors = &vector,
	    .vector_count = 1,
	    .size_bytes = vector.iov_len,
	    .aligned = aligned,
	    .lasting = true,
	};

	return (!aligned || place.offset_bytes % STORE_PAGE_BYTES == 0) &&
	    pack_read(batch->store, batch->generation, &span, STORE_WAIT) >=
	    (ssize_t)block->size_bytes &&
	    memcmp(batch->store->scratch, block->bytes, block->size_bytes) == 0;
}

static void share_with(
    struct batch *batch, struct item *item, const struct table_entry *entry)
{
	table_touch(&batch->generation->blocks, entry);
	pack_note_use(batch->store, batch->generation, entry->place, 1);
	item->place.place = entry->place;
	item->place.birth = table_block_birth(entry);
	item->state = ITEM_STORED;
	stats_add(STATS_cache_shared_bytes, (int64_t)item->block->size_bytes);
}

/* What a table says of an item. */
struct candidates {
	struct table_entry found[TABLE_MATCHES_MAX];
	int count;
};

/* How many items from `first` on may be read in one go: whole blocks whose
 * first candidates follow one another in a pack. */
static unsigned row_length(
    const struct batch *batch, const struct candidates list[], unsigned first)
{
	struct place start = list[first].found[0].place;
	unsigned length = 0;

	for (unsigned i = first; i < batch->count && length < STORE_RUN_BLOCKS;
	     i++, length++) {
		struct place place = list[i].found[0].place;

		if (list[i].count == 0 ||
		    batch->items[i].block->size_bytes != STORE_BLOCK_BYTES ||
		    place.pack != start.pack ||
		    place.offset_bytes !=
		        start.offset_bytes + length * STORE_BLOCK_BYTES)
			break;
	}
	return length;
}

/* Compare a row; those that differ are left to be looked at one by one. */
static void share_row(struct batch *batch, const struct candidates list[],
    unsigned first, unsigned length)
{
	struct place place = list[first].found[0].place;
	uint8_t *scratch = batch->store->scratch;
	struct iovec vector = {
	    .iov_base = scratch, .iov_len = (size_t)length * STORE_BLOCK_BYTES};
	struct pack_span span = {
	    .pack = place.pack,
	    .offset_bytes = place.offset_bytes,
	    .vectors = &vector,
	    .vector_count = 1,
	    .size_bytes = vector.iov_len,
	    .aligned = place.offset_bytes % STORE_PAGE_BYTES == 0,
	    .lasting = true,
	};
	ssize_t n =
	    pack_read(batch->store, batch->generation, &span, STORE_WAIT);

	for (unsigned i = 0;
	     i < length && n >= (ssize_t)(i + 1) * STORE_BLOCK_BYTES; i++) {
		struct item *item = &batch->items[first + i];

		if (memcmp(scratch + (size_t)i * STORE_BLOCK_BYTES,
		        item->block->bytes, STORE_BLOCK_BYTES) == 0)
			share_with(batch, item, &list[first + i].found[0]);
	}
}

static void share_one(
    struct batch *batch, struct item *item, const struct candidates *list)
{
	for (int i = 0; i < list->count && item->state == ITEM_NEW; i++) {
		if (table_block_bytes(&list->found[i]) ==
		        item->block->size_bytes &&
		    batch_is_same(batch, item->block, list->found[i].place))
			share_with(batch, item, &list->found[i]);
	}
}

/* Equal to one of this batch that is about to be written? */
static bool share_pending(struct batch *batch, struct item *item)
{
	for (unsigned i = 0; &batch->items[i] != item; i++) {
		const struct item *other = &batch->items[i];

		if (other->state != ITEM_NEW ||
		    version_is_small(other->block->object) ||
		    !hash_equal(other->address, item->address) ||
		    other->block->size_bytes != item->block->size_bytes ||
		    memcmp(other->block->bytes, item->block->bytes,
		        item->block->size_bytes) != 0)
			continue;
		item->state = ITEM_SAME_AS;
		item->same_as = i;
		return true;
	}
	return false;
}

/* Did its pack go? Then it was here, and is wanted again: it is proven. */
static void note_ghost(struct batch *batch, struct item *item,
    const struct table_entry found[], int count)
{
	for (int i = 0; i < count; i++)
		if (pack_is_gone(batch->generation, found[i].place.pack))
			item->proven = usage_has_classes(batch->store);
}

static void look_up_small(struct batch *batch, struct item *item)
{
	struct table_entry found[TABLE_MATCHES_MAX];
	int count =
	    table_find(&batch->generation->objects, item->object.key, found);

	note_ghost(batch, item, found, count);
}

static void look_up_block(
    struct batch *batch, unsigned index, struct candidates *list)
{
	struct item *item = &batch->items[index];
	int count;

	if (share_pending(batch, item))
		return;
	count = table_find_in(&batch->generation->blocks, item->address,
	    &batch->store->buckets[index], list->found);
	item->looked_up = count >= 0;
	list->count = count < 0 ? 0 : count;
	note_ghost(batch, item, list->found, list->count);
}

/* Look up what is not the same as an earlier one of the batch. */
static void look_up(struct batch *batch, struct candidates list[])
{
	for (unsigned i = 0; i < batch->count; i++) {
		struct item *item = &batch->items[i];

		list[i].count = 0;
		list[i].found[0].place = (struct place){.pack = 0};
		if (item->state != ITEM_NEW)
			continue;
		if (version_is_small(item->block->object))
			look_up_small(batch, item);
		else
			look_up_block(batch, i, &list[i]);
	}
}

void batch_share(struct batch *batch)
{
	struct candidates list[BATCH_BLOCKS];
	unsigned i = 0;

	batch->carried = batch->store->carried;
	look_up(batch, list);
	while (i < batch->count) {
		unsigned length = row_length(batch, list, i);

		if (length > 1)
			share_row(batch, list, i, length);
		for (unsigned end = i + (length > 1 ? length : 1); i < end; i++)
			share_one(batch, &batch->items[i], &list[i]);
	}
}

/* What is the same as another item is where that one is. */
void batch_settle_same(struct batch *batch)
{
	for (unsigned i = 0; i < batch->count; i++) {
		struct item *item = &batch->items[i];

		if (item->state != ITEM_SAME_AS)
			continue;

		const struct item *other = &batch->items[item->same_as];

		item->state = other->state;
		if (other->state == ITEM_STORED) {
			item->place.place = other->place.place;
			item->place.birth = other->place.birth;
			stats_add(STATS_cache_shared_bytes,
			    (int64_t)item->block->size_bytes);
		}
	}
}
