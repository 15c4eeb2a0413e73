/* SPDX-License-Identifier: Apache-2.0 */
/*
 * tests/unit/cache/drafts/test_worn.c - what is worn is found again by path
 * and version, goes where its name goes, and is bounded.
 */
#include "cache/drafts/impl.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

static struct drafts *drafts;

static int begin(void **state)
{
	(void)state;
	drafts = calloc(1, sizeof(*drafts));
	assert_non_null(drafts);
	drafts->worn = worn_new();
	assert_non_null(drafts->worn);
	return 0;
}

static int end(void **state)
{
	(void)state;
	worn_free(drafts->worn);
	free(drafts);
	return 0;
}

static struct cache_attr attr_of(uint64_t version, uint64_t was)
{
	return (struct cache_attr){
	    .kind = CACHE_FILE, .version = version, .was = was};
}

/* A draft of number 7 that was sent with this time. */
static void take(const char *path, uint64_t number, int64_t mtime_s)
{
	worn_take(drafts, path, number,
	    &(struct draft_attr){
	        .attr = {.version = 7, .mtime_s = mtime_s}, .mode = 0640});
}

/* The time that is worn there; -1: nothing. */
static int64_t worn_at(const char *path, uint64_t version, uint64_t was)
{
	struct cache_attr attr = attr_of(version, was);
	struct drafts_worn worn;

	return drafts_worn(drafts, path, &attr, &worn) ? worn.mtime_s : -1;
}

/* A young version is another one at the next look, but what the server tells
 * of it is the same. */
static void it_holds_as_long_as_the_server_tells_the_same(void **state)
{
	struct cache_attr attr = attr_of(41, 0);
	struct drafts_worn worn;

	(void)state;
	worn_take(drafts, "/a", 40,
	    &(struct draft_attr){
	        .attr = {.version = 7, .told = 90, .mtime_s = 1000}});
	assert_false(drafts_worn(drafts, "/a", &attr, &worn));
	attr.told = 91;
	assert_false(drafts_worn(drafts, "/a", &attr, &worn));
	attr.told = 90;
	assert_true(drafts_worn(drafts, "/a", &attr, &worn));
	assert_int_equal(worn.mtime_s, 1000);
	/* Of which it tells nothing. */
	take("/b", 40, 1000);
	attr.told = 0;
	assert_false(drafts_worn(drafts, "/b", &attr, &worn));
}

static void it_holds_for_one_version_of_one_path(void **state)
{
	struct cache_attr attr = attr_of(40, 0);
	struct drafts_worn worn;

	(void)state;
	assert_int_equal(worn_at("/a", 40, 0), -1);
	take("/a", 40, 1000);
	assert_true(drafts_worn(drafts, "/a", &attr, &worn));
	assert_int_equal(worn.mode, 0640);
	assert_true(worn.has_mtime);
	assert_int_equal(worn.mtime_s, 1000);
	assert_int_equal(worn_at("/a", 41, 0), -1);
	assert_int_equal(worn_at("/a", 41, 40), 1000);
	assert_int_equal(worn_at("/a", 41, 7), 1000); /* the draft's number */
	assert_int_equal(worn_at("/b", 40, 0), -1);
	assert_int_equal(worn_at("/a/b", 40, 0), -1);
	assert_int_equal(worn_at("/", 40, 0), -1);
	take("/a", 44, 2000);
	assert_int_equal(worn_at("/a", 40, 0), -1);
	assert_int_equal(worn_at("/a", 44, 0), 2000);
}

static void what_is_set_adds_to_what_was(void **state)
{
	struct cache_attr attr = attr_of(40, 0);
	struct draft_set mode = {.mode = 0100755, .mtime_s = DRAFT_KEEP};
	struct draft_set time = {
	    .mode = DRAFT_KEEP, .mtime_s = -5, .mtime_ns = 9};
	struct drafts_worn worn;

	(void)state;
	assert_int_equal(drafts_wear(drafts, "/d/a", &attr, &mode), 0);
	assert_true(drafts_worn(drafts, "/d/a", &attr, &worn));
	assert_int_equal(worn.mode, 0755);
	assert_false(worn.has_mtime);
	assert_int_equal(drafts_wear(drafts, "/d/a", &attr, &time), 0);
	assert_true(drafts_worn(drafts, "/d/a", &attr, &worn));
	assert_int_equal(worn.mode, 0755);
	assert_int_equal(worn.mtime_s, -5);
	assert_int_equal(worn.mtime_ns, 9);
	/* Of another version nothing is kept. */
	attr = attr_of(41, 0);
	assert_int_equal(drafts_wear(drafts, "/d/a", &attr, &time), 0);
	assert_true(drafts_worn(drafts, "/d/a", &attr, &worn));
	assert_int_equal(worn.mode, 0);
	/* The root, too. */
	assert_int_equal(drafts_wear(drafts, "/", &attr, &time), 0);
	assert_int_equal(worn_at("/", 41, 0), -5);
}

