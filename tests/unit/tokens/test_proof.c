/* SPDX-License-Identifier: Apache-2.0 */
/* tokens/door/proof.h: what is remembered of servers' words, and for how long. */
#include "tests/unit/oom.h"
#include "tokens/door/proof.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#define T UINT64_C(120000)

static struct proof_key key(
    uint64_t token_id, const char *path, enum tokens_right right)
{
	return (struct proof_key){
	    .token_id = token_id, .right = right, .path = path};
}

static void note(struct proof_table *table, uint64_t token_id, const char *path,
    enum tokens_right right, int status)
{
	struct proof_key one = key(token_id, path, right);

	proof_note(table, &one, status, T);
}

static int refusal(struct proof_table *table, uint64_t token_id,
    const char *path, enum tokens_right right)
{
	struct proof_key one = key(token_id, path, right);

	return proof_refusal(table, &one);
}

static bool granted(struct proof_table *table, uint64_t token_id,
    const char *path, enum tokens_right right, uint64_t now_ms)
{
	struct proof_key one = key(token_id, path, right);

	return proof_granted(table, &one, now_ms);
}

static void a_refusal_stands_until_the_server_takes_it_back(void **state)
{
	struct proof_table *table = proof_new();

	(void)state;
	assert_non_null(table);
	assert_int_equal(refusal(table, 1, "/a", TOKENS_READ), 0);
	note(table, 1, "/a", TOKENS_READ, 403);
	assert_int_equal(refusal(table, 1, "/a", TOKENS_READ), 403);
	assert_int_equal(refusal(table, 1, "/a", TOKENS_LOOK), 403);
	/* For this very token, path and right. */
	assert_int_equal(refusal(table, 2, "/a", TOKENS_READ), 0);
	assert_int_equal(refusal(table, 1, "/a/b", TOKENS_READ), 0);
	assert_int_equal(refusal(table, 1, "/", TOKENS_READ), 0);
	assert_int_equal(refusal(table, 1, "/a", TOKENS_MODIFY), 0);
	/* The last word counts; and only words on the token do. */
	note(table, 1, "/a", TOKENS_LOOK, 401);
	assert_int_equal(refusal(table, 1, "/a", TOKENS_READ), 401);
	assert_int_equal(proof_refusals(table), 1);
	for (int status = 0; status < 1000; status++) {
		if (status / 100 == 2 || status == 401 || status == 403)
			continue;
		note(table, 1, "/a", TOKENS_READ, status);
		note(table, 1, "/other", TOKENS_READ, status);
	}
	assert_int_equal(proof_grants(table), 0);
	assert_int_equal(refusal(table, 1, "/a", TOKENS_READ), 401);
	note(table, 1, "/a/b", TOKENS_READ, 200);
	note(table, 2, "/a", TOKENS_READ, 206);
	assert_int_equal(refusal(table, 1, "/a", TOKENS_READ), 401);
	note(table, 1, "/a", TOKENS_LOOK, 207);
	assert_int_equal(refusal(table, 1, "/a", TOKENS_READ), 0);
	assert_int_equal(proof_refusals(table), 0);
	proof_free(table);
}

