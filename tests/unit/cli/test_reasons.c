/* SPDX-License-Identifier: Apache-2.0 */
/* What follows from what is known of a path: one verdict, in this order: the
 * token, the way there, what the server said, its silence. */
#include "base/buf.h"
#include "tests/unit/cli/fake_layers.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "cli/control/describe.h"
#include "cli/control/reasons.h"
#include "json_check.h"

enum { NOW_S = 1700000000 };

static const struct describe mount = {
    .source = "https://h.example/a",
    .mountpoint = "/data",
    .origin = "https://h.example",
    .source_path = "/a",
};
static const struct ident who = {.uid = 2001, .pid = 7};
static const struct describe_to owner = {.ident = &who, .all = true};
static const struct describe_to guest = {.ident = &who};

static struct reasons facts;
static struct reasons_verdict verdict;

/* Nothing is wrong, and nothing known. */
static int begin(void **state)
{
	(void)state;
	fake_reset();
	facts = (struct reasons){
	    .server_path = "/a/b", .known_code = -ENODATA, .now_s = NOW_S};
	return 0;
}

static void judged(int code, const char *words)
{
	verdict = (struct reasons_verdict){.code = 1};
	reasons_judge(&facts, &verdict);
	if (verdict.code != code || strstr(verdict.text, words) == NULL)
		fail_msg("%d '%s' is not %d '%s'", verdict.code, verdict.text,
		    code, words);
	/* What is wrong has a remedy. */
	assert_true(code == 0 || strchr(verdict.text, ';') != NULL);
}

static void door(struct tokens_explained *out, int code)
{
	*out = (struct tokens_explained){.code = code};
	if (code < 0 && code != -EAGAIN)
		(void)snprintf(out->why.text, sizeof(out->why.text),
		    "no %s; get one", err_name(code));
}

static void said(int status, int code, uint64_t ago_s)
{
	facts.has_said = true;
	facts.said = (struct fetch_said){.status = status,
	    .code = code,
	    .at_s = NOW_S - ago_s,
	    .why = "its reason"};
}

static void known(enum cache_kind kind, bool fresh)
{
	facts.known_code = 0;
	facts.known = (struct cache_known){
	    .kind = kind, .fresh = fresh, .size_bytes = 1000};
}

static void what_is_well(void **state)
{
	(void)state;
	judged(0, "the server is asked when it is used");
	known(CACHE_FILE, true);
	judged(0, "nothing hinders it");
	/* The server decides: nothing is against it. */
	door(&facts.read, -EAGAIN);
	door(&facts.look, -EAGAIN);
	judged(0, "nothing hinders it");
	/* What was refused to an older token does not count. */
	said(403, 0, 5);
	judged(0, "nothing hinders it");
	said(206, 0, 5);
	judged(0, "nothing hinders it");
}

static void the_token_comes_first(void **state)
{
	static const int codes[] = {
	    -ENOKEY, -EKEYEXPIRED, -EKEYREJECTED, -EACCES};

	(void)state;
	said(404, 0, 5);
	facts.silent_ms = 5000;
	(void)strcpy(facts.stop.server_path, "/a");
	facts.stop.code = -EACCES;
	for (unsigned i = 0; i < ARRAY_COUNT(codes); i++) {
		door(&facts.look, 0);
		door(&facts.read, codes[i]);
		judged(codes[i], err_name(codes[i]));
		/* A directory is looked at. */
		known(CACHE_DIRECTORY, true);
		(void)strcpy(facts.stop.why, "stopped; go");
		judged(-EACCES, "on the way, at '/a': stopped; go");
		door(&facts.look, codes[i]);
		judged(codes[i], err_name(codes[i]));
		facts.known_code = -ENODATA;
	}
}

static void without_a_server_what_is_known_is_served(void **state)
{
	(void)state;
	known(CACHE_FILE, false);
	facts.known.offline = true;
	facts.known.facts.cached_percent = 40;
	(void)strcpy(facts.known.facts.freshness, "offline 9 s");
	/* The token has ended, and nobody answers. */
	door(&facts.read, -EKEYEXPIRED);
	said(0, -EHOSTUNREACH, 5);
	judged(0, "is served (offline 9 s), and of its bytes what is cached");
	facts.known.facts.cached_percent = 100;
	judged(0, "is served (offline 9 s)");
	facts.known.offline = false;
	judged(-EKEYEXPIRED, err_name(-EKEYEXPIRED));
}

