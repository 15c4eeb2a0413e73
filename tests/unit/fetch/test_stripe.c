/* SPDX-License-Identifier: Apache-2.0 */
/* fetch/servers/stripe.h: over how many servers long ranges are spread. */
#include "base/attr.h"
#include "fetch/servers/stripe.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

enum { MB = 1000000, TICK_MS = 100 };

static struct stripe stripe;
static uint64_t now_ms;
/* What so many servers bring together, in bytes a second. */
static uint64_t rates[4];

static int begin(void **state)
{
	(void)state;
	memset(&stripe, 0, sizeof(stripe));
	now_ms = 1000;
	return 0;
}

/* A stream reads for a while; @return how much of the time, in per cent, two
 * servers were used. */
static unsigned run(uint64_t for_ms, unsigned most, bool busy)
{
	uint64_t wide_ms = 0;

	for (uint64_t past = 0; past < for_ms; past += TICK_MS) {
		unsigned width = stripe_width(&stripe);

		assert_in_range(width, 1, most);
		wide_ms += width > 1 ? TICK_MS : 0;
		stripe.bytes += rates[width - 1] * TICK_MS / 1000;
		now_ms += TICK_MS;
		(void)stripe_tick(&stripe, now_ms, busy, most);
	}
	return (unsigned)(wide_ms * 100 / for_ms);
}

static void two_are_used_when_they_bring_more(void **state)
{
	(void)state;
	rates[0] = 200 * MB;
	rates[1] = 395 * MB;
	(void)run(1500, 2, true);
	assert_int_equal(stripe_width(&stripe), 2);
	assert_in_range(run(600000, 2, true), 98, 100);
}

static void all_that_help_are_used(void **state)
{
	(void)state;
	rates[0] = 100 * MB;
	rates[1] = 200 * MB;
	rates[2] = 290 * MB;
	rates[3] = 292 * MB;
	(void)run(60000, 4, true);
	assert_in_range(stripe_width(&stripe), 3, 4);
	(void)run(10000, 4, true);
	assert_in_range(stripe_width(&stripe), 3, 4);
}

static void one_is_left_alone_when_it_brings_nothing(void **state)
{
	(void)state;
	rates[0] = 110 * MB;
	rates[1] = 112 * MB;
	(void)run(4000, 2, true);
	/* Ever more seldom. */
	assert_in_range(run(60000, 2, true), 0, 15);
	assert_in_range(run(600000, 2, true), 0, 2);
}

static void when_it_helps_no_more_it_is_left(void **state)
{
	(void)state;
	rates[0] = 100 * MB;
	rates[1] = 200 * MB;
	(void)run(20000, 2, true);
	assert_int_equal(stripe_width(&stripe), 2);
	rates[0] = 200 * MB;
	(void)run(120000, 2, true);
	assert_in_range(run(600000, 2, true), 0, 10);
}

static void readers_that_are_slower_tell_nothing(void **state)
{
	(void)state;
	rates[0] = 10 * MB;
	rates[1] = 200 * MB;
	assert_int_equal(run(60000, 2, false), 0);
	/* Nor does a time in which nothing was asked for. */
	for (unsigned i = 0; i < 20; i++) {
		now_ms += 5000;
		(void)stripe_tick(&stripe, now_ms, true, 2);
		assert_int_equal(stripe_width(&stripe), 1);
	}
}

static void a_server_that_goes_is_not_counted_on(void **state)
{
	(void)state;
	rates[0] = 100 * MB;
	rates[1] = 200 * MB;
	(void)run(3000, 2, true);
	assert_int_equal(stripe_width(&stripe), 2);
	now_ms += STRIPE_PERIOD_MS;
	(void)stripe_tick(&stripe, now_ms, true, 1);
	assert_int_equal(stripe_width(&stripe), 1);
}

static void ranges_go_where_they_will_have_come_first(void **state)
{
	struct stripe_load loads[3] = {{.rate_bytes_per_s = 200 * MB},
	    {.rate_bytes_per_s = 100 * MB}, {.rate_bytes_per_s = 0}};
	uint64_t given[3] = {0};

	(void)state;
	assert_int_equal(stripe_pick(loads, 2, 8 * MB), 0);
	/* One that is not known is taken for as good as the best. */
	loads[0].bytes = loads[1].bytes = 8 * MB;
	assert_int_equal(stripe_pick(loads, 3, 8 * MB), 2);
	loads[0].bytes = loads[1].bytes = 0;
	for (unsigned i = 0; i < 300; i++) {
		unsigned at = stripe_pick(loads, 2, MB);

		loads[at].bytes += MB;
		given[at]++;
	}
	assert_in_range(given[0], 198, 202);
	/* Of none anything is known. */
	memset(loads, 0, sizeof(loads));
	assert_int_equal(stripe_pick(loads, 3, MB), 0);
	loads[0].bytes = MB;
	assert_int_equal(stripe_pick(loads, 3, MB), 1);
}

static void streams_leave_a_server_that_gives_clearly_less(void **state)
{
	struct stripe_lane home = {0};
	struct stripe_lane other = {.rate_bytes_per_s = 100 * MB};

	(void)state;
	assert_false(stripe_moves(&home, &other)); /* not known yet */
	home.rate_bytes_per_s = 71 * MB;
	assert_false(stripe_moves(&home, &other));
	home.rate_bytes_per_s = 69 * MB;
	assert_true(stripe_moves(&home, &other));
	other.rate_bytes_per_s = 0;
	assert_false(stripe_moves(&home, &other));
}

static void a_lane_is_rated_while_it_is_busy(void **state)
{
	struct stripe_lane lane = {.bytes = 80 * MB};

	(void)state;
	stripe_lane_note(&lane, 400);
	assert_int_equal(lane.rate_bytes_per_s, 200 * MB);
	lane.bytes = MB;
	lane.idle = true;
	stripe_lane_note(&lane, 400);
	assert_int_equal(lane.rate_bytes_per_s, 200 * MB);
	assert_int_equal(lane.bytes, 0);
	lane.bytes = 40 * MB;
	stripe_lane_note(&lane, 400);
	assert_int_equal(lane.rate_bytes_per_s, 150 * MB);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test_setup(two_are_used_when_they_bring_more, begin),
	    cmocka_unit_test_setup(all_that_help_are_used, begin),
	    cmocka_unit_test_setup(
	        one_is_left_alone_when_it_brings_nothing, begin),
	    cmocka_unit_test_setup(when_it_helps_no_more_it_is_left, begin),
	    cmocka_unit_test_setup(readers_that_are_slower_tell_nothing, begin),
	    cmocka_unit_test_setup(a_server_that_goes_is_not_counted_on, begin),
	    cmocka_unit_test(ranges_go_where_they_will_have_come_first),
	    cmocka_unit_test(streams_leave_a_server_that_gives_clearly_less),
	    cmocka_unit_test(a_lane_is_rated_while_it_is_busy),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
