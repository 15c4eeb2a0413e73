/* SPDX-License-Identifier: Apache-2.0 */
/* fetch/servers/choice.h: which server is read from, and how long it is waited for. */
#include "base/attr.h"
#include "fetch/servers/choice.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

enum { COUNT = 3, ORIGIN = COUNT - 1, MS = 1000, MIB = 1024 * 1024 };

static struct choice servers[COUNT];
static struct choice *of[COUNT];
static uint64_t now_ms;

static int begin(void **state)
{
	(void)state;
	memset(servers, 0, sizeof(servers));
	for (unsigned i = 0; i < COUNT; i++)
		of[i] = &servers[i];
	now_ms = 1000000;
	return 0;
}

static unsigned pick(uint64_t bytes, bool demand)
{
	return choice_pick(of, COUNT,
	    &(struct choice_ask){.bytes = bytes, .demand = demand}, now_ms);
}

static void measure(unsigned place, uint64_t wait_us, uint64_t bytes_per_s)
{
	for (unsigned i = 0; i < CHOICE_WAITS; i++) {
		choice_waited(&servers[place], wait_us, now_ms);
		choice_moved(&servers[place], bytes_per_s, 1000000);
	}
}

static void fails(unsigned place)
{
	(void)choice_failed(&servers[place], now_ms, 0, 0);
}

/* Let the rest of one that failed end. */
static void wait_for(unsigned place)
{
	if (servers[place].rest_until_ms > now_ms)
		now_ms = servers[place].rest_until_ms;
}

static void one_that_is_late_is_asked_for_nothing_more(void **state)
{
	(void)state;
	servers[0].late = 1;
	assert_int_equal(pick(MIB, true), 1);
	/* Both are, or there is no other cache: the origin is not asked for
	 * that. */
	servers[1].late = 1;
	assert_int_equal(pick(MIB, true), 0);
	servers[1].late = 0;
	fails(1);
	assert_int_equal(pick(MIB, true), 0);
	of[1] = NULL;
	assert_int_equal(pick(MIB, true), 0);
}

static void the_given_order_is_believed_at_first(void **state)
{
	(void)state;
	assert_int_equal(pick(MIB, true), 0);
	of[0] = NULL;
	assert_int_equal(pick(MIB, true), 1);
	of[1] = NULL;
	assert_int_equal(pick(MIB, true), ORIGIN);
	of[ORIGIN] = NULL;
	assert_int_equal(pick(MIB, true), COUNT);
}

static void a_clearly_faster_server_is_taken(void **state)
{
	static const struct {
		uint64_t first_us, second_us; /* to the first byte */
		uint64_t first_rate, second_rate;
		uint64_t bytes;
		unsigned best;
	} table[] = {
	    {1000, 1000, MIB, MIB, 4096, 0},
	    {1000, 800, MIB, MIB, 0, 0}, /* not clearly */
	    {1000, 600, MIB, MIB, 0, 1},
	    {1000, 100, 100 * MIB, MIB, 4096, 0}, /* a longer way, wider */
	    {50000, 1000, 100 * MIB, 10 * MIB, 4096, 1},
	    {50000, 1000, 100 * MIB, 10 * MIB, 8 * MIB, 0},
	    {1000, 600, 0, MIB, 8 * MIB, 1}, /* a rate alone says nothing */
	    {1000, 2000, 0, MIB, 8 * MIB, 0},
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_COUNT(table); i++) {
		(void)begin(state);
		measure(0, table[i].first_us, table[i].first_rate);
		measure(1, table[i].second_us, table[i].second_rate);
		assert_int_equal(pick(table[i].bytes, true), table[i].best);
	}
}

static void the_origin_is_read_from_last_however_fast(void **state)
{
	(void)state;
	measure(0, 100 * MS, MIB);
	measure(1, 100 * MS, MIB);
	measure(ORIGIN, 1, 1000 * MIB);
	assert_int_equal(pick(MIB, true), 0);
	fails(0);
	assert_int_equal(pick(MIB, true), 1);
	fails(1);
	assert_int_equal(pick(MIB, true), ORIGIN);
}

