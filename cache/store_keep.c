/* SPDX-License-Identifier: Apache-2.0 */
/*
 * cache/store_keep.c - store_keep(): bytes into packs, then the tables, then the
 * maps, in this order and without a flush: what a crash leaves of it is a
 * right block or a miss.
 *
 * A block whose bytes are kept already is not written again: its place and
 * birth go into the map, after the bytes were compared.
 *
 * Threads: the writer's.
 */
#include "base/clock.h"
#include "base/log.h"
#include "base/stats.h"
#include "cache/pack_write.h"
#include "cache/store_impl.h"
#include "cache/store_io.h"
#include "cache/store_object.h"

#include <assert.h>
#include <errno.h>
#include <string.h>

enum {
	BATCH_BLOCKS = 64,
};

enum item_state {
	ITEM_DROPPED, /* not kept */
	ITEM_NEW,     /* to be written */
	ITEM_SAME_AS, /* as another one of this batch, which is to be written */
	ITEM_STORED,  /* its bytes are in a pack */
};

struct item {
	const struct store_block *block;
	struct map_object object;
	enum item_state state;
	unsigned same_as;
	struct hash128 address;
	struct map_place place;
};

struct batch {
	struct store *store;
	struct generation *generation;
	unsigned count;
	struct item items[BATCH_BLOCKS];
	uint32_t births[BATCH_BLOCKS];
	int code; /* first cause of a loss */
};

/* Bytes of one pwritev(2): items that follow one another in a pack. */
struct run {
	struct iovec vectors[IO_VECTORS_MAX];
	unsigned vector_count;
	size_t size_bytes;
	size_t arena_bytes; /* used by it */
	bool aligned;       /* nothing but whole pages, at whole pages */
	unsigned first;     /* items [first, end) are in it */
	unsigned end;
};

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

/* Is what stands at a place what we have, and there to stay? */
static bool is_same(
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

static void prepare(struct batch *batch, const struct store_block *block)
{
	struct item *item = &batch->items[batch->count];
	struct small_file small;

	*item = (struct item){.block = block};
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
	    is_same(batch, block, small.content)) {
		item->state = ITEM_STORED;
		return;
	}
	item->address = hash_address(
	    batch->generation->secret, item->place.sums, block->size_bytes);
	item->place.birth = batch->births[batch->count - 1];
}

