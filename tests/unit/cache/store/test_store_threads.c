/* SPDX-License-Identifier: Apache-2.0 */
/*
 * tests/unit/cache/store/test_store_threads.c - one writer, readers that wait
 * and one that must not, openers and closers, a second store that evicts from
 * the same directory: every byte is right. Meant for the thread sanitizer.
 */
#include "base/stats.h"
#include "tests/unit/cache/store/store_bed.h"

#include <errno.h>
#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

enum {
	OBJECTS = 16,
	BLOCKS = 12,
	SMALL_BYTES = 5000,
	READERS = 3,
	ROUNDS = 400,
	CACHE_BYTES = 8 * 1024 * 1024,
};

struct shared {
	struct bed bed;
	struct store *second;
	struct store_object *objects[OBJECTS];
	uint8_t *contents[OBJECTS];
	_Atomic bool stop;
	_Atomic unsigned wrong;
	_Atomic unsigned right;
};

/* Every fourth object is a small file. */
static uint64_t size_of(unsigned i)
{
	return i % 4 == 0 ? SMALL_BYTES : (uint64_t)BLOCKS * STORE_BLOCK_BYTES;
}

static unsigned blocks_of(unsigned i)
{
	return i % 4 == 0 ? 1 : BLOCKS;
}

static size_t part_of(unsigned i)
{
	return i % 4 == 0 ? SMALL_BYTES : STORE_BLOCK_BYTES;
}

/* The writer keeps and tends; eviction comes by itself. */
static void *write_blocks(void *arg)
{
	struct shared *shared = arg;
	uint64_t random = 1;

	for (unsigned round = 0; round < ROUNDS; round++) {
		struct store_block blocks[BLOCKS];
		unsigned i = (unsigned)(bed_random(&random) % OBJECTS);

		for (unsigned b = 0; b < blocks_of(i); b++)
			blocks[b] =
			    (struct store_block){.object = shared->objects[i],
			        .index = b,
			        .bytes = shared->contents[i] +
			            (size_t)b * STORE_BLOCK_BYTES,
			        .size_bytes = part_of(i)};
		(void)store_keep(shared->bed.store, blocks, blocks_of(i));
		atomic_fetch_add(&shared->bed.clock.monotonic_ms, 100);
		if (round % 4 == 0)
			store_tend(shared->bed.store);
	}
	atomic_store(&shared->stop, true);
	return NULL;
}

/* Another process, as it were: fills the directory with its own. */
static void *write_others(void *arg)
{
	struct shared *shared = arg;
	uint64_t size = (uint64_t)BLOCKS * STORE_BLOCK_BYTES;

	for (uint64_t i = 0; !atomic_load(&shared->stop); i++) {
		struct store_object *object =
		    bed_object(shared->second, "/other", size);

		(void)bed_keep(
		    shared->second, object, size, 1000 + i, 0, BLOCKS);
		store_object_close(object);
		if (i % 3 == 0)
			store_tend(shared->second);
	}
	return NULL;
}

static void look(struct shared *shared, unsigned i, uint64_t index,
    const void *buffer, size_t start, size_t size_bytes)
{
	if (memcmp((const uint8_t *)buffer + start,
	        shared->contents[i] + index * STORE_BLOCK_BYTES + start,
	        size_bytes) != 0)
		atomic_fetch_add(&shared->wrong, 1);
	else
		atomic_fetch_add(&shared->right, 1);
}

static void read_with(
    struct shared *shared, uint64_t random, enum store_how how, unsigned limit)
{
	void *buffers[4];

	for (unsigned b = 0; b < 4; b++)
		buffers[b] = aligned_alloc(STORE_PAGE_BYTES, STORE_BLOCK_BYTES);
	for (unsigned n = 0; !atomic_load(&shared->stop) && n < limit; n++) {
		unsigned i = (unsigned)(bed_random(&random) % OBJECTS);
		uint64_t first = bed_random(&random) % blocks_of(i);
		unsigned count = 1 + (unsigned)(bed_random(&random) % 4);
		bool have[4];

		if (count > blocks_of(i) - first)
			count = (unsigned)(blocks_of(i) - first);
		(void)!store_probe(shared->objects[i], first, count, how, have);

		int loaded =
		    store_load(shared->objects[i], first, count, how, buffers);

		for (int b = 0; b < loaded; b++)
			look(shared, i, first + (unsigned)b, buffers[b], 0,
			    part_of(i));
		if (store_load_pages(shared->objects[i], first, 100, 4500, how,
		        buffers[0]) == 1)
			look(shared, i, first, buffers[0], 100, 4500);
	}
	for (unsigned b = 0; b < 4; b++)
		free(buffers[b]);
}

static void *read_waiting(void *arg)
{
	static _Atomic uint64_t seed = 10;

	read_with(arg, atomic_fetch_add(&seed, 1), STORE_WAIT, UINT32_MAX);
	return NULL;
}

static void *read_nowait(void *arg)
{
	read_with(arg, 77, STORE_NOWAIT, UINT32_MAX);
	return NULL;
}

