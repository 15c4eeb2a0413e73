/* SPDX-License-Identifier: Apache-2.0 */
/* What was written here is read without being fetched; and nobody is given
 * the bytes of one version for those of another. */
#include "cache/note.h"
#include "tests/unit/cache/bed.h"

#include <errno.h>
#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#define NOW_S  1000000
#define COARSE "\"f4240-500000\""
#define FINE   "\"500000-e8d4a51000\""
#define OLD    "\"3e8-500000\""

enum { KIB = 1024, MIB = 1024 * 1024, BIG = 5 * MIB + 777, SMALL = 5000 };

static struct bed bed;

static int begin_with(bool disk)
{
	bed = (struct bed){0};
	bed_start(&bed, NULL, disk);
	fake.content = 1;
	return 0;
}

static int begin(void **state)
{
	(void)state;
	return begin_with(true);
}

static int begin_in_memory(void **state)
{
	(void)state;
	return begin_with(false);
}

static int end(void **state)
{
	(void)state;
	if (bed.cache != NULL)
		bed_end(&bed);
	bed_wipe(&bed);
	return 0;
}

/* What is kept: of such a content, as far as it goes. */
struct source {
	uint64_t content;
	uint64_t size_bytes;
	uint64_t fails_at; /* 0: nowhere */
	size_t piece_bytes;
};

static int64_t give(
    void *arg, uint64_t offset_bytes, void *out, size_t size_bytes)
{
	const struct source *source = arg;
	unsigned char *bytes = out;
	size_t part = size_bytes;

	assert_true(offset_bytes + size_bytes <= source->size_bytes);
	if (source->piece_bytes != 0 && part > source->piece_bytes)
		part = source->piece_bytes;
	if (source->fails_at != 0 && offset_bytes >= source->fails_at)
		return -EIO;
	for (size_t i = 0; i < part; i++)
		bytes[i] = fake_byte(source->content, offset_bytes + i);
	return (int64_t)part;
}

static void keep(const char *path, const struct fetch_version *version,
    uint64_t content, size_t piece_bytes)
{
	struct source source = {.content = content,
	    .size_bytes = version->size_bytes,
	    .piece_bytes = piece_bytes};

	cache_keep(bed.cache, path, version, give, &source);
}

static struct fetch_version put(
    const char *path, uint64_t size_bytes, int64_t mtime_s, const char *etag)
{
	struct fetch_version version =
	    fake_file(size_bytes, mtime_s, etag).version;

	cache_note_file(bed.cache, path, &version, 7);
	return version;
}

/* Open without a question. */
static struct cache_file *open_known(const char *path, uint64_t size_bytes)
{
	unsigned stats = fake.stat_count;
	struct cache_file *file = bed_try_open(&bed, path, size_bytes);

	assert_int_equal(fake.stat_count, stats);
	assert_non_null(file);
	return file;
}

/* Read it all; nothing is fetched. */
static void read_kept(struct cache_file *file, uint64_t size_bytes)
{
	static struct bed_answer answer;
	unsigned ranges = fake_ranges();

	for (uint64_t at = 0; at < size_bytes; at += MIB) {
		uint64_t left = size_bytes - at;

		bed_read(&bed, file, at, left < MIB ? left : MIB, &answer);
		bed_wait(&answer);
		assert_int_equal(answer.code, 0);
		assert_int_equal(answer.size_bytes, left < MIB ? left : MIB);
	}
	assert_int_equal(fake_ranges(), ranges);
}

static void kept_and_read(
    const char *path, uint64_t size_bytes, int64_t mtime_s, const char *etag)
{
	struct fetch_version version = put(path, size_bytes, mtime_s, etag);
	struct cache_file *file;

	keep(path, &version, 1, 10000);
	file = open_known(path, size_bytes);
	read_kept(file, size_bytes);
	cache_close(file);
	file = open_known(path, size_bytes);
	read_kept(file, size_bytes);
	cache_close(file);
}

static void what_was_written_is_read_without_a_request(void **state)
{
	(void)state;
	kept_and_read("/small", SMALL, NOW_S, COARSE);
	kept_and_read("/block", CACHE_BLOCK_BYTES, NOW_S, COARSE);
	kept_and_read("/set", SMALL, 1000, OLD);
	kept_and_read("/fine", SMALL, NOW_S, FINE);
	kept_and_read("/no-etag", SMALL, NOW_S, "");
}

/* Buffers that nobody can have. */
static unsigned taken_blocks(void)
{
	unsigned taken;

	cache_enter(bed.cache);
	taken = bed.cache->pool.count - bed.cache->pool.available;
	cache_exit(bed.cache);
	return taken;
}

