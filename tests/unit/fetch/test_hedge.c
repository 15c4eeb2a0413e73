/* SPDX-License-Identifier: Apache-2.0 */
/* fetch/servers/hedge.h: when a second server is asked, and how often. */
#include "base/attr.h"
#include "fetch/servers/hedge.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

static struct choice server;

static int begin(void **state)
{
	(void)state;
	memset(&server, 0, sizeof(server));
	return 0;
}

static void wait(unsigned times, uint64_t wait_us)
{
	for (unsigned i = 0; i < times; i++)
		choice_waited(&server, wait_us, 1000);
}

static void of_few_answers_nothing_is_usual(void **state)
{
	(void)state;
	assert_int_equal(hedge_after_ms(&server, false), 0);
	wait(HEDGE_WAITS_MIN - 1, 40000);
	assert_int_equal(hedge_tail_us(&server), 0);
	assert_int_equal(hedge_after_ms(&server, false), 0);
	wait(1, 40000);
	assert_int_equal(hedge_tail_us(&server), 40000);
	assert_int_equal(hedge_after_ms(&server, false), 51);
}

static void a_few_long_ones_are_not_usual(void **state)
{
	(void)state;
	wait(CHOICE_WAITS, 40000);
	wait(1, 2000000);
	assert_int_equal(hedge_tail_us(&server), 40000);
	wait(1, 1000000);
	assert_int_equal(hedge_tail_us(&server), 40000);
	/* Three of 32 are. */
	wait(1, 500000);
	assert_int_equal(hedge_tail_us(&server), 500000);
	/* They are forgotten in their order. */
	wait(CHOICE_WAITS - 3, 40000);
	assert_int_equal(hedge_tail_us(&server), 500000);
	wait(1, 40000);
	assert_int_equal(hedge_tail_us(&server), 40000);
}

static void the_tail_is_the_third_longest_of_all(void **state)
{
	(void)state;
	for (uint64_t i = 1; i <= CHOICE_WAITS; i++)
		wait(1, i * 7 % 33 * 1000); /* 1..32 ms, in no order */
	assert_int_equal(hedge_tail_us(&server), 30000);
}

static void near_servers_are_given_what_the_machine_takes(void **state)
{
	(void)state;
	wait(CHOICE_WAITS, 300);
	assert_int_equal(hedge_after_ms(&server, false), HEDGE_LEAST_MS);
	assert_int_equal(hedge_after_ms(&server, true), HEDGE_LEAST_BODY_MS);
	wait(CHOICE_WAITS, 400000);
	assert_int_equal(hedge_after_ms(&server, true), 501);
}

static void no_more_than_five_of_a_hundred_bytes_are_asked_twice(void **state)
{
	struct hedge_budget budget = {0};
	uint64_t got = 0;
	uint64_t twice = 0;

	(void)state;
	assert_false(hedge_pay(&budget, 1));
	for (unsigned i = 0; i < 100000; i++) {
		uint64_t bytes = 1 + i * 7919 % 65536;

		hedge_earn(&budget, bytes);
		got += bytes;
		if (hedge_pay(&budget, 1 + i * 104729 % 8192))
			twice += 1 + i * 104729 % 8192;
		assert_true(twice * 100 <= got * HEDGE_BUDGET_PERCENT);
	}
	/* And no fewer, when there is use for them. */
	assert_true(twice * 100 > got * HEDGE_BUDGET_PERCENT * 9 / 10);
}

static void what_was_earned_long_ago_is_not_spent_at_once(void **state)
{
	struct hedge_budget budget = {0};

	(void)state;
	hedge_earn(&budget, UINT64_C(1) << 50);
	assert_false(hedge_pay(&budget, HEDGE_CREDIT_MAX_BYTES + 1));
	assert_true(hedge_pay(&budget, HEDGE_CREDIT_MAX_BYTES));
	assert_false(hedge_pay(&budget, 1));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test_setup(of_few_answers_nothing_is_usual, begin),
	    cmocka_unit_test_setup(a_few_long_ones_are_not_usual, begin),
	    cmocka_unit_test_setup(the_tail_is_the_third_longest_of_all, begin),
	    cmocka_unit_test_setup(
	        near_servers_are_given_what_the_machine_takes, begin),
	    cmocka_unit_test(
	        no_more_than_five_of_a_hundred_bytes_are_asked_twice),
	    cmocka_unit_test(what_was_earned_long_ago_is_not_spent_at_once),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