/* Whatever fails how often: it is asked again in the end. */
static void none_is_dropped_for_good(void **state)
{
	uint64_t last_ms = 0;

	(void)state;
	for (unsigned n = 0; n < 100; n++) {
		uint64_t rest_ms;

		fails(0);
		rest_ms = servers[0].rest_until_ms - now_ms;
		assert_true(choice_rests(&servers[0], now_ms));
		assert_in_range(
		    rest_ms, CHOICE_REST_FIRST_MS / 2, CHOICE_REST_MAX_MS);
		assert_true(rest_ms >= last_ms);
		last_ms = rest_ms;
		assert_int_not_equal(pick(MIB, true), 0);
		wait_for(0);
		assert_int_equal(pick(MIB, true), 0);
	}
	/* What went well is as if nothing had been. */
	choice_worked(&servers[0]);
	assert_int_equal(pick(MIB, true), 0);
	assert_int_equal(pick(MIB, true), 0);
}

static void one_tries_a_server_that_has_rested(void **state)
{
	(void)state;
	fails(0);
	wait_for(0);
	assert_int_equal(pick(MIB, true), 0);
	for (unsigned i = 0; i < 10; i++)
		assert_int_equal(pick(MIB, true), 1);
	wait_for(0);
	assert_int_equal(pick(MIB, true), 0);
}

static void failures_at_one_time_are_one(void **state)
{
	uint64_t until_ms;

	(void)state;
	assert_true(choice_failed(&servers[0], now_ms, 0, 0));
	until_ms = servers[0].rest_until_ms;
	for (unsigned i = 0; i < 20; i++)
		assert_false(choice_failed(&servers[0], now_ms, 0, 0));
	assert_int_equal(servers[0].rest_until_ms, until_ms);
	assert_int_equal(servers[0].failures, 1);
}

static void retry_after_is_obeyed_within_bounds(void **state)
{
	(void)state;
	(void)choice_failed(&servers[0], now_ms, 30000, 0);
	assert_int_equal(servers[0].rest_until_ms, now_ms + 30000);
	(void)choice_failed(&servers[1], now_ms, UINT64_MAX, 0);
	assert_int_equal(
	    servers[1].rest_until_ms, now_ms + CHOICE_REST_ASKED_MAX_MS);
}

static void when_all_rest_the_first_to_return_is_asked(void **state)
{
	(void)state;
	(void)choice_failed(&servers[0], now_ms, 50000, 0);
	(void)choice_failed(&servers[1], now_ms, 20000, 0);
	(void)choice_failed(&servers[ORIGIN], now_ms, 30000, 0);
	assert_int_equal(pick(MIB, true), 1);
	assert_false(choice_has_other(of, COUNT, 1, now_ms));
	now_ms += 30000;
	assert_true(choice_has_other(of, COUNT, 1, now_ms));
	assert_false(choice_has_other(of, COUNT, ORIGIN, now_ms - 10001));
}

static void others_are_measured_by_what_nobody_waits_for(void **state)
{
	(void)state;
	measure(0, 10 * MS, MIB);
	assert_int_equal(pick(MIB, true), 0);
	/* Not by what is long: it would be waited for in the end. */
	assert_int_equal(pick(CHOICE_PROBE_BYTES + 1, false), 0);
	assert_int_equal(pick(CHOICE_PROBE_BYTES, false), 1);
	assert_int_equal(pick(CHOICE_PROBE_BYTES, false), 0);
	now_ms += CHOICE_STALE_MS;
	assert_int_equal(pick(4096, false), 0);
	assert_int_equal(pick(4096, false), 1);
	assert_int_equal(pick(4096, false), 0);
	/* Never the origin. */
	assert_int_equal(servers[ORIGIN].measured_ms, 0);
}

static void patience_is_thrice_the_usual_longest_wait(void **state)
{
	(void)state;
	assert_int_equal(
	    choice_patience_ms(&servers[0]), CHOICE_PATIENCE_MIN_MS);
	measure(0, 100 * MS, MIB);
	assert_int_equal(
	    choice_patience_ms(&servers[0]), CHOICE_PATIENCE_MIN_MS);
	measure(0, 800 * MS, MIB);
	assert_int_equal(choice_patience_ms(&servers[0]), 2400);
	/* One in 32 is chance, and the ring forgets. */
	measure(0, 100 * MS, MIB);
	choice_waited(&servers[0], 9000 * MS, now_ms);
	assert_int_equal(
	    choice_patience_ms(&servers[0]), CHOICE_PATIENCE_MIN_MS);
	measure(0, UINT64_MAX / 4, MIB);
	assert_int_equal(
	    choice_patience_ms(&servers[0]), CHOICE_PATIENCE_MAX_MS);
}

