/* SPDX-License-Identifier: Apache-2.0 */
/* cache/ahead/climb.c: as many ranges at once as pay, on networks of each kind.
 * */
#include "cache/ahead/climb.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

#include <cmocka.h>

enum { MB = 1000000 };

/* What comes in a period: each connection carries so much, and all together
 * no more than the path. */
struct network {
	uint64_t connection;
	uint64_t path;
	unsigned noise_percent;
	uint64_t random;
};

static uint64_t rate_of(struct network *network, unsigned lanes)
{
	uint64_t rate = lanes * network->connection;

	if (rate > network->path)
		rate = network->path;
	if (network->noise_percent == 0)
		return rate;
	network->random = network->random * 6364136223846793005u + 1;
	return rate / 100 *
	    (100 - network->noise_percent +
	        (network->random >> 33) % (2 * network->noise_percent + 1));
}

static void run(struct climb *climb, struct network *network, unsigned periods)
{
	for (unsigned i = 0; i < periods; i++) {
		climb_note(climb, rate_of(network, climb->lanes));
		assert_in_range(climb->lanes, CLIMB_MIN, CLIMB_MAX);
	}
}

/* Of many periods, how many lanes on average, in tenths. */
static unsigned average(
    struct climb *climb, struct network *network, unsigned periods)
{
	unsigned sum = 0;

	for (unsigned i = 0; i < periods; i++) {
		run(climb, network, 1);
		sum += climb->lanes;
	}
	return sum * 10 / periods;
}

static void thin_connections_are_used_in_numbers(void **state)
{
	struct network thin = {.connection = 12 * MB, .path = UINT64_MAX};
	struct climb climb;

	(void)state;
	climb_init(&climb, 4);
	run(&climb, &thin, 5);
	assert_int_equal(climb.lanes, CLIMB_MAX);
	/* And they stay. */
	assert_true(average(&climb, &thin, 200) > 110);
	climb_init(&climb, CLIMB_MIN);
	run(&climb, &thin, 8);
	assert_int_equal(climb.lanes, CLIMB_MAX);
}

static void one_that_carries_all_is_not_multiplied(void **state)
{
	struct network fat = {.connection = 1000 * MB, .path = 1000 * MB};
	struct climb climb;

	(void)state;
	climb_init(&climb, CLIMB_MIN);
	assert_true(average(&climb, &fat, 200) < CLIMB_MIN * 10 + 3);
	/* More than that are given up. */
	climb_init(&climb, 9);
	run(&climb, &fat, 40);
	assert_true(average(&climb, &fat, 200) < CLIMB_MIN * 10 + 3);
}

static void no_more_than_the_path_needs_are_used(void **state)
{
	/* Five fill it: six are the step that reaches that. */
	struct network path = {.connection = 20 * MB, .path = 100 * MB};
	struct climb climb;

	(void)state;
	climb_init(&climb, 4);
	run(&climb, &path, 40);
	assert_in_range(average(&climb, &path, 200), 40, 65);
}

static void noise_leads_nowhere_far(void **state)
{
	struct network thin = {.connection = 12 * MB,
	    .path = UINT64_MAX,
	    .noise_percent = 15,
	    .random = 1};
	struct network fat = {.connection = 1000 * MB,
	    .path = 1000 * MB,
	    .noise_percent = 4,
	    .random = 1};
	struct climb climb;

	(void)state;
	climb_init(&climb, 4);
	run(&climb, &thin, 20);
	assert_true(average(&climb, &thin, 1000) > 80);
	climb_init(&climb, 4);
	run(&climb, &fat, 40);
	assert_true(average(&climb, &fat, 1000) < 40);
}

static void what_was_tried_in_vain_rests(void **state)
{
	struct network fat = {.connection = 1000 * MB, .path = 1000 * MB};
	unsigned tries = 0;
	unsigned last = 4;
	struct climb climb;

	(void)state;
	climb_init(&climb, 4);
	for (unsigned i = 0; i < 10 * CLIMB_REST; i++) {
		run(&climb, &fat, 1);
		tries += climb.lanes > last;
		last = climb.lanes;
	}
	assert_in_range(tries, 1, 10);
}

static void a_try_that_was_not_measured_is_taken_back(void **state)
{
	struct climb climb;

	(void)state;
	climb_init(&climb, 4);
	climb_skip(&climb);
	climb_note(&climb, 50 * MB);
	assert_int_equal(climb.lanes, 4);
	climb_note(&climb, 50 * MB);
	assert_int_equal(climb.lanes, 6);
	climb_skip(&climb);
	assert_int_equal(climb.lanes, 4);
	/* It is made again at once. */
	climb_note(&climb, 50 * MB);
	assert_int_equal(climb.lanes, 6);
}

static void rates_of_any_size_are_judged(void **state)
{
	struct climb climb;

	(void)state;
	climb_init(&climb, 4);
	for (unsigned i = 0; i < 100; i++) {
		climb_note(&climb, i % 2 == 0 ? UINT64_MAX : 0);
		assert_in_range(climb.lanes, CLIMB_MIN, CLIMB_MAX);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(thin_connections_are_used_in_numbers),
	    cmocka_unit_test(one_that_carries_all_is_not_multiplied),
	    cmocka_unit_test(no_more_than_the_path_needs_are_used),
	    cmocka_unit_test(noise_leads_nowhere_far),
	    cmocka_unit_test(what_was_tried_in_vain_rests),
	    cmocka_unit_test(a_try_that_was_not_measured_is_taken_back),
	    cmocka_unit_test(rates_of_any_size_are_judged),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
