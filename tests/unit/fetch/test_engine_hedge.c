/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Hedged reads end to end: what a server is late with is asked of a second
 * one, and the reader gets the first right answer and never a mix.
 */
#include "base/attr.h"
#include "base/buf.h"
#include "base/stats.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "cluster.h"

enum {
	NEAR,
	NEXT,
	WARM_READS = 32, /* until it is known what is usual */
	WARM_BYTES = 50000,
	BYTES = 20000, /* fewer than twenty such reads earn */
};

static struct cluster cluster;
static uint64_t hedges;
static uint64_t won;
static uint64_t twice;

static unsigned origin(void)
{
	return cluster.count - 1;
}

static void begin_with(unsigned caches, uint64_t warm_bytes)
{
	cluster_begin(&cluster, &(struct cluster_config){.caches = caches});
	for (unsigned i = 0; i < WARM_READS; i++)
		assert_int_equal(
		    cluster_read(&cluster, "\"one\"", i, warm_bytes), 0);
	/* Nobody was late; or the machine was, which would spend what the
	 * tests count on. */
	hedges = stats_get(STATS_fetch_hedges);
	won = stats_get(STATS_fetch_hedges_won);
	twice = stats_get(STATS_fetch_hedge_bytes);
}

static uint64_t new_hedges(void)
{
	return stats_get(STATS_fetch_hedges) - hedges;
}

static uint64_t new_won(void)
{
	return stats_get(STATS_fetch_hedges_won) - won;
}

static bool somebody_rests(void)
{
	struct buf text;
	bool rests;

	buf_init(&text, 1 << 20);
	assert_int_equal(fetch_describe(cluster.rig.fetch, &text), 0);
	rests = strstr(buf_text(&text), "\"state\":\"resting\"") != NULL;
	buf_fini(&text);
	return rests;
}

static int end(void **state)
{
	(void)state;
	cluster_end(&cluster);
	return 0;
}

static void what_is_late_comes_from_a_second_server(void **state)
{
	(void)state;
	begin_with(2, WARM_BYTES);
	cluster_fault(&cluster, NEAR, FAULT_SILENT);
	assert_int_equal(cluster_read(&cluster, "\"one\"", 7, BYTES), 0);
	assert_int_equal(new_hedges(), 1);
	assert_int_equal(new_won(), 1);
	assert_int_equal(stats_get(STATS_fetch_hedge_bytes) - twice, BYTES);
	assert_int_equal(cluster_gets(&cluster, NEXT), 1);
	assert_int_equal(cluster_gets(&cluster, origin()), 0);
}

static void the_rest_of_what_stops_in_mid_body_too(void **state)
{
	(void)state;
	begin_with(1, WARM_BYTES);
	cluster_fault(&cluster, NEAR, FAULT_SILENT_MID);
	assert_int_equal(cluster_read(&cluster, "\"one\"", 7, BYTES), 0);
	assert_int_equal(new_hedges(), 1);
	assert_int_equal(new_won(), 1);
	assert_in_range(stats_get(STATS_fetch_hedge_bytes) - twice, 1, BYTES);
	assert_int_equal(cluster_gets(&cluster, origin()), 1);
}

static void the_first_may_be_the_sooner_all_the_same(void **state)
{
	(void)state;
	begin_with(1, WARM_BYTES);
	cluster_fault(&cluster, NEAR, FAULT_LATE);
	cluster_fault(&cluster, origin(), FAULT_SILENT);
	assert_int_equal(cluster_read(&cluster, "\"one\"", 7, BYTES), 0);
	assert_int_equal(new_hedges(), 1);
	assert_int_equal(new_won(), 0);
}

/* Whatever the second answers, the reader gets the file's bytes: from the
 * first, when it comes, or from the origin. */
static void a_second_that_is_of_no_use_does_no_harm(void **state)
{
	static const enum fault firsts[] = {
	    FAULT_SILENT, FAULT_SILENT_MID, FAULT_PAUSE_MID, FAULT_LATE};
	static const enum fault seconds[] = {FAULT_DOWN, FAULT_SILENT,
	    FAULT_SILENT_MID, FAULT_CUT, FAULT_500, FAULT_503, FAULT_404,
	    FAULT_403, FAULT_PAGE, FAULT_OTHER_SIZE, FAULT_OTHER_TIME,
	    FAULT_OTHER_ETAG};

	for (size_t i = 0; i < ARRAY_COUNT(firsts); i++) {
		/* All for one that does not come, some for the others. */
		for (size_t k = i; k < ARRAY_COUNT(seconds);
		     k += i == 0 ? 1 : 4) {
			begin_with(2, WARM_BYTES);
			cluster_fault(&cluster, NEAR, firsts[i]);
			cluster_fault(&cluster, NEXT, seconds[k]);
			assert_int_equal(
			    cluster_read(&cluster, "\"one\"", 7, BYTES), 0);
			assert_true(new_hedges() > 0);
			(void)end(state);
		}
	}
	begin_with(1, 10);
}

static void a_second_that_fails_leaves_the_first(void **state)
{
	(void)state;
	begin_with(1, WARM_BYTES);
	cluster_fault(&cluster, NEAR, FAULT_LATE);
	cluster_fault(&cluster, origin(), FAULT_500);
	assert_int_equal(cluster_read(&cluster, "\"one\"", 7, BYTES), 0);
	assert_int_equal(new_hedges(), 1);
	assert_int_equal(new_won(), 0);
	assert_int_equal(cluster_gets(&cluster, NEAR), WARM_READS + 1);
}

/* Both have begun; whose bytes go on is a matter of chance here, but they are
 * of one answer at a time. */
