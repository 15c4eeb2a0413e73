/* SPDX-License-Identifier: Apache-2.0 */
/*
 * tests/unit/fetch/test_cluster.c - which servers of a cluster were asked.
 */
#include "fetch/reads/cluster.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

static void each_host_counts_once(void **state)
{
	struct cluster cluster;

	(void)state;
	cluster_init(&cluster);
	assert_null(cluster_tried(&cluster));
	assert_int_equal(cluster_asked(&cluster, "https://pool1:1/d/?a=b"), 1);
	/* A name within another one is another host. */
	assert_int_equal(cluster_asked(&cluster, "https://pool/d/"), 1);
	assert_int_equal(cluster_asked(&cluster, "https://[::1]:7/d/"), 1);
	assert_int_equal(cluster_asked(&cluster, "https://POOL1:2/d/"), 0);
	assert_int_equal(cluster_asked(&cluster, "https://pool/"), 0);
	assert_int_equal(cluster_asked(&cluster, "https://[::1]/"), 0);
	assert_string_equal(cluster_tried(&cluster), "pool1,pool,[::1]");
	assert_int_equal(cluster_asked(&cluster, "ftp://pool/"), -EBADMSG);
	cluster_forget(&cluster);
	assert_null(cluster_tried(&cluster));
	assert_int_equal(cluster_asked(&cluster, "https://pool/"), 1);
	cluster_fini(&cluster);
}

static void there_are_bounds(void **state)
{
	struct cluster cluster;
	char url[300];

	(void)state;
	cluster_init(&cluster);
	for (int i = 0; i < CLUSTER_SERVERS_MAX; i++) {
		(void)snprintf(url, sizeof(url), "https://pool%d/", i);
		assert_int_equal(cluster_asked(&cluster, url), 1);
	}
	assert_int_equal(cluster_asked(&cluster, "https://one-more/"), -E2BIG);
	assert_int_equal(cluster_asked(&cluster, "https://pool7/"), 0);
	cluster_forget(&cluster);
	for (int i = 0; i < CLUSTER_SERVERS_MAX; i++) {
		(void)snprintf(url, sizeof(url), "https://%d%0200d/", i, 0);
		if (cluster_asked(&cluster, url) == -E2BIG)
			break;
	}
	assert_true(cluster.count < CLUSTER_SERVERS_MAX);
	assert_true(strlen(cluster_tried(&cluster)) <= CLUSTER_TRIED_BYTES_MAX);
	cluster_fini(&cluster);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(each_host_counts_once),
	    cmocka_unit_test(there_are_bounds),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
