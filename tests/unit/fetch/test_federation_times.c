/* SPDX-License-Identifier: Apache-2.0 */
/* When a federation is asked, and again: by the minute. */
#include "base/attr.h"
#include "fetch/federation/federation_times.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

enum { MINUTE = 60 * 1000, START = 1000000 };

static void document(struct federation_times *times, uint64_t now_ms, int code)
{
	federation_times_document(
	    times, now_ms, &(struct federation_outcome){.code = code});
}

static void director(struct federation_times *times, uint64_t now_ms, int code)
{
	federation_times_director(
	    times, now_ms, &(struct federation_outcome){.code = code});
}

static void what_is_told_holds_as_long_as_it_is_said(void **state)
{
	struct federation_times times = {.failures = 0};

	(void)state;
	assert_true(federation_times_wants_document(&times, START));
	document(&times, START, 0);
	director(&times, START, 0);
	assert_int_equal(times.next_ms, START + 15 * MINUTE);
	assert_false(
	    federation_times_wants_document(&times, START + 30 * MINUTE - 1));
	assert_true(
	    federation_times_wants_document(&times, START + 30 * MINUTE));
}

static void a_wrong_answer_is_left_alone_for_five_minutes(void **state)
{
	static const int codes[] = {-ENOENT, -EACCES, -EBADMSG, -ENOMSG,
	    -EMSGSIZE, -ELOOP, -EPROTO, -EPROTONOSUPPORT};

	(void)state;
	for (size_t i = 0; i < ARRAY_COUNT(codes); i++) {
		struct federation_times times = {.failures = 0};

		document(&times, START, codes[i]);
		assert_int_equal(times.next_ms, START + 5 * MINUTE);
		assert_true(federation_times_wants_document(&times, START));
		director(&times, START, codes[i]);
		assert_int_equal(times.next_ms, START + 5 * MINUTE);
	}
}

static void a_network_that_is_back_is_noticed_soon(void **state)
{
	static const unsigned waits_s[] = {1, 2, 4, 8, 15, 15, 15};
	struct federation_times times = {.failures = 0};
	uint64_t now_ms = START;

	(void)state;
	for (size_t i = 0; i < ARRAY_COUNT(waits_s); i++) {
		document(&times, now_ms, i % 2 ? -ETIMEDOUT : -EHOSTUNREACH);
		assert_int_equal(times.next_ms - now_ms, waits_s[i] * 1000);
		now_ms = times.next_ms;
	}
}

static void a_director_that_has_no_answer_is_asked_ever_later(void **state)
{
	struct federation_times times = {.failures = 0};
	uint64_t now_ms = START;

	(void)state;
	document(&times, now_ms, 0);
	for (unsigned i = 1; i <= 30; i++) {
		director(&times, now_ms, i % 2 ? -EBUSY : -EIO);
		assert_int_equal(
		    times.next_ms - now_ms, i <= 20 ? i * 3000 : 60000);
		now_ms = times.next_ms;
	}
	director(&times, now_ms, 0);
	assert_int_equal(times.next_ms, now_ms + 15 * MINUTE);
	director(&times, now_ms, -EIO);
	assert_int_equal(times.next_ms, now_ms + 3000);
}

static void a_wait_that_is_asked_for_is_obeyed_in_bounds(void **state)
{
	static const struct {
		uint64_t asked_ms;
		uint64_t wait_ms;
	} rows[] = {{0, 3000}, {1, 3000}, {7000, 7000},
	    {10 * MINUTE, 10 * MINUTE}, {UINT64_MAX, 10 * MINUTE}};

	(void)state;
	for (size_t i = 0; i < ARRAY_COUNT(rows); i++) {
		struct federation_times times = {.failures = 0};

		federation_times_director(&times, START,
		    &(struct federation_outcome){
		        .code = -EBUSY, .wait_ms = rows[i].asked_ms});
		assert_int_equal(times.next_ms, START + rows[i].wait_ms);
	}
}

static void clients_do_not_come_back_together(void **state)
{
	struct federation_times times = {.failures = 0};

	(void)state;
	federation_times_director(&times, START,
	    &(struct federation_outcome){
	        .code = -EIO, .jitter = FEDERATION_JITTER_RANGE - 1});
	assert_in_range(times.next_ms, START + 3900, START + 4000);
}

static void a_director_in_doubt_is_looked_up_anew(void **state)
{
	struct federation_times times = {.failures = 0};

	(void)state;
	document(&times, START, 0);
	director(&times, START, -EHOSTUNREACH);
	director(&times, START, -EHOSTUNREACH);
	assert_false(federation_times_wants_document(&times, START));
	director(&times, START, -EHOSTUNREACH);
	assert_true(federation_times_wants_document(&times, START));
}

static void trouble_asks_sooner_and_then_less_and_less(void **state)
{
	static const unsigned waits_s[] = {2, 4, 8, 16, 32, 60, 60};
	struct federation_times times = {.failures = 0};
	uint64_t now_ms = START;

	(void)state;
	document(&times, now_ms, 0);
	director(&times, now_ms, 0);
	for (size_t i = 0; i < ARRAY_COUNT(waits_s); i++) {
		assert_true(federation_times_trouble(&times, now_ms));
		assert_int_equal(times.next_ms - now_ms, waits_s[i] * 1000);
		/* Many that fail are one trouble. */
		assert_false(federation_times_trouble(&times, now_ms + 1));
		now_ms = times.next_ms;
		director(&times, now_ms, 0);
	}
	/* A good while later it is another one, and asked at once. */
	now_ms += 3 * MINUTE;
	assert_true(federation_times_trouble(&times, now_ms));
	assert_true(times.next_ms <= now_ms);
	/* Who has no answer keeps its own pace. */
	director(&times, now_ms, -EBUSY);
	assert_false(federation_times_trouble(&times, now_ms));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(what_is_told_holds_as_long_as_it_is_said),
	    cmocka_unit_test(a_wrong_answer_is_left_alone_for_five_minutes),
	    cmocka_unit_test(a_network_that_is_back_is_noticed_soon),
	    cmocka_unit_test(a_director_that_has_no_answer_is_asked_ever_later),
	    cmocka_unit_test(a_wait_that_is_asked_for_is_obeyed_in_bounds),
	    cmocka_unit_test(clients_do_not_come_back_together),
	    cmocka_unit_test(a_director_in_doubt_is_looked_up_anew),
	    cmocka_unit_test(trouble_asks_sooner_and_then_less_and_less),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