static void *open_and_close(void *arg)
{
	struct shared *shared = arg;

	for (unsigned i = 0; !atomic_load(&shared->stop); i++) {
		struct store_identity identity = {
		    .origin = "https://o.example:443",
		    .path = i % 2 ? "/o1" : "/o4",
		    .size_bytes = size_of(i % 2 ? 1 : 4),
		    .mtime_s = 1,
		    .etag = ""};
		struct store_object *object;

		if (store_object_open(shared->bed.store, &identity, &object) <
		    0)
			continue;
		(void)store_object_blocks(object);
		store_object_close(object);
	}
	return NULL;
}

static void readers_and_writers_get_along(void **state)
{
	struct shared *shared = calloc(1, sizeof(*shared));
	pthread_t threads[READERS + 4];
	unsigned count = 0;

	(void)state;
	assert_non_null(shared);
	bed_init_in_memory(&shared->bed, CACHE_BYTES);
	shared->second = bed_second(&shared->bed);
	for (unsigned i = 0; i < OBJECTS; i++) {
		char name[16];

		(void)snprintf(name, sizeof(name), "/o%u", i);
		shared->objects[i] =
		    bed_object(shared->bed.store, name, size_of(i));
		shared->contents[i] =
		    aligned_alloc(STORE_PAGE_BYTES, BLOCKS * STORE_BLOCK_BYTES);
		assert_non_null(shared->contents[i]);
		for (unsigned b = 0; b < BLOCKS; b++)
			bed_fill(
			    shared->contents[i] + (size_t)b * STORE_BLOCK_BYTES,
			    STORE_BLOCK_BYTES, i / 2, b);
	}

	void *(*const bodies[])(void *) = {write_blocks, write_others,
	    open_and_close, read_nowait, read_waiting, read_waiting,
	    read_waiting};

	for (; count < READERS + 4; count++)
		assert_int_equal(pthread_create(&threads[count], NULL,
		                     bodies[count], shared),
		    0);
	for (unsigned i = 0; i < count; i++)
		assert_int_equal(pthread_join(threads[i], NULL), 0);
	assert_int_equal(atomic_load(&shared->wrong), 0);
	assert_true(atomic_load(&shared->right) > 0);
	assert_true(stats_get(STATS_cache_evicted_bytes) > 0);
	assert_int_equal(stats_get(STATS_cache_corrupt_blocks), 0);
	for (unsigned i = 0; i < OBJECTS; i++) {
		store_object_close(shared->objects[i]);
		free(shared->contents[i]);
	}
	store_close(shared->second);
	bed_fini(&shared->bed);
	free(shared);
}

/* The directory vanishes under readers, again and again. */
static void *remove_it(void *arg)
{
	struct shared *shared = arg;

	for (unsigned round = 0; round < 20; round++) {
		struct store_object *object =
		    bed_object(shared->bed.store, "/o1", size_of(1));

		(void)bed_keep(
		    shared->bed.store, object, size_of(1), 0, 0, BLOCKS);
		store_object_close(object);
		bed_remove(shared->bed.cache);
		atomic_fetch_add(&shared->bed.clock.monotonic_ms, 10000);
		store_tend(shared->bed.store);
	}
	atomic_store(&shared->stop, true);
	return NULL;
}

static void a_directory_that_vanishes_is_made_again(void **state)
{
	struct shared *shared = calloc(1, sizeof(*shared));
	pthread_t threads[3];

	(void)state;
	assert_non_null(shared);
	bed_init_in_memory(&shared->bed, CACHE_BYTES);
	for (unsigned i = 0; i < OBJECTS; i++) {
		/* All are the same file: what is read may be there. */
		shared->objects[i] = bed_object(
		    shared->bed.store, i % 4 == 0 ? "/o4" : "/o1", size_of(i));
		shared->contents[i] =
		    aligned_alloc(STORE_PAGE_BYTES, BLOCKS * STORE_BLOCK_BYTES);
		assert_non_null(shared->contents[i]);
		for (unsigned b = 0; b < BLOCKS; b++)
			bed_fill(
			    shared->contents[i] + (size_t)b * STORE_BLOCK_BYTES,
			    STORE_BLOCK_BYTES, 0, b);
	}
	assert_int_equal(
	    pthread_create(&threads[0], NULL, remove_it, shared), 0);
	assert_int_equal(
	    pthread_create(&threads[1], NULL, read_waiting, shared), 0);
	assert_int_equal(
	    pthread_create(&threads[2], NULL, read_nowait, shared), 0);
	for (unsigned i = 0; i < 3; i++)
		assert_int_equal(pthread_join(threads[i], NULL), 0);
	assert_int_equal(atomic_load(&shared->wrong), 0);

	/* And works as before. */
	assert_int_equal(bed_keep(shared->bed.store, shared->objects[1],
	                     size_of(1), 0, 0, BLOCKS),
	    BLOCKS);
	for (unsigned b = 0; b < BLOCKS; b++)
		assert_int_equal(bed_load(&shared->bed, shared->objects[1],
		                     size_of(1), 0, b),
		    1);
	for (unsigned i = 0; i < OBJECTS; i++) {
		store_object_close(shared->objects[i]);
		free(shared->contents[i]);
	}
	bed_fini(&shared->bed);
	free(shared);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(readers_and_writers_get_along),
	    cmocka_unit_test(a_directory_that_vanishes_is_made_again),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
