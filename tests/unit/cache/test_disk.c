/* SPDX-License-Identifier: Apache-2.0 */
/* Reads over a real store: what was kept comes from the disk, what is
 * damaged or missing comes from the server, and no thread is left behind. */
#include "base/stats.h"
#include "tests/unit/cache/bed.h"

#include <errno.h>
#include <fcntl.h>
#include <ftw.h>
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

enum { KIB = 1024, MIB = 1024 * 1024, FILE_BYTES = 8 * MIB + 777 };

static struct bed bed;

static int begin(void **state)
{
	(void)state;
	bed = (struct bed){0};
	bed_start(&bed, NULL, true);
	return 0;
}

static int end(void **state)
{
	(void)state;
	if (bed.cache != NULL)
		bed_end(&bed);
	bed_wipe(&bed);
	return 0;
}

static void right(const struct bed_answer *answer, size_t size_bytes)
{
	bed_wait(answer);
	assert_int_equal(answer->count, 1);
	assert_int_equal(answer->code, 0);
	assert_int_equal(answer->size_bytes, size_bytes);
}

static struct cache_file *open_it(void)
{
	return bed_open(&bed, "/a", FILE_BYTES, 1000, "\"x\"");
}

/* Read it all, fetching what is asked for. */
static void read_all(struct cache_file *file)
{
	static struct bed_answer answer;

	for (uint64_t at = 0; at < FILE_BYTES; at += MIB) {
		size_t size =
		    FILE_BYTES - at < MIB ? (size_t)(FILE_BYTES - at) : MIB;

		bed_read(&bed, file, at, size, &answer);
		while (atomic_load(&answer.count) == 0) {
			fake_finish_all("\"x\"");
			(void)usleep(1000);
		}
		right(&answer, size);
	}
	fake_finish_all("\"x\"");
}

/* A new process, as it were, on the same directory. */
static void restart(void)
{
	bed_end(&bed);
	bed_start(&bed, NULL, true);
}

static void what_was_read_once_comes_from_the_disk(void **state)
{
	struct cache_file *file = open_it();
	uint64_t hits;

	(void)state;
	read_all(file);
	cache_close(file);
	restart();
	hits = stats_get(STATS_cache_disk_hits);
	file = open_it();
	read_all(file);
	cache_close(file);
	assert_int_equal(fake_ranges(), 0);
	assert_true(
	    stats_get(STATS_cache_disk_hits) - hits >= FILE_BYTES / (64 * KIB));
}

static void the_disk_is_asked_when_a_file_is_read(void **state)
{
	static struct bed_answer answer;
	struct cache_file *file = open_it();

	(void)state;
	(void)usleep(10000);
	assert_int_equal(file->object->disk, OBJECT_DISK_UNASKED);
	bed_read(&bed, file, 0, 100, &answer);
	bed_wait_ranges(1);
	assert_int_equal(file->object->disk, OBJECT_DISK_OPEN);
	fake_finish_all("\"x\"");
	right(&answer, 100);
	cache_close(file);
}

static unsigned count_objects(void)
{
	unsigned count;

	cache_enter(bed.cache);
	count = (unsigned)bed.cache->objects.count;
	cache_exit(bed.cache);
	return count;
}

/* As it is where the kernel has the bytes. */
static void files_that_are_opened_and_not_read_push_nothing_out(void **state)
{
	static struct bed_answer answer;
	struct cache_file *file = open_it();
	struct object *read = file->object;

	(void)state;
	bed_read(&bed, file, 0, 100, &answer);
	bed_wait_ranges(1);
	fake_finish_all("\"x\"");
	right(&answer, 100);
	cache_close(file);
	for (unsigned i = 0; i < 20; i++) {
		char path[16];

		(void)snprintf(path, sizeof(path), "/b%u", i);
		cache_close(bed_open(&bed, path, FILE_BYTES, 1000, "\"x\""));
		assert_int_equal(count_objects(), 1);
	}
	file = open_it();
	assert_ptr_equal(file->object, read);
	cache_close(file);
}

