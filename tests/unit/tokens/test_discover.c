/* SPDX-License-Identifier: Apache-2.0 */
/* tokens/find/discover.h: where a token is found, in which order, and what is
 * passed over. */
#include "base/stats.h"
#include "tests/unit/oom.h"
#include "tests/unit/tokens/discover_bed.h"
#include "tests/unit/tokens/make.h"

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

/* The whole environment, each place with a token of its own, in the order in
 * which they count. /tmp/bt_u$UID is the user's own: it is not touched. */
static const char *const places[] = {
    "value", "file", "runtime", "scitokens", "other"};

static const char *place_path(size_t place)
{
	char known[64];

	switch (place) {
	case 1:
		return discover_bed_in_dir("file");
	case 2:
		(void)snprintf(known, sizeof(known), "bt_u%u",
		    (unsigned)discover_bed_uid_of_test());
		return discover_bed_in_dir(known);
	case 3:
		return discover_bed_in_dir("creds/scitokens.use");
	default:
		return discover_bed_in_dir("creds/alpha.use");
	}
}

static void fill_places(uint64_t expires_s)
{
	char text[MAKE_BYTES];

	(void)mkdir(discover_bed_in_dir("creds"), 0755);
	make_token(text, places[0], expires_s);
	(void)setenv("BEARER_TOKEN", text, 1);
	(void)setenv("BEARER_TOKEN_FILE", discover_bed_in_dir("file"), 1);
	(void)setenv("XDG_RUNTIME_DIR", discover_bed.dir, 1);
	(void)setenv("_CONDOR_CREDS", discover_bed_in_dir("creds"), 1);
	for (size_t i = 1; i < ARRAY_COUNT(places); i++)
		discover_bed_put(place_path(i), places[i], expires_s);
}

static void the_first_place_that_has_a_token_is_taken(void **state)
{
	(void)state;
	fill_places(NOW + 1000);
	for (size_t first = 0; first < ARRAY_COUNT(places); first++) {
		if (first == 3 && discover_bed_own_token_in_tmp())
			skip();
		discover_bed_begin(NULL);
		discover_bed_look(NOW);
		discover_bed_found(places[first]);
		assert_string_equal(
		    token_source(finding_first(&discover_bed.found)),
		    first == 0 ? "$BEARER_TOKEN" : place_path(first));
		assert_int_equal(discover_bed.found.problem.code, 0);
		if (first == 0)
			(void)unsetenv("BEARER_TOKEN");
		else
			assert_int_equal(unlink(place_path(first)), 0);
	}
	if (discover_bed_own_token_in_tmp())
		skip();
	discover_bed_begin(NULL);
	discover_bed_look(NOW);
	assert_null(finding_first(&discover_bed.found));
	assert_non_null(
	    strstr(discover_bed.found.problem.text, "BEARER_TOKEN_FILE"));
	assert_non_null(strstr(discover_bed.found.problem.text, "token_file="));
}

static void the_option_stands_alone(void **state)
{
	(void)state;
	fill_places(NOW + 1000);
	discover_bed_put(discover_bed_in_dir("own"), "option", NOW + 1000);
	discover_bed_begin(discover_bed_in_dir("own"));
	discover_bed_look(NOW);
	discover_bed_found("option");
	discover_bed_begin(discover_bed_in_dir("none"));
	discover_bed_look(NOW);
	assert_null(finding_first(&discover_bed.found));
	assert_non_null(strstr(discover_bed.found.problem.text, "/none"));
	assert_non_null(strstr(discover_bed.found.problem.text, "mode 600"));
	discover_bed_put(discover_bed_in_dir("ended"), "ended", NOW - 1000);
	discover_bed_begin(discover_bed_in_dir("ended"));
	discover_bed_look(NOW);
	discover_bed_found("ended");
	assert_int_equal(discover_bed.found.problem.code, -EKEYEXPIRED);
}

static void an_unusable_option_is_an_error(void **state)
{
	struct tokens_config config = {.token_file = "relative"};
	struct err err = ERR_INIT;
	char *path = malloc(PATH_BYTES_MAX + 1);

	(void)state;
	assert_non_null(path);
	assert_int_equal(
	    discover_new(&discover_bed.discover, &config, NULL, &err), -EINVAL);
	memset(path, 'a', PATH_BYTES_MAX);
	path[0] = '/';
	path[PATH_BYTES_MAX] = '\0';
	config.token_file = path;
	assert_int_equal(
	    discover_new(&discover_bed.discover, &config, NULL, &err), -EINVAL);
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
		make_file(discover_bed_in_dir("file"),
		    rows[i].text != NULL ? rows[i].text : text, rows[i].mode);
		discover_bed_begin(NULL);
		discover_bed_look(NOW);
		discover_bed_found("runtime");
		if (rows[i].why[0] == '\0')
			assert_int_equal(discover_bed.found.problem.code, 0);
		else if (strstr(discover_bed.found.problem.text, rows[i].why) ==
		    NULL)
			fail_msg("'%s' does not say '%s'",
			    discover_bed.found.problem.text, rows[i].why);
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
		discover_bed_begin(NULL);
		discover_bed_look(NOW);
		discover_bed_found("file");
		if (i >= 2)
			assert_non_null(strstr(
			    discover_bed.found.problem.text, "$BEARER_TOKEN"));
	}
}

