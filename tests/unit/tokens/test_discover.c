/* SPDX-License-Identifier: Apache-2.0 */
/* tokens/find/discover.h: where a token is found, in which order, and what is
 * passed over. */
#include "base/stats.h"
#include "tests/unit/oom.h"
#include "tests/unit/tokens/make.h"
#include "tokens/find/condor.h"
#include "tokens/find/discover.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

/* The wall clock of these tests; files made now are settled by then. */
#define NOW UINT64_C(3000000000)

static char dir[256];
static struct discover *discover;
static struct finding found;

static char *in_dir(const char *name)
{
	static char paths[4][512];
	static unsigned next;
	char *path = paths[next++ % 4];

	(void)snprintf(path, sizeof(paths[0]), "%s/%s", dir, name);
	return path;
}

static int set_up(void **state)
{
	(void)state;
	make_no_environment();
	make_directory(dir);
	discover = NULL;
	found = (struct finding){.count = 0};
	return 0;
}

static int tear_down(void **state)
{
	(void)state;
	finding_fini(&found);
	discover_free(discover);
	make_remove(dir);
	make_no_environment();
	return 0;
}

/* A user id that has no file in /tmp, whatever machine this is. */
static uid_t uid_of_test(void)
{
	return geteuid();
}

static void begin(const char *token_file)
{
	const struct tokens_config config = {
	    .token_file = token_file, .uid = uid_of_test()};
	struct err err = ERR_INIT;

	discover_free(discover);
	discover = NULL;
	assert_int_equal(discover_new(&discover, &config, NULL, &err), 0);
}

static void look(uint64_t now_s)
{
	finding_fini(&found);
	discover_look(discover, false, now_s, &found);
}

static void put(const char *path, const char *name, uint64_t expires_s)
{
	char text[MAKE_BYTES];

	make_token(text, name, expires_s);
	make_replaced(path, text, 0600);
}

static void assert_subject(const char *name)
{
	assert_non_null(finding_first(&found));
	assert_string_equal(finding_first(&found)->claims.subject, name);
}

/* The whole environment, each place with a token of its own, in the order in
 * which they count. /tmp/bt_u$UID is the user's own: it is not touched. */
static const char *const places[] = {
    "value", "file", "runtime", "scitokens", "other"};

static const char *place_path(size_t place)
{
	char known[64];

	switch (place) {
	case 1:
		return in_dir("file");
	case 2:
		(void)snprintf(
		    known, sizeof(known), "bt_u%u", (unsigned)uid_of_test());
		return in_dir(known);
	case 3:
		return in_dir("creds/scitokens.use");
	default:
		return in_dir("creds/alpha.use");
	}
}

static void fill_places(uint64_t expires_s)
{
	char text[MAKE_BYTES];

	(void)mkdir(in_dir("creds"), 0755);
	make_token(text, places[0], expires_s);
	(void)setenv("BEARER_TOKEN", text, 1);
	(void)setenv("BEARER_TOKEN_FILE", in_dir("file"), 1);
	(void)setenv("XDG_RUNTIME_DIR", dir, 1);
	(void)setenv("_CONDOR_CREDS", in_dir("creds"), 1);
	for (size_t i = 1; i < ARRAY_COUNT(places); i++)
		put(place_path(i), places[i], expires_s);
}

static bool own_token_in_tmp(void)
{
	char path[64];

	(void)snprintf(
	    path, sizeof(path), "/tmp/bt_u%u", (unsigned)uid_of_test());
	return access(path, F_OK) == 0;
}