static bool share_stored(struct batch *batch, struct item *item)
{
	struct table_entry found[TABLE_MATCHES_MAX];
	int count =
	    table_find(&batch->generation->blocks, item->address, found);

	for (int i = 0; i < count; i++) {
		if (!is_same(batch, item->block, found[i].place))
			continue;
		table_touch(&batch->generation->blocks, &found[i]);
		item->place.place = found[i].place;
		item->place.birth = found[i].extra;
		item->state = ITEM_STORED;
		stats_add(
		    STATS_cache_shared_bytes, (int64_t)item->block->size_bytes);
		return true;
	}
	return false;
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

static void share(struct batch *batch)
{
	for (unsigned i = 0; i < batch->count; i++) {
		struct item *item = &batch->items[i];

		if (item->state == ITEM_NEW &&
		    !version_is_small(item->block->object) &&
		    !share_pending(batch, item))
			(void)share_stored(batch, item);
	}
}

/* A small file's head, its sums, and zeros up to its bytes. */
static void encode_prefix(
    const struct batch *batch, const struct item *item, uint8_t *out)
{
	const struct store_object *object = item->block->object;
	struct format_content content = {.mac = {0}};
	struct hash128 mac = hash_content(
	    batch->generation->secret, item->object.bind, item->place.sums);

	for (unsigned i = 0; i < FORMAT_PAGES; i++)
		content.sums[i] = htole64(item->place.sums[i]);
	content.mac[0] = htole64(mac.low);
	content.mac[1] = htole64(mac.high);
	memset(out, 0, version_content_offset(object));
	memcpy(out, object->head, object->head_bytes);
	memcpy(out + object->head_bytes, &content, sizeof(content));
}

/* Whole blocks are written from where they are; records and a file's last
 * block, which has zeros behind it, are put together in the arena. */
static bool is_whole(const struct item *item)
{
	return item->block->size_bytes == STORE_BLOCK_BYTES;
}

/* Bytes that an item takes in a pack. */
static size_t extent_of(const struct item *item)
{
	const struct store_object *object = item->block->object;

	if (version_is_small(object))
		return (size_t)round_up(
		    version_content_offset(object) + item->block->size_bytes,
		    FORMAT_UNIT_BYTES);
	return (size_t)round_up(item->block->size_bytes, STORE_PAGE_BYTES);
}

/* Put a record, or a short block, together. */
static const void *assemble(const struct batch *batch, const struct item *item,
    uint8_t *out, size_t extent_bytes)
{
	const struct store_object *object = item->block->object;
	size_t start = 0;

	if (version_is_small(object)) {
		encode_prefix(batch, item, out);
		start = version_content_offset(object);
	}
	memcpy(out + start, item->block->bytes, item->block->size_bytes);
	start += item->block->size_bytes;
	memset(out + start, 0, extent_bytes - start);
	return out;
}

static void add_item(struct batch *batch, struct run *run, unsigned index)
{
	struct item *item = &batch->items[index];
	size_t extent_bytes = extent_of(item);
	const void *bytes = item->block->bytes;

	if (!is_whole(item)) {
		bytes = assemble(batch, item,
		    batch->store->arena + run->arena_bytes, extent_bytes);
		/* Records are not of whole pages: the next short block is
		 * put at a page, so that it can be written directly. */
		run->arena_bytes += round_up(extent_bytes, STORE_PAGE_BYTES);
	}
	item->place.place = (struct place){
	    .pack = batch->store->appender.pack,
	    .offset_bytes =
	        batch->store->appender.offset_bytes + (uint32_t)run->size_bytes,
	};
	if ((uintptr_t)bytes % STORE_PAGE_BYTES != 0 ||
	    extent_bytes % STORE_PAGE_BYTES != 0)
		run->aligned = false;
	run->vectors[run->vector_count++] = (struct iovec){
	    /* pwritev(2) takes no const */
	    .iov_base = (void *)(uintptr_t)bytes,
	    .iov_len = extent_bytes,
	};
	run->size_bytes += extent_bytes;
	run->end = index + 1;
}

static void lose(struct batch *batch, unsigned first, unsigned end, int code)
{
	for (unsigned i = first; i < end; i++) {
		if (batch->items[i].state == ITEM_NEW)
			batch->items[i].state = ITEM_DROPPED;
	}
	if (batch->code == 0)
		batch->code = code;
}

/* Write a run and begin the next one. */
static void flush(struct batch *batch, struct run *run)
{
	if (run->vector_count > 0) {
		struct append_run bytes = {
		    .vectors = run->vectors,
		    .vector_count = run->vector_count,
		    .size_bytes = run->size_bytes,
		    .aligned = run->aligned,
		};
		int code =
		    append_write(batch->store, batch->generation, &bytes);

		if (code < 0)
			lose(batch, run->first, run->end, code);
		for (unsigned i = run->first; i < run->end; i++) {
			if (batch->items[i].state == ITEM_NEW)
				batch->items[i].state = ITEM_STORED;
		}
	}
	run->vector_count = 0;
	run->size_bytes = run->arena_bytes = 0;
}

/* Does an item go behind what is in the run? Blocks begin at a page; records
 * follow one another closer than that, in runs of their own. */
static bool fits(
    const struct batch *batch, const struct run *run, const struct item *item)
{
	size_t extent_bytes = extent_of(item);

	return run->vector_count < IO_VECTORS_MAX &&
	    run->size_bytes + extent_bytes <= append_left(batch->store) &&
	    (is_whole(item) ||
	        run->arena_bytes + round_up(extent_bytes, STORE_PAGE_BYTES) <=
	            STORE_ARENA_BYTES) &&
	    version_is_small(item->block->object) ==
	    version_is_small(batch->items[run->first].block->object);
}

static int begin_run(struct batch *batch, struct run *run, unsigned index)
{
	const struct item *item = &batch->items[index];
	size_t align = version_is_small(item->block->object) ? FORMAT_UNIT_BYTES
	                                                     : STORE_PAGE_BYTES;
	/* With the largest gap: where it starts is not known before there is
	 * a pack. */
	int code = append_room(batch->store, batch->generation,
	    extent_of(item) + STORE_PAGE_BYTES);

	if (code < 0)
		return code;
	append_align(batch->store, align);
	run->first = run->end = index;
	run->aligned = true;
	return 0;
}

/* Write what is new: as few runs as packs and vectors allow. */
static void write_new(struct batch *batch, bool fresh[])
{
	struct run run;

	run.vector_count = 0;
	run.size_bytes = run.arena_bytes = 0;
	for (unsigned i = 0; i < batch->count; i++) {
		const struct item *item = &batch->items[i];

		if (item->state != ITEM_NEW)
			continue;
		if (run.vector_count > 0 && !fits(batch, &run, item))
			flush(batch, &run);
		if (run.vector_count == 0) {
			int code = begin_run(batch, &run, i);

			if (code < 0) {
				lose(batch, i, batch->count, code);
				return;
			}
		}
		add_item(batch, &run, i);
		fresh[i] = true;
	}
	flush(batch, &run);
}

/* Enter what was written into the tables. An entry that cannot be written
 * only means that nothing is shared with it, or a small file is a miss. */
static void enter_tables(struct batch *batch, const bool fresh[])
{
	for (unsigned i = 0; i < batch->count; i++) {
		struct item *item = &batch->items[i];
		bool small = version_is_small(item->block->object);
		struct table_entry entry = {
		    .key = small ? item->object.key : item->address,
		    .place = item->place.place,
		    .extra = small
		        ? (uint32_t)version_content_offset(item->block->object)
		        : item->place.birth,
		};

		if (!fresh[i] || item->state != ITEM_STORED)
			continue;

		int code = table_insert(small ? &batch->generation->objects
		                              : &batch->generation->blocks,
		    &entry, pack_is_gone, batch->generation);

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

static unsigned enter_maps(struct batch *batch, const bool fresh[])
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
			if (fresh[i])
				note_small(batch, item);
		} else {
			count = gather(batch, i, entries);
			code = map_write(batch->store, batch->generation,
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

/* What is the same as another item is where that one is. */
static void settle_same(struct batch *batch)
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

static void tell_loss(struct store *store, unsigned lost, int code)
{
	static struct log_limit limit;

	stats_add(STATS_cache_dropped_writes, lost);
	/* Just after a failure nothing is tried: it was told then. */
	if (code != 0 && code != -EAGAIN)
		log_limited(&limit, 10 * 1000, LOG_LEVEL_WARN, LOG_CACHE,
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
	bool fresh[BATCH_BLOCKS] = {false};

	batch->count = 0;
	batch->code = 0;
	clock_random(batch->births, sizeof(batch->births));
	sort_blocks(blocks, count, sorted);
	for (unsigned i = 0; i < count; i++)
		prepare(batch, sorted[i]);
	share(batch);
	write_new(batch, fresh);
	settle_same(batch);
	enter_tables(batch, fresh);

	unsigned kept = enter_maps(batch, fresh);

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
