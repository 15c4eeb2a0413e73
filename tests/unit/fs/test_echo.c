/* SPDX-License-Identifier: Apache-2.0 */
/* fs/echo.h: a READ that the kernel asks for again is not waited for twice. */
#include "fs/echo.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

enum { NOW = 100000, PAGE = 4096, PIECE = 131072 };

static struct echo echo;

static int begin(void **state)
{
	(void)state;
	echo_init(&echo);
	return 0;
}

static int end(void **state)
{
	(void)state;
	echo_fini(&echo);
	return 0;
}

static void nothing_is_echoed_at_first(void **state)
{
	(void)state;
	assert_int_equal(echo_code(&echo, 0, 0), 0);
	assert_int_equal(echo_code(&echo, 0, NOW), 0);
}

static void what_waited_long_is_echoed_for_a_moment(void **state)
{
	(void)state;
	echo_note(&echo, PIECE, PIECE, -ETIMEDOUT, ECHO_AFTER_MS, NOW);
	assert_int_equal(echo_code(&echo, PIECE, NOW), -ETIMEDOUT);
	assert_int_equal(echo_code(&echo, 2 * PIECE - PAGE, NOW), -ETIMEDOUT);
	assert_int_equal(echo_code(&echo, PIECE - PAGE, NOW), 0);
	assert_int_equal(echo_code(&echo, 2 * PIECE, NOW), 0);
	assert_int_equal(
	    echo_code(&echo, PIECE, NOW + ECHO_FOR_MS - 1), -ETIMEDOUT);
	assert_int_equal(echo_code(&echo, PIECE, NOW + ECHO_FOR_MS), 0);
}

static void what_failed_at_once_is_asked_again(void **state)
{
	(void)state;
	echo_note(&echo, 0, PAGE, -EIO, ECHO_AFTER_MS - 1, NOW);
	assert_int_equal(echo_code(&echo, 0, NOW), 0);
}

static void what_fails_together_is_echoed_together(void **state)
{
	(void)state;
	echo_note(&echo, PIECE, PIECE, -ETIMEDOUT, 5000, NOW);
	echo_note(&echo, 2 * PIECE, PIECE, -EHOSTUNREACH, 5000, NOW + 1);
	echo_note(&echo, 0, PIECE, -EHOSTUNREACH, 5000, NOW + 2);
	for (unsigned i = 0; i < 3; i++)
		assert_int_equal(
		    echo_code(&echo, i * PIECE, NOW + 3), -EHOSTUNREACH);
	/* But not with what failed before. */
	echo_note(&echo, 0, PIECE, -EIO, 5000, NOW + 2 * ECHO_FOR_MS);
	assert_int_equal(echo_code(&echo, PIECE, NOW + 2 * ECHO_FOR_MS), 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test_setup_teardown(
	        nothing_is_echoed_at_first, begin, end),
	    cmocka_unit_test_setup_teardown(
	        what_waited_long_is_echoed_for_a_moment, begin, end),
	    cmocka_unit_test_setup_teardown(
	        what_failed_at_once_is_asked_again, begin, end),
	    cmocka_unit_test_setup_teardown(
	        what_fails_together_is_echoed_together, begin, end),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
