/* SPDX-License-Identifier: Apache-2.0 */
/* cache/bytes/fill.c - see fill.h: a run becomes a range, its bytes blocks. */
#include "cache/bytes/fill.h"

#include "base/log.h"
#include "base/stats.h"
#include "cache/core.h"
#include "fetch/fetch.h"

#include <assert.h>
#include <errno.h>
#include <string.h>

/* A range gives up a little before its readers do, with the reason. */
enum { DEADLINE_SHARE = 16 };

static void sink_from(void *arg, unsigned server)
{
	struct run *run = arg;

	run->servers |= FETCH_GAVE(server);
}

static int sink_begin(void *arg, const char *etag)
{
	struct run *run = arg;
	struct object *object = run->object;
	struct cache *cache = run->cache;
	bool early = fetch_validates_bytes(cache->config.fetch);
	bool checked = run_is_checked(run);
	size_t etag_bytes = strlen(etag) + 1;
	bool changed;

	cache_enter(cache);
	if (run->begun_ms == 0) {
		run->begun_ms = cache_now_ms(cache);
		rates_note_wait(&cache->rates, run->begun_ms - run->started_ms);
	}
	/* The first answer with an ETag pins all that follow. */
	if (object->pin[0] == '\0' && etag_bytes <= sizeof(object->pin))
		(void)memcpy(object->pin, etag, etag_bytes);
	/* It brings none along, and is compared as a large one is. */
	if (!checked && fetch_digests_apart(cache->config.fetch))
		run->rides = false;
	if (run->sum != NULL || checked)
		early = false;
	/* One without is confirmed at the end of its range, or not. */
	if (object->pin[0] != '\0' && etag[0] == '\0')
		early = false;
	changed = object->stale ||
	    (etag[0] != '\0' && strcmp(object->pin, etag) != 0);
	run->early = early;
	cache_exit(cache);
	return changed ? -ESTALE : 0;
}

/* The checksum of the whole file, which this range is: nobody gets a byte
 * before all have been compared. */
static void sink_digest(void *arg, const struct fetch_digest *digest)
{
	struct run *run = arg;
	struct cache *cache = run->cache;

	if (!run->rides || run->next_bytes > 0 || run->sum != NULL)
		return;
	run->told = *digest;
	run->sum = fetch_sum_new(digest->algorithm);
	cache_enter(cache);
	run->early = run->early && run->sum == NULL;
	cache_exit(cache);
}

/* Copy the part of a piece that falls into block i, and sum the pages that
 * it completes. @return bytes of the piece that were in the block. */
static size_t take_bytes(struct run *run, unsigned i, uint32_t at_bytes,
    const unsigned char *bytes, size_t size_bytes)
{
	struct block *block = run->blocks[i];
	const struct store *store = run->cache->store;
	size_t part = CACHE_BLOCK_BYTES - at_bytes;
	uint32_t end;

	if (part > size_bytes)
		part = size_bytes;
	if (block == NULL)
		return part;
	assert(at_bytes + part <= block->size_bytes);
	(void)memcpy(block->bytes + at_bytes, bytes, part);
	if (store == NULL)
		return part;
	end = at_bytes + (uint32_t)part;
	for (uint32_t page = at_bytes / STORE_PAGE_BYTES;
	     page * STORE_PAGE_BYTES < end; page++) {
		uint32_t from = page * STORE_PAGE_BYTES;
		uint32_t until = from + STORE_PAGE_BYTES;

		if (until > block->size_bytes)
			until = block->size_bytes;
		if (until <= end)
			block->sums.pages[page] = store_page_sum(
			    store, block->bytes + from, until - from);
	}
	return part;
}

/* Blocks [from, to] have got as far as run->next_bytes. */
static void publish(struct run *run, unsigned from, unsigned to,
    struct todo *todo) REQUIRES(cache_lock);
static void publish(
    struct run *run, unsigned from, unsigned to, struct todo *todo)
{
	for (unsigned i = from; i <= to; i++) {
		struct block *block = run->blocks[i];
		uint64_t base = (run->first + i) * CACHE_BLOCK_BYTES;
		uint64_t arrived = run->next_bytes - base;

		if (block == NULL)
			continue;
		if (arrived >= block->size_bytes) {
			run_block_ready(run, i, todo);
		} else {
			block->arrived_bytes = (uint32_t)arrived;
			reads_block_came(run->cache, block, todo);
		}
	}
}

static void sink_write(
    void *arg, uint64_t offset_bytes, const void *bytes, size_t size_bytes)
{
	struct run *run = arg;
	struct cache *cache = run->cache;
	const unsigned char *next = bytes;
	uint64_t base = run->first * CACHE_BLOCK_BYTES;
	uint64_t at = offset_bytes - base;
	unsigned from = (unsigned)(at / CACHE_BLOCK_BYTES);
	struct todo todo;

	/* fetch/sink.h: in order, without a gap, inside the range. */
	assert(offset_bytes == run->next_bytes);
	assert(size_bytes <= run->until_bytes - offset_bytes);
	if (size_bytes == 0)
		return;
	for (size_t left = size_bytes; left > 0;) {
		size_t part =
		    take_bytes(run, (unsigned)(at / CACHE_BLOCK_BYTES),
		        (uint32_t)(at % CACHE_BLOCK_BYTES), next, left);

		next += part;
		at += part;
		left -= part;
	}
	if (run->sum != NULL)
		fetch_sum_add(run->sum, bytes, size_bytes);
	stats_add(STATS_cache_fetched_bytes, (int64_t)size_bytes);
	todo_init(&todo);
	cache_enter(cache);
	run->next_bytes += size_bytes;
	cache->rates.bytes += size_bytes;
	run->object->budget.fetched_bytes += size_bytes;
	if (run->early)
		publish(
		    run, from, (unsigned)((at - 1) / CACHE_BLOCK_BYTES), &todo);
	cache_leave(cache, &todo);
}