/* A node that has become the version that follows is told of by that alone. */
static void it_holds_for_the_version_that_was_found(void **state)
{
	(void)state;
	take("/a", 7, 1000);
	assert_int_equal(worn_at("/a", 41, 0), -1);
	assert_int_equal(worn_at("/a", 41, 7), 1000);
	assert_int_equal(worn_at("/a", 41, 0), 1000);
	/* One that has not become it yet. */
	assert_int_equal(worn_at("/a", 7, 0), 1000);
}

static void a_mode_of_nothing_is_one(void **state)
{
	struct cache_attr attr = attr_of(40, 0);
	struct draft_set mode = {
	    .mode = DRAFTS_MODE_SET, .mtime_s = DRAFT_KEEP};
	struct drafts_worn worn;

	(void)state;
	assert_int_equal(drafts_wear(drafts, "/a", &attr, &mode), 0);
	assert_true(drafts_worn(drafts, "/a", &attr, &worn));
	assert_int_equal(worn.mode, DRAFTS_MODE_SET);
}

static void it_goes_where_names_go(void **state)
{
	(void)state;
	take("/d/e/a", 40, 1);
	take("/d/e/f/b", 41, 2);
	take("/d/c", 42, 3);
	take("/x/e/old", 43, 4);
	take("/x/f", 44, 5);
	worn_move(drafts, "/d/e", "/x/e");
	assert_int_equal(worn_at("/d/e/a", 40, 0), -1);
	assert_int_equal(worn_at("/x/e/a", 40, 0), 1);
	assert_int_equal(worn_at("/x/e/f/b", 41, 0), 2);
	assert_int_equal(worn_at("/d/c", 42, 0), 3);
	assert_int_equal(worn_at("/x/e/old", 43, 0), -1);
	/* A file over another. */
	worn_move(drafts, "/d/c", "/x/f");
	assert_int_equal(worn_at("/x/f", 42, 0), 3);
	assert_int_equal(worn_at("/x/f", 44, 0), -1);
	assert_int_equal(worn_at("/d/c", 42, 0), -1);
	/* One that nothing is known of, over one that is known. */
	worn_move(drafts, "/none", "/x/f");
	assert_int_equal(worn_at("/x/f", 42, 0), -1);
	/* To itself, and into itself: nothing is lost. */
	worn_move(drafts, "/x", "/x");
	worn_move(drafts, "/x", "/x/e/f");
	worn_move(drafts, "/", "/x");
	assert_int_equal(worn_at("/x/e/a", 40, 0), 1);
	worn_move(drafts, "/x", "/p/q/r/s");
	assert_int_equal(worn_at("/p/q/r/s/e/f/b", 41, 0), 2);
	worn_forget(drafts, "/p/q/r/s/e/f/b");
	assert_int_equal(worn_at("/p/q/r/s/e/f/b", 41, 0), -1);
	assert_int_equal(worn_at("/p/q/r/s/e/a", 40, 0), 1);
	worn_forget(drafts, "/p");
	worn_forget(drafts, "/p");
	worn_forget(drafts, "/");
	assert_int_equal(worn_at("/p/q/r/s/e/a", 40, 0), -1);
}

/* Against a table of whole paths, as it would be written without a tree. */
enum { MODEL_PATHS = 4 * 5 * 5, MODEL_STEPS = 300 };

static void model_path(char out[64], unsigned number)
{
	static const char *const part[] = {"", "/a", "/b", "/ab", "/c"};

	(void)snprintf(out, 64, "%s%s%s", part[1 + number % 4],
	    part[number / 4 % 5], part[number / 20]);
}