static void large_ones_too(void **state)
{
	(void)state;
	kept_and_read("/young", BIG, NOW_S, COARSE);
	kept_and_read("/set", BIG, 1000, OLD);
	kept_and_read("/fine", BIG, NOW_S, FINE);
	/* They are read from the disk: none of their blocks is in the way. */
	assert_true(taken_blocks() < 128);
}

/* Those that were closed are forgotten, but for what the disk has. */
static void after_many_others(void **state)
{
	char path[32];

	(void)state;
	for (unsigned i = 0; i < 40; i++) {
		struct fetch_version version;

		(void)snprintf(path, sizeof(path), "/f%u", i);
		version = put(path, SMALL + i, NOW_S, "");
		keep(path, &version, 1, 0);
	}
	for (unsigned i = 0; i < 40; i++) {
		struct cache_file *file;

		(void)snprintf(path, sizeof(path), "/f%u", i);
		file = open_known(path, SMALL + i);
		read_kept(file, SMALL + i);
		cache_close(file);
	}
}

static void a_fine_one_is_found_by_later_mounts(void **state)
{
	struct fetch_version version = put("/f", BIG, NOW_S, FINE);
	struct cache_file *file;

	(void)state;
	keep("/f", &version, 1, 0);
	bed_end(&bed);
	bed_start(&bed, NULL, true);
	fake.content = 1;
	bed_pass(&bed, 10000);
	file = bed_open(&bed, "/f", BIG, NOW_S, FINE);
	read_kept(file, BIG);
	cache_close(file);
}

static void what_cannot_be_read_is_fetched(void **state)
{
	static struct bed_answer answer;
	struct fetch_version version = put("/f", BIG, NOW_S, COARSE);
	struct source source = {
	    .content = 1, .size_bytes = BIG, .fails_at = 2 * MIB};
	struct cache_file *file;

	(void)state;
	cache_keep(bed.cache, "/f", &version, give, &source);
	file = open_known("/f", BIG);
	/* As far as it was kept; what is read ahead is not waited for. */
	bed_read(&bed, file, 0, MIB, &answer);
	bed_wait(&answer);
	assert_int_equal(answer.code, 0);
	bed_read(&bed, file, 2 * MIB, 64 * KIB, &answer);
	bed_wait_ranges(1);
	while (answer.count == 0) {
		fake_finish_all(COARSE);
		(void)usleep(1000);
	}
	assert_int_equal(answer.code, 0);
	cache_close(file);
}

static void another_version_is_not_kept(void **state)
{
	static struct bed_answer answer;
	struct fetch_version version = put("/f", SMALL, NOW_S, COARSE);
	struct cache_file *file;

	(void)state;
	(void)put("/f", SMALL, NOW_S + 1, COARSE);
	keep("/f", &version, 2, 0);
	file = open_known("/f", SMALL);
	bed_read(&bed, file, 0, SMALL, &answer);
	bed_wait_ranges(1);
	fake_finish_all(COARSE);
	bed_wait(&answer);
	assert_int_equal(answer.code, 0);
	cache_close(file);
	/* Nor one that is not there any more. */
	cache_note_gone(bed.cache, "/f");
	keep("/f", &version, 2, 0);
}

/* Size, time and ETag are those of the version before. */
static void one_that_looks_the_same_is_told_apart(void **state)
{
	static struct bed_answer answer;
	struct fetch_version version;
	struct cache_file *old;
	struct cache_file *file;

	(void)state;
	fake.content = 2;
	old = bed_open(&bed, "/f", BIG, 1000, OLD);
	bed_read(&bed, old, 0, 256 * KIB, &answer);
	bed_wait_ranges(1);
	fake_finish_all(OLD);
	bed_wait(&answer);
	bed_pass(&bed, 2000);
	(void)usleep(100000); /* the writer has them */
	fake.content = 1;
	version = put("/f", BIG, 1000, OLD);
	/* Who has the old one open gets nothing of the new one. */
	bed_read(&bed, old, 2 * MIB, 64 * KIB, &answer);
	bed_wait(&answer);
	assert_int_equal(answer.code, -ESTALE);
	cache_close(old);
	keep("/f", &version, 1, 0);
	file = open_known("/f", BIG);
	read_kept(file, BIG);
	cache_close(file);
	/* The disk has lost it as well. */
	bed_end(&bed);
	bed_start(&bed, NULL, true);
	fake.content = 1;
	file = bed_open(&bed, "/f", BIG, 1000, OLD);
	bed_read(&bed, file, 0, 256 * KIB, &answer);
	bed_wait_ranges(1);
	fake_finish_all(OLD);
	bed_wait(&answer);
	assert_int_equal(answer.code, 0);
	cache_close(file);
}

