/* SPDX-License-Identifier: Apache-2.0 */
/*
 * tests/unit/cache/store/test_store.c - the block store as its callers see it:
 * what was kept is there, what was not is a miss.
 */
#include "base/stats.h"
#include "tests/unit/cache/store/store_bed.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include <cmocka.h>

enum { MIB = 1024 * 1024 };

static int set_up(void **state)
{
	static struct bed bed;

	bed_init(&bed, (uint64_t)64 * MIB);
	*state = &bed;
	return 0;
}

static int tear_down(void **state)
{
	bed_fini(*state);
	return 0;
}

static void what_was_kept_is_loaded_whole(void **state)
{
	static const uint64_t sizes[] = {1, 63, 64, 4095, 4096, 4097, 65535,
	    65536, 65537, 131072, 131073, 40 * 65536 + 17};
	struct bed *bed = *state;

	for (unsigned i = 0; i < sizeof(sizes) / sizeof(*sizes); i++) {
		uint64_t size = sizes[i];
		unsigned blocks = (unsigned)((size + 65535) / 65536);
		char name[32];

		(void)snprintf(name, sizeof(name), "/f%u", i);

		struct store_object *object =
		    bed_object(bed->store, name, size);

		assert_int_equal(bed_load(bed, object, size, i, 0), 0);
		assert_int_equal(
		    bed_keep(bed->store, object, size, i, 0, blocks), blocks);
		for (unsigned b = 0; b < blocks; b++)
			assert_int_equal(bed_load(bed, object, size, i, b), 1);
		assert_int_equal(store_object_blocks(object), blocks);
		store_object_close(object);
	}
	bed_reopen(bed);
	for (unsigned i = 0; i < sizeof(sizes) / sizeof(*sizes); i++) {
		uint64_t size = sizes[i];
		unsigned blocks = (unsigned)((size + 65535) / 65536);
		char name[32];

		(void)snprintf(name, sizeof(name), "/f%u", i);

		struct store_object *object =
		    bed_object(bed->store, name, size);

		for (unsigned b = 0; b < blocks; b++)
			assert_int_equal(bed_load(bed, object, size, i, b), 1);
		assert_int_equal(store_object_blocks(object), blocks);
		store_object_close(object);
	}
}

static void a_run_is_loaded_in_one_call_and_stops_at_a_gap(void **state)
{
	struct bed *bed = *state;
	uint64_t size = 20 * 65536 - 1;
	struct store_object *object = bed_object(bed->store, "/run", size);
	bool have[STORE_RUN_BLOCKS];

	assert_int_equal(bed_keep(bed->store, object, size, 7, 0, 10), 10);
	assert_int_equal(bed_keep(bed->store, object, size, 7, 12, 8), 8);
	assert_int_equal(store_probe(object, 0, 16, STORE_WAIT, have), 16);
	for (unsigned i = 0; i < 16; i++)
		assert_int_equal(have[i], i < 10 || i >= 12);
	assert_int_equal(
	    store_load(object, 0, 16, STORE_WAIT, bed->buffers), 10);
	assert_int_equal(
	    store_load(object, 10, 10, STORE_WAIT, bed->buffers), 0);
	assert_int_equal(
	    store_load(object, 12, 16, STORE_WAIT, bed->buffers), 8);
	assert_int_equal(
	    store_load(object, 20, 1, STORE_WAIT, bed->buffers), 0);
	store_object_close(object);
}

static void pages_are_loaded_alone_and_at_their_places(void **state)
{
	struct bed *bed = *state;
	uint64_t size = 3 * 65536 + 5000;
	struct store_object *object = bed_object(bed->store, "/pages", size);
	uint8_t *bytes = malloc(65536);
	uint64_t random = 1;

	assert_non_null(bytes);
	assert_int_equal(bed_keep(bed->store, object, size, 9, 0, 4), 4);
	for (unsigned i = 0; i < 500; i++) {
		uint64_t block = bed_random(&random) % 4;
		size_t room = block == 3 ? 5000 : 65536;
		size_t offset = bed_random(&random) % room;
		size_t count = 1 + bed_random(&random) % (room - offset);

		memset(bed->buffers[0], 0xee, 65536);
		assert_int_equal(store_load_pages(object, block, offset, count,
		                     STORE_WAIT, bed->buffers[0]),
		    1);
		bed_fill(bytes, room, 9, block);
		assert_memory_equal(
		    (uint8_t *)bed->buffers[0] + offset, bytes + offset, count);
	}
	assert_int_equal(
	    store_load_pages(object, 3, 5000, 1, STORE_WAIT, bed->buffers[0]),
	    0);
	free(bytes);
	store_object_close(object);
}