/* When none is good, the best of them is what is told of. */
static void one_that_will_be_good_goes_before_one_that_was(void **state)
{
	char text[MAKE_BYTES];
	char claims[128];

	(void)state;
	discover_bed_put(discover_bed_in_dir("file"), "ended", NOW - 10);
	(void)setenv("BEARER_TOKEN_FILE", discover_bed_in_dir("file"), 1);
	(void)mkdir(discover_bed_in_dir("creds"), 0755);
	(void)setenv("_CONDOR_CREDS", discover_bed_in_dir("creds"), 1);
	(void)snprintf(claims, sizeof(claims),
	    "{\"sub\":\"early\",\"nbf\":%llu}", (unsigned long long)NOW + 10);
	make_jwt(text, claims);
	make_file(discover_bed_in_dir("creds/a.use"), text, 0600);
	if (discover_bed_own_token_in_tmp())
		skip();
	discover_bed_begin(NULL);
	discover_bed_look(NOW);
	discover_bed_found("early");
	discover_bed_look(NOW + 10);
	discover_bed_found("early");
	discover_bed_look(NOW - 11);
	discover_bed_found("ended");
}

static void the_xdg_directory_must_be_absolute(void **state)
{
	char known[64];

	(void)state;
	if (discover_bed_own_token_in_tmp())
		skip();
	(void)snprintf(known, sizeof(known), "bt_u%u",
	    (unsigned)discover_bed_uid_of_test());
	discover_bed_put(discover_bed_in_dir(known), "runtime", NOW + 10);
	assert_int_equal(chdir(discover_bed.dir), 0);
	(void)setenv("XDG_RUNTIME_DIR", ".", 1);
	discover_bed_begin(NULL);
	discover_bed_look(NOW);
	assert_null(finding_first(&discover_bed.found));
	/* A relative token file is taken from where the command was typed. */
	(void)setenv("BEARER_TOKEN_FILE", known, 1);
	discover_bed_begin(NULL);
	assert_int_equal(chdir("/"), 0);
	discover_bed_look(NOW);
	discover_bed_found("runtime");
}

static void a_token_stays_itself_while_its_text_is_the_same(void **state)
{
	uint64_t id;

	(void)state;
	discover_bed_put(discover_bed_in_dir("token"), "ada", NOW + 1000);
	discover_bed_begin(discover_bed_in_dir("token"));
	discover_bed_look(NOW);
	id = token_id(finding_first(&discover_bed.found));
	/* HTCondor's starter replaces the file every 300 s. */
	discover_bed_put(discover_bed_in_dir("token"), "ada", NOW + 1000);
	discover_bed_look(NOW + 1);
	assert_int_equal(token_id(finding_first(&discover_bed.found)), id);
	discover_bed_put(discover_bed_in_dir("token"), "ada", NOW + 2000);
	discover_bed_look(NOW + 2);
	assert_true(token_id(finding_first(&discover_bed.found)) != id);
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
		discover_bed_look(
		    NOW + 1); /* htgettoken: nothing there for a moment */
		discover_bed_found("old");
		assert_non_null(
		    strstr(discover_bed.found.problem.text, "No such file"));
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

		discover_bed_put(
		    discover_bed_in_dir("token"), "old", NOW + 1000);
		discover_bed_begin(discover_bed_in_dir("token"));
		discover_bed_look(NOW);
		discover_bed_found("old");
		make_token(text, "new", NOW + 2000);
		replace(
		    (enum replacement)how, discover_bed_in_dir("token"), text);
		discover_bed_look(NOW + 2);
		discover_bed_found("new");
		assert_int_equal(discover_bed.found.problem.code, 0);
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
		discover_bed_put(
		    discover_bed_in_dir("token"), "old", NOW + 100);
		discover_bed_begin(discover_bed_in_dir("token"));
		discover_bed_look(NOW);
		discover_bed_found("old");
		assert_int_equal(unlink(discover_bed_in_dir("token")), 0);
		if (rows[i].text != NULL)
			make_file(discover_bed_in_dir("token"), rows[i].text,
			    rows[i].mode);
		for (uint64_t s = 1; s < 100; s += 7) {
			discover_bed_look(NOW + s);
			discover_bed_found("old");
			assert_true(discover_bed.found.problem.code != 0);
		}
		/* Ended: still what is told of. */
		discover_bed_look(NOW + 100);
		discover_bed_found("old");
		discover_bed_put(
		    discover_bed_in_dir("token"), "new", NOW + 1000);
		discover_bed_look(NOW + 101);
		discover_bed_found("new");
		assert_int_equal(discover_bed.found.problem.code, 0);
	}
}

