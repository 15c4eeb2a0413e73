/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Several servers end to end: a read goes to the best, and where that one
 * fails it goes on at the next, at the byte where it stopped.
 */
#include "base/attr.h"
#include "base/buf.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "cluster.h"

enum { ALL = CLUSTER_FILE_BYTES, CACHE = 0 };

static struct cluster cluster;

static unsigned origin(void)
{
	return cluster.count - 1;
}

static int end(void **state)
{
	(void)state;
	cluster_end(&cluster);
	return 0;
}

static void begin_with(unsigned caches)
{
	cluster_begin(&cluster, &(struct cluster_config){.caches = caches});
}

static void bytes_come_from_the_first_and_attributes_from_the_origin(
    void **state)
{
	struct answer answer;

	(void)state;
	begin_with(2);
	assert_int_equal(cluster_read(&cluster, NULL, 0, ALL), 0);
	assert_int_equal(cluster_read(&cluster, "\"one\"", 100, 1000), 0);
	assert_int_equal(cluster_gets(&cluster, 0), 2);
	assert_int_equal(cluster_gets(&cluster, 1), 0);
	assert_int_equal(cluster_gets(&cluster, origin()), 0);
	answer_init(&answer, 0, 1);
	rig_stat(&cluster.rig, "/f", &answer);
	assert_int_equal(answer_wait(&answer), 0);
	answer_fini(&answer);
	assert_int_equal(cluster.members[0].other, 0);
	assert_int_equal(cluster.origin->other, 1);
}

/* A fault at each cache of two in turn, in the middle of a read or before;
 * the reader never notices. */
static void any_fault_of_a_cache_is_survived(void **state)
{
	static const enum fault faults[] = {FAULT_DOWN, FAULT_SILENT,
	    FAULT_SILENT_MID, FAULT_CUT, FAULT_SLOW, FAULT_500, FAULT_503,
	    FAULT_404, FAULT_412, FAULT_416, FAULT_PAGE, FAULT_OTHER_SIZE,
	    FAULT_OTHER_TIME};

	for (size_t i = 0; i < ARRAY_COUNT(faults); i++) {
		begin_with(2);
		cluster_fault(&cluster, 0, faults[i]);
		assert_int_equal(cluster_read(&cluster, NULL, 0, ALL), 0);
		assert_int_equal(cluster_gets(&cluster, 1), 1);
		assert_int_equal(cluster_gets(&cluster, origin()), 0);
		(void)end(state);

		begin_with(1);
		cluster_fault(&cluster, CACHE, faults[i]);
		assert_int_equal(
		    cluster_read(&cluster, "\"one\"", 5, 250000), 0);
		assert_int_equal(cluster_gets(&cluster, origin()), 1);
		/* What is known of it is remembered. */
		assert_int_equal(cluster_read(&cluster, NULL, 0, 10), 0);
		assert_int_equal(cluster_gets(&cluster, CACHE),
		    faults[i] == FAULT_DOWN ? 0 : 1);
		(void)end(state);
	}
	begin_with(1);
}

static void all_caches_may_fail(void **state)
{
	(void)state;
	begin_with(3);
	cluster_fault(&cluster, 0, FAULT_CUT);
	cluster_fault(&cluster, 1, FAULT_CUT);
	cluster_fault(&cluster, 2, FAULT_500);
	assert_int_equal(cluster_read(&cluster, NULL, 0, ALL), 0);
	for (unsigned i = 0; i < 4; i++)
		assert_int_equal(cluster_gets(&cluster, i), 1);
}

static void a_cache_answers_while_the_origin_is_away(void **state)
{
	(void)state;
	begin_with(1);
	cluster_fault(&cluster, origin(), FAULT_DOWN);
	assert_int_equal(cluster_read(&cluster, NULL, 0, ALL), 0);
	/* There is nobody else: it is asked again when it has rested. */
	cluster_fault(&cluster, CACHE, FAULT_CUT_ONCE);
	assert_int_equal(cluster_read(&cluster, NULL, 0, 2000), 0);
	assert_int_equal(cluster_gets(&cluster, CACHE), 3);
}

static void a_failure_is_no_failure_of_the_others(void **state)
{
	struct buf text;

	(void)state;
	begin_with(1);
	cluster_fault(&cluster, CACHE, FAULT_500);
	assert_int_equal(cluster_read(&cluster, NULL, 0, 10), 0);
	buf_init(&text, 1 << 20);
	assert_int_equal(fetch_describe(cluster.rig.fetch, &text), 0);
	assert_non_null(strstr(buf_text(&text), "\"role\":\"cache\""));
	assert_non_null(strstr(buf_text(&text), "\"last_status\":500"));
	assert_non_null(strstr(buf_text(&text), "\"last_status\":206"));
	buf_fini(&text);
	assert_int_equal(fetch_silent_ms(cluster.rig.fetch), 0);
}

/* More reads than a server has places: those that wait for one do not wait
 * until it is known of each of them that it does not answer. */
static void what_is_queued_for_a_server_that_stalls_moves_on(void **state)
{
	enum { READS = 60, PLACES = 16 };
	static struct answer answers[READS];
	const struct fetch_version version = {
	    .size_bytes = CLUSTER_FILE_BYTES, .mtime_s = 1700000000};

	(void)state;
	begin_with(1);
	cluster_fault(&cluster, CACHE, FAULT_SILENT);
	for (unsigned i = 0; i < READS; i++) {
		const struct fetch_range range = {.path = "/f",
		    .version = &version,
		    .offset_bytes = (uint64_t)i * 100,
		    .length_bytes = 100,
		    .demand = true};

		answer_init(&answers[i], range.offset_bytes, 100);
		(void)rig_range(&cluster.rig, &range, &answers[i]);
	}
	for (unsigned i = 0; i < READS; i++) {
		assert_int_equal(answer_wait(&answers[i]), 0);
		assert_true(answer_is_right(&answers[i]));
		answer_fini(&answers[i]);
	}
	/* One or two may have tried it again meanwhile. */
	assert_in_range(cluster_gets(&cluster, CACHE), PLACES, PLACES + 4);
	assert_int_equal(cluster_gets(&cluster, origin()), READS);
}

static void a_servers_path_stands_for_the_sources(void **state)
{
	(void)state;
	cluster_begin(&cluster,
	    &(struct cluster_config){.caches = 1, .prefix = "/mirror/of"});
	assert_int_equal(cluster_read(&cluster, NULL, 0, 10), 0);
	assert_int_equal(cluster_gets(&cluster, CACHE), 1);
	assert_string_equal(
	    cluster_last(&cluster, CACHE, LAST_TARGET), "/mirror/of/f");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test_teardown(
	        bytes_come_from_the_first_and_attributes_from_the_origin, end),
	    cmocka_unit_test_teardown(any_fault_of_a_cache_is_survived, end),
	    cmocka_unit_test_teardown(all_caches_may_fail, end),
	    cmocka_unit_test_teardown(
	        a_cache_answers_while_the_origin_is_away, end),
	    cmocka_unit_test_teardown(
	        a_failure_is_no_failure_of_the_others, end),
	    cmocka_unit_test_teardown(
	        what_is_queued_for_a_server_that_stalls_moves_on, end),
	    cmocka_unit_test_teardown(
	        a_servers_path_stands_for_the_sources, end),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
