/* SPDX-License-Identifier: Apache-2.0 */
/* Header fields: what the RFC allows, and nothing that looks like it. */
#include "fetch/answers/header.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

#include <cmocka.h>

/* 2026-11-29 */
static const int64_t now_s = 1795910400;

static void a_length_is_digits_below_two_to_the_63(void **state)
{
	static const struct {
		const char *text;
		int code;
		uint64_t value;
	} cases[] = {
	    {"0", 0, 0},
	    {"7", 0, 7},
	    {"007", 0, 7},
	    {"9223372036854775807", 0, INT64_MAX},
	    {"9223372036854775808", -EBADMSG, 0},
	    {"18446744073709551616", -EBADMSG, 0},
	    {"99999999999999999999999999", -EBADMSG, 0},
	    {"", -EBADMSG, 0},
	    {"-1", -EBADMSG, 0},
	    {"+1", -EBADMSG, 0},
	    {" 1", -EBADMSG, 0},
	    {"1 ", -EBADMSG, 0},
	    {"1,1", -EBADMSG, 0},
	    {"0x10", -EBADMSG, 0},
	    {"1e3", -EBADMSG, 0},
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_COUNT(cases); i++) {
		uint64_t value = 0;

		assert_int_equal(header_content_length(cases[i].text,
		                     strlen(cases[i].text), &value),
		    cases[i].code);
		if (cases[i].code == 0)
			assert_int_equal(value, cases[i].value);
	}
}

static int range_of(const char *text, struct header_content_range *out)
{
	return header_content_range(text, strlen(text), out);
}

static void a_range_has_one_of_three_forms(void **state)
{
	struct header_content_range range;

	(void)state;
	assert_int_equal(range_of("bytes 0-3/10", &range), 0);
	assert_true(range.satisfied && range.total_known);
	assert_int_equal(range.first_bytes, 0);
	assert_int_equal(range.last_bytes, 3);
	assert_int_equal(range.total_bytes, 10);

	assert_int_equal(range_of("bytes 3-3/*", &range), 0);
	assert_true(range.satisfied && !range.total_known);
	assert_int_equal(range.last_bytes, 3);

	assert_int_equal(range_of("Bytes */6", &range), 0);
	assert_true(!range.satisfied && range.total_known);
	assert_int_equal(range.total_bytes, 6);

	assert_int_equal(
	    range_of("bytes 0-9223372036854775806/9223372036854775807", &range),
	    0);
	assert_int_equal(range.last_bytes, INT64_MAX - 1);

	/* XRootD 5.5.3, of a file that was cut: the total tells it. */
	assert_int_equal(range_of("bytes 4-100/6", &range), 0);
	assert_int_equal(range.last_bytes, 100);
	assert_int_equal(range.total_bytes, 6);
}

static void a_range_that_makes_no_sense_is_refused(void **state)
{
	static const char *const texts[] = {
	    "",
	    "bytes",
	    "bytes ",
	    "bytes 2--1/6", /* XRootD 5.5.3 for "bytes=2-" */
	    "bytes 5-2/10",
	    "bytes 0-3",
	    "bytes 0-3/",
	    "bytes 0-3/ 10",
	    "bytes  0-3/10",
	    "bytes 0 -3/10",
	    "bytes 0-3/10 ",
	    "bytes 0-3/10,",
	    "bytes */*",
	    "bytes *",
	    "bytes -3/10",
	    "bytes +0-3/10",
	    "bytes=0-3/10",
	    "items 0-3/10",
	    "bytes 0-3/18446744073709551616",
	    "bytes 0-9223372036854775808/*",
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_COUNT(texts); i++) {
		struct header_content_range range;

		assert_int_equal(range_of(texts[i], &range), -EBADMSG);
	}
}

static int date_of(const char *text, int64_t *out)
{
	return header_date(text, strlen(text), now_s, out);
}

/* RFC 9110, section 5.6.7: its own example in three forms. */
static void all_three_forms_of_a_date_are_read(void **state)
{
	int64_t date;

	(void)state;
	assert_int_equal(date_of("Sun, 06 Nov 1994 08:49:37 GMT", &date), 0);
	assert_int_equal(date, 784111777);
	assert_int_equal(date_of("Sunday, 06-Nov-94 08:49:37 GMT", &date), 0);
	assert_int_equal(date, 784111777);
	assert_int_equal(date_of("Sun Nov  6 08:49:37 1994", &date), 0);
	assert_int_equal(date, 784111777);
	assert_int_equal(date_of("Sun Nov 16 08:49:37 1994", &date), 0);
	assert_int_equal(date, 784111777 + 10 * 86400);
}