static void it_is_as_a_plain_table_of_paths(void **state)
{
	static uint64_t model[MODEL_PATHS];
	static uint64_t moved[MODEL_PATHS];
	uint64_t seed = 1;
	char from[64];
	char to[64];
	char path[64];
	char other[PATH_BYTES_MAX];

	(void)state;
	for (unsigned step = 2; step < MODEL_STEPS; step++) {
		unsigned a;
		unsigned b;

		seed = seed * 6364136223846793005u + 1442695040888963407u;
		a = (unsigned)(seed >> 33) % MODEL_PATHS;
		b = (unsigned)(seed >> 43) % MODEL_PATHS;
		model_path(from, a);
		model_path(to, b);
		if (seed >> 60 < 10) {
			take(from, step, step);
		} else if (seed >> 60 < 11) {
			worn_forget(drafts, from);
		} else {
			worn_move(drafts, from, to);
		}
		/* Several numbers may name one path: all are set. */
		(void)memcpy(moved, model, sizeof(model));
		for (unsigned i = 0; i < MODEL_PATHS; i++) {
			model_path(path, i);
			if (seed >> 60 < 10) {
				if (strcmp(path, from) == 0)
					moved[i] = step;
			} else if (seed >> 60 < 11) {
				if (path_is_within(path, from))
					moved[i] = 0;
			} else if (!path_is_within(to, from)) {
				if (path_is_within(path, to) ||
				    path_is_within(path, from))
					moved[i] = 0;
			}
		}
		if (seed >> 60 >= 11 && !path_is_within(to, from) &&
		    !path_is_within(from, to))
			for (unsigned i = 0; i < MODEL_PATHS; i++)
				for (unsigned j = 0; j < MODEL_PATHS; j++) {
					model_path(path, i);
					if (model[i] == 0 ||
					    !path_is_within(path, from))
						continue;
					(void)snprintf(other, sizeof(other),
					    "%s%s", to, path + strlen(from));
					model_path(path, j);
					if (strcmp(path, other) == 0)
						moved[j] = model[i];
				}
		(void)memcpy(model, moved, sizeof(model));
		for (unsigned i = 0; i < MODEL_PATHS; i++) {
			model_path(path, i);
			if (model[i] != 0)
				assert_int_equal(
				    worn_at(path, model[i], 0), model[i]);
			else
				assert_int_equal(worn_at(path, step, 0), -1);
		}
	}
}

static void the_oldest_go(void **state)
{
	char path[64];

	(void)state;
	for (unsigned i = 0; i < DRAFTS_WORN_MAX; i++) {
		(void)snprintf(path, sizeof(path), "/d%u/%u", i % 1000, i);
		take(path, 100 + i, i);
	}
	assert_int_equal(worn_at("/d0/0", 100, 0), 0);
	take("/new", 9, 99);
	assert_int_equal(worn_at("/d0/0", 100, 0), -1);
	assert_int_equal(worn_at("/d1/1", 101, 0), 1);
	assert_int_equal(worn_at("/new", 9, 0), 99);
	/* What is set again is new. */
	take("/d1/1", 101, 1);
	take("/new2", 9, 99);
	assert_int_equal(worn_at("/d1/1", 101, 0), 1);
	assert_int_equal(worn_at("/d2/2", 102, 0), -1);
	/* Names are bounded as well, however deep they lie. */
	for (unsigned i = 0; i < DRAFTS_WORN_MAX / 4; i++) {
		(void)snprintf(path, sizeof(path), "/e/%u/a/b/c/d", i);
		take(path, 100 + i, i);
	}
	assert_int_equal(worn_at(path, 99 + DRAFTS_WORN_MAX / 4, 0),
	    DRAFTS_WORN_MAX / 4 - 1);
	assert_int_equal(worn_at("/d3/3", 103, 0), -1);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test_setup_teardown(
	        it_holds_for_one_version_of_one_path, begin, end),
	    cmocka_unit_test_setup_teardown(
	        it_holds_as_long_as_the_server_tells_the_same, begin, end),
	    cmocka_unit_test_setup_teardown(
	        what_is_set_adds_to_what_was, begin, end),
	    cmocka_unit_test_setup_teardown(
	        it_holds_for_the_version_that_was_found, begin, end),
	    cmocka_unit_test_setup_teardown(
	        a_mode_of_nothing_is_one, begin, end),
	    cmocka_unit_test_setup_teardown(it_goes_where_names_go, begin, end),
	    cmocka_unit_test_setup_teardown(
	        it_is_as_a_plain_table_of_paths, begin, end),
	    cmocka_unit_test_setup_teardown(the_oldest_go, begin, end),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