/* One that the server tells apart is left alone. */
static void who_has_the_old_one_open_reads_what_is_here(void **state)
{
	static struct bed_answer answer;
	struct cache_file *old;

	(void)state;
	old = bed_open(&bed, "/f", 128 * KIB, 1000, OLD);
	bed_read(&bed, old, 0, 128 * KIB, &answer);
	bed_wait_ranges(1);
	fake_finish_all(OLD);
	bed_wait(&answer);
	(void)put("/f", SMALL, NOW_S, COARSE);
	cache_note_gone(bed.cache, "/f");
	read_kept(old, 128 * KIB);
	cache_close(old);
}

static void what_was_kept_moves_along(void **state)
{
	struct fetch_version version = put("/d/.tmp", BIG, NOW_S, COARSE);
	struct cache_file *held;
	struct cache_file *file;

	(void)state;
	keep("/d/.tmp", &version, 1, 0);
	held = open_known("/d/.tmp", BIG);
	cache_note_moved(bed.cache, "/d/.tmp", "/d/f");
	file = open_known("/d/f", BIG);
	read_kept(file, BIG);
	cache_close(file);
	read_kept(held, BIG);
	cache_close(held);
}

/* Whoever has a file open goes on reading it where it is now. */
static void open_files_follow_their_directory(void **state)
{
	static struct bed_answer answer;
	struct cache_file *file;
	struct fetch_version version;

	(void)state;
	file = bed_open(&bed, "/d/e/f", BIG, 1000, OLD);
	cache_note_moved(bed.cache, "/d", "/x");
	bed_read(&bed, file, 0, 4096, &answer);
	bed_wait_ranges(1);
	assert_string_equal(fake.range[0].path, "/src/x/e/f");
	fake_finish_all(OLD);
	bed_wait(&answer);
	assert_int_equal(answer.code, 0);
	cache_file_version(file, &version);
	assert_int_equal(version.size_bytes, BIG);
	cache_close(file);
}

static void in_memory_small_ones_are_kept(void **state)
{
	struct fetch_version version;

	(void)state;
	kept_and_read("/small", SMALL, NOW_S, COARSE);
	kept_and_read("/mib", MIB, NOW_S, COARSE);
	/* Large ones would push out what others read. */
	version = put("/big", BIG, NOW_S, COARSE);
	keep("/big", &version, 1, 0);
	assert_int_equal(taken_blocks(), 0);
}

struct worker {
	pthread_t thread;
	unsigned number;
};

static void *work(void *arg)
{
	const struct worker *worker = arg;
	char path[64];

	for (unsigned i = 0; i < 20; i++) {
		struct fetch_version version =
		    fake_file(SMALL + 70000 * (i % 3), NOW_S, "").version;
		struct source source = {
		    .content = 1, .size_bytes = version.size_bytes};

		(void)snprintf(
		    path, sizeof(path), "/d/%u-%u", worker->number, i);
		cache_note_file(bed.cache, path, &version, i + 1);
		cache_keep(bed.cache, path, &version, give, &source);
		if (i % 4 == 0)
			cache_note_gone(bed.cache, path);
		if (i % 4 == 1)
			cache_note_moved(bed.cache, path, "/d/moved");
		if (i % 7 == 0)
			cache_note_doubt(bed.cache, "/d/other");
	}
	return NULL;
}

static void from_many_threads(void **state)
{
	struct worker workers[4];
	static struct bed_answer answer;

	(void)state;
	cache_note_directory(bed.cache, "/d");
	for (unsigned i = 0; i < 4; i++) {
		workers[i].number = i;
		assert_int_equal(
		    pthread_create(&workers[i].thread, NULL, work, &workers[i]),
		    0);
	}
	for (unsigned i = 0; i < 200; i++) {
		bed_list(&bed, "/d", &answer);
		if (answer.count > 0)
			cache_listing_put(answer.listing);
		else
			break;
		bed_lookup(&bed, "/d/moved", &answer);
	}
	for (unsigned i = 0; i < 4; i++)
		(void)pthread_join(workers[i].thread, NULL);
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, begin, end)
	const struct CMUnitTest tests[] = {
	    TEST(what_was_written_is_read_without_a_request),
	    TEST(large_ones_too),
	    TEST(after_many_others),
	    TEST(a_fine_one_is_found_by_later_mounts),
	    TEST(what_cannot_be_read_is_fetched),
	    TEST(another_version_is_not_kept),
	    TEST(one_that_looks_the_same_is_told_apart),
	    TEST(who_has_the_old_one_open_reads_what_is_here),
	    TEST(what_was_kept_moves_along),
	    TEST(open_files_follow_their_directory),
	    cmocka_unit_test_setup_teardown(
	        in_memory_small_ones_are_kept, begin_in_memory, end),
	    TEST(from_many_threads),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
