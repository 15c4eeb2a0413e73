/* SPDX-License-Identifier: Apache-2.0 */
/*
 * tests/unit/cache/spool/test_ranges.c - ranges against a row of booleans.
 */
#include "cache/spool/ranges.h"
#include "cache/spool/spool.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

enum { BYTES = 64, STEPS = 20000 };

/* The first that begins there or behind, as one looks for it. */
static void check_next(const struct ranges *ranges, uint64_t at)
{
	struct range next;
	size_t i = 0;

	while (i < ranges->count && ranges->list[i].start < at)
		i++;
	assert_int_equal(ranges_next(ranges, at, &next), i < ranges->count);
	if (i < ranges->count) {
		assert_int_equal(next.start, ranges->list[i].start);
		assert_int_equal(next.end, ranges->list[i].end);
	}
}

static void check(const struct ranges *ranges, const bool *row)
{
	uint64_t count = 0;

	for (uint64_t at = 0; at < BYTES; at++) {
		uint64_t until;
		bool in = ranges_at(ranges, at, &until);

		assert_int_equal(in, row[at]);
		assert_true(until > at);
		for (uint64_t i = at; i < BYTES && i < until; i++)
			assert_int_equal(row[i], in);
		if (until < BYTES)
			assert_int_not_equal(row[until], in);
		count += row[at];
		check_next(ranges, at);
	}
	assert_int_equal(ranges_bytes(ranges), count);
	/* In order, none empty, none that touch. */
	for (size_t i = 0; i < ranges->count; i++) {
		assert_true(ranges->list[i].start < ranges->list[i].end);
		assert_true(
		    i == 0 || ranges->list[i - 1].end < ranges->list[i].start);
	}
}

static void ranges_are_what_a_row_of_booleans_says(void **state)
{
	struct ranges ranges = {.list = NULL};
	bool row[BYTES] = {false};

	(void)state;
	srandom(7);
	for (unsigned step = 0; step < STEPS; step++) {
		uint64_t start = (uint64_t)random() % BYTES;
		uint64_t end = start + (uint64_t)random() % 9;
		bool all = true;

		if (end > BYTES)
			end = BYTES;
		for (uint64_t i = start; i < end; i++)
			all = all && row[i];
		assert_int_equal(ranges_cover(&ranges, start, end), all);
		if (random() % 40 == 0) {
			ranges_cut(&ranges, start);
			memset(row + start, 0, BYTES - start);
		} else {
			assert_int_equal(ranges_reserve(&ranges), 0);
			ranges_add(&ranges, start, end);
			memset(row + start, 1, end - start);
		}
		check(&ranges, row);
	}
	ranges_fini(&ranges);
}

static void there_are_only_so_many(void **state)
{
	struct ranges ranges = {.list = NULL};

	(void)state;
	for (uint64_t i = 0; i < SPOOL_RANGES_MAX; i++) {
		assert_int_equal(ranges_reserve(&ranges), 0);
		ranges_add(&ranges, 2 * i, 2 * i + 1);
	}
	assert_int_equal(ranges.count, SPOOL_RANGES_MAX);
	assert_int_equal(ranges_reserve(&ranges), -ENOSPC);
	ranges_fini(&ranges);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(ranges_are_what_a_row_of_booleans_says),
	    cmocka_unit_test(there_are_only_so_many),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