static void the_first_place_that_has_a_token_is_taken(void **state)
{
	(void)state;
	fill_places(NOW + 1000);
	for (size_t first = 0; first < ARRAY_COUNT(places); first++) {
		if (first == 3 && own_token_in_tmp())
			skip();
		begin(NULL);
		look(NOW);
		assert_subject(places[first]);
		assert_string_equal(token_source(finding_first(&found)),
		    first == 0 ? "$BEARER_TOKEN" : place_path(first));
		assert_int_equal(found.problem.code, 0);
		if (first == 0)
			(void)unsetenv("BEARER_TOKEN");
		else
			assert_int_equal(unlink(place_path(first)), 0);
	}
	if (own_token_in_tmp())
		skip();
	begin(NULL);
	look(NOW);
	assert_null(finding_first(&found));
	assert_non_null(strstr(found.problem.text, "BEARER_TOKEN_FILE"));
	assert_non_null(strstr(found.problem.text, "token_file="));
}

static void the_option_stands_alone(void **state)
{
	(void)state;
	fill_places(NOW + 1000);
	put(in_dir("own"), "option", NOW + 1000);
	begin(in_dir("own"));
	look(NOW);
	assert_subject("option");
	begin(in_dir("none"));
	look(NOW);
	assert_null(finding_first(&found));
	assert_non_null(strstr(found.problem.text, "/none"));
	assert_non_null(strstr(found.problem.text, "mode 600"));
	put(in_dir("ended"), "ended", NOW - 1000);
	begin(in_dir("ended"));
	look(NOW);
	assert_subject("ended");
	assert_int_equal(found.problem.code, -EKEYEXPIRED);
}

static void an_unusable_option_is_an_error(void **state)
{
	struct tokens_config config = {.token_file = "relative"};
	struct err err = ERR_INIT;
	char *path = malloc(PATH_BYTES_MAX + 1);

	(void)state;
	assert_non_null(path);
	assert_int_equal(discover_new(&discover, &config, NULL, &err), -EINVAL);
	memset(path, 'a', PATH_BYTES_MAX);
	path[0] = '/';
	path[PATH_BYTES_MAX] = '\0';
	config.token_file = path;
	assert_int_equal(discover_new(&discover, &config, NULL, &err), -EINVAL);
	free(path);
}

/* Each way in which the first place can be of no use: the search goes on,
 * and says what it was. */
static void what_is_of_no_use_is_passed_over(void **state)
{
	static const struct {
		const char *text; /* NULL: a token that is not good */
		mode_t mode;
		const char *why; /* "": nothing to tell */
		uint64_t not_before_s;
		uint64_t expires_s;
	} rows[] = {
	    {"", 0600, "", 0, 0},
	    {" \n", 0600, "", 0, 0},
	    {"{\"access_token\":\"\"}", 0600, "", 0, 0},
	    {"two words", 0600, "not a token", 0, 0},
	    {"{\"access_token\":", 0600, "cut short", 0, 0},
	    {"eyJhbGciOiJFUzI1NiJ9.e30", 0600, "cut short", 0, 0},
	    {NULL, 0644, "chmod 600", 0, NOW + 1000},
	    {NULL, 0640, "chmod 600", 0, NOW + 1000},
	    {NULL, 0600, "ended at 2065-01-24T05:19:59Z", 0, NOW - 1},
	    {NULL, 0600, "ended at", 0, NOW},
	    {NULL, 0600, "not valid before 2065-01-24T05:20:01Z", NOW + 1,
	        NOW + 1000},
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_COUNT(rows); i++) {
		char claims[128];
		char text[MAKE_BYTES];

		fill_places(NOW + 1000);
		(void)unsetenv("BEARER_TOKEN");
		(void)snprintf(claims, sizeof(claims),
		    "{\"nbf\":%llu,\"exp\":%llu}",
		    (unsigned long long)rows[i].not_before_s,
		    (unsigned long long)rows[i].expires_s);
		make_jwt(text, claims);
		make_file(in_dir("file"),
		    rows[i].text != NULL ? rows[i].text : text, rows[i].mode);
		begin(NULL);
		look(NOW);
		assert_subject("runtime");
		if (rows[i].why[0] == '\0')
			assert_int_equal(found.problem.code, 0);
		else if (strstr(found.problem.text, rows[i].why) == NULL)
			fail_msg("'%s' does not say '%s'", found.problem.text,
			    rows[i].why);
	}
}

