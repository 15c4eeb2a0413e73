/* SPDX-License-Identifier: Apache-2.0 */
/* What `status` shows: valid JSON whatever the names are, each counter under
 * its name, each refusal, and to those who are not the owner nothing of
 * others. */
#include "base/log.h"
#include "base/stats.h"
#include "tests/unit/cli/fake_layers.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "cli/control/describe.h"
#include "json_check.h"

static const struct describe mount = {
    .source = "https://h.example/a \"b\"",
    .mountpoint = "/data/\\ \xff\n\x01\xe2\x82\xac",
    .origin = "https://h.example",
    .source_path = "/a",
    .started_s = 1700000000,
    .timeout_ms = 120000,
};

static const struct ident who = {.uid = 2001, .pid = 7};
static const struct describe_to owner = {.ident = &who, .all = true};
static const struct describe_to guest = {.ident = &who};

static struct tokens_refusal refusals[] = {
    {.uid = 2001,
        .pid = 12,
        .right = TOKENS_READ,
        .path = "/a/\x1b[1m/\xff",
        .why = {.code = -EACCES, .text = "no \"scope\"; get one"},
        .first_s = 1700000000,
        .last_s = 1700000060,
        .count = 3},
    {.uid = 2001,
        .right = TOKENS_LOOK,
        .path = "/a",
        .why = {.code = -ENOKEY, .text = "none; get one"},
        .last_s = 1700000000,
        .count = 1},
};

static int begin(void **state)
{
	(void)state;
	fake_reset();
	return 0;
}

static void the_checker_knows_bad_from_good(void **state)
{
	static const char *const good[] = {"{}", "[]", "[1,-2.5,\"\\u00e9\"]",
	    " {\"a\":{\"b\":[true,false,null]}} \n"};
	static const char *const bad[] = {"", "{", "{\"a\"}", "[1,]", "{,}",
	    "\"\n\"", "\"\\x\"", "01", "[1]]", "{\"a\":1,}", "nul", "'a'"};

	(void)state;
	for (size_t i = 0; i < ARRAY_COUNT(good); i++)
		assert_true(json_is_valid(good[i]));
	for (size_t i = 0; i < ARRAY_COUNT(bad); i++)
		assert_false(json_is_valid(bad[i]));
}

static void json_is_valid_whatever_the_names_are(void **state)
{
	struct buf out;

	(void)state;
	log_line(LOG_LEVEL_WARN, LOG_CLI, "a \"test\"", "text=%s",
	    LOG_TEXT("\n\\\xff"));
	buf_init(&out, 1 << 20);
	assert_int_equal(describe_json(&mount, &owner, &out), 0);
	assert_true(json_is_valid(buf_text(&out)));
	assert_int_equal(out.bytes[out.size_bytes - 1], '\n');
	assert_non_null(strstr(buf_text(&out), "\"state\":\"running\""));
	assert_non_null(strstr(buf_text(&out), "2023-11-14T22:13:20Z"));
	assert_non_null(strstr(buf_text(&out), "\"timeout_s\":120"));
	assert_non_null(strstr(buf_text(&out), "a \\\"test\\\""));
	buf_fini(&out);
}

