/* SPDX-License-Identifier: Apache-2.0 */
/* What reading costs in bytes and requests, by how a file is read: never much
 * more than what is read. cache/ahead/budget.h has the rule, test_budget its
 * arithmetic; here it is seen that all that is fetched keeps to it. */
#include "base/stats.h"
#include "tests/unit/cache/bed.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

enum { KIB = 1024, MIB = 1024 * 1024, BLOCK = 64 * KIB, APART_BLOCKS = 64 };

#define FILE_BYTES (UINT64_C(4) << 30)

static struct bed bed;

static int begin(void **state)
{
	(void)state;
	bed = (struct bed){0};
	bed_start(&bed, NULL, false);
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

static struct cache_file *open_large(void)
{
	return bed_open(&bed, "/a", FILE_BYTES, 1000, "\"x\"");
}

/* Read, and let all come that was asked for. */
static void get(struct cache_file *file, uint64_t offset_bytes, size_t size)
{
	static struct bed_answer answer;

	bed_read(&bed, file, offset_bytes, size, &answer);
	fake_finish_all("\"x\"");
	bed_wait(&answer);
	assert_int_equal(answer.code, 0);
	assert_int_equal(answer.size_bytes, size);
}

static uint64_t fetched(void)
{
	uint64_t bytes = 0;

	for (unsigned i = 0; i < fake.range_count; i++)
		bytes += fake.range[i].length_bytes;
	return bytes;
}

static void leave_to_all(int64_t bytes)
{
	cache_enter(bed.cache);
	bed.cache->budget.left_bytes = bytes;
	cache_exit(bed.cache);
}

static uint64_t draw(void)
{
	static uint64_t seed = 5;

	seed = seed * UINT64_C(6364136223846793005) + 1442695040888963407;
	return seed >> 20;
}

static void random_blocks_cost_what_they_are(void **state)
{
	struct cache_file *file = open_large();

	(void)state;
	for (unsigned i = 0; i < 1000; i++)
		get(file, draw() % (FILE_BYTES / BLOCK) * BLOCK, BLOCK);
	assert_true(fake.range_count <= 1000);
	assert_true(fetched() <= 1000 * BLOCK);
	cache_close(file);
}

static void two_pages_here_and_two_there_stay_within_the_budget(void **state)
{
	struct cache_file *file = open_large();

	(void)state;
	/* Each pair looks like the begin of a stream: without a budget each
	 * would cost 256 KiB. */
	for (unsigned i = 0; i < 500; i++) {
		uint64_t at = draw() % (FILE_BYTES / BLOCK - 1) * BLOCK;

		get(file, at, 4 * KIB);
		get(file, at + 4 * KIB, 4 * KIB);
	}
	assert_true(fetched() <= 500 * BLOCK + BUDGET_FILE_BYTES);
	assert_true(fetched() > 500 * BLOCK); /* it was spent, though */
	cache_close(file);
}

static void equal_steps_cost_what_is_read_and_one_round_too_much(void **state)
{
	struct cache_file *file = open_large();

	(void)state;
	for (unsigned i = 0; i < 500; i++)
		get(file, i * 320 * (uint64_t)KIB, BLOCK);
	assert_true(fetched() <= (500 + STREAM_STRIDES_MAX) * BLOCK);
	cache_close(file);
}

static void every_other_block_costs_twice(void **state)
{
	struct cache_file *file = open_large();

	(void)state;
	for (unsigned i = 0; i < 500; i++)
		get(file, i * 2 * (uint64_t)BLOCK, BLOCK);
	/* In long ranges, what lies between with them. */
	assert_true(fetched() <= 2 * 500 * BLOCK + BUDGET_FILE_BYTES);
	assert_true(fake.range_count <= 500 / 8);
	cache_close(file);
}

static void a_page_of_every_other_block_is_joined_while_it_is_paid(void **state)
{
	struct cache_file *file = open_large();
	uint64_t wanted = (500 + STREAM_STRIDES_MAX) * BLOCK;

	(void)state;
	for (unsigned i = 0; i < 500; i++)
		get(file, i * 2 * (uint64_t)BLOCK, 4 * KIB);
	assert_true(fetched() > wanted);
	assert_true(fetched() <= wanted + BUDGET_FILE_BYTES);
	cache_close(file);
}

/* Half of what a branch of a tree is: baskets in order, each a while from
 * the last. */
static void baskets_in_order_cost_twice_at_most(void **state)
{
	struct cache_file *file = open_large();
	uint64_t at = 64 * MIB;
	uint64_t used = 0;

	(void)state;
	for (unsigned i = 0; i < 1000; i++) {
		uint64_t size = 8 * KIB + draw() % (24 * KIB);

		get(file, at, size);
		used += size;
		at += size + draw() % (16 * KIB);
	}
	assert_true(fetched() <= 2 * used);
	assert_true(fake.range_count <= 250);
	cache_close(file);
}

static void four_streams_in_one_file_cost_what_they_read(void **state)
{
	struct cache_file *file = open_large();
	uint64_t used = 0;

	(void)state;
	for (uint64_t at = 0; at < 8 * MIB; at += 128 * KIB)
		for (uint64_t k = 0; k < 4; k++) {
			get(file, k * 900 * MIB + at, 128 * KIB);
			used += 128 * KIB;
		}
	assert_true(fetched() <= 2 * used);
	assert_true(fake.range_count <= used / (512 * KIB));
	cache_close(file);
}

static void a_header_and_a_footer_are_two_blocks(void **state)
{
	struct cache_file *file = open_large();

	(void)state;
	get(file, 0, 4 * KIB);
	get(file, FILE_BYTES - 4 * KIB, 4 * KIB);
	get(file, FILE_BYTES - 20 * KIB, 8 * KIB);
	assert_int_equal(fetched(), 2 * BLOCK);
	cache_close(file);
}

static void begins_of_many_files_spend_what_the_mount_has(void **state)
{
	enum { FILES = 400 };

	(void)state;
	for (unsigned i = 0; i < FILES; i++) {
		struct cache_file *file;
		char path[16];

		(void)snprintf(path, sizeof(path), "/%u", i);
		file = bed_open(&bed, path, 100 * (uint64_t)MIB, 1000, "\"x\"");
		/* As large as a read of one who reads on. */
		get(file, 0, 128 * KIB);
		cache_close(file);
	}
	assert_true(
	    fetched() <= 2 * (uint64_t)FILES * 128 * KIB + BUDGET_MOUNT_BYTES);
	assert_true(stats_get(STATS_cache_ahead_refused) > 0);
}

static void who_reads_on_earns_what_is_fetched_ahead(void **state)
{
	struct cache_file *file = open_large();

	(void)state;
	leave_to_all(0); /* others have spent it */
	for (uint64_t at = 0; at < 64 * MIB; at += 128 * KIB)
		get(file, at, 128 * KIB);
	/* Long ranges, soon. */
	assert_true(fake.range_count <= 64 + 16);
	assert_true(fetched() <= 2 * 64 * (uint64_t)MIB);
	cache_close(file);
}

static void what_readers_wait_for_is_never_refused(void **state)
{
	static struct bed_answer answer;
	struct cache_file *file = open_large();

	(void)state;
	leave_to_all(0);
	bed_read(&bed, file, 100 * MIB, MIB, &answer);
	assert_int_equal(fetched(), MIB);
	fake_finish_all("\"x\"");
	assert_int_equal(answer.count, 1);
	assert_int_equal(answer.code, 0);
	cache_close(file);
}

static void a_gap_is_asked_around_when_there_is_no_budget(void **state)
{
	struct cache_file *file = open_large();
	unsigned before;

	(void)state;
	for (int spent = 0; spent < 2; spent++) {
		uint64_t at = (uint64_t)(spent * 300 + 100) * MIB;

		leave_to_all(spent ? 0 : BUDGET_MOUNT_BYTES);
		get(file, at + BLOCK, 4 * KIB);
		before = fake.range_count;
		get(file, at, 3 * BLOCK);
		assert_int_equal(fake.range_count - before, spent ? 2 : 1);
		/* What that read has earned, and has paid. */
		assert_int_equal(file->object->budget.balance_bytes,
		    (spent ? 3 : 2) * BLOCK);
		file->object->budget.balance_bytes = 0;
	}
	cache_close(file);
}

static void what_does_not_come_is_given_back(void **state)
{
	static struct bed_answer answer;
	struct cache_file *file = open_large();
	unsigned ahead;

	(void)state;
	get(file, 10 * MIB, 4 * KIB);
	bed_read(&bed, file, 10 * MIB + 4 * KIB, 4 * KIB, &answer);
	ahead = fake.range_count - 1;
	assert_false(fake.range[ahead].demand);
	assert_int_equal(file->object->budget.balance_bytes,
	    -(int64_t)fake.range[ahead].length_bytes);
	assert_int_equal(fake_begin(ahead, "\"x\""), 0);
	fake_send(ahead, BLOCK + 1000);
	fake_done(ahead, -EHOSTUNREACH);
	assert_int_equal(file->object->budget.balance_bytes, -BLOCK - 1000);
	cache_close(file);
}

/* What the disk may have is looked for; what it does not have is a guess. */
static void guesses_that_the_disk_does_not_have_need_budget_too(void **state)
{
	static struct bed_answer answer;
	struct cache_file *file;

	(void)state;
	bed_end(&bed);
	bed_start(&bed, NULL, true);
	file = bed_open(&bed, "/a", 40 * (uint64_t)MIB, 1000, "\"x\"");
	bed_read(&bed, file, 30 * MIB, BLOCK, &answer);
	bed_wait_ranges(1);
	fake_finish_all("\"x\"");
	bed_wait(&answer);
	cache_close(file);
	bed_end(&bed);
	/* Another mount finds a file of which it has to ask the disk. */
	bed_start(&bed, NULL, true);
	leave_to_all(0);
	file = bed_open(&bed, "/a", 40 * (uint64_t)MIB, 1000, "\"x\"");
	bed_read(&bed, file, 0, 128 * KIB, &answer);
	bed_wait_ranges(1);
	assert_int_equal(fake.range[0].length_bytes, 128 * KIB);
	fake_finish_all("\"x\"");
	bed_wait(&answer);
	assert_int_equal(answer.code, 0);
	cache_close(file);
	bed_end(&bed);
}

/* Read the first pages of blocks that stand apart, some more than the pool
 * has. */
static void read_apart(struct cache_file *file, size_t size_bytes)
{
	static struct bed_answer answer;

	for (uint64_t i = 0; i < APART_BLOCKS; i++) {
		/* No stream, no equal steps. */
		bed_read(
		    &bed, file, (i * 8 + i % 3) * BLOCK, size_bytes, &answer);
		while (atomic_load(&answer.count) == 0) {
			fake_finish_all("\"x\"");
			(void)usleep(100);
		}
		assert_int_equal(answer.code, 0);
	}
}

static void a_page_counts_once_wherever_its_block_is(void **state)
{
	static const struct cache_limits tiny = {.pool_blocks = 32,
	    .meta_bytes = 1024 * 1024,
	    .idle_objects = 4,
	    .writer_blocks = 160};
	uint64_t used = stats_get(STATS_cache_used_bytes);
	uint64_t kept = stats_get(STATS_cache_kept_blocks);
	struct cache_file *file;

	(void)state;
	bed_end(&bed);
	bed_start(&bed, &tiny, true);
	file = bed_open(&bed, "/a", 40 * (uint64_t)MIB, 1000, "\"x\"");
	read_apart(file, 4 * KIB);
	for (unsigned i = 0; i < 60000 &&
	     stats_get(STATS_cache_kept_blocks) - kept < APART_BLOCKS;
	     i++)
		(void)usleep(1000);
	/* The pages behind come from the disk, those in front once more. */
	read_apart(file, 8 * KIB);
	assert_int_equal(fake_ranges(), APART_BLOCKS);
	assert_int_equal(
	    file->object->budget.used_bytes, APART_BLOCKS * 8 * KIB);
	assert_int_equal(
	    stats_get(STATS_cache_used_bytes) - used, APART_BLOCKS * 8 * KIB);
	cache_close(file);
}

static void status_shows_the_files_that_cost_most(void **state)
{
	struct cache_file *file = open_large();
	struct buf out;

	(void)state;
	for (unsigned i = 0; i < 32; i++)
		get(file, (uint64_t)(i * i + 8 * i + 5) * MIB, 4 * KIB);
	buf_init(&out, 100000);
	assert_int_equal(cache_describe(bed.cache, &out), 0);
	assert_non_null(strstr(buf_text(&out),
	    "\"files\":[{\"path\":\"/a\",\"fetched_bytes\":2097152,"
	    "\"used_bytes\":131072,\"budget_bytes\":0,"
	    "\"amplification\":16.00}]"));
	buf_clear(&out);
	assert_int_equal(cache_describe_text(bed.cache, &out), 0);
	assert_non_null(
	    strstr(buf_text(&out), "cache: 2 MiB fetched, 0 read of /a\n"));
	buf_fini(&out);
	cache_close(file);
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, begin, end)
	const struct CMUnitTest tests[] = {
	    TEST(random_blocks_cost_what_they_are),
	    TEST(two_pages_here_and_two_there_stay_within_the_budget),
	    TEST(equal_steps_cost_what_is_read_and_one_round_too_much),
	    TEST(every_other_block_costs_twice),
	    TEST(a_page_of_every_other_block_is_joined_while_it_is_paid),
	    TEST(baskets_in_order_cost_twice_at_most),
	    TEST(four_streams_in_one_file_cost_what_they_read),
	    TEST(a_header_and_a_footer_are_two_blocks),
	    TEST(begins_of_many_files_spend_what_the_mount_has),
	    TEST(who_reads_on_earns_what_is_fetched_ahead),
	    TEST(what_readers_wait_for_is_never_refused),
	    TEST(a_gap_is_asked_around_when_there_is_no_budget),
	    TEST(what_does_not_come_is_given_back),
	    TEST(guesses_that_the_disk_does_not_have_need_budget_too),
	    TEST(a_page_counts_once_wherever_its_block_is),
	    TEST(status_shows_the_files_that_cost_most),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
