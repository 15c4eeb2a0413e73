/* SPDX-License-Identifier: Apache-2.0 */
/*
 * cache/store/carry.c - see carry.h.
 */
#include "cache/store/carry.h"

#include "base/stats.h"
#include "cache/store/harvest.h"
#include "cache/store/impl.h"
#include "cache/store/pack_write.h"
#include "cache/store/record.h"
#include "cache/store/usage.h"
#include "cache/store/uses.h"
#include "cache/store/window.h"

#include <stdlib.h>
#include <string.h>
#include <unistd.h>

void carry_init(
    struct carry *carry, struct store *store, struct generation *generation)
{
	carry->store = store;
	carry->generation = generation;
	carry->made_bytes = 0;
	carry->chunk = NULL;
	carry->count = 0;
}

bool carry_add(struct carry *carry, uint64_t number)
{
	struct carry_pack *pack = &carry->packs[carry->count];
	struct uses uses;
	int fd = pack_lock(carry->generation, number);

	if (fd < 0)
		return false;
	uses_read(carry->generation, number, &uses);
	pack->number = number;
	pack->fd = fd;
	memcpy(pack->used, uses.used, sizeof(pack->used));
	carry->count++;
	return true;
}

void carry_end(struct carry *carry)
{
	for (unsigned i = 0; i < carry->count; i++)
		(void)close(carry->packs[i].fd);
	carry->count = 0;
}

/* Read from a pack that goes. */
static ssize_t read_chunk(const struct carry *carry, struct place place,
    size_t size_bytes, bool aligned, void *chunk)
{
	struct iovec vector = {.iov_base = chunk, .iov_len = size_bytes};
	struct pack_span span = {
	    .pack = place.pack,
	    .offset_bytes = place.offset_bytes,
	    .vectors = &vector,
	    .vector_count = 1,
	    .size_bytes = size_bytes,
	    .aligned = aligned,
	};

	return pack_read(carry->store, carry->generation, &span, STORE_WAIT);
}

/* Append a piece of the chunk. @retval 0, or -errno: there is no room. */
static int append(struct carry *carry, const uint8_t *bytes, size_t size_bytes,
    size_t align_bytes, struct place *out)
{
	struct appender *appender = &carry->store->proven;
	struct append_run run = {
	    .vectors =
	        &(struct iovec){/* pwritev(2) takes no const */
	            .iov_base = (void *)(uintptr_t)bytes,
	            .iov_len = size_bytes},
	    .vector_count = 1,
	    .size_bytes = size_bytes,
	    .aligned = align_bytes == STORE_PAGE_BYTES,
	};
	uint64_t before = appender->pack;
	int code = append_room_now(carry->store, carry->generation, appender,
	    size_bytes + STORE_PAGE_BYTES);

	if (code < 0)
		return code;
	if (appender->pack != before)
		carry->made_bytes += usage_pack_bytes(carry->store);
	append_align(appender, align_bytes);
	*out = (struct place){
	    .pack = appender->pack, .offset_bytes = appender->offset_bytes};
	return append_write_now(
	    carry->store, carry->generation, appender, &run);
}

static int enter(struct carry *carry, const struct table *table,
    const struct table_entry *item, struct place place)
{
	struct table_entry entry = {
	    .key = item->key, .place = place, .extra = item->extra};

	carry->store->carried++;
	return table_insert(table, &entry, pack_is_gone, carry->generation);
}

static bool is_right_block(const struct hash_secret *secret,
    const struct table_entry *item, const uint8_t *bytes)
{
	uint64_t sums[FORMAT_PAGES];
	size_t size_bytes = table_block_bytes(item);

	hash_pages(secret, bytes, size_bytes, sums);
	return hash_equal(hash_address(secret, sums, size_bytes), item->key);
}

/* One block that has been read. */
static int carry_block(
    struct carry *carry, const struct table_entry *item, uint8_t *bytes)
{
	size_t size_bytes = table_block_bytes(item);
	size_t extent_bytes = (size_t)round_up(size_bytes, STORE_PAGE_BYTES);
	struct place place;
	int code;

