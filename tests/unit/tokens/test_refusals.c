/* SPDX-License-Identifier: Apache-2.0 */
/* Which refusals are told, and which are only counted. */
#include "tokens/refusals.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

static struct refusals refusals;
static uint64_t untold;

static int begin(void **state)
{
	(void)state;
	refusals = (struct refusals){.oldest = 0};
	untold = 99;
	return 0;
}

static void each_path_and_errno_is_told_once(void **state)
{
	(void)state;
	assert_true(refusals_tell(&refusals, "/a", -EACCES, 5, &untold));
	assert_int_equal(untold, 0);
	assert_false(refusals_tell(&refusals, "/a", -EACCES, 6, &untold));
	assert_true(refusals_tell(&refusals, "/b", -EACCES, 6, &untold));
	assert_true(refusals_tell(&refusals, "/a", -EKEYREJECTED, 6, &untold));
	assert_false(refusals_tell(&refusals, "/a", -EACCES, 7, &untold));
}

static void the_same_one_is_told_again_after_a_while(void **state)
{
	uint64_t again_ms = 5 + (uint64_t)REFUSALS_AGAIN_MS;

	(void)state;
	assert_true(refusals_tell(&refusals, "/a", -EACCES, 5, &untold));
	assert_false(
	    refusals_tell(&refusals, "/a", -EACCES, again_ms - 1, &untold));
	assert_true(refusals_tell(&refusals, "/a", -EACCES, again_ms, &untold));
	assert_false(
	    refusals_tell(&refusals, "/a", -EACCES, again_ms + 1, &untold));
}

static void a_burst_is_bounded_and_the_rest_counted(void **state)
{
	unsigned told = 0;
	char path[32];

	(void)state;
	for (unsigned i = 0; i < 1000; i++) {
		(void)snprintf(path, sizeof(path), "/dir/%u", i);
		told += refusals_tell(&refusals, path, -EACCES, 9, &untold);
	}
	assert_int_equal(told, REFUSALS_BURST);
	assert_true(refusals_tell(&refusals, "/later", -EACCES,
	    9 + (uint64_t)REFUSALS_BURST_MS, &untold));
	assert_int_equal(untold, 1000 - REFUSALS_BURST);
	assert_true(refusals_tell(&refusals, "/next", -EACCES,
	    9 + (uint64_t)REFUSALS_BURST_MS, &untold));
	assert_int_equal(untold, 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test_setup(each_path_and_errno_is_told_once, begin),
	    cmocka_unit_test_setup(
	        the_same_one_is_told_again_after_a_while, begin),
	    cmocka_unit_test_setup(
	        a_burst_is_bounded_and_the_rest_counted, begin),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