static void above_the_reach_is_well(void **state)
{
	(void)state;
	facts.leads = true;
	door(&facts.look, -EACCES);
	judged(0, "names that lead there");
	door(&facts.look, -EKEYREJECTED);
	judged(0, "names that lead there");
	/* But for want of a token. */
	door(&facts.look, -ENOKEY);
	judged(-ENOKEY, "no ENOKEY");
	/* What does not lead on is refused. */
	facts.leads = false;
	door(&facts.look, -EACCES);
	judged(-EACCES, "no EACCES");
}

static void what_the_server_said_counts_for_a_while(void **state)
{
	static const struct {
		int status;
		int code;
		int judged;
		const char *words;
	} rows[] = {
	    {404, 0, -ENOENT,
	        "said 5 s ago that there is no such file (HTTP "
	        "404)"},
	    {410, 0, -ENOENT, "HTTP 410"},
	    {503, -EIO, -EIO, "HTTP 503, its reason; try again"},
	    {418, 0, -EIO, "HTTP 418"},
	    {206, -EIO, -EIO, "of no use (HTTP 206: its reason)"},
	    {0, -EHOSTUNREACH, -EHOSTUNREACH,
	        "no answer came 5 s ago: its "
	        "reason"},
	};

	(void)state;
	for (unsigned i = 0; i < ARRAY_COUNT(rows); i++) {
		facts.known_code = -ENODATA;
		said(rows[i].status, rows[i].code, 5);
		judged(rows[i].judged, rows[i].words);
		said(rows[i].status, rows[i].code, REASONS_SAID_S);
		judged(rows[i].judged, "s ago");
		said(rows[i].status, rows[i].code, REASONS_SAID_S + 1);
		judged(0, "nothing is known against it");
	}
	/* What has been seen since is there. */
	said(404, 0, 5);
	known(CACHE_FILE, true);
	judged(0, "nothing hinders it");
	known(CACHE_FILE, false);
	judged(-ENOENT, "no such file");
}

static void an_absence_and_silence(void **state)
{
	(void)state;
	facts.silent_ms = 999;
	judged(0, "");
	facts.silent_ms = 2500;
	judged(-ETIMEDOUT, "silent for 2 s");
	known(CACHE_FILE, true);
	facts.known.absent = true;
	judged(-ENOENT, "there is no such file");
}

static void paths_are_joined_to_the_root(void **state)
{
	static char longest[PATH_BYTES_MAX];
	struct describe at_root = mount;
	char out[PATH_BYTES_MAX];

	(void)state;
	at_root.source_path = "/";
	assert_int_equal(reasons_server_path(&mount, out, "/"), 0);
	assert_string_equal(out, "/a");
	assert_int_equal(reasons_server_path(&mount, out, "/b/c"), 0);
	assert_string_equal(out, "/a/b/c");
	assert_int_equal(reasons_server_path(&at_root, out, "/"), 0);
	assert_string_equal(out, "/");
	assert_int_equal(reasons_server_path(&at_root, out, "/b"), 0);
	assert_string_equal(out, "/b");
	memset(longest, 'x', sizeof(longest) - 1);
	longest[0] = '/';
	assert_int_equal(reasons_server_path(&at_root, out, longest), 0);
	assert_int_equal(
	    reasons_server_path(&mount, out, longest), -ENAMETOOLONG);
}

/* The directories on the way are asked for, the root and the path itself are
 * not. */
static void the_way_is_looked_at(void **state)
{
	(void)state;
	(void)strcpy(facts.server_path, "/a/b/c/d");
	reasons_find(&facts, &mount, &owner);
	assert_string_equal(fake.explained, "/a/b/c/d /a/b/c/d /a/b /a/b/c ");
	assert_string_equal(facts.stop.server_path, "");
	fake.explained[0] = '\0';
	fake.refuses = "/a/b";
	reasons_find(&facts, &mount, &owner);
	assert_string_equal(facts.stop.server_path, "/a/b");
	assert_int_equal(facts.stop.code, -EACCES);
	assert_string_equal(facts.stop.why, "no; get one");
	/* One that is shown all the same stops nobody. */
	fake.leads = true;
	reasons_find(&facts, &mount, &owner);
	assert_string_equal(facts.stop.server_path, "");
	fake.refuses = NULL;
	/* One that is not there does. */
	fake.said_path = "/a/b/c";
	fake.said = (struct fetch_said){.status = 404, .at_s = facts.now_s};
	reasons_find(&facts, &mount, &owner);
	assert_string_equal(facts.stop.server_path, "/a/b/c");
	assert_int_equal(facts.stop.code, -ENOENT);
	fake.said.at_s = facts.now_s - REASONS_SAID_S - 60;
	reasons_find(&facts, &mount, &owner);
	assert_string_equal(facts.stop.server_path, "");
}