static void small_reads_of_any_place_come_from_the_disk(void **state)
{
	static struct bed_answer answer;
	struct cache_file *file = open_it();

	(void)state;
	read_all(file);
	cache_close(file);
	restart();
	file = open_it();
	for (unsigned i = 0; i < 300; i++) {
		uint64_t at = (uint64_t)i * 7919 * 13 % (FILE_BYTES - 5000);
		size_t size = 1 + i * 37 % 5000;

		bed_read(&bed, file, at, size, &answer);
		right(&answer, size);
	}
	assert_int_equal(fake_ranges(), 0);
	cache_close(file);
}

static void what_is_missing_is_fetched_and_nothing_else(void **state)
{
	static struct bed_answer answer;
	struct cache_file *file = open_it();
	uint64_t fetched = 0;

	(void)state;
	/* Blocks 40 to 43 and nothing else. */
	bed_read(&bed, file, 40 * 64 * KIB, 256 * KIB, &answer);
	bed_wait_ranges(1);
	fake_finish_all("\"x\"");
	right(&answer, 256 * KIB);
	cache_close(file);
	restart();
	file = open_it();
	bed_read(&bed, file, 38 * 64 * KIB, 512 * KIB, &answer);
	bed_wait_ranges(2);
	fake_finish_all("\"x\"");
	right(&answer, 512 * KIB);
	for (unsigned i = 0; i < fake_ranges(); i++)
		fetched += fake.range[i].length_bytes;
	assert_int_equal(fetched, 256 * KIB);
	assert_int_equal(fake_ranges(), 2);
	cache_close(file);
}

static int flip_one(
    const char *path, const struct stat *stat, int kind, struct FTW *place)
{
	int fd;
	char byte;

	(void)place;
	if (kind != FTW_F || strstr(path, "/packs/") == NULL)
		return 0;
	fd = open(path, O_RDWR | O_CLOEXEC);
	assert_true(fd >= 0);
	for (off_t at = 100; at < stat->st_size; at += 4096) {
		assert_int_equal(pread(fd, &byte, 1, at), 1);
		byte = (char)(byte ^ 4);
		assert_int_equal(pwrite(fd, &byte, 1, at), 1);
	}
	(void)close(fd);
	return 0;
}

static void damaged_blocks_are_fetched_again(void **state)
{
	static struct bed_answer answer;
	struct cache_file *file = open_it();

	(void)state;
	read_all(file);
	cache_close(file);
	bed_end(&bed);
	(void)nftw(bed.dir, flip_one, 16, FTW_PHYS);
	bed_start(&bed, NULL, true);
	file = open_it();
	bed_read(&bed, file, 5 * MIB + 100, 4096, &answer);
	bed_wait_ranges(1);
	fake_finish_all("\"x\"");
	right(&answer, 4096);
	read_all(file);
	assert_true(fake_ranges() > 1);
	cache_close(file);
}

static void another_version_does_not_see_the_blocks_of_the_first(void **state)
{
	static struct bed_answer answer;
	struct cache_file *file = open_it();

	(void)state;
	read_all(file);
	cache_close(file);
	restart();
	fake.content = 1;
	file = bed_open(&bed, "/a", FILE_BYTES, 1001, "\"x\"");
	bed_read(&bed, file, 5 * MIB, 4096, &answer);
	bed_wait_ranges(1);
	fake_finish_all("\"x\"");
	right(&answer, 4096);
	cache_close(file);
}

static void a_young_version_never_reaches_the_disk(void **state)
{
	static struct bed_answer answer;
	uint64_t kept = stats_get(STATS_cache_kept_blocks);
	struct cache_file *file = bed_open(&bed, "/a", FILE_BYTES,
	    (int64_t)atomic_load(&bed.clock.wall_s) - 1, "\"x\"");

	(void)state;
	bed_read(&bed, file, 5 * MIB, 4096, &answer);
	fake_finish_all("\"x\"");
	right(&answer, 4096);
	cache_close(file);
	bed_end(&bed);
	assert_int_equal(stats_get(STATS_cache_kept_blocks), kept);
}

