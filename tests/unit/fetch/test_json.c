/* SPDX-License-Identifier: Apache-2.0 */
/* The JSON reader: what it tells, and what it refuses. Escapes, numbers and
 * words are tried through listings, in test_index.c. */
#include "base/buf.h"
#include "fetch/answers/json.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

struct told {
	struct buf text; /* "{", "k:key", "s:string", "w:word", "}" */
	const char *stop_at;
};

static int on_event(void *arg, enum json_event event, const struct json *json)
{
	static const char *const letters[] = {
	    [JSON_KEY] = "k", [JSON_STRING] = "s", [JSON_WORD] = "w"};
	bool object = json->in_object[json->depth];
	struct told *told = arg;

	assert_true(json->depth >= 1 && json->depth <= JSON_DEPTH_MAX);
	if (event == JSON_OPENED)
		return buf_printf(
		    &told->text, "%u%s ", json->depth, object ? "{" : "[");
	if (event == JSON_CLOSED)
		return buf_printf(
		    &told->text, "%u%s ", json->depth, object ? "}" : "]");
	if (told->stop_at != NULL && json_text_is(&json->text, told->stop_at))
		return -ECANCELED;
	return buf_printf(&told->text, "%s:%.*s ", letters[event],
	    (int)json->text.size_bytes, json->text.bytes);
}

static int read_all(struct json *json, struct told *told, const char *text)
{
	int code = 0;

	buf_init(&told->text, 4096);
	json_init(json, on_event, told);
	for (; *text != '\0' && code == 0; text++)
		code = json_byte(json, *text);
	return code;
}

static void a_document_is_told_in_its_order(void **state)
{
	struct told told = {.stop_at = NULL};
	struct json json;

	(void)state;
	assert_int_equal(read_all(&json, &told,
	                     " {\"a\" : [\"b\",1, {}],\n\"c\":null,"
	                     "\"d\":\"\\u0041\\\"\"} "),
	    0);
	assert_true(json_complete(&json));
	assert_string_equal(buf_text(&told.text),
	    "1{ k:a 2[ s:b w:1 3{ 3} 2] k:c w:null k:d s:A\" 1} ");
	buf_fini(&told.text);
}

static void an_event_may_end_it(void **state)
{
	struct told told = {.stop_at = "b"};
	struct json json;

	(void)state;
	assert_int_equal(
	    read_all(&json, &told, "{\"a\":\"b\",\"c\":1}"), -ECANCELED);
	assert_null(json.reason);
	assert_false(json_complete(&json));
	buf_fini(&told.text);
}

static int nested(struct json *json, unsigned depth)
{
	char text[2 * JSON_DEPTH_MAX + 3] = "";
	struct told told = {.stop_at = NULL};
	int code;

	memset(text, '[', depth);
	memset(text + depth, ']', depth);
	code = read_all(json, &told, text);
	buf_fini(&told.text);
	return code;
}

static void the_depth_is_bounded(void **state)
{
	struct json json;

	(void)state;
	assert_int_equal(nested(&json, JSON_DEPTH_MAX), 0);
	assert_true(json_complete(&json));
	assert_int_equal(nested(&json, JSON_DEPTH_MAX + 1), -EBADMSG);
	assert_string_equal(json.reason, "is nested too deep");
}

/* Each sentence once; more texts of each kind are in test_index.c. */
static void what_is_no_json_says_why(void **state)
{
	static const struct {
		const char *text;
		const char *reason;
	} cases[] = {
	    {"\"a\"", "is neither an array nor an object"},
	    {"1", "is neither an array nor an object"},
	    {"<html>", "is neither an array nor an object"},
	    {"[nul]", "holds a word that is no JSON"},
	    {"[\"\\x\"]", "holds a string that is no JSON"},
	    {"{1:2}", "has a key that is no string"},
	    {"{\"a\" 1}", "has no colon behind a key"},
	    {"[1 2]", "has no comma where one must be"},
	    {"[1}", "closes what is not open"},
	    {"{\"a\":1]", "closes what is not open"},
	    {"[] []", "goes on behind its end"},
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_COUNT(cases); i++) {
		struct told told = {.stop_at = NULL};
		struct json json;

		assert_int_equal(
		    read_all(&json, &told, cases[i].text), -EBADMSG);
		assert_string_equal(json.reason, cases[i].reason);
		buf_fini(&told.text);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(a_document_is_told_in_its_order),
	    cmocka_unit_test(an_event_may_end_it),
	    cmocka_unit_test(the_depth_is_bounded),
	    cmocka_unit_test(what_is_no_json_says_why),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