static void a_year_of_two_digits_is_at_most_50_years_ahead(void **state)
{
	int64_t date;

	(void)state;
	assert_int_equal(date_of("Friday, 01-Jan-27 00:00:00 GMT", &date), 0);
	assert_int_equal(date, 1798761600);
	assert_int_equal(date_of("Friday, 01-Jan-76 00:00:00 GMT", &date), 0);
	assert_int_equal(date, 3345062400); /* 2076 */
	assert_int_equal(date_of("Friday, 01-Jan-78 00:00:00 GMT", &date), 0);
	assert_int_equal(date, 252460800); /* 1978 */
	assert_int_equal(date_of("Friday, 01-Jan-69 00:00:00 GMT", &date), 0);
	assert_int_equal(date, 3124224000); /* 2069 */
}

/* Each day of 131 years against the C library. */
static void every_day_is_the_same_as_in_the_library(void **state)
{
	(void)state;
	for (int64_t day = 0; day < 48000; day++) {
		time_t wanted = (time_t)(day * 86400 + day % 86400);
		struct tm parts;
		char text[64];
		int64_t date = -1;

		assert_non_null(gmtime_r(&wanted, &parts));
		(void)strftime(
		    text, sizeof(text), "%a, %d %b %Y %H:%M:%S GMT", &parts);
		assert_int_equal(date_of(text, &date), 0);
		assert_int_equal(date, wanted);
		(void)strftime(
		    text, sizeof(text), "%a %b %e %H:%M:%S %Y", &parts);
		assert_int_equal(date_of(text, &date), 0);
		assert_int_equal(date, wanted);
	}
}

static void what_no_calendar_has_is_no_date(void **state)
{
	static const char *const texts[] = {
	    "",
	    "0",
	    "yesterday",
	    "Sun, 00 Nov 1994 08:49:37 GMT",
	    "Sun, 31 Nov 1994 08:49:37 GMT",
	    "Wed, 29 Feb 2023 08:49:37 GMT",
	    "Sun, 06 Nov 1994 24:00:00 GMT",
	    "Sun, 06 Nov 1994 08:60:37 GMT",
	    "Sun, 06 Nov 1994 08:49:61 GMT",
	    "Sun, 06 Nov 1969 08:49:37 GMT",
	    "Sun, 06 Nov 1994 08:49:37 CET",
	    "Sun, 06 Nov 1994 08:49:37 GMT ",
	    " Sun, 06 Nov 1994 08:49:37 GMT",
	    "Sun, 6 Nov 1994 08:49:37 GMT",
	    "Sun,  06 Nov 1994 08:49:37 GMT",
	    "Sun, 06 Nov 94 08:49:37 GMT",
	    "sun, 06 nov 1994 08:49:37 gmt",
	    "Sun, 06 Nov 1994 08:49:37",
	    "Sun, -6 Nov 1994 08:49:37 GMT",
	    "Sun Nov 6 08:49:37 1994",
	    "2026-11-29T02:03:04Z",
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_COUNT(texts); i++) {
		int64_t date;

		assert_int_equal(date_of(texts[i], &date), -EBADMSG);
	}
}

static void every_shortened_date_is_refused(void **state)
{
	static const char text[] = "Sun, 06 Nov 1994 08:49:37 GMT";
	int64_t date;

	(void)state;
	for (size_t n = 0; n < strlen(text); n++)
		assert_int_equal(header_date(text, n, now_s, &date), -EBADMSG);
}

