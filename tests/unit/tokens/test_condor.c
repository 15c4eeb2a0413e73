/* SPDX-License-Identifier: Apache-2.0 */
/* tokens/find/condor.h: HTCondor's directory, where several tokens may lie. */
#include "tests/unit/tokens/discover_bed.h"
#include "tests/unit/tokens/make.h"
#include "tokens/find/condor.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

static void condors_files_come_in_their_order(void **state)
{
	static const char *const sorted[] = {
	    "scitokens.use", "a.use", "b.use", "scitokens_x.use"};

	(void)state;
	for (size_t i = 0; i < ARRAY_COUNT(sorted); i++) {
		for (size_t j = 0; j < ARRAY_COUNT(sorted); j++) {
			int order = condor_order(sorted[i], sorted[j]);

			assert_int_equal(order < 0, i < j);
			assert_int_equal(order > 0, i > j);
		}
	}
}

static void condors_directory_may_change_and_vanish(void **state)
{
	(void)state;
	if (discover_bed_own_token_in_tmp())
		skip();
	(void)setenv("_CONDOR_CREDS", discover_bed_in_dir("creds"), 1);
	discover_bed_begin(NULL);
	discover_bed_look(NOW);
	assert_null(finding_first(&discover_bed.found));
	assert_int_equal(mkdir(discover_bed_in_dir("creds"), 0755), 0);
	discover_bed_put(discover_bed_in_dir("creds/b.use"), "b", NOW + 100);
	discover_bed_put(
	    discover_bed_in_dir("creds/.hidden.use"), "hidden", NOW + 100);
	discover_bed_put(discover_bed_in_dir("creds/a.top"), "top", NOW + 100);
	discover_bed_put(
	    discover_bed_in_dir("creds/a.use.tmp"), "tmp", NOW + 100);
	discover_bed_put(discover_bed_in_dir("creds/.use"), "use", NOW + 100);
	discover_bed_look(NOW + 1);
	discover_bed_found("b");
	/* The whole directory is gone, as when the starter fails half-way. */
	make_remove(discover_bed_in_dir("creds"));
	discover_bed_look(NOW + 2);
	discover_bed_found("b");
	/* It is back, without the file in use: that one keeps its place. */
	assert_int_equal(mkdir(discover_bed_in_dir("creds"), 0755), 0);
	discover_bed_put(discover_bed_in_dir("creds/c.use"), "c", NOW + 200);
	discover_bed_look(NOW + 3);
	discover_bed_found("b");
	discover_bed_put(discover_bed_in_dir("creds/a.use"), "a", NOW + 50);
	discover_bed_look(NOW + 4);
	discover_bed_found("a");
	/* Then the next that has not ended, by the order. */
	discover_bed_look(NOW + 50);
	discover_bed_found("b");
	discover_bed_look(NOW + 100);
	discover_bed_found("c");
	discover_bed_put(
	    discover_bed_in_dir("creds/scitokens.use"), "s", NOW + 300);
	discover_bed_look(NOW + 101);
	discover_bed_found("s");
}

/* Their subjects, one letter each, in their order. */
static void assert_subjects(const char *letters)
{
	char got[FINDING_TOKENS_MAX + 1] = "";

	for (unsigned i = 0; i < discover_bed.found.count; i++) {
		got[i] = discover_bed.found.tokens[i]->claims.subject[0];
		got[i + 1] = '\0';
	}
	assert_string_equal(got, letters);
}

static void all_of_condors_good_tokens_are_found(void **state)
{
	char early[MAKE_BYTES];
	char claims[128];

	(void)state;
	if (discover_bed_own_token_in_tmp())
		skip();
	(void)setenv("_CONDOR_CREDS", discover_bed_in_dir("creds"), 1);
	assert_int_equal(mkdir(discover_bed_in_dir("creds"), 0755), 0);
	discover_bed_put(discover_bed_in_dir("creds/z.use"), "z", NOW + 100);
	discover_bed_put(
	    discover_bed_in_dir("creds/b.use"), "b", NOW); /* has ended */
	discover_bed_put(discover_bed_in_dir("creds/a.use"), "a", NOW + 200);
	discover_bed_put(
	    discover_bed_in_dir("creds/scitokens.use"), "s", NOW + 300);
	(void)snprintf(claims, sizeof(claims), "{\"sub\":\"e\",\"nbf\":%llu}",
	    (unsigned long long)NOW + 10);
	make_jwt(early, claims);
	make_replaced(discover_bed_in_dir("creds/e.use"), early, 0600);
	make_replaced(discover_bed_in_dir("creds/g.use"), "gar bage", 0600);
	discover_bed_begin(NULL);
	discover_bed_look(NOW);
	assert_subjects("saz");
	assert_string_equal(token_source(discover_bed.found.tokens[1]),
	    discover_bed_in_dir("creds/a.use"));
	assert_int_equal(discover_bed.found.problem.code, -EKEYEXPIRED);
	discover_bed_look(NOW + 10);
	assert_subjects("saez");
	discover_bed_look(NOW + 100);
	assert_subjects("sae");
	/* An earlier place has one: it is alone. */
	(void)setenv("BEARER_TOKEN_FILE", discover_bed_in_dir("file"), 1);
	discover_bed_put(discover_bed_in_dir("file"), "f", NOW + 300);
	discover_bed_begin(NULL);
	discover_bed_look(NOW + 100);
	assert_subjects("f");
}