static void a_block_evicted_from_memory_comes_back_from_the_disk(void **state)
{
	static struct bed_answer answer;
	struct cache_file *file;

	(void)state;
	bed_end(&bed);
	bed_start(&bed,
	    &(struct cache_limits){.pool_blocks = 40,
	        .meta_bytes = MIB,
	        .idle_objects = 4,
	        .writer_blocks = 8},
	    true);
	file = open_it();
	for (unsigned round = 0; round < 3; round++)
		for (unsigned i = 0; i < 60; i++) {
			uint64_t at = (uint64_t)(i * 37 % 120) * 64 * KIB;

			bed_read(&bed, file, at + 60, 20000, &answer);
			while (atomic_load(&answer.count) == 0) {
				fake_finish_all("\"x\"");
				(void)usleep(200);
			}
			right(&answer, 20000);
		}
	cache_close(file);
}

static void stopping_with_jobs_on_the_disk_answers_every_read(void **state)
{
	static struct bed_answer answer[64];
	struct cache_file *file = open_it();

	(void)state;
	read_all(file);
	cache_close(file);
	restart();
	file = open_it();
	for (unsigned i = 0; i < 64; i++)
		bed_read(&bed, file, (uint64_t)(i * 29 % 64) * 128 * KIB,
		    100 * KIB, &answer[i]);
	fake_stop();
	cache_stop(bed.cache);
	for (unsigned i = 0; i < 64; i++) {
		assert_int_equal(answer[i].count, 1);
		assert_true(
		    answer[i].code == 0 || answer[i].code == -ECANCELED);
	}
	cache_close(file);
	cache_free(bed.cache);
	bed.cache = NULL;
}

static int make_cold(
    const char *path, const struct stat *stat, int kind, struct FTW *place)
{
	int fd = open(path, O_RDONLY | O_CLOEXEC);

	(void)stat;
	(void)place;
	if (kind == FTW_F && strstr(path, "/packs/") != NULL) {
		assert_int_equal(fsync(fd), 0);
		assert_int_equal(
		    posix_fadvise(fd, 0, 0, POSIX_FADV_DONTNEED), 0);
	}
	(void)close(fd);
	return 0;
}

/* What is asked of the disk without waiting, and what of its readers because
 * the file is not open yet; half of them while the other half is on its
 * way. */
static void stopping_with_cold_pages_on_their_way_answers_every_read(
    void **state)
{
	static struct bed_answer answer[128];
	struct cache_file *file = open_it();

	(void)state;
	read_all(file);
	cache_close(file);
	restart();
	(void)nftw(bed.dir, make_cold, 16, FTW_PHYS);
	file = open_it();
	for (unsigned i = 0; i < 128; i++) {
		uint64_t at = (uint64_t)(i * 29 % 128) * 64 * KIB + 5000;

		bed_read(&bed, file, at, 4096, &answer[i]);
		if (i == 63)
			for (unsigned k = 0; k <= i; k++)
				right(&answer[k], 4096);
	}
	fake_stop();
	cache_stop(bed.cache);
	for (unsigned i = 64; i < 128; i++) {
		assert_int_equal(answer[i].count, 1);
		assert_true(
		    answer[i].code == 0 || answer[i].code == -ECANCELED);
	}
	assert_int_equal(fake_ranges(), 0);
	cache_close(file);
	cache_free(bed.cache);
	bed.cache = NULL;
}

struct checker {
	pthread_t thread;
	struct cache_file *file;
	unsigned seed;
	unsigned wrong;
};

