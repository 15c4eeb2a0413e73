/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What a cache is believed: bytes of the version that the origin has told,
 * and nothing of tokens.
 */
#include "base/attr.h"
#include "base/ident.h"
#include "tokens/tokens.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "cluster.h"

enum { CACHE = 0, ORIGIN = 1 };

static struct cluster cluster;

static int begin(void **state)
{
	(void)state;
	cluster_begin(
	    &cluster, &(struct cluster_config){.caches = 1, .tls = true});
	return 0;
}

static int begin_immutable(void **state)
{
	(void)state;
	cluster_begin(&cluster,
	    &(struct cluster_config){
	        .caches = 1, .tls = true, .immutable = true});
	return 0;
}

static int end(void **state)
{
	(void)state;
	cluster_end(&cluster);
	return 0;
}

static void both_are_given_the_token(void **state)
{
	(void)state;
	assert_int_equal(cluster_read(&cluster, NULL, 0, 10), 0);
	cluster_fault(&cluster, CACHE, FAULT_404);
	assert_int_equal(cluster_read(&cluster, NULL, 0, 10), 0);
	for (unsigned i = 0; i < 2; i++)
		assert_string_equal(cluster_last(&cluster, i, LAST_TOKEN),
		    "Bearer opaque-token-one");
}

/* Of who blames it in vain nothing follows: the origin is never left. */
static void a_cache_that_is_blamed_is_passed_over_for_the_file(void **state)
{
	struct fetch *fetch = cluster.rig.fetch;
	struct ident ident = {.uid = 0};
	struct fetch_said said;
	char name[FETCH_NAME_BYTES];
	unsigned asked;

	(void)state;
	assert_int_equal(cluster_read(&cluster, NULL, 0, 10), 0);
	asked = cluster_gets(&cluster, CACHE);
	assert_true(asked > 0);
	fetch_blame(fetch, &ident, "/f", FETCH_GAVE(0) | FETCH_GAVE(1));
	assert_int_equal(cluster_read(&cluster, NULL, 0, 10), 0);
	assert_int_equal(cluster_gets(&cluster, CACHE), asked);
	assert_true(fetch_said_by(fetch, 1, 0, "/f", &said, name));
	assert_int_equal(said.code, -EIO);
	assert_non_null(strstr(said.why, "checksum"));
}

static void another_version_is_passed_over(void **state)
{
	static const enum fault faults[] = {
	    FAULT_OTHER_SIZE, FAULT_OTHER_TIME, FAULT_OTHER_ETAG, FAULT_412};

	for (size_t i = 0; i < ARRAY_COUNT(faults); i++) {
		cluster_fault(&cluster, CACHE, faults[i]);
		for (unsigned n = 0; n < 3; n++)
			assert_int_equal(
			    cluster_read(&cluster, "\"one\"", n, 10), 0);
		assert_int_equal(cluster_gets(&cluster, CACHE), 1);
		assert_int_equal(cluster_gets(&cluster, ORIGIN), 3);
		(void)end(state);
		(void)begin(state);
	}
}

/* ETags may be of a cache's own making: without one of the origin's the time
 * tells versions apart, and its own pins nothing. */
static void a_caches_own_etag_pins_nothing(void **state)
{
	struct answer answer;
	const struct fetch_version version = {
	    .size_bytes = CLUSTER_FILE_BYTES, .mtime_s = 1700000000};
	const struct fetch_range range = {
	    .path = "/f", .version = &version, .length_bytes = 10};

	(void)state;
	cluster_fault(&cluster, CACHE, FAULT_OTHER_ETAG);
	answer_init(&answer, 0, 10);
	(void)rig_range(&cluster.rig, &range, &answer);
	assert_int_equal(answer_wait(&answer), 0);
	assert_string_equal(answer.etag, "");
	answer_fini(&answer);
	assert_int_equal(cluster_gets(&cluster, CACHE), 1);
}

static void without_a_version_it_serves_what_never_changes(void **state)
{
	(void)state;
	cluster_fault(&cluster, CACHE, FAULT_NO_VERSION);
	for (unsigned n = 0; n < 3; n++)
		assert_int_equal(cluster_read(&cluster, NULL, n, 10), 0);
	assert_int_equal(cluster_gets(&cluster, CACHE), 3);
	assert_int_equal(cluster_gets(&cluster, ORIGIN), 0);
	assert_int_equal(cluster.origin->other, 0); /* nothing to confirm */
}

static void without_a_version_it_serves_nothing_else(void **state)
{
	(void)state;
	cluster_fault(&cluster, CACHE, FAULT_NO_VERSION);
	for (unsigned n = 0; n < 3; n++)
		assert_int_equal(cluster_read(&cluster, NULL, n, 10), 0);
	assert_int_equal(cluster_gets(&cluster, CACHE), 1);
	assert_int_equal(cluster_gets(&cluster, ORIGIN), 3);
}