static void each_of_them_is_kept_against_bad_times(void **state)
{
	struct token *kept[3];

	(void)state;
	if (discover_bed_own_token_in_tmp())
		skip();
	(void)setenv("_CONDOR_CREDS", discover_bed_in_dir("creds"), 1);
	assert_int_equal(mkdir(discover_bed_in_dir("creds"), 0755), 0);
	discover_bed_put(discover_bed_in_dir("creds/a.use"), "a", NOW + 50);
	discover_bed_put(discover_bed_in_dir("creds/b.use"), "b", NOW + 100);
	discover_bed_put(discover_bed_in_dir("creds/c.use"), "c", NOW + 150);
	discover_bed_begin(NULL);
	discover_bed_look(NOW);
	assert_subjects("abc");
	for (unsigned i = 0; i < 3; i++)
		kept[i] = discover_bed.found.tokens[i];
	assert_int_equal(unlink(discover_bed_in_dir("creds/a.use")), 0);
	make_replaced(discover_bed_in_dir("creds/b.use"), "", 0600);
	make_replaced(discover_bed_in_dir("creds/c.use"), "gar bage", 0600);
	discover_bed_look(NOW + 1);
	assert_subjects("abc");
	for (unsigned i = 0; i < 3; i++)
		assert_ptr_equal(discover_bed.found.tokens[i], kept[i]);
	make_remove(discover_bed_in_dir("creds"));
	discover_bed_look(NOW + 50);
	assert_subjects("bc");
	discover_bed_look(NOW + 100);
	assert_subjects("c");
	/* Of what has ended, the one that was good last. */
	discover_bed_look(NOW + 150);
	assert_subjects("c");
	assert_int_equal(discover_bed.found.problem.code, -ENOENT);
}

static void no_more_of_them_than_a_finding_holds(void **state)
{
	char name[64];

	(void)state;
	if (discover_bed_own_token_in_tmp())
		skip();
	(void)setenv("_CONDOR_CREDS", discover_bed_in_dir("creds"), 1);
	assert_int_equal(mkdir(discover_bed_in_dir("creds"), 0755), 0);
	discover_bed_begin(NULL);
	for (char c = 'a'; c < 'a' + FINDING_TOKENS_MAX + 3; c++) {
		(void)snprintf(name, sizeof(name), "creds/%c.use", c);
		discover_bed_put(
		    discover_bed_in_dir(name), (char[]){c, '\0'}, NOW + 100);
	}
	discover_bed_look(NOW);
	assert_subjects("abcdefghijklmnop");
	/* All of them are kept beside all that come. */
	make_remove(discover_bed_in_dir("creds"));
	assert_int_equal(mkdir(discover_bed_in_dir("creds"), 0755), 0);
	for (unsigned i = 0; i < CONDOR_FILES_MAX; i++) {
		(void)snprintf(name, sizeof(name), "creds/0%02u.use", i);
		discover_bed_put(discover_bed_in_dir(name), "0", NOW + 200);
	}
	discover_bed_look(NOW + 1);
	assert_subjects("0000000000000000");
}

static void condors_files_are_bounded(void **state)
{
	struct condor_files files;
	struct file_rules rules = {.uid = discover_bed_uid_of_test()};
	struct err err = ERR_INIT;

	(void)state;
	(void)mkdir(discover_bed_in_dir("creds"), 0755);
	for (int extra = 0; extra < 2; extra++) {
		for (int i = 0; i < CONDOR_FILES_MAX + extra; i++) {
			char name[64];

			(void)snprintf(name, sizeof(name), "creds/%d.use", i);
			make_file(discover_bed_in_dir(name), "abc", 0600);
		}
		assert_int_equal(
		    condor_list(
		        &files, discover_bed_in_dir("creds"), &rules, &err),
		    0);
		assert_int_equal(files.count, CONDOR_FILES_MAX);
		condor_files_fini(&files);
	}
	(void)setenv("_CONDOR_CREDS", discover_bed_in_dir("creds"), 1);
	discover_bed_begin(NULL);
	/* One more than fits, and another set of names at each look. */
	for (uint64_t round = 0; round < 4; round++) {
		discover_bed_look(NOW + round);
		for (int i = 0; i < CONDOR_FILES_MAX + 1; i++) {
			char from[64];
			char to[64];

			(void)snprintf(from, sizeof(from), "creds/r%llu_%d.use",
			    (unsigned long long)round, i);
			(void)snprintf(to, sizeof(to), "creds/r%llu_%d.use",
			    (unsigned long long)round + 1, i);
			if (round == 0)
				(void)snprintf(
				    from, sizeof(from), "creds/%d.use", i);
			assert_int_equal(rename(discover_bed_in_dir(from),
			                     discover_bed_in_dir(to)),
			    0);
		}
	}
	discover_bed_look(NOW + 10);
	assert_non_null(finding_first(&discover_bed.found));
}

int main(void)
{
#define TEST(name)                       \
	cmocka_unit_test_setup_teardown( \
	    name, discover_bed_set_up, discover_bed_tear_down)
	const struct CMUnitTest tests[] = {
	    TEST(condors_files_come_in_their_order),
	    TEST(condors_directory_may_change_and_vanish),
	    TEST(all_of_condors_good_tokens_are_found),
	    TEST(each_of_them_is_kept_against_bad_times),
	    TEST(no_more_of_them_than_a_finding_holds),
	    TEST(condors_files_are_bounded),
	};
#undef TEST

	return cmocka_run_group_tests(tests, NULL, NULL);
}