static void end_run(struct run *run, int code, struct todo *todo)
    REQUIRES(cache_lock);
static void end_run(struct run *run, int code, struct todo *todo)
{
	struct cache *cache = run->cache;

	list_remove(&run->place);
	if (list_is_empty(&run->object->runs))
		cache->rates.objects--;
	if (code == 0) {
		uint64_t base = run->first * CACHE_BLOCK_BYTES;

		if (run->count >= RUN_RATED_BLOCKS)
			rates_note_range(&cache->rates, run->until_bytes - base,
			    cache_now_ms(cache) - run->begun_ms);
		publish(run, 0, run->count - 1, todo);
	}
}

static void sink_done(void *arg, int code, const struct err *err)
{
	struct run *run = arg;

	(void)err; /* fetch has logged it */
	if (code == 0 && run_is_checked(run) && run_check(run))
		return;
	run_done(run, code);
}

void run_done(struct run *run, int code)
{
	struct cache *cache = run->cache;
	struct object *object = run->object;
	struct todo todo;
	bool changed = false;

	if (code == 0 && run->rides && !checksum_brought(run)) {
		run->differs = true;
		code = -EIO;
	}
	/* fetch/sink.h: every byte has come. */
	assert(code != 0 || run->next_bytes == run->until_bytes);
	todo_init(&todo);
	cache_enter(cache);
	object_get(object);
	end_run(run, code, &todo);
	if (code == -ESTALE) {
		changed = object_make_stale(object);
		meta_forget_version(cache, object->path, &object->version);
	}
	run_fail_blocks(run, code, &todo);
	if (--run->refs == 0)
		run_free(run, &todo);
	cache_exit(cache);
	if (changed)
		log_line(LOG_LEVEL_INFO, LOG_CACHE,
		    "file changed on the server", "path=%s",
		    LOG_TEXT(object->path));
	cache_enter(cache);
	object_put(object, &todo);
	cache_leave(cache, &todo);
}

/* Register the range. @return 0, or why it is not asked for. */
static int register_run(struct run *run, char pin[FETCH_ETAG_BYTES],
    struct todo *todo) REQUIRES(cache_lock);
static int register_run(
    struct run *run, char pin[FETCH_ETAG_BYTES], struct todo *todo)
{
	struct cache *cache = run->cache;
	struct object *object = run->object;
	uint64_t last;
	int64_t misses = 0;

	if (object->stale || cache->stopping)
		return object->stale ? -ESTALE : -ECANCELED;
	if (!run_pay(run, todo))
		return -ECANCELED;
	run->rides = checksum_rides(run);
	if (!run->rides && checksum_wants_whole(object))
		return -EIO;
	last = run->first + run->count - 1;
	for (unsigned i = 0; i < run->count; i++) {
		if (run->blocks[i] == NULL)
			continue;
		run->blocks[i]->fetched = true;
		misses++;
	}
	stats_add(STATS_cache_misses, misses);
	run->stage = RUN_FETCH;
	run->refs = 2;
	run->polite = !run->demand;
	run->next_bytes = run->first * CACHE_BLOCK_BYTES;
	run->until_bytes =
	    last * CACHE_BLOCK_BYTES + object_block_bytes(object, last);
	run->started_ms = cache_now_ms(cache);
	if (list_is_empty(&object->runs))
		cache->rates.objects++;
	list_push(&object->runs, &run->place);
	(void)memcpy(pin, object->pin, FETCH_ETAG_BYTES);
	return 0;
}

void run_issue(struct run *run)
{
	struct cache *cache = run->cache;
	struct fetch_sink sink = {
	    .from = sink_from,
	    .begin = sink_begin,
	    .digest = sink_digest,
	    .write = sink_write,
	    .done = sink_done,
	    .arg = run,
	};
	struct fetch_range range = {
	    .ident = &run->ident,
	    .path = run->object->server_path,
	    .version = &run->object->version,
	};
	char pin[FETCH_ETAG_BYTES];
	struct todo todo;
	uint64_t number;
	bool cancel;
	int code;

	todo_init(&todo);
	cache_enter(cache);
	code = register_run(run, pin, &todo);
	if (code < 0) {
		run_fail(run, code, &todo);
		cache_leave(cache, &todo);
		return;
	}
	if (pin[0] != '\0')
		range.pin_etag = pin;
	range.offset_bytes = run->next_bytes;
	range.length_bytes = run->until_bytes - run->next_bytes;
	range.demand = !run->polite;
	range.digest = run->rides;
	if (run->object->checksum.suspect)
		range.only = FETCH_ONLY_ORIGIN;
	range.deadline_ms = run->started_ms + cache->config.timeout_ms -
	    cache->config.timeout_ms / DEADLINE_SHARE;
	cache_exit(cache);
	number = fetch_range(cache->config.fetch, &range, &sink);
	cache_enter(cache);
	run->number = number;
	if (run->demand)
		run_hurry(run, run->waiting_uid, &todo);
	cancel = run->cancel;
	if (--run->refs == 0)
		run_free(run, &todo);
	cache_leave(cache, &todo);
	if (cancel)
		fetch_cancel(cache->config.fetch, number);
}
