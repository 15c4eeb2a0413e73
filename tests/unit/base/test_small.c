/* SPDX-License-Identifier: Apache-2.0 */
/* Secrets, clocks and counters: small modules, one file. */
#include "base/clock.h"
#include "base/secret.h"
#include "base/stats.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

static void a_secret_is_a_copy_with_references(void **state)
{
	char text[] = "canary";
	struct secret *secret = secret_new(text, 6);
	struct secret *other = secret_new("canarY", 6);
	struct secret *shorter = secret_new("canar", 5);

	(void)state;
	assert_non_null(secret);
	secret_wipe(text, sizeof(text));
	assert_int_equal(text[0], 0);
	assert_string_equal(secret_reveal(secret), "canary");
	assert_int_equal(secret_size_bytes(secret), 6);
	assert_true(secret_equal(secret, secret));
	assert_false(secret_equal(secret, other));
	assert_false(secret_equal(secret, shorter));
	secret_put(secret_get(secret));
	assert_string_equal(secret_reveal(secret), "canary");
	secret_put(secret);
	secret_put(other);
	secret_put(shorter);
	secret_put(NULL);
}

static void a_hand_driven_clock_stands_still(void **state)
{
	struct clock clock = {.hand_driven = 1};
	char stamp[CLOCK_STAMP_BYTES];

	(void)state;
	atomic_store(&clock.monotonic_ms, 5);
	atomic_store(&clock.wall_s, 1795312187);
	assert_int_equal(clock_now_ms(&clock), 5);
	assert_int_equal(clock_wall_s(&clock), 1795312187);
	clock_stamp(stamp, clock_wall_s(&clock));
	assert_string_equal(stamp, "2026-11-22T01:49:47Z");
	clock_stamp(stamp, 0);
	assert_string_equal(stamp, "1970-01-01T00:00:00Z");
	clock_stamp(stamp, UINT64_MAX / 2);
	assert_true(strlen(stamp) < CLOCK_STAMP_BYTES);
}

static void the_system_clock_goes_forward(void **state)
{
	uint64_t before = clock_now_ms(clock_system());

	(void)state;
	assert_true(clock_now_ms(clock_system()) >= before);
	assert_true(clock_wall_s(clock_system()) > 1700000000);
}

static void jitter_stays_in_its_range(void **state)
{
	unsigned seen[4] = {0};

	(void)state;
	assert_int_equal(clock_jitter(0), 0);
	for (int i = 0; i < 1000; i++) {
		uint64_t n = clock_jitter(4);

		assert_true(n < 4);
		seen[n]++;
	}
	for (int i = 0; i < 4; i++)
		assert_true(seen[i] > 0);
}

static void counters_add_and_have_distinct_names(void **state)
{
	(void)state;
	stats_add(STATS_fs_waiting, 3);
	stats_add(STATS_fs_waiting, -1);
	assert_int_equal(stats_get(STATS_fs_waiting), 2);
	stats_add(STATS_fs_nodes, -5);
	assert_int_equal(stats_get(STATS_fs_nodes), 0);
	for (int i = 0; i < STATS_COUNT; i++) {
		enum stats_counter a = (enum stats_counter)i;

		assert_true(strlen(stats_help(a)) > 0);
		assert_true(strcmp(stats_kind(a), "counter") == 0 ||
		    strcmp(stats_kind(a), "gauge") == 0);
		for (int j = 0; j < i; j++)
			assert_string_not_equal(
			    stats_name(a), stats_name((enum stats_counter)j));
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(a_secret_is_a_copy_with_references),
	    cmocka_unit_test(a_hand_driven_clock_stands_still),
	    cmocka_unit_test(the_system_clock_goes_forward),
	    cmocka_unit_test(jitter_stays_in_its_range),
	    cmocka_unit_test(counters_add_and_have_distinct_names),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
