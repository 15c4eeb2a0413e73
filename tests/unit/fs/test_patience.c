/* SPDX-License-Identifier: Apache-2.0 */
/*
 * tests/unit/fs/test_patience.c - the thread stays awake for a program that
 * asks again and again, and for nobody else.
 */
#include "base/attr.h"
#include "fs/patience.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

/* A gap of so long. @return whether its begin was looked through. */
static bool wait_for(struct patience *patience, uint64_t gap_us)
{
	bool looks = patience_looks(patience, 1000);

	/* And no longer than that. */
	assert_false(patience_looks(patience, 1000 + PATIENCE_US_MAX));
	patience_ends(patience, 1000 + gap_us);
	return looks;
}

static void wait_often(
    struct patience *patience, unsigned count, uint64_t gap_us)
{
	for (unsigned i = 0; i < count; i++)
		(void)wait_for(patience, gap_us);
}

static void it_comes_with_quick_requests_in_a_row(void **state)
{
	struct patience patience;

	(void)state;
	patience_init(&patience, 2);
	for (unsigned i = 0; i < PATIENCE_QUICK_MIN; i++)
		assert_false(wait_for(&patience, PATIENCE_US_MAX));
	for (unsigned i = 0; i < 1000; i++)
		assert_true(wait_for(&patience, 0));
	assert_true(patience_looks(&patience, 1000));
	assert_true(patience_looks(&patience, 1000 + PATIENCE_US_MAX - 1));
}

static void one_slow_gap_ends_it(void **state)
{
	struct patience patience;

	(void)state;
	patience_init(&patience, 2);
	wait_often(&patience, 1000, 1);
	assert_true(wait_for(&patience, PATIENCE_US_MAX + 1));
	for (unsigned i = 0; i < PATIENCE_QUICK_MIN; i++)
		assert_false(wait_for(&patience, 1));
	assert_true(wait_for(&patience, 1));
}

/* Large blocks: two quick requests, then a long wait for the bytes. */
static void a_reader_of_large_blocks_never_meets_it(void **state)
{
	struct patience patience;

	(void)state;
	patience_init(&patience, 8);
	for (unsigned i = 0; i < 1000; i++) {
		assert_false(wait_for(&patience, 20));
		assert_false(wait_for(&patience, 20));
		assert_false(wait_for(&patience, 700));
	}
}

static void requests_without_a_gap_are_quick(void **state)
{
	struct patience patience;

	(void)state;
	patience_init(&patience, 2);
	for (unsigned i = 0; i < PATIENCE_QUICK_MIN; i++)
		patience_ends(&patience, 5000);
	assert_true(wait_for(&patience, 1));
}

static void a_gap_in_which_somebody_waits_tells_nothing(void **state)
{
	struct patience patience;

	(void)state;
	patience_init(&patience, 2);
	for (unsigned i = 0; i < 1000; i++) {
		patience_pauses(&patience);
		patience_ends(&patience, 5000);
	}
	assert_false(wait_for(&patience, 1));
	wait_often(&patience, 1000, 1);
	patience_pauses(&patience);
	patience_ends(&patience, UINT64_C(5000000));
	assert_true(wait_for(&patience, 1));
	/* One that was begun before somebody came to wait. */
	assert_true(patience_looks(&patience, 1000));
	patience_pauses(&patience);
	patience_ends(&patience, UINT64_C(5000000));
	assert_true(wait_for(&patience, 1));
}

static void one_processor_has_none(void **state)
{
	struct patience patience;

	(void)state;
	for (unsigned processors = 0; processors < 2; processors++) {
		patience_init(&patience, processors);
		wait_often(&patience, 1000, 1);
		assert_false(wait_for(&patience, 1));
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(it_comes_with_quick_requests_in_a_row),
	    cmocka_unit_test(one_slow_gap_ends_it),
	    cmocka_unit_test(a_reader_of_large_blocks_never_meets_it),
	    cmocka_unit_test(requests_without_a_gap_are_quick),
	    cmocka_unit_test(a_gap_in_which_somebody_waits_tells_nothing),
	    cmocka_unit_test(one_processor_has_none),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