static void a_value_of_no_use_is_passed_over(void **state)
{
	static const char *const rows[] = {
	    "", " ", "two words", "eyJhbGciOiJFUzI1NiJ9.e30"};

	(void)state;
	for (size_t i = 0; i < ARRAY_COUNT(rows); i++) {
		fill_places(NOW + 1000);
		(void)setenv("BEARER_TOKEN", rows[i], 1);
		begin(NULL);
		look(NOW);
		assert_subject("file");
		if (i >= 2)
			assert_non_null(
			    strstr(found.problem.text, "$BEARER_TOKEN"));
	}
}

/* When none is good, the best of them is what is told of. */
static void one_that_will_be_good_goes_before_one_that_was(void **state)
{
	char text[MAKE_BYTES];
	char claims[128];

	(void)state;
	put(in_dir("file"), "ended", NOW - 10);
	(void)setenv("BEARER_TOKEN_FILE", in_dir("file"), 1);
	(void)mkdir(in_dir("creds"), 0755);
	(void)setenv("_CONDOR_CREDS", in_dir("creds"), 1);
	(void)snprintf(claims, sizeof(claims),
	    "{\"sub\":\"early\",\"nbf\":%llu}", (unsigned long long)NOW + 10);
	make_jwt(text, claims);
	make_file(in_dir("creds/a.use"), text, 0600);
	if (own_token_in_tmp())
		skip();
	begin(NULL);
	look(NOW);
	assert_subject("early");
	look(NOW + 10);
	assert_subject("early");
	look(NOW - 11);
	assert_subject("ended");
}

static void the_xdg_directory_must_be_absolute(void **state)
{
	char known[64];

	(void)state;
	if (own_token_in_tmp())
		skip();
	(void)snprintf(known, sizeof(known), "bt_u%u", (unsigned)uid_of_test());
	put(in_dir(known), "runtime", NOW + 10);
	assert_int_equal(chdir(dir), 0);
	(void)setenv("XDG_RUNTIME_DIR", ".", 1);
	begin(NULL);
	look(NOW);
	assert_null(finding_first(&found));
	/* A relative token file is taken from where the command was typed. */
	(void)setenv("BEARER_TOKEN_FILE", known, 1);
	begin(NULL);
	assert_int_equal(chdir("/"), 0);
	look(NOW);
	assert_subject("runtime");
}

static void a_token_stays_itself_while_its_text_is_the_same(void **state)
{
	uint64_t id;

	(void)state;
	put(in_dir("token"), "ada", NOW + 1000);
	begin(in_dir("token"));
	look(NOW);
	id = token_id(finding_first(&found));
	/* HTCondor's starter replaces the file every 300 s. */
	put(in_dir("token"), "ada", NOW + 1000);
	look(NOW + 1);
	assert_int_equal(token_id(finding_first(&found)), id);
	put(in_dir("token"), "ada", NOW + 2000);
	look(NOW + 2);
	assert_true(token_id(finding_first(&found)) != id);
}

enum replacement { BY_RENAME, IN_PLACE, AFTER_DELETING, AS_JSON, REPLACEMENTS };

static void replace(enum replacement how, const char *path, const char *text)
{
	char json[MAKE_BYTES + 64];

	switch (how) {
	case BY_RENAME:
		make_replaced(path, text, 0600);
		break;
	case IN_PLACE:
		make_file(path, text, 0600);
		break;
	case AFTER_DELETING:
		assert_int_equal(unlink(path), 0);
		look(NOW + 1); /* htgettoken: nothing there for a moment */
		assert_subject("old");
		assert_non_null(strstr(found.problem.text, "No such file"));
		make_file(path, text, 0600);
		break;
	case AS_JSON:
	case REPLACEMENTS:
	default:
		(void)snprintf(json, sizeof(json),
		    "{\"access_token\":\"%s\",\"expires_in\":60}\n", text);
		make_replaced(path, json, 0600);
		break;
	}
}

