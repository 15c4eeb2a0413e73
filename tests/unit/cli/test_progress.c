/* SPDX-License-Identifier: Apache-2.0 */
/* tests/unit/cli/test_progress.c - the line of a bar: how much, how fast, how
 * long still; never wider than the terminal. */
#include <inttypes.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "cli/progress.h"

static const uint64_t mib = 1024 * 1024;

static const char *line(enum progress_unit unit, uint64_t done, uint64_t all,
    uint64_t now_ms, unsigned columns)
{
	static char out[PROGRESS_LINE_BYTES];
	const struct progress progress = {
	    .what = "check", .unit = unit, .began_ms = 1000};

	progress_line(out, &progress, done, all, now_ms, columns);
	return out;
}

static void a_share_is_shown_as_a_bar(void **state)
{
	(void)state;
	assert_string_equal(line(PROGRESS_PARTS, 1, 4, 1000, 80),
	    "check [##########..............................] 25 %");
	assert_string_equal(line(PROGRESS_PARTS, 0, 4, 1000, 30),
	    "check [................] 0 %");
	assert_string_equal(line(PROGRESS_PARTS, 4, 4, 1000, 30),
	    "check [##############] 100 %");
}

static void bytes_have_a_rate_and_a_time(void **state)
{
	(void)state;
	/* Not at once. */
	assert_string_equal(line(PROGRESS_BYTES, 10 * mib, 100 * mib, 1500, 60),
	    "check [##....................] 10 %  10.0 MiB of 100.0 MiB");
	assert_string_equal(line(PROGRESS_BYTES, 10 * mib, 100 * mib, 3000, 80),
	    "check [##..................] 10 %  10.0 MiB of 100.0 MiB, "
	    "5.0 MiB/s, 18 s left");
}

static void it_is_never_wider_than_the_terminal(void **state)
{
	(void)state;
	for (unsigned columns = 1; columns < 200; columns++) {
		for (uint64_t done = 0; done <= 1000; done += 100) {
			size_t length =
			    strlen(line(PROGRESS_BYTES, done * mib * mib,
			        1000 * mib * mib, 1000 + done * 1000, columns));

			assert_true(length < columns || length == 1);
		}
	}
}

static void odd_numbers_do_no_harm(void **state)
{
	(void)state;
	assert_non_null(strstr(line(PROGRESS_PARTS, 0, 0, 0, 80), "100 %"));
	assert_non_null(strstr(line(PROGRESS_PARTS, 5, 4, 0, 80), "100 %"));
	assert_non_null(strstr(line(PROGRESS_BYTES, 0, 9, 100000, 80), " 0 %"));
	assert_non_null(
	    strstr(line(PROGRESS_BYTES, 1, UINT64_MAX, 100000, 80), " 0 %"));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(a_share_is_shown_as_a_bar),
	    cmocka_unit_test(bytes_have_a_rate_and_a_time),
	    cmocka_unit_test(it_is_never_wider_than_the_terminal),
	    cmocka_unit_test(odd_numbers_do_no_harm),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
