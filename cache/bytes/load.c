/* SPDX-License-Identifier: Apache-2.0 */
/*
 * cache/bytes/load.c - a run looks for its bytes on the disk. See fill.h.
 *
 * On the thread of the one who asked only what the page cache holds is
 * touched; what would have to wait goes to a disk reader. What the disk does
 * not have is fetched.
 */
#include "cache/core.h"
#include "cache/store/store.h"

#include <assert.h>
#include <errno.h>
#include <stdlib.h>

static_assert((int)RUN_BLOCKS_MAX >= (int)READ_BLOCKS_MAX, "a read is a run");

static void push_to_disk(struct run *run, enum run_stage stage)
{
	struct cache *cache = run->cache;

	cache_enter(cache);
	run->stage = stage;
	disk_push(cache, &run->job, run->demand);
	cache_exit(cache);
}

static void fail(struct run *run, int code)
{
	struct todo todo;

	todo_init(&todo);
	cache_enter(run->cache);
	run_fail(run, code, &todo);
	cache_leave(run->cache, &todo);
}

static void finished(struct run *run)
{
	struct todo todo;
	struct cache *cache = run->cache;

	todo_init(&todo);
	cache_enter(cache);
	run_free(run, &todo);
	cache_leave(cache, &todo);
}

/* The block of a run of pages is here, or is not. */
static void end_pages(struct run *run, bool here, struct todo *todo)
    REQUIRES(cache_lock);
static void end_pages(struct run *run, bool here, struct todo *todo)
{
	if (here) {
		run_block_ready(run, 0, todo);
		run_free(run, todo);
	} else {
		/* The reader asks again, for the whole block. */
		run_fail(run, -ENODATA, todo);
	}
}

/* The disk has answered. */
static void pages_landed(void *arg, int code)
{
	struct run *run = arg;
	struct cache *cache = run->cache;
	struct todo todo;

	todo_init(&todo);
	cache_enter(cache);
	if (code != -EAGAIN)
		end_pages(run, code == 1, &todo);
	else if (cache->disk.stopping)
		run_fail(run, -ECANCELED, &todo);
	else
		disk_push(cache, &run->job, run->demand);
	cache_leave(cache, &todo);
}

/* Some pages of one block, for one reader. */
static void load_pages(struct run *run, bool wait)
{
	struct cache *cache = run->cache;
	struct store_object *store = run->object->store;
	void *buffer = run->blocks[0]->bytes;
	struct todo todo;
	int code;

	if (wait)
		code =
		    store_load_pages(store, run->first, run->page_offset_bytes,
		        run->page_size_bytes, STORE_WAIT, buffer);
	else
		code = store_ask_pages(store,
		    &(struct store_pages){
		        .block = run->first,
		        .offset_bytes = run->page_offset_bytes,
		        .size_bytes = run->page_size_bytes,
		        .buffer = buffer,
		        .done = pages_landed,
		        .arg = run,
		    });
	if (code == -EINPROGRESS)
		return;
	if (code == -EAGAIN && !wait) {
		push_to_disk(run, RUN_PAGES);
		return;
	}
	todo_init(&todo);
	cache_enter(cache);
	end_pages(run, code == 1, &todo);
	cache_leave(cache, &todo);
}

/* One block of a run is not on the disk after all. */
static void fetch_one(struct run *run, unsigned i)
{
	struct cache *cache = run->cache;
	struct run *part;

	cache_enter(cache);
	part = run_split(run, i, 1);
	cache_exit(cache);
	if (part != NULL)
		run_issue(part);
}

/* Load the blocks of a run that the store says it has. */
static void load(struct run *run, enum store_how how)
{
	struct cache *cache = run->cache;
	unsigned done = 0;

	while (done < run->count) {
		void *buffers[STORE_RUN_BLOCKS];
		unsigned count = run->count - done;
		struct todo todo;
		int code;

		for (unsigned i = 0; i < count; i++)
			buffers[i] = run->blocks[done + i]->bytes;
		code = store_load(
		    run->object->store, run->first + done, count, how, buffers);
		if (code == -EAGAIN && how == STORE_NOWAIT)
			break;
		if (code <= 0) {
			fetch_one(run, done++);
			continue;
		}
		assert((unsigned)code <= count);
		todo_init(&todo);
		cache_enter(cache);
		for (int i = 0; i < code; i++)
			run_block_ready(run, done++, &todo);
		cache_leave(cache, &todo);
	}
	if (done == run->count) {
		finished(run);
		return;
	}
	if (done > 0) {
		struct run *rest;

		cache_enter(cache);
		rest = run_split(run, done, run->count - done);
		cache_exit(cache);
		if (rest == NULL) {
			fail(run, -ENOMEM);
			return;
		}
		finished(run);
		run = rest;
	}
	push_to_disk(run, RUN_LOAD);
}

/* Blocks [from, from+count) are all on the disk, or none of them is. */
static int dispatch(
    struct run *run, unsigned from, unsigned count, bool have, bool wait)
{
	struct cache *cache = run->cache;
	struct run *part;

	cache_enter(cache);
	part = run_split(run, from, count);
	cache_exit(cache);
	if (part == NULL)
		return -ENOMEM;
	if (!have)
		run_issue(part);
	else if (!wait && part->demand)
		load(part, STORE_NOWAIT);
	else
		push_to_disk(part, RUN_LOAD);
	return 0;
}

/* Length of the piece that begins at `from`: blocks to load as the store
 * takes them, or blocks to fetch. */
static unsigned piece(const struct run *run, unsigned from, const bool have[])
{
	unsigned count = 1;

	while (from + count < run->count && have[from + count] == have[from] &&
	    (!have[from] ||
	        (count < STORE_RUN_BLOCKS &&
	            run->blocks[from + count] != NULL)))
		count++;
	/* No bytes are fetched for nobody at the end of a range. */
	while (run->blocks[from + count - 1] == NULL)
		count--;
	return count;
}

static void split(struct run *run, const bool have[], bool wait)
{
	unsigned from = 0;

	while (from < run->count) {
		unsigned count;

		if (run->blocks[from] == NULL) {
			from++;
			continue;
		}
		count = piece(run, from, have);
		if (dispatch(run, from, count, have[from], wait) < 0) {
			fail(run, -ENOMEM);
			return;
		}
		from += count;
	}
	finished(run);
}

static void look(struct run *run, bool wait)
{
	bool have[RUN_BLOCKS_MAX] = {false};
	unsigned done = 0;

	while (done < run->count) {
		int count = store_probe(run->object->store, run->first + done,
		    run->count - done, wait ? STORE_WAIT : STORE_NOWAIT,
		    have + done);

		if (count == -EAGAIN && !wait) {
			push_to_disk(run, RUN_LOOK);
			return;
		}
		if (count <= 0)
			break; /* nothing is known: all the rest is fetched */
		done += (unsigned)count;
	}
	for (unsigned i = 0; i < run->count; i++)
		if (run->blocks[i] == NULL)
			have[i] = false;
	split(run, have, wait);
}

void run_look(struct run *run, bool wait)
{
	assert(run->object->store != NULL);
	if (run->stage == RUN_PAGES)
		load_pages(run, wait);
	else if (run->stage == RUN_LOAD)
		load(run, wait ? STORE_WAIT : STORE_NOWAIT);
	else
		look(run, wait);
}
