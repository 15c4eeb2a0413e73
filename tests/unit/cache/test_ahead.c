/* SPDX-License-Identifier: Apache-2.0 */
/* What is fetched before it is asked for, and who goes first. */
#include "tests/unit/cache/bed.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

enum { KIB = 1024, MIB = 1024 * 1024 };

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
	return 0;
}

static struct cache_file *open_large(void)
{
	return bed_open(&bed, "/a", 100 * (uint64_t)MIB, 1000, "\"x\"");
}

/* Read 8 KiB at 10 MiB in order; the range that this has fetched ahead. */
static unsigned start_stream(struct cache_file *file)
{
	static struct bed_answer answer;

	bed_read(&bed, file, 10 * MIB, 4096, &answer);
	fake_finish_all("\"x\"");
	bed_read(&bed, file, 10 * MIB + 4096, 4096, &answer);
	assert_int_equal(answer.count, 1);
	for (unsigned i = 0; i < fake.range_count; i++)
		if (!fake.range[i].done && !fake.range[i].demand)
			return i;
	fail_msg("nothing was fetched ahead");
	return 0;
}

static void a_reader_pulls_what_is_ahead_forward(void **state)
{
	static struct bed_answer answer[2];
	struct cache_file *file = open_large();
	unsigned ahead = start_stream(file);

	(void)state;
	assert_false(fake.range[ahead].hurried);
	bed_read(
	    &bed, file, fake.range[ahead].offset_bytes + 5, 100, &answer[0]);
	assert_true(fake.range[ahead].hurried);
	/* Once is enough. */
	fake.range[ahead].hurried = false;
	bed_read(&bed, file, fake.range[ahead].offset_bytes + 70000, 100,
	    &answer[1]);
	assert_false(fake.range[ahead].hurried);
	fake_finish_all("\"x\"");
	assert_int_equal(answer[0].count, 1);
	assert_int_equal(answer[1].count, 1);
	cache_close(file);
}

static void who_skips_forward_finds_what_is_on_its_way(void **state)
{
	static struct bed_answer answer[2];
	struct cache_file *file = open_large();
	unsigned ahead = start_stream(file);
	unsigned count = fake.range_count;
	uint64_t at = fake.range[ahead].offset_bytes;

	(void)state;
	assert_int_equal(fake_begin(ahead, "\"x\""), 0);
	fake_send(ahead, 1000);
	/* A skip that is no part of the stream any more. */
	bed_read(&bed, file, at + 128 * KIB, 4096, &answer[0]);
	assert_int_equal(fake.range_count, count);
	assert_false(fake.range[ahead].cancelled);
	fake_send(ahead, fake.range[ahead].length_bytes - 1000);
	assert_int_equal(answer[0].count, 1);
	fake_done(ahead, 0);
	/* And what was skipped is there. */
	bed_read(&bed, file, at, 4096, &answer[1]);
	assert_int_equal(answer[1].count, 1);
	assert_int_equal(fake.range_count, count);
	cache_close(file);
}

static void what_has_come_is_not_hurried(void **state)
{
	static struct bed_answer answer;
	struct cache_file *file = open_large();
	unsigned ahead = start_stream(file);

	(void)state;
	assert_int_equal(fake_begin(ahead, "\"x\""), 0);
	fake_send(ahead, 64 * KIB);
	bed_read(&bed, file, fake.range[ahead].offset_bytes, 100, &answer);
	assert_int_equal(answer.count, 1);
	assert_false(fake.range[ahead].hurried);
	cache_close(file);
}

/* Let each range go on by `size_bytes`; how many are on their way. */
static unsigned go_on(uint64_t size_bytes)
{
	unsigned active = 0;

	for (unsigned i = 0; i < fake.range_count; i++) {
		struct fake_range *range = &fake.range[i];
		uint64_t left = range->length_bytes - range->sent_bytes;

		if (range->done)
			continue;
		if (range->sent_bytes == 0)
			assert_int_equal(fake_begin(i, "\"x\""), 0);
		fake_send(i, left < size_bytes ? left : size_bytes);
		if (left <= size_bytes)
			fake_done(i, 0);
		else
			active++;
	}
	return active;
}

/* Read a large file from its begin, each range coming at the same rate: how
 * many are fetched at once in the end. */
static unsigned lanes_of(uint64_t bytes_per_s)
{
	static struct bed_answer answer;
	uint64_t size = 4000 * (uint64_t)MIB;
	struct cache_file *file = bed_open(&bed, "/a", size, 1000, "\"x\"");
	uint64_t at = 0;
	unsigned active = 0;

	bed_read(&bed, file, at, MIB, &answer);
	for (unsigned round = 0; round < 100; round++) {
		active = go_on(bytes_per_s / 10);
		while (answer.count == 1 && at + 2 * MIB < size) {
			assert_int_equal(answer.code, 0);
			at += MIB;
			bed_read(&bed, file, at, MIB, &answer);
		}
		bed_pass(&bed, 100);
	}
	fake_finish_all("\"x\"");
	cache_close(file);
	return active;
}

static void where_each_range_is_slow_more_are_fetched_at_once(void **state)
{
	static const struct cache_limits roomy = {.pool_blocks = 1024,
	    .meta_bytes = 1024 * 1024,
	    .idle_objects = 4,
	    .writer_blocks = 160};

	(void)state;
	bed_end(&bed);
	bed_start(&bed, &roomy, false);
	/* However many there are. */
	assert_in_range(lanes_of(3 * MIB), 6, CLIMB_MAX + 1);
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, begin, end)
	const struct CMUnitTest tests[] = {
	    TEST(a_reader_pulls_what_is_ahead_forward),
	    TEST(who_skips_forward_finds_what_is_on_its_way),
	    TEST(what_has_come_is_not_hurried),
	    TEST(where_each_range_is_slow_more_are_fetched_at_once),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