static void a_deep_path_is_looked_at_in_part(void **state)
{
	unsigned count = 0;

	(void)state;
	for (size_t i = 0; i + 3 < PATH_BYTES_MAX; i += 2)
		memcpy(facts.server_path + i, "/b", 3);
	memcpy(facts.server_path, "/a", 2);
	reasons_find(&facts, &mount, &owner);
	for (const char *p = fake.explained; *p != '\0'; p++)
		count += *p == ' ';
	assert_int_equal(count, REASONS_DEPTH_MAX + 2);
}

/* Those that were not asked are left out. */
static void caches_that_were_tried_are_found(void **state)
{
	(void)state;
	reasons_find(&facts, &mount, &owner);
	assert_int_equal(facts.tried_count, 0);
	fake.cache_said = (struct fetch_said){.status = 404, .at_s = 17};
	reasons_find(&facts, &mount, &owner);
	assert_int_equal(facts.tried_count, 1);
	assert_string_equal(facts.tried[0].url, "https://cache.example.org");
	assert_int_equal(facts.tried[0].said.status, 404);
}

/* A guest's questions are their own; those on a mount of one user that
 * user's. */
static void whose_questions_are_looked_at(void **state)
{
	struct describe shared = mount;

	(void)state;
	shared.shared = true;
	reasons_find(&facts, &shared, &guest);
	assert_int_equal(fake.said_uid, 2001);
	reasons_find(&facts, &mount, &owner);
	assert_int_equal(fake.said_uid, geteuid());
}

static void both_forms_tell_it(void **state)
{
	static const char *const words[] = {"\"path\":\"/data/b\\u001b\"",
	    "\"url\":\"https://h.example/a/b%1B\"", "\"server_path\":\"/a/b",
	    "\"token\":{\"state\":\"valid\"}", "\"scope_needed\":\"read:/b\"",
	    "\"read\":{\"ask\":true,\"outside\":false,\"errno\":\"EACCES\",\"text\":\"no EACCES",
	    "\"look\":{\"ask\":false,\"outside\":true,\"errno\":null,\"text\":null}",
	    "\"said\":{\"at\":\"2023-11-14T22:13:15Z\",\"redirected\":false,"
	    "\"status\":403,\"text\":\"its reason\"}",
	    "\"caches\":[{\"at\":\"2023-11-14T22:13:10Z\",\"redirected\":false,"
	    "\"status\":null,\"text\":\"its reason\","
	    "\"url\":\"https://c.example\"}]",
	    "\"cache\":{\"kind\":\"file\",\"size_bytes\":1000,"
	    "\"cached_percent\":40,\"freshness\":\"fresh\",\"problem\":null}",
	    "\"stopped_at\":null", "\"refusals\":[]", "\"ok\":false",
	    "\"errno\":\"EACCES\"", "\"verdict\":\"no EACCES; get one\""};
	struct buf out;
	char start[100];

	(void)state;
	(void)strcpy(facts.server_path, "/a/b\x1b");
	door(&facts.read, -EACCES);
	facts.read.ask = true;
	facts.look.outside = true;
	(void)strcpy(facts.read.needed, "read:/b");
	known(CACHE_FILE, true);
	facts.known.facts.cached_percent = 40;
	(void)strcpy(facts.known.facts.freshness, "fresh");
	said(403, 0, 5);
	facts.tried_count = 1;
	(void)snprintf(facts.tried[0].url, sizeof(facts.tried[0].url),
	    "https://c.example");
	facts.tried[0].said = facts.said;
	facts.tried[0].said.status = 0;
	facts.tried[0].said.at_s -= 5;
	buf_init(&out, 1 << 20);
	reasons_json(&facts, &mount, &owner, &out);
	assert_true(json_is_valid(buf_text(&out)));
	for (unsigned i = 0; i < ARRAY_COUNT(words); i++)
		if (strstr(buf_text(&out), words[i]) == NULL)
			fail_msg("no %s in %s", words[i], buf_text(&out));
	assert_true(fake.asked_all);
	buf_clear(&out);
	reasons_text(&facts, &mount, &guest, &out);
	(void)snprintf(start, sizeof(start),
	    "/data/b?\nmount: https://h.example/a on /data, pid %d\n",
	    (int)getpid());
	assert_int_equal(strncmp(buf_text(&out), start, strlen(start)), 0);
	assert_string_equal(buf_text(&out) + strlen(start),
	    "url: https://h.example/a/b%1B\ntoken: fine\n"
	    "read: refused, EACCES: no EACCES; get one\nlook: the token's scope "
	    "leaves it out, and no server has refused it so far\n"
	    "scope needed: read:/b\nserver: 5 s ago HTTP 403, its reason\n"
	    "server: https://c.example: 10 s ago no answer, its reason\n"
	    "cache: a file of 1000 bytes, 40 % of it here, fresh\n"
	    "verdict: EACCES: no EACCES; get one\n");
	assert_false(fake.asked_all);
	assert_int_equal(fake.asked_uid, 2001);
	buf_fini(&out);
}

