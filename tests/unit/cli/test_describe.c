/* SPDX-License-Identifier: Apache-2.0 */
/* What `status` shows: valid JSON whatever the names are, each counter under
 * its name, and the requests of the control socket. The layers are stood in
 * for by functions of this file (-Wl,--wrap). */
#include "base/log.h"
#include "base/stats.h"
#include "cache/cache.h"
#include "fetch/fetch.h"
#include "fs/fs.h"
#include "tokens/tokens.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "cli/control.h"
#include "cli/describe.h"
#include "json_check.h"

static unsigned stops;
static uint64_t silent_ms;

int __wrap_tokens_describe(
    struct tokens *tokens, const struct ident *ident, struct buf *out);
int __wrap_tokens_describe_text(
    struct tokens *tokens, const struct ident *ident, struct buf *out);
int __wrap_fetch_describe(struct fetch *fetch, struct buf *out);
int __wrap_fetch_describe_text(struct fetch *fetch, struct buf *out);
uint64_t __wrap_fetch_silent_ms(struct fetch *fetch);
int __wrap_cache_describe(struct cache *cache, struct buf *out);
int __wrap_cache_describe_text(struct cache *cache, struct buf *out);
void __wrap_fs_stop(struct fs *fs);

int __wrap_tokens_describe(
    struct tokens *tokens, const struct ident *ident, struct buf *out)
{
	(void)tokens;
	(void)ident;
	return buf_printf(out, "{\"state\":\"valid\"}");
}

int __wrap_tokens_describe_text(
    struct tokens *tokens, const struct ident *ident, struct buf *out)
{
	(void)tokens;
	(void)ident;
	return buf_printf(out, "token: fine"); /* no newline: added */
}

int __wrap_fetch_describe(struct fetch *fetch, struct buf *out)
{
	(void)fetch;
	return buf_printf(out, "[]");
}

int __wrap_fetch_describe_text(struct fetch *fetch, struct buf *out)
{
	(void)fetch;
	return buf_printf(out, "server: fine\n");
}

uint64_t __wrap_fetch_silent_ms(struct fetch *fetch)
{
	(void)fetch;
	return silent_ms;
}

int __wrap_cache_describe(struct cache *cache, struct buf *out)
{
	(void)cache;
	return buf_printf(out, "{\"state\":\"on\"}");
}

int __wrap_cache_describe_text(struct cache *cache, struct buf *out)
{
	(void)cache;
	return buf_printf(out, "cache: fine\n");
}

void __wrap_fs_stop(struct fs *fs)
{
	(void)fs;
	stops++;
}

static const struct describe mount = {
    .source = "https://h.example/a \"b\"",
    .mountpoint = "/data/\\ \xff\n\x01\xe2\x82\xac",
    .started_s = 1700000000,
    .timeout_ms = 120000,
};

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
	assert_int_equal(describe_json(&mount, &out), 0);
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
	assert_int_equal(describe_json(&mount, &out), 0);
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
	silent_ms = 0;
	assert_int_equal(describe_text(&mount, &out), 0);
	assert_non_null(
	    strstr(buf_text(&out), "\ntoken: fine\nserver: fine\ncache: "));
	assert_null(strstr(buf_text(&out), "no byte"));
	buf_clear(&out);
	silent_ms = 7000;
	assert_int_equal(describe_text(&mount, &out), 0);
	assert_non_null(strstr(buf_text(&out),
	    "no byte has come for 7 s; operations fail after "
	    "120 s"));
	buf_fini(&out);
}

static void too_long_an_answer_is_an_error(void **state)
{
	struct buf out;

	(void)state;
	buf_init(&out, 100);
	assert_int_equal(describe_json(&mount, &out), -EMSGSIZE);
	buf_fini(&out);
}

static int answer(const char *text, bool *hold, struct buf *out)
{
	struct describe copy = mount;
	struct control_request request = {.text = text, .owner = true};
	struct err err = ERR_INIT;
	int code = describe_answer(&copy, &request, out, &err);

	*hold = request.hold;
	return code;
}

static void requests_are_answered_by_name(void **state)
{
	struct buf out;
	bool hold = false;

	(void)state;
	buf_init(&out, 1 << 20);
	assert_int_equal(answer("status json", &hold, &out), 0);
	assert_true(json_is_valid(buf_text(&out)));
	buf_clear(&out);
	assert_int_equal(answer("status", &hold, &out), 0);
	assert_false(hold);
	assert_int_equal(answer("statuses", &hold, &out), -EINVAL);
	assert_int_equal(answer("", &hold, &out), -EINVAL);
	assert_int_equal(stops, 0);
	assert_int_equal(answer("stop", &hold, &out), 0);
	assert_true(hold);
	assert_int_equal(stops, 1);
	buf_fini(&out);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(the_checker_knows_bad_from_good),
	    cmocka_unit_test(json_is_valid_whatever_the_names_are),
	    cmocka_unit_test(each_counter_stands_under_its_name),
	    cmocka_unit_test(text_has_a_line_for_each_part),
	    cmocka_unit_test(too_long_an_answer_is_an_error),
	    cmocka_unit_test(requests_are_answered_by_name),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
