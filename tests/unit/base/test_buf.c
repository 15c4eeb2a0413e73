/* SPDX-License-Identifier: Apache-2.0 */
/* Bytes that grow to a limit; text and JSON text. */
#include "base/buf.h"
#include "tests/unit/oom.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

static void holds_exactly_its_limit(void **state)
{
	(void)state;
	for (size_t limit = 0; limit < 300; limit++) {
		struct buf buf;

		buf_init(&buf, limit);
		for (size_t i = 0; i < limit; i++)
			assert_int_equal(buf_append(&buf, "x", 1), 0);
		assert_int_equal(buf_code(&buf), 0);
		assert_int_equal(buf_append(&buf, "x", 1), -EMSGSIZE);
		assert_int_equal(buf.size_bytes, limit);
		assert_int_equal(strlen(buf_text(&buf)), limit);
		buf_fini(&buf);
	}
}

static void remembers_the_first_failure(void **state)
{
	struct buf buf;

	(void)state;
	buf_init(&buf, 4);
	assert_int_equal(buf_printf(&buf, "%s", "12345"), -EMSGSIZE);
	assert_int_equal(buf_append(&buf, "123", 3), 0);
	assert_int_equal(buf_code(&buf), -EMSGSIZE);
	assert_string_equal(buf_text(&buf), "123");
	buf_clear(&buf);
	assert_int_equal(buf_code(&buf), 0);
	assert_string_equal(buf_text(&buf), "");
	buf_fini(&buf);
}

static void a_copy_is_its_text_or_the_first_failure(void **state)
{
	struct buf buf;
	char *copy;

	(void)state;
	buf_init(&buf, 4);
	assert_int_equal(buf_copy_text(&buf, &copy), 0);
	assert_string_equal(copy, "");
	free(copy);
	assert_int_equal(buf_append(&buf, "1234", 4), 0);
	assert_int_equal(buf_copy_text(&buf, &copy), 0);
	buf_clear(&buf);
	assert_string_equal(copy, "1234");
	free(copy);
	assert_int_equal(buf_append(&buf, "12345", 5), -EMSGSIZE);
	assert_int_equal(buf_copy_text(&buf, &copy), -EMSGSIZE);
	assert_null(copy);
	buf_fini(&buf);
}

static void refuses_a_size_that_would_overflow(void **state)
{
	struct buf buf;

	(void)state;
	buf_init(&buf, SIZE_MAX);
	assert_int_equal(buf_append(&buf, "a", 1), 0);
	assert_int_equal(buf_append(&buf, "a", SIZE_MAX), -EMSGSIZE);
	assert_int_equal(buf_append(&buf, "a", SIZE_MAX - 1), -EMSGSIZE);
	assert_string_equal(buf_text(&buf), "a");
	buf_fini(&buf);
}

static void no_text_commands_a_terminal(void **state)
{
	static const char text[] = "a/\xc3\xa9\xe2\x82\xac \x1b[1m\n\t\x7f "
	                           "\xc2\x9b\xc2\xa0 \x9b\xff\xc3";
	struct buf buf;

	(void)state;
	buf_init(&buf, 100);
	assert_int_equal(buf_visible(&buf, text), 0);
	assert_string_equal(
	    buf_text(&buf), "a/\xc3\xa9\xe2\x82\xac ?[1m??? ?\xc2\xa0 ???");
	buf_fini(&buf);
	buf_init(&buf, 2);
	assert_int_equal(buf_visible(&buf, "abc"), -EMSGSIZE);
	buf_fini(&buf);
}

static void writes_json_strings_that_any_parser_takes(void **state)
{
	static const struct {
		const char *text;
		const char *json;
	} rows[] = {
	    {NULL, "null"},
	    {"", "\"\""},
	    {"plain", "\"plain\""},
	    {"q\"b\\", "\"q\\\"b\\\\\""},
	    {"a\nb\x01", "\"a\\u000ab\\u0001\""},
	    {"\xc3\xbc", "\"\xc3\xbc\""},
	    {"\xff", "\"\xef\xbf\xbd\""},
	    {"\xc3", "\"\xef\xbf\xbd\""},
	    {"\xed\xa0\x80", "\"\xef\xbf\xbd\xef\xbf\xbd\xef\xbf\xbd\""},
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_COUNT(rows); i++) {
		struct buf buf;

		buf_init(&buf, 256);
		assert_int_equal(buf_json(&buf, rows[i].text), 0);
		assert_string_equal(buf_text(&buf), rows[i].json);
		buf_fini(&buf);
	}
}

static int fill(void *arg)
{
	struct buf buf;
	int code;

	(void)arg;
	buf_init(&buf, 1000);
	for (int i = 0; i < 1000; i++)
		(void)buf_append(&buf, "x", 1);
	code = buf_code(&buf);
	buf_fini(&buf);
	return code;
}

static void survives_every_failed_allocation(void **state)
{
	(void)state;
	/* Room of 64, 128, 256, 512 and 1024 bytes; after a failure the next
	 * append tries again, so one failure is seen each. */
	assert_int_equal(oom_each(fill, NULL), 5);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(holds_exactly_its_limit),
	    cmocka_unit_test(remembers_the_first_failure),
	    cmocka_unit_test(a_copy_is_its_text_or_the_first_failure),
	    cmocka_unit_test(refuses_a_size_that_would_overflow),
	    cmocka_unit_test(writes_json_strings_that_any_parser_takes),
	    cmocka_unit_test(no_text_commands_a_terminal),
	    cmocka_unit_test(survives_every_failed_allocation),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