static void a_worse_token_does_not_replace_a_good_one(void **state)
{
	char text[MAKE_BYTES];
	char claims[128];

	(void)state;
	discover_bed_put(discover_bed_in_dir("token"), "old", NOW + 100);
	discover_bed_begin(discover_bed_in_dir("token"));
	discover_bed_look(NOW);
	discover_bed_put(discover_bed_in_dir("token"), "ended", NOW - 100);
	discover_bed_look(NOW + 1);
	discover_bed_found("old");
	/* An issuer whose clock is a little ahead of ours. */
	(void)snprintf(claims, sizeof(claims),
	    "{\"sub\":\"early\",\"nbf\":%llu,\"exp\":%llu}",
	    (unsigned long long)NOW + 5, (unsigned long long)NOW + 1000);
	make_jwt(text, claims);
	make_replaced(discover_bed_in_dir("token"), text, 0600);
	discover_bed_look(NOW + 4);
	discover_bed_found("old");
	discover_bed_look(NOW + 5);
	discover_bed_found("early");
	discover_bed_look(NOW + 101);
	discover_bed_found("early");
}

static void the_search_goes_on_when_a_token_has_ended(void **state)
{
	(void)state;
	fill_places(NOW + 1000);
	(void)unsetenv("BEARER_TOKEN");
	discover_bed_put(discover_bed_in_dir("file"), "short", NOW + 10);
	discover_bed_begin(NULL);
	discover_bed_look(NOW + 9);
	discover_bed_found("short");
	discover_bed_look(NOW + 10);
	discover_bed_found("runtime");
	assert_non_null(strstr(discover_bed.found.problem.text, "ended"));
	/* And back, as the order says. */
	discover_bed_put(discover_bed_in_dir("file"), "fresh", NOW + 100);
	discover_bed_look(NOW + 11);
	discover_bed_found("fresh");
}

static void a_token_in_use_goes_before_a_later_place(void **state)
{
	(void)state;
	fill_places(NOW + 1000);
	(void)unsetenv("BEARER_TOKEN");
	discover_bed_begin(NULL);
	discover_bed_look(NOW);
	discover_bed_found("file");
	assert_int_equal(unlink(discover_bed_in_dir("file")), 0);
	discover_bed_look(NOW + 1);
	discover_bed_found("file");
	/* One that was never in use and is gone is gone. */
	assert_int_equal(unlink(place_path(2)), 0);
	discover_bed_begin(NULL);
	if (discover_bed_own_token_in_tmp())
		skip();
	discover_bed_look(NOW);
	discover_bed_found("scitokens");
}

static void unchanged_files_are_not_read(void **state)
{
	uint64_t reads;

	(void)state;
	discover_bed_put(discover_bed_in_dir("token"), "ada", NOW + 1000);
	discover_bed_begin(discover_bed_in_dir("token"));
	discover_bed_look(NOW);
	reads = stats_get(STATS_tokens_reads);
	for (uint64_t s = 1; s < 10; s++)
		discover_bed_look(NOW + s);
	assert_int_equal(stats_get(STATS_tokens_reads), reads);
	finding_fini(&discover_bed.found);
	discover_look(
	    discover_bed.discover, true, NOW + 10, &discover_bed.found);
	assert_int_equal(stats_get(STATS_tokens_reads), reads + 1);
	discover_bed_found("ada");
}

/* What the environment said is known from the beginning and for good: the
 * process may wipe it then. */
static void the_environment_is_read_once(void **state)
{
	(void)state;
	fill_places(NOW + 1000);
	discover_bed_begin(NULL);
	make_no_environment();
	discover_bed_look(NOW);
	discover_bed_found("value");
	assert_string_equal(
	    token_source(finding_first(&discover_bed.found)), "$BEARER_TOKEN");
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
	    .uid = discover_bed_uid_of_test(), .forbidden_tree = "/mnt"};

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
	discover_look(discover_bed.discover, true, NOW, &one);
	found_one = finding_first(&one) != NULL &&
	    strcmp(finding_first(&one)->claims.subject, "alpha") == 0;
	finding_fini(&one);
	return found_one ? 0 : -ENOMEM;
}

static void a_look_survives_every_failed_allocation(void **state)
{
	(void)state;
	if (discover_bed_own_token_in_tmp())
		skip();
	(void)mkdir(discover_bed_in_dir("creds"), 0755);
	discover_bed_put(
	    discover_bed_in_dir("creds/a.use"), "alpha", NOW + 1000);
	(void)setenv("_CONDOR_CREDS", discover_bed_in_dir("creds"), 1);
	discover_bed_begin(NULL);
	assert_true(oom_each(look_once, NULL) >= 10);
	discover_bed_look(NOW);
	discover_bed_found("alpha");
}

int main(void)
{
#define TEST(name)                       \
	cmocka_unit_test_setup_teardown( \
	    name, discover_bed_set_up, discover_bed_tear_down)
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
	    TEST(the_environment_is_read_once),
	    TEST(making_survives_every_failed_allocation),
	    TEST(a_look_survives_every_failed_allocation),
	};
#undef TEST

	return cmocka_run_group_tests(tests, NULL, NULL);
}