static void each_counter_stands_under_its_name(void **state)
{
	struct buf out;

	(void)state;
	stats_add(STATS_fs_reads, 42);
	buf_init(&out, 1 << 20);
	assert_int_equal(describe_json(&mount, &owner, &out), 0);
#define COUNTER(name, kind, help) \
	assert_non_null(strstr(buf_text(&out), "\"" #name "\":"));
#include "base/stats.tbl.h"
#undef COUNTER
	assert_non_null(strstr(buf_text(&out), "\"fs_reads\":42"));
	buf_fini(&out);
}

static void text_has_a_line_for_each_part(void **state)
{
	struct buf out;

	(void)state;
	buf_init(&out, 1 << 20);
	fake.silent_ms = 0;
	assert_int_equal(describe_text(&mount, &owner, &out), 0);
	assert_non_null(
	    strstr(buf_text(&out), "\ntoken: fine\nserver: fine\ncache: "));
	assert_null(strstr(buf_text(&out), "no byte"));
	buf_clear(&out);
	fake.silent_ms = 7000;
	assert_int_equal(describe_text(&mount, &owner, &out), 0);
	assert_non_null(strstr(buf_text(&out),
	    "no byte has come for 7 s; operations fail after "
	    "120 s"));
	buf_fini(&out);
}

static void refusals_are_shown_with_the_paths_of_programs(void **state)
{
	struct buf out;

	(void)state;
	fake.refusals = refusals;
	fake.refusal_count = ARRAY_COUNT(refusals);
	buf_init(&out, 1 << 20);
	assert_int_equal(describe_json(&mount, &owner, &out), 0);
	assert_true(json_is_valid(buf_text(&out)));
	assert_non_null(strstr(buf_text(&out),
	    "\"refusals\":[{\"at\":\"2023-11-14T22:14:20Z\","
	    "\"first_at\":\"2023-11-14T22:13:20Z\",\"count\":3,\"uid\":2001,"
	    "\"pid\":12,\"right\":\"read\",\"path\":\"/data/"));
	assert_non_null(strstr(buf_text(&out),
	    "/\\u001b[1m/\xef\xbf\xbd\",\"server_path\":\"/a/"));
	assert_non_null(strstr(buf_text(&out),
	    "\"errno\":\"EACCES\",\"text\":\"no \\\"scope\\\"; get one\"}"));
	assert_true(fake.asked_all);
	buf_clear(&out);
	assert_int_equal(describe_text(&mount, &owner, &out), 0);
	assert_non_null(strstr(buf_text(&out),
	    "refused lately:\n  2023-11-14T22:14:20Z EACCES /data/\\ "
	    "???\xe2\x82\xac/?[1m/? (3 times): no \"scope\"; get one\n"
	    "  2023-11-14T22:13:20Z ENOKEY /data/\\ ???\xe2\x82\xac: none"));
	buf_fini(&out);
}

static void a_person_is_told_a_few(void **state)
{
	static struct tokens_refusal many[10];
	struct buf out;

	(void)state;
	for (unsigned i = 0; i < ARRAY_COUNT(many); i++)
		many[i] = refusals[1];
	fake.refusals = many;
	fake.refusal_count = ARRAY_COUNT(many);
	buf_init(&out, 1 << 20);
	assert_int_equal(describe_text(&mount, &owner, &out), 0);
	assert_non_null(
	    strstr(buf_text(&out), "\n  and 2 others; see --json\n"));
	buf_fini(&out);
}

/* The log has them too: that is enough. */
static void refusals_are_no_warnings_again(void **state)
{
	struct buf out;

	(void)state;
	log_line(LOG_LEVEL_WARN, LOG_TOKENS, "refused", "path=\"/canary\"");
	log_line(LOG_LEVEL_WARN, LOG_TOKENS, "other", "path=\"/warned\"");
	buf_init(&out, 1 << 20);
	assert_int_equal(describe_text(&mount, &owner, &out), 0);
	assert_null(strstr(buf_text(&out), "/canary"));
	assert_non_null(strstr(buf_text(&out), "/warned"));
	buf_fini(&out);
}

static void a_guest_is_told_of_nothing_but_their_own(void **state)
{
	static const char *const others[] = {"servers", "cache", "counters",
	    "warnings", "server_silent_ms", "/canary"};
	struct describe shared = mount;
	struct buf out;

	(void)state;
	shared.shared = true;
	log_line(LOG_LEVEL_WARN, LOG_CACHE, "test", "path=\"/canary\"");
	fake.silent_ms = 7000;
	buf_init(&out, 1 << 20);
	assert_int_equal(describe_json(&shared, &guest, &out), 0);
	assert_true(json_is_valid(buf_text(&out)));
	for (size_t i = 0; i < ARRAY_COUNT(others); i++)
		assert_null(strstr(buf_text(&out), others[i]));
	assert_non_null(strstr(buf_text(&out), "\"shared\":true"));
	assert_non_null(strstr(buf_text(&out), "\"token\":{\"state\""));
	assert_non_null(strstr(buf_text(&out), "\"refusals\":[]"));
	assert_int_equal(fake.shown.uid, 2001);
	assert_false(fake.asked_all);
	assert_int_equal(fake.asked_uid, 2001);
	buf_clear(&out);
	fake.asked_uid = 0;
	fake.refusals = refusals;
	fake.refusal_count = 1;
	assert_int_equal(describe_text(&shared, &guest, &out), 0);
	assert_non_null(strstr(buf_text(&out), "shared by many users\n"));
	assert_non_null(strstr(buf_text(&out), "token: fine\nrefused lately:"));
	assert_non_null(strstr(buf_text(&out), " user 2001 (3 times): "));
	assert_null(strstr(buf_text(&out), "server: "));
	assert_null(strstr(buf_text(&out), "cache: "));
	assert_null(strstr(buf_text(&out), "reads: "));
	assert_null(strstr(buf_text(&out), "no byte"));
	assert_null(strstr(buf_text(&out), "/canary"));
	assert_false(fake.asked_all);
	assert_int_equal(fake.asked_uid, 2001);
	buf_fini(&out);
}

static void too_long_an_answer_is_an_error(void **state)
{
	struct buf out;

	(void)state;
	buf_init(&out, 100);
	assert_int_equal(describe_json(&mount, &owner, &out), -EMSGSIZE);
	buf_fini(&out);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test_setup(the_checker_knows_bad_from_good, begin),
	    cmocka_unit_test_setup(json_is_valid_whatever_the_names_are, begin),
	    cmocka_unit_test_setup(each_counter_stands_under_its_name, begin),
	    cmocka_unit_test_setup(text_has_a_line_for_each_part, begin),
	    cmocka_unit_test_setup(
	        refusals_are_shown_with_the_paths_of_programs, begin),
	    cmocka_unit_test_setup(a_person_is_told_a_few, begin),
	    cmocka_unit_test_setup(refusals_are_no_warnings_again, begin),
	    cmocka_unit_test_setup(
	        a_guest_is_told_of_nothing_but_their_own, begin),
	    cmocka_unit_test_setup(too_long_an_answer_is_an_error, begin),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
