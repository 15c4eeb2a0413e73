/* SPDX-License-Identifier: Apache-2.0 */
/* Is a failed attempt worth another, and when? */
#include "base/attr.h"
#include "fetch/calls/retry.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

static const uint64_t times_left_ms[] = {
    0, 1, 19, 20, 21, 100, 1000, 5000, 60000, 120000};

static const uint32_t jitters[] = {0, 1, 512, RETRY_JITTER_RANGE - 1};

/* Call `check` with every combination that matters. */
static void over_everything(void (*check)(
    const struct retry_facts *facts, struct retry_decision decision))
{
	struct retry_facts f = {.now_ms = 1000000};

	for (int reason = 0; reason < RETRY_REASON_COUNT; reason++) {
		for (unsigned n = 1; n < 70; n++) {
			for (size_t t = 0; t < ARRAY_COUNT(times_left_ms);
			     t++) {
				f.reason = (enum retry_reason)reason;
				f.failures = n;
				f.bad = n;
				f.deadline_ms = f.now_ms + times_left_ms[t];
				f.jitter = jitters[n % ARRAY_COUNT(jitters)];
				f.wait_asked = n % 3 == 0;
				f.wait_asked_s = n / 3;
				check(&f, retry_decide(&f));
			}
		}
	}
}

static void check_deadline(
    const struct retry_facts *facts, struct retry_decision decision)
{
	if (decision.again)
		assert_true(
		    facts->now_ms + decision.wait_ms < facts->deadline_ms);
}

static void no_wait_reaches_the_deadline(void **state)
{
	(void)state;
	over_everything(check_deadline);
}

static void check_code(
    const struct retry_facts *facts, struct retry_decision decision)
{
	(void)facts;
	if (decision.again)
		assert_int_equal(decision.code, 0);
	else
		assert_true(decision.code == -EIO ||
		    decision.code == -ETIMEDOUT ||
		    decision.code == -EHOSTUNREACH);
}

static void every_end_has_an_errno_of_the_manual(void **state)
{
	(void)state;
	over_everything(check_code);
}

static void check_asked(
    const struct retry_facts *facts, struct retry_decision decision)
{
	if (decision.again && facts->wait_asked)
		assert_true(
		    decision.wait_ms >= (uint64_t)facts->wait_asked_s * 1000);
}

static void retry_after_is_never_undercut(void **state)
{
	(void)state;
	over_everything(check_asked);
}

static void check_max(
    const struct retry_facts *facts, struct retry_decision decision)
{
	if (decision.again && !facts->wait_asked)
		assert_true(decision.wait_ms <= RETRY_WAIT_MAX_MS);
}

static void waits_are_bounded_after_any_number_of_failures(void **state)
{
	(void)state;
	over_everything(check_max);
}

static struct retry_facts plenty(enum retry_reason reason, unsigned failures)
{
	return (struct retry_facts){.reason = reason,
	    .failures = failures,
	    .bad = failures,
	    .now_ms = 5,
	    .deadline_ms = 10000000};
}

static void what_may_heal_is_tried_until_the_deadline(void **state)
{
	static const enum retry_reason lasting[] = {
	    RETRY_CONNECT, RETRY_LOST, RETRY_SILENT, RETRY_BUSY};

	(void)state;
	for (size_t i = 0; i < ARRAY_COUNT(lasting); i++) {
		for (unsigned n = 1; n < 1000; n++) {
			struct retry_facts facts = plenty(lasting[i], n);

			assert_true(retry_decide(&facts).again);
		}
	}
}

static void nonsense_is_tried_a_few_times(void **state)
{
	static const enum retry_reason few[] = {RETRY_BAD, RETRY_SERVER};

	(void)state;
	for (size_t i = 0; i < ARRAY_COUNT(few); i++) {
		for (unsigned n = 1; n < 20; n++) {
			struct retry_facts facts = plenty(few[i], n);
			struct retry_decision decision = retry_decide(&facts);

			assert_int_equal(
			    decision.again, n < RETRY_BAD_TRIES_MAX);
			if (!decision.again)
				assert_int_equal(decision.code, -EIO);
		}
	}
}

static void a_server_that_is_not_itself_is_not_asked_again(void **state)
{
	struct retry_facts facts = plenty(RETRY_UNTRUSTED, 1);

	(void)state;
	assert_false(retry_decide(&facts).again);
	assert_int_equal(retry_decide(&facts).code, -EHOSTUNREACH);
}

static void the_first_lost_connection_is_replaced_at_once(void **state)
{
	struct retry_facts facts = plenty(RETRY_LOST, 1);

	(void)state;
	facts.jitter = RETRY_JITTER_RANGE - 1;
	assert_int_equal(retry_decide(&facts).wait_ms, 0);
	facts.failures = 2;
	assert_true(retry_decide(&facts).wait_ms > 0);
}

static void waits_grow_with_failures(void **state)
{
	uint64_t before_ms = 0;

	(void)state;
	for (unsigned n = 1; n < 12; n++) {
		struct retry_facts facts = plenty(RETRY_CONNECT, n);
		struct retry_decision decision = retry_decide(&facts);

		assert_true(decision.wait_ms >= before_ms);
		before_ms = decision.wait_ms;
	}
	assert_int_equal(before_ms, RETRY_WAIT_MAX_MS / 2);
}

static void a_wait_longer_than_the_time_left_is_an_answer(void **state)
{
	struct retry_facts facts = plenty(RETRY_BUSY, 1);

	(void)state;
	facts.wait_asked = true;
	facts.deadline_ms = facts.now_ms + 10000;
	facts.wait_asked_s = 9;
	assert_true(retry_decide(&facts).again);
	facts.wait_asked_s = 10;
	assert_false(retry_decide(&facts).again);
	facts.wait_asked_s = UINT32_MAX;
	assert_false(retry_decide(&facts).again);
}

static void time_beyond_the_deadline_ends_it(void **state)
{
	struct retry_facts facts = plenty(RETRY_CONNECT, 1);

	(void)state;
	facts.deadline_ms = 0;
	assert_false(retry_decide(&facts).again);
	facts.now_ms = UINT64_MAX - RETRY_ROOM_MS;
	facts.deadline_ms = UINT64_MAX - 1;
	assert_false(retry_decide(&facts).again);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(no_wait_reaches_the_deadline),
	    cmocka_unit_test(every_end_has_an_errno_of_the_manual),
	    cmocka_unit_test(retry_after_is_never_undercut),
	    cmocka_unit_test(waits_are_bounded_after_any_number_of_failures),
	    cmocka_unit_test(what_may_heal_is_tried_until_the_deadline),
	    cmocka_unit_test(nonsense_is_tried_a_few_times),
	    cmocka_unit_test(a_server_that_is_not_itself_is_not_asked_again),
	    cmocka_unit_test(the_first_lost_connection_is_replaced_at_once),
	    cmocka_unit_test(waits_grow_with_failures),
	    cmocka_unit_test(a_wait_longer_than_the_time_left_is_an_answer),
	    cmocka_unit_test(time_beyond_the_deadline_ends_it),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