static void every_part_of_an_identity_tells_versions_apart(void **state)
{
	struct bed *bed = *state;
	struct store_identity base = {.origin = "https://a:1",
	    .path = "/p",
	    .size_bytes = 100,
	    .mtime_s = 5,
	    .etag = "\"x\"",
	    .nonce = 0};
	struct store_identity others[7];
	struct store_object *object;

	for (unsigned i = 0; i < 7; i++)
		others[i] = base;
	others[0].origin = "https://a:2";
	others[1].path = "/q";
	others[2].mtime_s = 6;
	others[3].etag = "";
	others[4].nonce = 1;
	/* The same texts, cut elsewhere. */
	others[5].origin = "https://a:1/";
	others[5].path = "p";
	others[6].path = "/p\"";
	others[6].etag = "x\"";
	assert_int_equal(store_object_open(bed->store, &base, &object), 0);
	assert_int_equal(bed_keep(bed->store, object, 100, 3, 0, 1), 1);
	store_object_close(object);
	for (unsigned i = 0; i < 7; i++) {
		assert_int_equal(
		    store_object_open(bed->store, &others[i], &object), 0);
		assert_int_equal(bed_load(bed, object, 100, 3, 0), 0);
		store_object_close(object);
	}
	assert_int_equal(store_object_open(bed->store, &base, &object), 0);
	assert_int_equal(bed_load(bed, object, 100, 3, 0), 1);
	store_object_close(object);
}

static int open_absent(struct bed *bed, const char *path, uint64_t size_bytes,
    struct store_object **out)
{
	const struct store_identity identity = {.origin = "https://origin:1",
	    .path = path,
	    .size_bytes = size_bytes,
	    .mtime_s = 1,
	    .etag = ""};

	return store_object_open_absent(bed->store, &identity, out);
}

static void a_small_file_that_is_not_here_is_opened_without_waiting(
    void **state)
{
	struct bed *bed = *state;
	struct store_object *object;

	bed_warm(bed->cache);
	assert_int_equal(open_absent(bed, "/small", 4096, &object), 0);
	assert_int_equal(bed_load(bed, object, 4096, 1, 0), 0);
	assert_int_equal(bed_keep(bed->store, object, 4096, 1, 0, 1), 1);
	assert_int_equal(bed_load(bed, object, 4096, 1, 0), 1);
	store_object_close(object);
	/* One that may be here has to be looked at by who may wait. */
	assert_int_equal(open_absent(bed, "/small", 4096, &object), -EAGAIN);
	assert_null(object);
	assert_int_equal(open_absent(bed, "/other", 4096, &object), 0);
	store_object_close(object);
	/* So has a larger one: it would have a map. */
	assert_int_equal(
	    open_absent(bed, "/large", 2 * 65536, &object), -EAGAIN);
}

static void equal_blocks_are_written_once(void **state)
{
	struct bed *bed = *state;
	uint64_t size = 32 * 65536;
	struct store_object *one = bed_object(bed->store, "/one", size);
	struct store_object *two = bed_object(bed->store, "/two", size);
	uint64_t shared = stats_get(STATS_cache_shared_bytes);
	uint64_t before;

	assert_int_equal(bed_keep(bed->store, one, size, 4, 0, 32), 32);
	before = bed_disk_bytes(bed->cache);
	assert_int_equal(bed_keep(bed->store, two, size, 4, 0, 32), 32);
	assert_int_equal(stats_get(STATS_cache_shared_bytes) - shared, size);
	/* The second map, and no bytes. */
	assert_true(bed_disk_bytes(bed->cache) - before < 65536);
	for (unsigned i = 0; i < 32; i++) {
		assert_int_equal(bed_load(bed, one, size, 4, i), 1);
		assert_int_equal(bed_load(bed, two, size, 4, i), 1);
	}
	store_object_close(one);
	store_object_close(two);
}

static void equal_blocks_of_one_batch_are_written_once(void **state)
{
	struct bed *bed = *state;
	uint64_t size = 16 * 65536;
	struct store_object *object = bed_object(bed->store, "/zeros", size);
	struct store_block blocks[16];
	void *zeros = calloc(1, 65536);
	uint64_t shared = stats_get(STATS_cache_shared_bytes);

	assert_non_null(zeros);
	for (unsigned i = 0; i < 16; i++)
		blocks[i] = (struct store_block){.object = object,
		    .index = i,
		    .bytes = zeros,
		    .size_bytes = 65536};
	assert_int_equal(store_keep(bed->store, blocks, 16), 16);
	assert_int_equal(
	    stats_get(STATS_cache_shared_bytes) - shared, 15 * 65536);
	for (unsigned i = 0; i < 16; i++) {
		memset(bed->buffers[0], 1, 65536);
		assert_int_equal(
		    store_load(object, i, 1, STORE_WAIT, bed->buffers), 1);
		assert_memory_equal(bed->buffers[0], zeros, 65536);
	}
	free(zeros);
	store_object_close(object);
}

