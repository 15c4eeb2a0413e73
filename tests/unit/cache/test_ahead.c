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

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, begin, end)
	const struct CMUnitTest tests[] = {
	    TEST(a_reader_pulls_what_is_ahead_forward),
	    TEST(what_has_come_is_not_hurried),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