/* What is not to be had is null and told in words. */
static void both_forms_tell_what_is_not_known(void **state)
{
	static const struct {
		int code;
		const char *json;
		const char *text;
	} rows[] = {
	    {-ENODATA, "\"problem\":null", "nothing is known of it"},
	    {-ETIMEDOUT, "\"problem\":\"the cache's disk", "disk does not"},
	    {-EACCES, "\"problem\":\"it is told to those", "who may see"},
	};
	struct buf out;

	(void)state;
	buf_init(&out, 1 << 20);
	for (unsigned i = 0; i < ARRAY_COUNT(rows); i++) {
		facts.known_code = rows[i].code;
		buf_clear(&out);
		reasons_json(&facts, &mount, &guest, &out);
		assert_true(json_is_valid(buf_text(&out)));
		assert_non_null(strstr(buf_text(&out), rows[i].json));
		assert_non_null(strstr(buf_text(&out), "\"said\":null"));
		assert_non_null(strstr(buf_text(&out),
		    "\"cache\":{\"kind\":null,\"size_bytes\":null"));
		buf_clear(&out);
		reasons_text(&facts, &mount, &guest, &out);
		assert_non_null(strstr(buf_text(&out), rows[i].text));
		assert_non_null(
		    strstr(buf_text(&out), "not been asked for this very"));
		assert_null(strstr(buf_text(&out), "scope needed"));
	}
	known(CACHE_DIRECTORY, true);
	(void)strcpy(facts.known.facts.freshness, "stale 9 s");
	said(0, -ETIMEDOUT, 5);
	facts.said.redirected = true;
	buf_clear(&out);
	reasons_text(&facts, &mount, &guest, &out);
	assert_non_null(
	    strstr(buf_text(&out), "cache: a directory, stale 9 s\n"));
	assert_non_null(strstr(buf_text(&out),
	    "5 s ago no answer, its reason (where it redirects to)\n"));
	facts.known.absent = true;
	buf_clear(&out);
	reasons_json(&facts, &mount, &guest, &out);
	assert_non_null(strstr(buf_text(&out), "\"kind\":\"absent\""));
	assert_non_null(strstr(buf_text(&out), "\"status\":null"));
	buf_fini(&out);
}

#define CASE(name) cmocka_unit_test_setup(name, begin)

int main(void)
{
	const struct CMUnitTest tests[] = {
	    CASE(what_is_well),
	    CASE(the_token_comes_first),
	    CASE(without_a_server_what_is_known_is_served),
	    CASE(above_the_reach_is_well),
	    CASE(what_the_server_said_counts_for_a_while),
	    CASE(an_absence_and_silence),
	    CASE(paths_are_joined_to_the_root),
	    CASE(the_way_is_looked_at),
	    CASE(a_deep_path_is_looked_at_in_part),
	    CASE(whose_questions_are_looked_at),
	    CASE(caches_that_were_tried_are_found),
	    CASE(both_forms_tell_it),
	    CASE(both_forms_tell_what_is_not_known),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