static void a_grant_counts_for_the_very_thing_that_was_proven(void **state)
{
	struct proof_table *table = proof_new();

	(void)state;
	note(table, 1, "/a/b", TOKENS_READ, 206);
	assert_true(granted(table, 1, "/a/b", TOKENS_READ, 0));
	assert_true(granted(table, 1, "/a/b", TOKENS_LOOK, 0));
	assert_false(granted(table, 1, "/a/b", TOKENS_CREATE, 0));
	assert_false(granted(table, 1, "/a/b", TOKENS_MODIFY, 0));
	assert_false(granted(table, 2, "/a/b", TOKENS_READ, 0));
	assert_false(granted(table, 1, "/a", TOKENS_READ, 0));
	assert_false(granted(table, 1, "/a/b/c", TOKENS_READ, 0));
	assert_false(granted(table, 1, "/a/bc", TOKENS_READ, 0));
	assert_false(granted(table, 1, "/", TOKENS_LOOK, 0));
	/* To see a file's attributes is no leave to read it. */
	note(table, 1, "/s", TOKENS_LOOK, 200);
	assert_true(granted(table, 1, "/s", TOKENS_LOOK, 0));
	assert_false(granted(table, 1, "/s", TOKENS_READ, 0));
	/* Nor to list a directory; who may list it may see that it is there. */
	assert_false(granted(table, 1, "/s", TOKENS_LIST, 0));
	assert_false(granted(table, 1, "/a/b", TOKENS_LIST, 0));
	note(table, 1, "/l", TOKENS_LIST, 207);
	assert_true(granted(table, 1, "/l", TOKENS_LIST, 0));
	assert_true(granted(table, 1, "/l", TOKENS_LOOK, 0));
	assert_false(granted(table, 1, "/l", TOKENS_READ, 0));
	proof_free(table);
}

static void a_grant_ends_and_use_does_not_prolong_it(void **state)
{
	struct proof_table *table = proof_new();
	struct proof_key one = key(1, "/a", TOKENS_READ);

	(void)state;
	proof_note(table, &one, 200, T);
	for (uint64_t now = 0; now < T; now += T / 7)
		assert_true(proof_granted(table, &one, now));
	assert_true(proof_granted(table, &one, T - 1));
	assert_false(proof_granted(table, &one, T));
	assert_false(proof_granted(table, &one, T + T));
	/* A new answer is a new proof. */
	proof_note(table, &one, 206, 2 * T);
	assert_true(proof_granted(table, &one, 2 * T - 1));
	assert_int_equal(proof_grants(table), 1);
	/* Where none is wanted none is kept. */
	one.path = "/b";
	proof_note(table, &one, 200, 0);
	assert_false(proof_granted(table, &one, 0));
	assert_int_equal(proof_grants(table), 1);
	proof_free(table);
}

static void a_refusal_ends_every_grant_of_the_path(void **state)
{
	struct proof_table *table = proof_new();

	(void)state;
	note(table, 1, "/a", TOKENS_READ, 200);
	note(table, 1, "/a", TOKENS_LOOK, 200);
	note(table, 2, "/a", TOKENS_READ, 200);
	note(table, 1, "/a", TOKENS_LOOK, 403);
	assert_false(granted(table, 1, "/a", TOKENS_READ, 0));
	assert_false(granted(table, 1, "/a", TOKENS_LOOK, 0));
	assert_true(granted(table, 2, "/a", TOKENS_READ, 0));
	/* A look that the server allows later is no leave to read. */
	note(table, 1, "/a", TOKENS_LOOK, 200);
	assert_int_equal(refusal(table, 1, "/a", TOKENS_READ), 0);
	assert_false(granted(table, 1, "/a", TOKENS_READ, 0));
	note(table, 1, "/a", TOKENS_READ, 401);
	assert_false(granted(table, 1, "/a", TOKENS_LOOK, 0));
	/* One of a directory's names is of these alone. */
	note(table, 1, "/d", TOKENS_LIST, 200);
	note(table, 1, "/d", TOKENS_LOOK, 200);
	note(table, 1, "/d", TOKENS_LIST, 403);
	assert_int_equal(refusal(table, 1, "/d", TOKENS_LIST), 403);
	assert_int_equal(refusal(table, 1, "/d", TOKENS_LOOK), 0);
	assert_false(granted(table, 1, "/d", TOKENS_LIST, 0));
	assert_true(granted(table, 1, "/d", TOKENS_LOOK, 0));
	note(table, 1, "/d", TOKENS_LOOK, 200);
	assert_int_equal(refusal(table, 1, "/d", TOKENS_LIST), 403);
	note(table, 1, "/d", TOKENS_LIST, 200);
	assert_int_equal(refusal(table, 1, "/d", TOKENS_LIST), 0);
	note(table, 1, "/d", TOKENS_LOOK, 403);
	assert_false(granted(table, 1, "/d", TOKENS_LIST, 0));
	proof_free(table);
}

