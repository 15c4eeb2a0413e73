/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Servers that are named later, and others in their place while the engine
 * runs: nobody who reads notices, and who is not named gets nothing.
 */
#include "base/attr.h"
#include "base/buf.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "cluster.h"

enum { ALL = CLUSTER_FILE_BYTES, TIMEOUT_MS = 20000 };

static struct cluster cluster;
static atomic_uint troubles;

static void on_trouble(void *arg)
{
	(void)arg;
	(void)atomic_fetch_add(&troubles, 1);
}

static void begin_with(unsigned caches)
{
	atomic_store(&troubles, 0);
	cluster_begin(&cluster,
	    &(struct cluster_config){.caches = caches,
	        .federated = true,
	        .timeout_ms = TIMEOUT_MS,
	        .trouble = on_trouble});
}

static int end(void **state)
{
	(void)state;
	cluster_end(&cluster);
	return 0;
}

static void name(unsigned first, unsigned second, unsigned count)
{
	const unsigned caches[] = {first, second};

	cluster_name(&cluster, caches, count);
}

/* A read that waits. */
static struct answer reading;

static void begin_read(uint64_t size_bytes)
{
	static const struct fetch_version version = {
	    .size_bytes = CLUSTER_FILE_BYTES, .mtime_s = 1700000000};
	const struct fetch_range range = {.path = "/f",
	    .version = &version,
	    .length_bytes = size_bytes,
	    .demand = true};

	answer_init(&reading, 0, size_bytes);
	(void)rig_range(&cluster.rig, &range, &reading);
}

static int end_read(void)
{
	int code = answer_wait(&reading);

	if (code == 0)
		assert_true(answer_is_right(&reading));
	answer_fini(&reading);
	return code;
}

static void what_is_asked_waits_until_servers_are_named(void **state)
{
	(void)state;
	begin_with(1);
	begin_read(ALL);
	(void)usleep(50000);
	assert_int_equal(server_requests(cluster.origin->server), 0);
	name(0, 0, 1);
	assert_int_equal(end_read(), 0);
	assert_int_equal(cluster_gets(&cluster, 0), 1);
	assert_int_equal(cluster_gets(&cluster, 1), 0);
}

static void why_there_are_none_is_told(void **state)
{
	const struct err why = {
	    .code = -EHOSTUNREACH, .text = "nobody has told; wait"};
	struct fetch_reach reach;

	(void)state;
	cluster_begin(&cluster,
	    &(struct cluster_config){.federated = true, .timeout_ms = 500});
	fetch_servers_missing(cluster.rig.fetch, &why);
	begin_read(10);
	assert_int_equal(answer_wait(&reading), -EHOSTUNREACH);
	assert_string_equal(reading.err.text, "nobody has told; wait");
	answer_fini(&reading);
	assert_true(fetch_unreachable(cluster.rig.fetch, &reach));
	name(0, 0, 0);
	assert_int_equal(cluster_read(&cluster, NULL, 0, 10), 0);
	assert_false(fetch_unreachable(cluster.rig.fetch, &reach));
}

static void another_order_is_followed_and_nothing_is_forgotten(void **state)
{
	struct buf text;

	(void)state;
	begin_with(2);
	name(0, 1, 2);
	assert_int_equal(cluster_read(&cluster, NULL, 0, 10), 0);
	name(1, 0, 2);
	assert_int_equal(cluster_read(&cluster, NULL, 0, 10), 0);
	assert_int_equal(cluster_gets(&cluster, 0), 1);
	assert_int_equal(cluster_gets(&cluster, 1), 1);
	buf_init(&text, 1 << 20);
	assert_int_equal(fetch_describe(cluster.rig.fetch, &text), 0);
	/* Both have a request of their own. */
	assert_non_null(strstr(
	    strstr(buf_text(&text), "\"requests\":1") + 1, "\"requests\":1"));
	buf_fini(&text);
}

/* In the middle of a read at a cache that stalls: it ends at the next one, at
 * the byte where it stopped. */
static void a_read_goes_on_when_its_cache_is_dropped(void **state)
{
	(void)state;
	begin_with(2);
	cluster_fault(&cluster, 0, FAULT_SLOW);
	name(0, 0, 1);
	begin_read(ALL);
	while (cluster_gets(&cluster, 0) == 0)
		(void)usleep(1000);
	(void)usleep(50000);
	name(1, 0, 1);
	assert_int_equal(end_read(), 0);
	assert_int_equal(cluster_gets(&cluster, 1), 1);
	assert_int_equal(cluster_gets(&cluster, 0), 1);
	assert_int_equal(cluster_read(&cluster, NULL, 0, 10), 0);
	assert_int_equal(cluster_gets(&cluster, 0), 1);
}

/* More reads than a server has places: what is queued moves as well. */
static void what_is_queued_at_one_that_is_dropped_moves(void **state)
{
	/* And so few that none is asked for a second time at the origin while
	 * the machine is slow: of twenty, five per cent are paid for when all
	 * have come (hedge.h). */
	enum { READS = 20 };
	static struct answer answers[READS];
	const struct fetch_version version = {
	    .size_bytes = CLUSTER_FILE_BYTES, .mtime_s = 1700000000};

	(void)state;
	begin_with(2);
	cluster_fault(&cluster, 0, FAULT_SILENT);
	name(0, 0, 1);
	for (unsigned i = 0; i < READS; i++) {
		const struct fetch_range range = {.path = "/f",
		    .version = &version,
		    .length_bytes = 100,
		    .demand = true};

		answer_init(&answers[i], 0, 100);
		(void)rig_range(&cluster.rig, &range, &answers[i]);
	}
	while (cluster_gets(&cluster, 0) < 16)
		(void)usleep(1000);
	name(1, 0, 1);
	for (unsigned i = 0; i < READS; i++) {
		assert_int_equal(answer_wait(&answers[i]), 0);
		assert_true(answer_is_right(&answers[i]));
		answer_fini(&answers[i]);
	}
	assert_int_equal(cluster_gets(&cluster, 1), READS);
}

static void many_changes_under_readers_are_survived(void **state)
{
	(void)state;
	begin_with(3);
	for (unsigned i = 0; i < 100; i++) {
		name(i % 3, (i + 1) % 3, 1 + i % 2);
		begin_read(20000);
		name((i + 2) % 3, 0, i % 2);
		assert_int_equal(end_read(), 0);
	}
}

static void trouble_is_told_when_no_cache_works(void **state)
{
	(void)state;
	begin_with(2);
	name(0, 1, 2);
	cluster_fault(&cluster, 0, FAULT_500);
	assert_int_equal(cluster_read(&cluster, NULL, 0, 10), 0);
	assert_int_equal(atomic_load(&troubles), 0);
	cluster_fault(&cluster, 1, FAULT_500);
	assert_int_equal(cluster_read(&cluster, NULL, 0, 10), 0);
	assert_true(atomic_load(&troubles) > 0);
}

int main(void)
{
#define CASE(name) cmocka_unit_test_teardown(name, end)
	const struct CMUnitTest tests[] = {
	    CASE(what_is_asked_waits_until_servers_are_named),
	    CASE(why_there_are_none_is_told),
	    CASE(another_order_is_followed_and_nothing_is_forgotten),
	    CASE(a_read_goes_on_when_its_cache_is_dropped),
	    CASE(what_is_queued_at_one_that_is_dropped_moves),
	    CASE(many_changes_under_readers_are_survived),
	    CASE(trouble_is_told_when_no_cache_works),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