static void a_new_token_is_seen_however_it_was_written(void **state)
{
	(void)state;
	for (int how = 0; how < REPLACEMENTS; how++) {
		char text[MAKE_BYTES];

		put(in_dir("token"), "old", NOW + 1000);
		begin(in_dir("token"));
		look(NOW);
		assert_subject("old");
		make_token(text, "new", NOW + 2000);
		replace((enum replacement)how, in_dir("token"), text);
		look(NOW + 2);
		assert_subject("new");
		assert_int_equal(found.problem.code, 0);
	}
}

static void the_last_good_token_serves_until_its_end(void **state)
{
	static const struct {
		const char *text; /* NULL: no file */
		mode_t mode;
	} rows[] = {{NULL, 0}, {"", 0600}, {"two words", 0600},
	    {"eyJhbGciOiJFUzI1NiJ9.e30", 0600}, {"abc", 0644}};

	(void)state;
	for (size_t i = 0; i < ARRAY_COUNT(rows); i++) {
		put(in_dir("token"), "old", NOW + 100);
		begin(in_dir("token"));
		look(NOW);
		assert_subject("old");
		assert_int_equal(unlink(in_dir("token")), 0);
		if (rows[i].text != NULL)
			make_file(in_dir("token"), rows[i].text, rows[i].mode);
		for (uint64_t s = 1; s < 100; s += 7) {
			look(NOW + s);
			assert_subject("old");
			assert_true(found.problem.code != 0);
		}
		/* Ended: still what is told of. */
		look(NOW + 100);
		assert_subject("old");
		put(in_dir("token"), "new", NOW + 1000);
		look(NOW + 101);
		assert_subject("new");
		assert_int_equal(found.problem.code, 0);
	}
}

static void a_worse_token_does_not_replace_a_good_one(void **state)
{
	char text[MAKE_BYTES];
	char claims[128];

	(void)state;
	put(in_dir("token"), "old", NOW + 100);
	begin(in_dir("token"));
	look(NOW);
	put(in_dir("token"), "ended", NOW - 100);
	look(NOW + 1);
	assert_subject("old");
	/* An issuer whose clock is a little ahead of ours. */
	(void)snprintf(claims, sizeof(claims),
	    "{\"sub\":\"early\",\"nbf\":%llu,\"exp\":%llu}",
	    (unsigned long long)NOW + 5, (unsigned long long)NOW + 1000);
	make_jwt(text, claims);
	make_replaced(in_dir("token"), text, 0600);
	look(NOW + 4);
	assert_subject("old");
	look(NOW + 5);
	assert_subject("early");
	look(NOW + 101);
	assert_subject("early");
}

static void the_search_goes_on_when_a_token_has_ended(void **state)
{
	(void)state;
	fill_places(NOW + 1000);
	(void)unsetenv("BEARER_TOKEN");
	put(in_dir("file"), "short", NOW + 10);
	begin(NULL);
	look(NOW + 9);
	assert_subject("short");
	look(NOW + 10);
	assert_subject("runtime");
	assert_non_null(strstr(found.problem.text, "ended"));
	/* And back, as the order says. */
	put(in_dir("file"), "fresh", NOW + 100);
	look(NOW + 11);
	assert_subject("fresh");
}

static void a_token_in_use_goes_before_a_later_place(void **state)
{
	(void)state;
	fill_places(NOW + 1000);
	(void)unsetenv("BEARER_TOKEN");
	begin(NULL);
	look(NOW);
	assert_subject("file");
	assert_int_equal(unlink(in_dir("file")), 0);
	look(NOW + 1);
	assert_subject("file");
	/* One that was never in use and is gone is gone. */
	assert_int_equal(unlink(place_path(2)), 0);
	begin(NULL);
	if (own_token_in_tmp())
		skip();
	look(NOW);
	assert_subject("scitokens");
}