/* All caches but one may be gone: the reader comes to the last in time. */
static void who_has_left_several_servers_waits_less(void **state)
{
	uint64_t silent_ms = 0;
	uint64_t connect_ms = 0;

	(void)state;
	for (unsigned left = 0; left < 2; left++) {
		silent_ms +=
		    choice_hasten_ms(choice_patience_ms(&servers[0]), left);
		connect_ms +=
		    choice_hasten_ms(choice_connect_ms(&servers[0]), left);
	}
	assert_true(silent_ms < 2000);
	assert_true(connect_ms < 5000);
	assert_int_equal(choice_hasten_ms(1000, 0), 1000);
	assert_int_equal(choice_hasten_ms(1000, 31), CHOICE_HASTE_MIN_MS);
}

static void a_connection_that_failed_is_waited_for_less(void **state)
{
	(void)state;
	assert_int_equal(choice_connect_ms(&servers[0]), CHOICE_CONNECT_MS);
	fails(0);
	assert_int_equal(choice_connect_ms(&servers[0]), CHOICE_CONNECT_MS);
	wait_for(0);
	assert_int_equal(pick(MIB, true), 0); /* tried again */
	assert_int_equal(
	    choice_connect_ms(&servers[0]), CHOICE_CONNECT_AGAIN_MS);
}

static void a_tenth_of_the_usual_rate_is_slow(void **state)
{
	(void)state;
	measure(0, MS, 10 * MIB);
	assert_false(choice_is_slow(&servers[0], 2 * MIB, 1, 1000));
	assert_true(choice_is_slow(&servers[0], MIB / 2, 1, 1000));
	assert_false(choice_is_slow(&servers[0], MIB / 2, 1, 499));
	/* Those that share the line are together as fast. */
	assert_false(choice_is_slow(&servers[0], MIB / 2, 12, 1000));
	assert_true(choice_is_slow(&servers[0], MIB / 20, 12, 1000));
	/* A rate that was never measured. */
	assert_true(choice_is_slow(&servers[1], 10 * 1024, 1, 1000));
	assert_false(choice_is_slow(&servers[1], CHOICE_SLOW_UNKNOWN, 1, 1000));
}

static void short_transfers_say_nothing_of_a_rate(void **state)
{
	(void)state;
	choice_moved(&servers[0], CHOICE_RATE_BYTES - 1, 1000000);
	assert_int_equal(servers[0].rate_bytes_per_s, 0);
	choice_moved(&servers[0], CHOICE_RATE_BYTES, 0);
	assert_true(servers[0].rate_bytes_per_s > 0);
	choice_moved(&servers[1], CHOICE_RATE_BYTES, UINT64_MAX);
	assert_int_equal(servers[1].rate_bytes_per_s, 1);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test_setup(the_given_order_is_believed_at_first, begin),
	    cmocka_unit_test_setup(
	        one_that_is_late_is_asked_for_nothing_more, begin),
	    cmocka_unit_test_setup(a_clearly_faster_server_is_taken, begin),
	    cmocka_unit_test_setup(
	        the_origin_is_read_from_last_however_fast, begin),
	    cmocka_unit_test_setup(none_is_dropped_for_good, begin),
	    cmocka_unit_test_setup(one_tries_a_server_that_has_rested, begin),
	    cmocka_unit_test_setup(failures_at_one_time_are_one, begin),
	    cmocka_unit_test_setup(retry_after_is_obeyed_within_bounds, begin),
	    cmocka_unit_test_setup(
	        when_all_rest_the_first_to_return_is_asked, begin),
	    cmocka_unit_test_setup(
	        others_are_measured_by_what_nobody_waits_for, begin),
	    cmocka_unit_test_setup(
	        patience_is_thrice_the_usual_longest_wait, begin),
	    cmocka_unit_test_setup(
	        who_has_left_several_servers_waits_less, begin),
	    cmocka_unit_test_setup(
	        a_connection_that_failed_is_waited_for_less, begin),
	    cmocka_unit_test_setup(a_tenth_of_the_usual_rate_is_slow, begin),
	    cmocka_unit_test_setup(
	        short_transfers_say_nothing_of_a_rate, begin),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