	if (!is_right_block(carry->generation->secret, item, bytes))
		return 0;
	memset(bytes + size_bytes, 0, extent_bytes - size_bytes);
	code = append(carry, bytes, extent_bytes, STORE_PAGE_BYTES, &place);
	if (code == 0)
		code = enter(carry, &carry->generation->blocks, item, place);
	if (code == 0)
		stats_add(STATS_cache_carried_bytes, (int64_t)size_bytes);
	return code;
}

/* Blocks that follow one another are read at once. */
static unsigned row_length(const struct table_entry items[], size_t count)
{
	unsigned length = 1;
	uint64_t end = items[0].place.offset_bytes +
	    round_up(table_block_bytes(&items[0]), STORE_PAGE_BYTES);

	while (length < count && length < STORE_RUN_BLOCKS &&
	    items[length].place.pack == items[0].place.pack &&
	    items[length].place.offset_bytes == end) {
		end += round_up(
		    table_block_bytes(&items[length]), STORE_PAGE_BYTES);
		length++;
	}
	return length;
}

static int carry_blocks(struct carry *carry, const struct harvest *harvest)
{
	uint8_t *chunk = carry->chunk;
	size_t done = 0;
	int code = 0;

	while (done < harvest->count && code == 0) {
		const struct table_entry *row = &harvest->entries[done];
		unsigned length = row_length(row, harvest->count - done);
		const struct table_entry *last = &row[length - 1];
		size_t size_bytes = last->place.offset_bytes -
		    row->place.offset_bytes +
		    (size_t)round_up(table_block_bytes(last), STORE_PAGE_BYTES);
		ssize_t n = row->place.offset_bytes % STORE_PAGE_BYTES != 0
		    ? 0
		    : read_chunk(carry, row->place, size_bytes, true, chunk);

		for (unsigned i = 0; i < length && code == 0; i++) {
			size_t at =
			    row[i].place.offset_bytes - row->place.offset_bytes;

			if (n >= (ssize_t)(at + table_block_bytes(&row[i])))
				code = carry_block(carry, &row[i], chunk + at);
		}
		done += length;
	}
	return code;
}

static int carry_record(
    struct carry *carry, const struct table_entry *item, struct window *window)
{
	size_t size_bytes;
	uint8_t *bytes = window_at(window, item->place, &size_bytes);
	struct record record;
	struct place place;
	int code;

	if (!record_parse(
	        carry->generation->secret, bytes, size_bytes, &record) ||
	    record.extent_bytes > size_bytes ||
	    !hash_equal(record.key, item->key))
		return 0;
	code = append(
	    carry, bytes, record.extent_bytes, FORMAT_UNIT_BYTES, &place);
	if (code == 0)
		code = enter(carry, &carry->generation->objects, item, place);
	if (code == 0)
		stats_add(
		    STATS_cache_carried_bytes, (int64_t)record.content_bytes);
	return code;
}

static int carry_records(struct carry *carry, const struct harvest *harvest)
{
	struct window window = {.store = carry->store,
	    .generation = carry->generation,
	    .bytes = carry->chunk};
	int code = 0;

	for (size_t i = 0; i < harvest->count && code == 0; i++)
		code = carry_record(carry, &harvest->entries[i], &window);
	return code;
}

static bool is_wanted(const void *arg, struct place place)
{
	const struct carry *carry = arg;

	for (unsigned i = 0; i < carry->count; i++)
		if (carry->packs[i].number == place.pack)
			return uses_has(
			    carry->packs[i].used, place.offset_bytes);
	return false;
}

/* All of a table. */
static void carry_each(struct carry *carry, const struct table *table,
    int (*how)(struct carry *carry, const struct harvest *harvest))
{
	struct harvest harvest;
	int code = 0;

	harvest_init(&harvest);
	while (code == 0 && harvest_next(&harvest, table, is_wanted, carry))
		code = how(carry, &harvest);
	/* Where there is no room for more, the rest goes. */
	harvest_fini(&harvest);
}

void carry_over(struct carry *carry)
{
	if (carry->count == 0)
		return;
	carry->chunk = aligned_alloc(STORE_PAGE_BYTES, STORE_SCRATCH_BYTES);
	if (carry->chunk == NULL)
		return;
	carry_each(carry, &carry->generation->blocks, carry_blocks);
	carry_each(carry, &carry->generation->objects, carry_records);
	free(carry->chunk);
	carry->chunk = NULL;
}