static void unchanged_files_are_not_read(void **state)
{
	uint64_t reads;

	(void)state;
	put(in_dir("token"), "ada", NOW + 1000);
	begin(in_dir("token"));
	look(NOW);
	reads = stats_get(STATS_tokens_reads);
	for (uint64_t s = 1; s < 10; s++)
		look(NOW + s);
	assert_int_equal(stats_get(STATS_tokens_reads), reads);
	finding_fini(&found);
	discover_look(discover, true, NOW + 10, &found);
	assert_int_equal(stats_get(STATS_tokens_reads), reads + 1);
	assert_subject("ada");
}

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
	if (own_token_in_tmp())
		skip();
	(void)setenv("_CONDOR_CREDS", in_dir("creds"), 1);
	begin(NULL);
	look(NOW);
	assert_null(finding_first(&found));
	assert_int_equal(mkdir(in_dir("creds"), 0755), 0);
	put(in_dir("creds/b.use"), "b", NOW + 100);
	put(in_dir("creds/.hidden.use"), "hidden", NOW + 100);
	put(in_dir("creds/a.top"), "top", NOW + 100);
	put(in_dir("creds/a.use.tmp"), "tmp", NOW + 100);
	put(in_dir("creds/.use"), "use", NOW + 100);
	look(NOW + 1);
	assert_subject("b");
	/* The whole directory is gone, as when the starter fails half-way. */
	make_remove(in_dir("creds"));
	look(NOW + 2);
	assert_subject("b");
	/* It is back, without the file in use: that one keeps its place. */
	assert_int_equal(mkdir(in_dir("creds"), 0755), 0);
	put(in_dir("creds/c.use"), "c", NOW + 200);
	look(NOW + 3);
	assert_subject("b");
	put(in_dir("creds/a.use"), "a", NOW + 50);
	look(NOW + 4);
	assert_subject("a");
	/* Then the next that has not ended, by the order. */
	look(NOW + 50);
	assert_subject("b");
	look(NOW + 100);
	assert_subject("c");
	put(in_dir("creds/scitokens.use"), "s", NOW + 300);
	look(NOW + 101);
	assert_subject("s");
}

/* Their subjects, one letter each, in their order. */
static void assert_subjects(const char *letters)
{
	char got[FINDING_TOKENS_MAX + 1] = "";

	for (unsigned i = 0; i < found.count; i++) {
		got[i] = found.tokens[i]->claims.subject[0];
		got[i + 1] = '\0';
	}
	assert_string_equal(got, letters);
}

static void all_of_condors_good_tokens_are_found(void **state)
{
	char early[MAKE_BYTES];
	char claims[128];

	(void)state;
	if (own_token_in_tmp())
		skip();
	(void)setenv("_CONDOR_CREDS", in_dir("creds"), 1);
	assert_int_equal(mkdir(in_dir("creds"), 0755), 0);
	put(in_dir("creds/z.use"), "z", NOW + 100);
	put(in_dir("creds/b.use"), "b", NOW); /* has ended */
	put(in_dir("creds/a.use"), "a", NOW + 200);
	put(in_dir("creds/scitokens.use"), "s", NOW + 300);
	(void)snprintf(claims, sizeof(claims), "{\"sub\":\"e\",\"nbf\":%llu}",
	    (unsigned long long)NOW + 10);
	make_jwt(early, claims);
	make_replaced(in_dir("creds/e.use"), early, 0600);
	make_replaced(in_dir("creds/g.use"), "gar bage", 0600);
	begin(NULL);
	look(NOW);
	assert_subjects("saz");
	assert_string_equal(
	    token_source(found.tokens[1]), in_dir("creds/a.use"));
	assert_int_equal(found.problem.code, -EKEYEXPIRED);
	look(NOW + 10);
	assert_subjects("saez");
	look(NOW + 100);
	assert_subjects("sae");
	/* An earlier place has one: it is alone. */
	(void)setenv("BEARER_TOKEN_FILE", in_dir("file"), 1);
	put(in_dir("file"), "f", NOW + 300);
	begin(NULL);
	look(NOW + 100);
	assert_subjects("f");
}

