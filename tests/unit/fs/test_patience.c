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

static void wait_often(
    struct patience *patience, unsigned count, uint64_t waited_us)
{
	for (unsigned i = 0; i < count; i++)
		patience_waited(patience, waited_us);
}

static void it_comes_with_quick_requests_in_a_row(void **state)
{
	struct patience patience;

	(void)state;
	patience_init(&patience, 2);
	for (unsigned i = 0; i < PATIENCE_QUICK_MIN; i++) {
		assert_int_equal(patience_us(&patience), 0);
		patience_waited(&patience, PATIENCE_US_MAX);
	}
	assert_int_equal(patience_us(&patience), PATIENCE_US_MAX);
	wait_often(&patience, 1000, 0);
	assert_int_equal(patience_us(&patience), PATIENCE_US_MAX);
}

static void one_slow_gap_ends_it(void **state)
{
	struct patience patience;

	(void)state;
	patience_init(&patience, 2);
	wait_often(&patience, 1000, 1);
	patience_waited(&patience, PATIENCE_US_MAX + 1);
	assert_int_equal(patience_us(&patience), 0);
	wait_often(&patience, PATIENCE_QUICK_MIN - 1, 1);
	assert_int_equal(patience_us(&patience), 0);
	patience_waited(&patience, 1);
	assert_int_equal(patience_us(&patience), PATIENCE_US_MAX);
}

/* Large blocks: two quick requests, then a long wait for the bytes. */
static void a_reader_of_large_blocks_never_meets_it(void **state)
{
	struct patience patience;

	(void)state;
	patience_init(&patience, 8);
	for (unsigned i = 0; i < 1000; i++) {
		wait_often(&patience, 2, 20);
		assert_int_equal(patience_us(&patience), 0);
		patience_waited(&patience, 700);
	}
}

static void one_processor_has_none(void **state)
{
	struct patience patience;

	(void)state;
	for (unsigned processors = 0; processors < 2; processors++) {
		patience_init(&patience, processors);
		wait_often(&patience, 1000, 1);
		assert_int_equal(patience_us(&patience), 0);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(it_comes_with_quick_requests_in_a_row),
	    cmocka_unit_test(one_slow_gap_ends_it),
	    cmocka_unit_test(a_reader_of_large_blocks_never_meets_it),
	    cmocka_unit_test(one_processor_has_none),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