static void retry_after_is_bounded_seconds_from_now(void **state)
{
	static const struct {
		const char *text;
		int code;
		uint32_t value;
	} cases[] = {
	    {"0", 0, 0},
	    {"120", 0, 120},
	    {"86400", 0, 86400},
	    {"86401", 0, 86400},
	    {"99999999999999999999999", 0, 86400},
	    {"Sun, 29 Nov 2026 00:00:30 GMT", 0, 30},
	    {"Sun, 29 Nov 2020 00:00:30 GMT", 0, 0},
	    {"Sun, 29 Nov 2030 00:00:30 GMT", 0, 86400},
	    {"", -EBADMSG, 0},
	    {"-1", -EBADMSG, 0},
	    {"1.5", -EBADMSG, 0},
	    {"soon", -EBADMSG, 0},
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_COUNT(cases); i++) {
		uint32_t value = 0;

		assert_int_equal(header_retry_after(cases[i].text,
		                     strlen(cases[i].text), now_s, &value),
		    cases[i].code);
		if (cases[i].code == 0)
			assert_int_equal(value, cases[i].value);
	}
}

static void only_a_strong_etag_counts(void **state)
{
	static const struct {
		const char *text;
		bool strong;
	} cases[] = {
	    {"\"\"", true},
	    {"\"a\"", true},
	    {"\"a'b,c;d\"", true},
	    {"\"\xc3\xa4\"", true},
	    {"W/\"a\"", false},
	    {"w/\"a\"", false},
	    {"a", false},
	    {"\"", false},
	    {"", false},
	    {"\"a", false},
	    {"a\"", false},
	    {"\"a\"b\"", false},
	    {"\"a b\"", false},
	    {"\"a\tb\"", false},
	    {"\"a\nb\"", false},
	    {"\"a\x7f\"", false},
	};
	char text[FETCH_ETAG_BYTES + 2];
	char out[FETCH_ETAG_BYTES];

	(void)state;
	for (size_t i = 0; i < ARRAY_COUNT(cases); i++) {
		assert_int_equal(header_etag_strong(
		                     out, cases[i].text, strlen(cases[i].text)),
		    cases[i].strong);
		assert_string_equal(out, cases[i].strong ? cases[i].text : "");
	}
	memset(text, 'a', sizeof(text));
	text[0] = '"';
	text[FETCH_ETAG_BYTES - 2] = '"';
	assert_true(header_etag_strong(out, text, FETCH_ETAG_BYTES - 1));
	text[FETCH_ETAG_BYTES - 2] = 'a';
	text[FETCH_ETAG_BYTES - 1] = '"';
	assert_false(header_etag_strong(out, text, FETCH_ETAG_BYTES));
}

static void a_media_type_loses_parameters_and_case(void **state)
{
	static const struct {
		const char *text;
		const char *wanted;
	} cases[] = {
	    {"text/html", "text/html"},
	    {"Text/HTML; charset=utf-8", "text/html"},
	    {"text/html;charset=ISO-8859-1", "text/html"},
	    {"application/json ", "application/json"},
	    {"", ""},
	    {";", ""},
	    {"text", ""},
	    {"/html", ""},
	    {"text/", ""},
	    {"a/b/c", ""},
	    {"text/h\xe4", ""},
	    {"text /html", ""},
	};
	char long_text[200];
	char out[HEADER_MEDIA_TYPE_BYTES];

	(void)state;
	for (size_t i = 0; i < ARRAY_COUNT(cases); i++) {
		header_media_type(out, cases[i].text, strlen(cases[i].text));
		assert_string_equal(out, cases[i].wanted);
	}
	memset(long_text, 'a', sizeof(long_text));
	long_text[3] = '/';
	header_media_type(out, long_text, HEADER_MEDIA_TYPE_BYTES - 1);
	assert_int_equal(strlen(out), HEADER_MEDIA_TYPE_BYTES - 1);
	header_media_type(out, long_text, HEADER_MEDIA_TYPE_BYTES);
	assert_string_equal(out, "");
}