static void both_memories_are_bounded_in_number(void **state)
{
	struct proof_table *table = proof_new();
	char path[32];

	(void)state;
	for (unsigned i = 0; i < PROOF_GRANTS_MAX * 2; i++) {
		(void)snprintf(path, sizeof(path), "/%u", i);
		note(table, 1, path, TOKENS_READ, 200);
		assert_true(granted(table, 1, path, TOKENS_READ, 0));
		assert_true(proof_grants(table) <= PROOF_GRANTS_MAX);
		/* Some are taken back, in no order. */
		if (i % 7 == 3) {
			note(table, 1, path, TOKENS_READ, 403);
			assert_false(granted(table, 1, path, TOKENS_READ, 0));
			assert_int_equal(
			    refusal(table, 1, path, TOKENS_READ), 403);
		}
		assert_true(proof_refusals(table) <= PROOF_REFUSALS_MAX);
	}
	/* The youngest are those that are known. */
	for (unsigned i = PROOF_GRANTS_MAX * 2 - 7000; i < PROOF_GRANTS_MAX * 2;
	     i++) {
		(void)snprintf(path, sizeof(path), "/%u", i);
		assert_int_equal(
		    granted(table, 1, path, TOKENS_READ, 0), i % 7 != 3);
		assert_int_equal(
		    refusal(table, 1, path, TOKENS_READ), i % 7 == 3 ? 403 : 0);
	}
	assert_false(granted(table, 1, "/0", TOKENS_READ, 0));
	assert_int_equal(refusal(table, 1, "/3", TOKENS_READ), 0);
	proof_free(table);
	proof_free(NULL);
}

static void long_paths_are_bounded_in_bytes(void **state)
{
	enum { LONG = 4000, MANY = PROOF_PATHS_BYTES_MAX / LONG };
	struct proof_table *table = proof_new();
	static char path[LONG];

	(void)state;
	(void)memset(path, 'x', sizeof(path) - 1);
	for (unsigned i = 0; i < MANY * 3; i++) {
		(void)snprintf(path, 16, "/%06u", i);
		path[7] = 'x';
		note(table, 1, path, TOKENS_READ, 200);
		assert_true(granted(table, 1, path, TOKENS_READ, 0));
		assert_true(proof_grants(table) <= MANY + 1);
	}
	assert_true(proof_grants(table) >= MANY - 1);
	proof_free(table);
}

/* What cannot be remembered is not granted, and a refusal ends the grant all
 * the same. */
static int note_all(void *arg)
{
	struct proof_table *table = proof_new();
	unsigned *remembered = arg;

	*remembered = 0;
	if (table == NULL)
		return -ENOMEM;
	note(table, 1, "/a", TOKENS_READ, 200);
	*remembered += proof_grants(table);
	note(table, 1, "/a", TOKENS_READ, 403);
	assert_false(granted(table, 1, "/a", TOKENS_READ, 0));
	*remembered += proof_refusals(table);
	proof_free(table);
	return *remembered == 2 ? 0 : -ENOMEM;
}

static void without_memory_nothing_is_granted(void **state)
{
	unsigned remembered;

	(void)state;
	assert_in_range(oom_each(note_all, &remembered), 7, 100);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(a_refusal_stands_until_the_server_takes_it_back),
	    cmocka_unit_test(a_grant_counts_for_the_very_thing_that_was_proven),
	    cmocka_unit_test(a_grant_ends_and_use_does_not_prolong_it),
	    cmocka_unit_test(a_refusal_ends_every_grant_of_the_path),
	    cmocka_unit_test(both_memories_are_bounded_in_number),
	    cmocka_unit_test(long_paths_are_bounded_in_bytes),
	    cmocka_unit_test(without_memory_nothing_is_granted),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