static void a_refusal_by_both_is_two_requests_and_one_answer(void **state)
{
	(void)state;
	cluster_fault(&cluster, CACHE, FAULT_403);
	cluster_fault(&cluster, ORIGIN, FAULT_403);
	assert_int_equal(cluster_read(&cluster, NULL, 0, 10), -EACCES);
	assert_int_equal(cluster_gets(&cluster, CACHE), 1);
	assert_int_equal(cluster_gets(&cluster, ORIGIN), 1);
	/* It says nothing of the cache. */
	cluster_fault(&cluster, CACHE, FAULT_NONE);
	assert_int_equal(cluster_read(&cluster, NULL, 0, 10), 0);
	assert_int_equal(cluster_gets(&cluster, CACHE), 2);
}

static void a_refusal_by_the_cache_alone_is_its_own_matter(void **state)
{
	(void)state;
	cluster_fault(&cluster, CACHE, FAULT_403);
	for (unsigned n = 0; n < 3; n++)
		assert_int_equal(cluster_read(&cluster, NULL, n, 10), 0);
	assert_int_equal(cluster_gets(&cluster, CACHE), 1);
	assert_int_equal(cluster_gets(&cluster, ORIGIN), 3);
}

/* It may give its bytes to anybody: a token that the origin has refused stays
 * refused. */
static void an_answer_of_a_cache_proves_no_token(void **state)
{
	static const struct ident nobody = {.uid = 0};
	struct tokens *tokens = cluster.rig.tokens;

	(void)state;
	cluster_fault(&cluster, CACHE, FAULT_403);
	cluster_fault(&cluster, ORIGIN, FAULT_403);
	assert_int_equal(cluster_read(&cluster, NULL, 0, 10), -EACCES);
	cluster_fault(&cluster, CACHE, FAULT_NONE);
	assert_int_equal(cluster_read(&cluster, NULL, 0, 10), 0);
	assert_int_equal(cluster_gets(&cluster, CACHE), 2);
	assert_int_equal(
	    tokens_may(tokens, &nobody, "/f", TOKENS_READ, NULL), -EACCES);
	cluster_fault(&cluster, CACHE, FAULT_404);
	cluster_fault(&cluster, ORIGIN, FAULT_NONE);
	assert_int_equal(cluster_read(&cluster, NULL, 0, 10), 0);
	assert_int_equal(
	    tokens_may(tokens, &nobody, "/f", TOKENS_READ, NULL), 0);
}

/* What the origin says counts, although a cache has the file. */
static void a_file_that_is_gone_is_gone(void **state)
{
	(void)state;
	cluster_fault(&cluster, CACHE, FAULT_404);
	cluster_fault(&cluster, ORIGIN, FAULT_404);
	assert_int_equal(cluster_read(&cluster, NULL, 0, 10), -ENOENT);
	assert_int_equal(cluster_gets(&cluster, ORIGIN), 1);
}

static void one_alone_can_be_asked_once(void **state)
{
	const struct fetch_version version = {
	    .size_bytes = CLUSTER_FILE_BYTES, .mtime_s = 1700000000};
	struct fetch_range range = {.path = "/f",
	    .version = &version,
	    .length_bytes = 10,
	    .only = CACHE + 1};
	struct answer answer;

	(void)state;
	cluster_fault(&cluster, CACHE, FAULT_500);
	answer_init(&answer, 0, 10);
	(void)rig_range(&cluster.rig, &range, &answer);
	assert_int_equal(answer_wait(&answer), -EIO);
	answer_fini(&answer);
	assert_int_equal(cluster_gets(&cluster, CACHE), 1);
	range.only = FETCH_ONLY_ORIGIN;
	answer_init(&answer, 0, 10);
	(void)rig_range(&cluster.rig, &range, &answer);
	assert_int_equal(answer_wait(&answer), 0);
	answer_fini(&answer);
	assert_int_equal(cluster_gets(&cluster, ORIGIN), 1);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
#define TEST(name) cmocka_unit_test_setup_teardown(name, begin, end)
	    TEST(both_are_given_the_token),
	    TEST(a_cache_that_is_blamed_is_passed_over_for_the_file),
	    TEST(another_version_is_passed_over),
	    TEST(a_caches_own_etag_pins_nothing),
	    cmocka_unit_test_setup_teardown(
	        without_a_version_it_serves_what_never_changes, begin_immutable,
	        end),
	    TEST(without_a_version_it_serves_nothing_else),
	    TEST(a_refusal_by_both_is_two_requests_and_one_answer),
	    TEST(a_refusal_by_the_cache_alone_is_its_own_matter),
	    TEST(an_answer_of_a_cache_proves_no_token),
	    TEST(a_file_that_is_gone_is_gone),
	    TEST(one_alone_can_be_asked_once),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