static void a_line_is_a_field_or_an_end_or_nothing(void **state)
{
	static const struct {
		const char *line;
		int code;
		const char *name;
		const char *value;
	} cases[] = {
	    {"ETag: \"a\"\r\n", 0, "ETag", "\"a\""},
	    {"ETag:\"a\"", 0, "ETag", "\"a\""},
	    {"Content-Length: \t 12 \t\r\n", 0, "Content-Length", "12"},
	    {"X:\r\n", 0, "X", ""},
	    {"X: a: b\n", 0, "X", "a: b"},
	    {"X: \xe4\r\n", 0, "X", "\xe4"},
	    {"\r\n", -ENOMSG, NULL, NULL},
	    {"\n", -ENOMSG, NULL, NULL},
	    {"", -ENOMSG, NULL, NULL},
	    {": a\r\n", -EBADMSG, NULL, NULL},
	    {"no colon\r\n", -EBADMSG, NULL, NULL},
	    {"nocolon\r\n", -EBADMSG, NULL, NULL},
	    {"Content-Length : 12\r\n", -EBADMSG, NULL, NULL},
	    {" folded: line\r\n", -EBADMSG, NULL, NULL},
	    {"X: a\rb\r\n", -EBADMSG, NULL, NULL},
	    {"X: a\x01\r\n", -EBADMSG, NULL, NULL},
	    {"\xe4: a\r\n", -EBADMSG, NULL, NULL},
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_COUNT(cases); i++) {
		struct header_field field;

		assert_int_equal(
		    header_split(cases[i].line, strlen(cases[i].line), &field),
		    cases[i].code);
		if (cases[i].code < 0)
			continue;
		assert_true(header_is(&field, cases[i].name));
		assert_int_equal(field.value_bytes, strlen(cases[i].value));
		assert_memory_equal(
		    field.value, cases[i].value, field.value_bytes);
	}
}

static void names_are_compared_without_case_and_whole(void **state)
{
	struct header_field field;

	(void)state;
	assert_int_equal(header_split("eTaG: a", 7, &field), 0);
	assert_true(header_is(&field, "ETag"));
	assert_false(header_is(&field, "ETagx"));
	assert_false(header_is(&field, "ETa"));
}

static void a_status_line_has_three_digits(void **state)
{
	static const struct {
		const char *line;
		int status;
	} cases[] = {
	    {"HTTP/1.1 206 Partial Content\r\n", 206},
	    {"HTTP/1.0 200 OK", 200},
	    {"HTTP/2 200", 200},
	    {"HTTP/2 404 \r\n", 404},
	    {"HTTP/1.1 100 Continue\r\n", 100},
	    {"HTTP/1.1 599 x", 599},
	    {"HTTP/1.1 600 x", -EBADMSG},
	    {"HTTP/1.1 099 x", -EBADMSG},
	    {"HTTP/1.1 20 x", -EBADMSG},
	    {"HTTP/1.1 2000", -EBADMSG},
	    {"HTTP/1.1  200", -EBADMSG},
	    {"HTTP/1.1", -EBADMSG},
	    {"HTTP/1. 200", -EBADMSG},
	    {"HTTP/x 200", -EBADMSG},
	    {"ICY 200 OK", -EBADMSG},
	    {"http/1.1 200 OK", -EBADMSG},
	    {"", -EBADMSG},
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_COUNT(cases); i++)
		assert_int_equal(
		    header_status_line(cases[i].line, strlen(cases[i].line)),
		    cases[i].status);
}

static void only_identity_leaves_bytes_alone(void **state)
{
	(void)state;
	assert_true(header_encoding_is_identity("", 0));
	assert_true(header_encoding_is_identity("Identity", 8));
	assert_false(header_encoding_is_identity("gzip", 4));
	assert_false(header_encoding_is_identity("identity, gzip", 14));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(a_length_is_digits_below_two_to_the_63),
	    cmocka_unit_test(a_range_has_one_of_three_forms),
	    cmocka_unit_test(a_range_that_makes_no_sense_is_refused),
	    cmocka_unit_test(all_three_forms_of_a_date_are_read),
	    cmocka_unit_test(a_year_of_two_digits_is_at_most_50_years_ahead),
	    cmocka_unit_test(every_day_is_the_same_as_in_the_library),
	    cmocka_unit_test(what_no_calendar_has_is_no_date),
	    cmocka_unit_test(every_shortened_date_is_refused),
	    cmocka_unit_test(retry_after_is_bounded_seconds_from_now),
	    cmocka_unit_test(only_a_strong_etag_counts),
	    cmocka_unit_test(a_media_type_loses_parameters_and_case),
	    cmocka_unit_test(a_line_is_a_field_or_an_end_or_nothing),
	    cmocka_unit_test(names_are_compared_without_case_and_whole),
	    cmocka_unit_test(a_status_line_has_three_digits),
	    cmocka_unit_test(only_identity_leaves_bytes_alone),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