static void *read_at_random(void *arg)
{
	struct checker *reader = arg;
	uint64_t seed = reader->seed;

	for (unsigned i = 0; i < 300; i++) {
		struct bed_answer answer;
		uint64_t at;
		size_t size;

		seed = seed * UINT64_C(6364136223846793005) + 1;
		at = (seed >> 20) % (FILE_BYTES - 200000);
		size = 1 + (size_t)(seed >> 40) % (i % 3 == 0 ? 200000 : 4096);
		bed_read(&bed, reader->file, at, size, &answer);
		while (atomic_load(&answer.count) == 0)
			(void)usleep(100);
		reader->wrong += answer.code != 0 || answer.size_bytes != size;
	}
	return NULL;
}

static void many_readers_at_once_see_the_right_bytes(void **state)
{
	struct checker reader[4];
	bool running = true;
	struct cache_file *file = open_it();

	(void)state;
	for (unsigned i = 0; i < 4; i++) {
		reader[i] =
		    (struct checker){.file = file, .seed = 1 + i * 7777};
		assert_int_equal(pthread_create(&reader[i].thread, NULL,
		                     read_at_random, &reader[i]),
		    0);
	}
	for (unsigned i = 0; i < 4; i++)
		do {
			fake_finish_all("\"x\"");
			running =
			    pthread_tryjoin_np(reader[i].thread, NULL) != 0;
			(void)usleep(200);
		} while (running);
	for (unsigned i = 0; i < 4; i++)
		assert_int_equal(reader[i].wrong, 0);
	cache_close(file);
}

static void told(void *arg, int code, const struct cache_facts *facts)
{
	struct bed_answer *answer = arg;

	answer->code = code;
	if (facts != NULL)
		answer->facts = *facts;
	(void)atomic_fetch_add(&answer->count, 1);
}

static void facts_tell_how_much_is_cached(void **state)
{
	static struct bed_answer answer;
	struct cache_file *file = open_it();

	(void)state;
	read_all(file);
	cache_close(file);
	restart();
	file = open_it();
	cache_facts(bed.cache, &bed.ident, "/a", told, &answer);
	bed_wait(&answer);
	assert_int_equal(answer.code, 0);
	assert_int_equal(answer.facts.cached_percent, 100);
	assert_string_equal(answer.facts.etag, "\"x\"");
	assert_string_equal(answer.facts.freshness, "fresh");
	assert_string_equal(answer.facts.server, "https://origin.example");
	cache_close(file);
}

static void a_cache_describes_itself(void **state)
{
	struct buf out;

	(void)state;
	buf_init(&out, 65536);
	assert_int_equal(cache_describe(bed.cache, &out), 0);
	assert_non_null(strstr(buf_text(&out), "\"memory_blocks\":0"));
	assert_non_null(strstr(buf_text(&out), bed.dir));
	buf_fini(&out);
	buf_init(&out, 65536);
	assert_int_equal(cache_describe_text(bed.cache, &out), 0);
	assert_non_null(strstr(buf_text(&out), bed.dir));
	assert_non_null(strstr(buf_text(&out), " MiB saved by equal blocks"));
	assert_non_null(strstr(buf_text(&out), " damaged blocks dropped"));
	buf_fini(&out);
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, begin, end)
	const struct CMUnitTest tests[] = {
	    TEST(what_was_read_once_comes_from_the_disk),
	    TEST(the_disk_is_asked_when_a_file_is_read),
	    TEST(files_that_are_opened_and_not_read_push_nothing_out),
	    TEST(small_reads_of_any_place_come_from_the_disk),
	    TEST(what_is_missing_is_fetched_and_nothing_else),
	    TEST(damaged_blocks_are_fetched_again),
	    TEST(another_version_does_not_see_the_blocks_of_the_first),
	    TEST(a_young_version_never_reaches_the_disk),
	    TEST(a_block_evicted_from_memory_comes_back_from_the_disk),
	    TEST(stopping_with_jobs_on_the_disk_answers_every_read),
	    TEST(stopping_with_cold_pages_on_their_way_answers_every_read),
	    TEST(many_readers_at_once_see_the_right_bytes),
	    TEST(facts_tell_how_much_is_cached),
	    TEST(a_cache_describes_itself),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
