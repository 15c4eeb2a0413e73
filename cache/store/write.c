/* SPDX-License-Identifier: Apache-2.0 */
/*
 * cache/store/write.c - new blocks and records into packs: whole blocks from
 * where they are, all else put together in the store's arena, as few
 * pwritev(2) as can be. See keep.h.
 */
#include "cache/store/io.h"
#include "cache/store/keep.h"
#include "cache/store/pack_write.h"

#include <string.h>

/* Bytes of one pwritev(2): items that follow one another in a pack. */
struct run {
	struct appender *appender;
	struct iovec vectors[IO_VECTORS_MAX];
	unsigned vector_count;
	size_t size_bytes;
	size_t arena_bytes; /* used by it */
	bool aligned;       /* nothing but whole pages, at whole pages */
	unsigned first; /* those of the appender in [first, end) are in it */
	unsigned end;
};

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
	    .pack = run->appender->pack,
	    .offset_bytes =
	        run->appender->offset_bytes + (uint32_t)run->size_bytes,
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

/* Is it new, and the appender's to write? */
static bool is_for(
    const struct batch *batch, unsigned index, const struct appender *appender)
{
	const struct item *item = &batch->items[index];

	return item->state == ITEM_NEW && item->proven == appender->proven;
}

static void lose(struct batch *batch, const struct appender *appender,
    unsigned first, unsigned end, int code)
{
	for (unsigned i = first; i < end; i++) {
		if (is_for(batch, i, appender))
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
		int code = append_write(
		    batch->store, batch->generation, run->appender, &bytes);

		if (code < 0)
			lose(batch, run->appender, run->first, run->end, code);
		for (unsigned i = run->first; i < run->end; i++) {
			if (!is_for(batch, i, run->appender))
				continue;
			batch->items[i].state = ITEM_STORED;
			batch->items[i].fresh = true;
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
	    run->size_bytes + extent_bytes <=
	    append_left(batch->store, run->appender) &&
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
	int code = append_room(batch->store, batch->generation, run->appender,
	    extent_of(item) + STORE_PAGE_BYTES);

	if (code < 0)
		return code;
	append_align(run->appender, align);
	run->first = run->end = index;
	run->aligned = true;
	return 0;
}

static void write_with(struct batch *batch, struct appender *appender)
{
	struct run run;

	run.appender = appender;
	run.vector_count = 0;
	run.size_bytes = run.arena_bytes = 0;
	for (unsigned i = 0; i < batch->count; i++) {
		if (!is_for(batch, i, appender))
			continue;
		if (run.vector_count > 0 &&
		    !fits(batch, &run, &batch->items[i]))
			flush(batch, &run);
		if (run.vector_count == 0) {
			int code = begin_run(batch, &run, i);

			if (code < 0) {
				lose(batch, appender, i, batch->count, code);
				return;
			}
		}
		add_item(batch, &run, i);
	}
	flush(batch, &run);
}

void batch_write(struct batch *batch)
{
	write_with(batch, &batch->store->fresh);
	write_with(batch, &batch->store->proven);
}