static void sums_of_another_secret_are_not_believed(void **state)
{
	struct bed *bed = *state;
	uint64_t size = 65536 * 2;
	struct store_object *object = bed_object(bed->store, "/sums", size);
	struct store_sums wrong = {.pages = {1, 2, 3}};
	struct store_sums right;
	uint8_t *bytes = malloc(65536);

	assert_non_null(bytes);
	for (unsigned i = 0; i < 2; i++) {
		bed_fill(bytes, 65536, 2, i);
		for (unsigned p = 0; p < 16; p++)
			right.pages[p] = store_page_sum(
			    bed->store, bytes + (size_t)p * 4096, 4096);

		struct store_block block = {.object = object,
		    .index = i,
		    .bytes = bytes,
		    .size_bytes = 65536,
		    .sums = i == 0 ? &wrong : &right};

		assert_int_equal(store_keep(bed->store, &block, 1), 1);
		assert_int_equal(bed_load(bed, object, size, 2, i), 1);
	}
	free(bytes);
	store_object_close(object);
}

static void nowait_gives_what_is_hot(void **state)
{
	struct bed *bed = *state;
	uint64_t size = 16 * 65536;
	struct store_object *object = bed_object(bed->store, "/hot", size);
	bool have[16];

	assert_int_equal(bed_keep(bed->store, object, size, 8, 0, 16), 16);
	/* Opens the pack; what was written directly is not hot yet. */
	assert_int_equal(bed_load(bed, object, size, 8, 0), 1);
	bed_warm(bed->cache);
	assert_int_equal(store_probe(object, 0, 16, STORE_NOWAIT, have), 16);
	assert_true(have[15]);
	assert_int_equal(
	    store_load(object, 0, 16, STORE_NOWAIT, bed->buffers), 16);
	assert_int_equal(
	    store_load_pages(object, 3, 10, 10, STORE_NOWAIT, bed->buffers[0]),
	    1);
	store_object_close(object);
}

static void a_long_identity_is_served_uncached(void **state)
{
	struct bed *bed = *state;
	char *path = malloc(20001);

	assert_non_null(path);
	memset(path, 'a', 20000);
	path[0] = '/';
	for (size_t length = 11000; length <= 20000; length += 500) {
		path[length] = '\0';

		struct store_object *object = bed_object(bed->store, path, 100);
		unsigned kept = bed_keep(bed->store, object, 100, length, 0, 1);

		assert_int_equal(kept, length + 21 <= 12 * 1024);
		assert_int_equal(
		    bed_load(bed, object, 100, length, 0), (int)kept);
		store_object_close(object);
		path[length] = 'a';
	}
	free(path);
}

static void a_directory_that_others_may_write_to_is_refused(void **state)
{
	struct bed *bed = *state;
	char path[300];
	struct store *store;
	struct err err = ERR_INIT;

	(void)snprintf(path, sizeof(path), "%s/open", bed->dir);
	assert_int_equal(mkdir(path, 0700), 0);
	assert_int_equal(chmod(path, 0777), 0);

	struct store_config config = {
	    .clock = &bed->clock, .dir = path, .size_bytes = 64 * MIB};

	assert_int_equal(store_open(&store, &config, &err), -EACCES);
	assert_null(store);
	assert_non_null(strstr(err.text, "chmod 700"));
}

static void missing_directories_are_made_private(void **state)
{
	struct bed *bed = *state;
	char path[300];
	struct store *store;
	struct err err = ERR_INIT;
	struct stat stat_;

	(void)snprintf(path, sizeof(path), "%s/a/b//c", bed->dir);

	struct store_config config = {
	    .clock = &bed->clock, .dir = path, .size_bytes = 64 * MIB};

	assert_int_equal(store_open(&store, &config, &err), 0);
	assert_int_equal(stat(path, &stat_), 0);
	assert_int_equal(stat_.st_mode & 07777, 0700);
	store_close(store);
}

static void description_is_json_members(void **state)
{
	struct bed *bed = *state;
	struct buf buf;

	buf_init(&buf, 4096);
	assert_int_equal(store_describe(bed->store, &buf), 0);
	assert_non_null(strstr(buf_text(&buf), "\"state\":\"on\""));
	assert_non_null(strstr(buf_text(&buf), "\"size_bytes\":67108864"));
	buf_fini(&buf);
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)
	const struct CMUnitTest tests[] = {
	    TEST(what_was_kept_is_loaded_whole),
	    TEST(a_run_is_loaded_in_one_call_and_stops_at_a_gap),
	    TEST(pages_are_loaded_alone_and_at_their_places),
	    TEST(every_part_of_an_identity_tells_versions_apart),
	    TEST(a_small_file_that_is_not_here_is_opened_without_waiting),
	    TEST(equal_blocks_are_written_once),
	    TEST(equal_blocks_of_one_batch_are_written_once),
	    TEST(sums_of_another_secret_are_not_believed),
	    TEST(nowait_gives_what_is_hot),
	    TEST(a_long_identity_is_served_uncached),
	    TEST(a_directory_that_others_may_write_to_is_refused),
	    TEST(missing_directories_are_made_private),
	    TEST(description_is_json_members),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