static void each_of_them_is_kept_against_bad_times(void **state)
{
	struct token *kept[3];

	(void)state;
	if (own_token_in_tmp())
		skip();
	(void)setenv("_CONDOR_CREDS", in_dir("creds"), 1);
	assert_int_equal(mkdir(in_dir("creds"), 0755), 0);
	put(in_dir("creds/a.use"), "a", NOW + 50);
	put(in_dir("creds/b.use"), "b", NOW + 100);
	put(in_dir("creds/c.use"), "c", NOW + 150);
	begin(NULL);
	look(NOW);
	assert_subjects("abc");
	for (unsigned i = 0; i < 3; i++)
		kept[i] = found.tokens[i];
	assert_int_equal(unlink(in_dir("creds/a.use")), 0);
	make_replaced(in_dir("creds/b.use"), "", 0600);
	make_replaced(in_dir("creds/c.use"), "gar bage", 0600);
	look(NOW + 1);
	assert_subjects("abc");
	for (unsigned i = 0; i < 3; i++)
		assert_ptr_equal(found.tokens[i], kept[i]);
	make_remove(in_dir("creds"));
	look(NOW + 50);
	assert_subjects("bc");
	look(NOW + 100);
	assert_subjects("c");
	/* Of what has ended, the one that was good last. */
	look(NOW + 150);
	assert_subjects("c");
	assert_int_equal(found.problem.code, -ENOENT);
}

static void no_more_of_them_than_a_finding_holds(void **state)
{
	char name[64];

	(void)state;
	if (own_token_in_tmp())
		skip();
	(void)setenv("_CONDOR_CREDS", in_dir("creds"), 1);
	assert_int_equal(mkdir(in_dir("creds"), 0755), 0);
	begin(NULL);
	for (char c = 'a'; c < 'a' + FINDING_TOKENS_MAX + 3; c++) {
		(void)snprintf(name, sizeof(name), "creds/%c.use", c);
		put(in_dir(name), (char[]){c, '\0'}, NOW + 100);
	}
	look(NOW);
	assert_subjects("abcdefghijklmnop");
	/* All of them are kept beside all that come. */
	make_remove(in_dir("creds"));
	assert_int_equal(mkdir(in_dir("creds"), 0755), 0);
	for (unsigned i = 0; i < CONDOR_FILES_MAX; i++) {
		(void)snprintf(name, sizeof(name), "creds/0%02u.use", i);
		put(in_dir(name), "0", NOW + 200);
	}
	look(NOW + 1);
	assert_subjects("0000000000000000");
}

static void condors_files_are_bounded(void **state)
{
	struct condor_files files;
	struct file_rules rules = {.uid = uid_of_test()};
	struct err err = ERR_INIT;

	(void)state;
	(void)mkdir(in_dir("creds"), 0755);
	for (int extra = 0; extra < 2; extra++) {
		for (int i = 0; i < CONDOR_FILES_MAX + extra; i++) {
			char name[64];

			(void)snprintf(name, sizeof(name), "creds/%d.use", i);
			make_file(in_dir(name), "abc", 0600);
		}
		assert_int_equal(
		    condor_list(&files, in_dir("creds"), &rules, &err), 0);
		assert_int_equal(files.count, CONDOR_FILES_MAX);
		condor_files_fini(&files);
	}
	(void)setenv("_CONDOR_CREDS", in_dir("creds"), 1);
	begin(NULL);
	/* One more than fits, and another set of names at each look. */
	for (uint64_t round = 0; round < 4; round++) {
		look(NOW + round);
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
			assert_int_equal(rename(in_dir(from), in_dir(to)), 0);
		}
	}
	look(NOW + 10);
	assert_non_null(finding_first(&found));
}