static void a_pause_in_mid_body_mixes_nothing(void **state)
{
	(void)state;
	begin_with(1, WARM_BYTES);
	cluster_fault(&cluster, NEAR, FAULT_PAUSE_MID);
	cluster_fault(&cluster, origin(), FAULT_PAUSE_MID);
	assert_int_equal(cluster_read(&cluster, "\"one\"", 7, BYTES), 0);
	assert_in_range(new_hedges(), 1, 2);
	cluster_fault(&cluster, origin(), FAULT_LATE);
	assert_int_equal(cluster_read(&cluster, "\"one\"", 9, BYTES), 0);
	assert_in_range(new_hedges(), 2, 4);
	/* An answer that came too late is no bad answer. */
	(void)usleep(400000);
	assert_false(somebody_rests());
}

/* The token's matter, as anywhere: the second request to be refused would be
 * the origin's, and a third is not made. */
static void a_refusal_is_judged_as_elsewhere(void **state)
{
	(void)state;
	begin_with(2, WARM_BYTES);
	cluster_fault(&cluster, NEAR, FAULT_SILENT);
	cluster_fault(&cluster, NEXT, FAULT_403);
	cluster_fault(&cluster, origin(), FAULT_403);
	assert_int_equal(cluster_read(&cluster, "\"one\"", 7, BYTES), -EACCES);
	assert_int_equal(cluster_gets(&cluster, NEXT), 1);
	assert_int_equal(cluster_gets(&cluster, origin()), 1);
}

static void what_was_not_earned_is_not_asked_twice(void **state)
{
	(void)state;
	begin_with(1, 100);
	cluster_fault(&cluster, NEAR, FAULT_LATE);
	assert_int_equal(cluster_read(&cluster, "\"one\"", 7, BYTES), 0);
	assert_int_equal(new_hedges(), 0);
	assert_int_equal(cluster_gets(&cluster, origin()), 0);
}

static void nobody_is_hurried_for_what_nobody_waits_for(void **state)
{
	const struct fetch_version version = {
	    .size_bytes = CLUSTER_FILE_BYTES, .mtime_s = 1700000000};
	const struct fetch_range range = {
	    .path = "/f", .version = &version, .length_bytes = BYTES};
	struct answer answer;

	(void)state;
	begin_with(1, WARM_BYTES);
	cluster_fault(&cluster, NEAR, FAULT_LATE);
	answer_init(&answer, 0, BYTES);
	(void)rig_range(&cluster.rig, &range, &answer);
	assert_int_equal(answer_wait(&answer), 0);
	assert_int_equal(new_hedges(), 0);
	answer_fini(&answer);
}

/* One that stalls for long is found out, and rests, although no reader has
 * waited for it. */
static void who_stalls_is_found_out(void **state)
{
	(void)state;
	begin_with(1, WARM_BYTES);
	cluster_fault(&cluster, NEAR, FAULT_SILENT);
	assert_int_equal(cluster_read(&cluster, "\"one\"", 7, 1000), 0);
	assert_int_equal(new_won(), 1);
	for (unsigned i = 0; i < 1000 && !somebody_rests(); i++)
		(void)usleep(5000);
	assert_true(somebody_rests());
}

/* The mount ends, or the reader goes, while two are asked. */
static void a_race_may_be_ended(void **state)
{
	enum { READS = 8 };
	const struct fetch_version version = {
	    .size_bytes = CLUSTER_FILE_BYTES, .mtime_s = 1700000000};
	static struct answer answers[READS];
	uint64_t numbers[READS];

	(void)state;
	begin_with(1, WARM_BYTES);
	cluster_fault(&cluster, NEAR, FAULT_SILENT);
	cluster_fault(&cluster, origin(), FAULT_SILENT);
	for (unsigned i = 0; i < READS; i++) {
		const struct fetch_range range = {.path = "/f",
		    .version = &version,
		    .offset_bytes = i,
		    .length_bytes = 1000,
		    .demand = true};

		answer_init(&answers[i], i, 1000);
		numbers[i] = rig_range(&cluster.rig, &range, &answers[i]);
	}
	while (new_hedges() < READS)
		(void)usleep(1000);
	for (unsigned i = 0; i < READS / 2; i++)
		fetch_cancel(cluster.rig.fetch, numbers[i]);
	for (unsigned i = 0; i < READS / 2; i++)
		assert_int_equal(answer_wait(&answers[i]), -ECANCELED);
	fetch_stop(cluster.rig.fetch);
	for (unsigned i = 0; i < READS; i++) {
		assert_int_equal(answer_wait(&answers[i]), -ECANCELED);
		assert_int_equal(answers[i].times, 1);
		answer_fini(&answers[i]);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test_teardown(
	        what_is_late_comes_from_a_second_server, end),
	    cmocka_unit_test_teardown(
	        the_rest_of_what_stops_in_mid_body_too, end),
	    cmocka_unit_test_teardown(
	        the_first_may_be_the_sooner_all_the_same, end),
	    cmocka_unit_test_teardown(
	        a_second_that_is_of_no_use_does_no_harm, end),
	    cmocka_unit_test_teardown(
	        a_second_that_fails_leaves_the_first, end),
	    cmocka_unit_test_teardown(a_pause_in_mid_body_mixes_nothing, end),
	    cmocka_unit_test_teardown(a_refusal_is_judged_as_elsewhere, end),
	    cmocka_unit_test_teardown(
	        what_was_not_earned_is_not_asked_twice, end),
	    cmocka_unit_test_teardown(
	        nobody_is_hurried_for_what_nobody_waits_for, end),
	    cmocka_unit_test_teardown(who_stalls_is_found_out, end),
	    cmocka_unit_test_teardown(a_race_may_be_ended, end),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