/* What the environment said is known from the beginning and for good: the
 * process may wipe it then. */
static void the_environment_is_read_once(void **state)
{
	(void)state;
	fill_places(NOW + 1000);
	begin(NULL);
	make_no_environment();
	look(NOW);
	assert_subject("value");
	assert_string_equal(
	    token_source(finding_first(&found)), "$BEARER_TOKEN");
}

/* strdup(3) allocates inside libc, where no wrapper sees it. */
char *__wrap_strdup(const char *text);
char *__wrap_strdup(const char *text)
{
	size_t n = strlen(text) + 1;
	char *copy = malloc(n);

	return copy != NULL ? memcpy(copy, text, n) : NULL;
}

static int make_once(void *arg)
{
	const struct tokens_config *config = arg;
	struct err err = ERR_INIT;
	struct discover *made = NULL;
	int code = discover_new(&made, config, NULL, &err);

	assert_int_equal(code == 0, made != NULL);
	discover_free(made);
	return code;
}

static void making_survives_every_failed_allocation(void **state)
{
	struct tokens_config config = {
	    .uid = uid_of_test(), .forbidden_tree = "/mnt"};

	(void)state;
	fill_places(NOW + 1000);
	assert_true(oom_each(make_once, &config) >= 15);
	config.token_file = "/token";
	assert_true(oom_each(make_once, &config) >= 4);
}

/* A look without memory finds nothing, or what it can; the next one finds
 * the token. */
static int look_once(void *arg)
{
	struct finding one;
	bool found_one;

	(void)arg;
	discover_look(discover, true, NOW, &one);
	found_one = finding_first(&one) != NULL &&
	    strcmp(finding_first(&one)->claims.subject, "alpha") == 0;
	finding_fini(&one);
	return found_one ? 0 : -ENOMEM;
}

static void a_look_survives_every_failed_allocation(void **state)
{
	(void)state;
	if (own_token_in_tmp())
		skip();
	(void)mkdir(in_dir("creds"), 0755);
	put(in_dir("creds/a.use"), "alpha", NOW + 1000);
	(void)setenv("_CONDOR_CREDS", in_dir("creds"), 1);
	begin(NULL);
	assert_true(oom_each(look_once, NULL) >= 10);
	look(NOW);
	assert_subject("alpha");
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)
	const struct CMUnitTest tests[] = {
	    TEST(the_first_place_that_has_a_token_is_taken),
	    TEST(the_option_stands_alone),
	    TEST(an_unusable_option_is_an_error),
	    TEST(what_is_of_no_use_is_passed_over),
	    TEST(a_value_of_no_use_is_passed_over),
	    TEST(one_that_will_be_good_goes_before_one_that_was),
	    TEST(the_xdg_directory_must_be_absolute),
	    TEST(a_token_stays_itself_while_its_text_is_the_same),
	    TEST(a_new_token_is_seen_however_it_was_written),
	    TEST(the_last_good_token_serves_until_its_end),
	    TEST(a_worse_token_does_not_replace_a_good_one),
	    TEST(the_search_goes_on_when_a_token_has_ended),
	    TEST(a_token_in_use_goes_before_a_later_place),
	    TEST(unchanged_files_are_not_read),
	    TEST(condors_files_come_in_their_order),
	    TEST(condors_directory_may_change_and_vanish),
	    TEST(all_of_condors_good_tokens_are_found),
	    TEST(each_of_them_is_kept_against_bad_times),
	    TEST(no_more_of_them_than_a_finding_holds),
	    TEST(condors_files_are_bounded),
	    TEST(the_environment_is_read_once),
	    TEST(making_survives_every_failed_allocation),
	    TEST(a_look_survives_every_failed_allocation),
	};
#undef TEST

	return cmocka_run_group_tests(tests, NULL, NULL);
}
