/* SPDX-License-Identifier: Apache-2.0 */
/* What a status means, and whether an answer fits what was asked. */
#include "base/attr.h"
#include "fetch/answers/response.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

enum { NOW_S = 1800000000 };

static void take(struct response *response, const char *lines)
{
	const char *at = lines;

	response_clear(response);
	while (*at != '\0') {
		size_t bytes = (size_t)(strchr(at, '\n') - at) + 1;

		assert_int_equal(response_line(response, at, bytes, NOW_S), 0);
		at += bytes;
	}
}

static void every_status_has_a_meaning(void **state)
{
	(void)state;
	for (int status = -1; status <= 1000; status++) {
		struct response_verdict verdict = response_verdict_of(status);

		assert_true(verdict.code <= 0 && verdict.code > -4096);
		assert_non_null(verdict.why);
		assert_int_equal(
		    verdict.code == 0, verdict.means == RESPONSE_DATA);
	}
}

static void only_refusals_ask_for_another_token(void **state)
{
	(void)state;
	for (int status = -1; status <= 1000; status++)
		assert_int_equal(
		    response_verdict_of(status).means == RESPONSE_REFUSED,
		    status == 401 || status == 403);
}

static void only_success_is_data(void **state)
{
	(void)state;
	for (int status = -1; status <= 1000; status++)
		assert_int_equal(
		    response_verdict_of(status).means == RESPONSE_DATA,
		    status == 200 || status == 206 || status == 207);
}

static void an_error_of_the_server_may_be_asked_again(void **state)
{
	(void)state;
	for (int status = 500; status <= 599; status++) {
		enum response_means means = response_verdict_of(status).means;

		assert_true(means == RESPONSE_SERVER ||
		    means == RESPONSE_BUSY || status == 507);
	}
}

static void headers_that_matter_are_kept(void **state)
{
	struct response r;

	(void)state;
	take(&r,
	    "HTTP/1.1 206 Partial Content\r\n"
	    "Date: Tue, 14 Nov 2023 22:13:20 GMT\r\n"
	    "server: nginx\r\n"
	    "CONTENT-LENGTH: 4\r\n"
	    "Content-Range: bytes 0-3/10\r\n"
	    "ETag: \"a\"\r\n"
	    "Last-Modified: Tue, 14 Nov 2023 22:13:20 GMT\r\n"
	    "Retry-After: 7\r\n"
	    "Content-Type: Text/HTML; charset=utf-8\r\n"
	    "Location: /there\r\n"
	    "X-Other: x\r\n"
	    "\r\n");
	assert_true(r.ended);
	assert_null(r.problem);
	assert_int_equal(r.status, 206);
	assert_true(r.dated);
	assert_false(r.xrootd);
	assert_true(r.length_known);
	assert_int_equal(r.length_bytes, 4);
	assert_true(r.range_known);
	assert_int_equal(r.range.total_bytes, 10);
	assert_string_equal(r.etag, "\"a\"");
	assert_int_equal(r.modified_s, 1700000000);
	assert_true(r.wait_asked);
	assert_int_equal(r.wait_asked_s, 7);
	assert_string_equal(r.media_type, "text/html");
	assert_string_equal(r.location, "/there");
	assert_false(r.encoded);
}

static void an_interim_answer_leaves_nothing_behind(void **state)
{
	struct response r;

	(void)state;
	take(&r,
	    "HTTP/1.1 103 Early Hints\r\nETag: \"x\"\r\nLocation: /x\r\n"
	    "Content-Length: 9\r\n\r\n");
	assert_false(r.ended);
	take(&r,
	    "HTTP/1.1 103 Early Hints\r\nETag: \"x\"\r\nLocation: /x\r\n"
	    "Content-Length: 9\r\n\r\nHTTP/1.1 200 OK\r\n\r\n");
	assert_true(r.ended);
	assert_string_equal(r.etag, "");
	assert_string_equal(r.location, "");
	assert_false(r.length_known);
	assert_int_equal(r.header_count, 7);
}

static void trailers_change_nothing(void **state)
{
	struct response r;

	(void)state;
	take(&r, "HTTP/1.1 200 OK\r\nETag: \"a\"\r\n\r\nETag: \"b\"\r\n\r\n");
	assert_string_equal(r.etag, "\"a\"");
}

static void weak_etags_are_none(void **state)
{
	struct response r;

	(void)state;
	take(&r, "HTTP/1.1 200 OK\r\nETag: W/\"a\"\r\n\r\n");
	assert_string_equal(r.etag, "");
}

static void xrootd_is_known_by_its_name(void **state)
{
	struct response r;

	(void)state;
	take(&r, "HTTP/1.1 200 OK\r\nServer: XrootD/v5.5.3\r\n\r\n");
	assert_true(r.xrootd);
	assert_false(r.dated);
}

static void problems_are_remembered(void **state)
{
	static const char *const lines[] = {
	    "Content-Length: -1\r\n",
	    "Content-Length: 1x\r\n",
	    "Content-Length: 99999999999999999999\r\n",
	    "Content-Length: 3\r\nContent-Length: 4\r\n",
	    "Content-Range: bytes 2--1/6\r\n",
	    "Content-Range: bytes 0-3/10\r\nContent-Range: bytes 0-3/10\r\n",
	    "no header\r\n",
	};
	struct response r;
	char text[256];

	(void)state;
	for (size_t i = 0; i < ARRAY_COUNT(lines); i++) {
		(void)snprintf(
		    text, sizeof(text), "HTTP/1.1 206 OK\r\n%s\r\n", lines[i]);
		take(&r, text);
		assert_non_null(r.problem);
	}
	take(&r,
	    "HTTP/1.1 206 OK\r\nContent-Length: 3\r\nContent-Length: 3\r\n"
	    "\r\n");
	assert_null(r.problem);
}

static void headers_have_an_end(void **state)
{
	struct response r;
	static char big[RESPONSE_HEADER_BYTES_MAX + 64];

	(void)state;
	take(&r, "HTTP/1.1 200 OK\r\n");
	while (r.header_count < RESPONSE_HEADERS_MAX)
		assert_int_equal(response_line(&r, "A: b\r\n", 6, NOW_S), 0);
	assert_int_equal(response_line(&r, "A: b\r\n", 6, NOW_S), -EMSGSIZE);

	take(&r, "HTTP/1.1 200 OK\r\n");
	memset(big, 'x', sizeof(big));
	big[1] = ':';
	assert_int_equal(response_line(&r, big,
	                     RESPONSE_HEADER_BYTES_MAX - r.header_bytes, NOW_S),
	    0);
	assert_int_equal(response_line(&r, "\r\n", 2, NOW_S), -EMSGSIZE);
}

static void what_is_not_http_is_refused(void **state)
{
	struct response r;

	(void)state;
	response_clear(&r);
	assert_int_equal(response_line(&r, "SSH-2.0\r\n", 9, NOW_S), -EBADMSG);
	response_clear(&r);
	assert_int_equal(
	    response_line(&r, "HTTP/1.1 99 x\r\n", 15, NOW_S), -EBADMSG);
}

static void an_endless_location_is_a_problem(void **state)
{
	static char line[FETCH_URL_BYTES_MAX + 64];
	struct response r;
	int bytes = snprintf(line, sizeof(line), "Location: %0*d\r\n",
	    (int)FETCH_URL_BYTES_MAX, 0);

	(void)state;
	take(&r, "HTTP/1.1 302 Found\r\n");
	assert_int_equal(response_line(&r, line, (size_t)bytes, NOW_S), 0);
	assert_non_null(r.problem);
	assert_string_equal(r.location, "");
}

/* A file of 1000 bytes from 2023; bytes 100-199 are asked for. */
static const struct fetch_version version = {
    .size_bytes = 1000, .mtime_s = 1700000000};

static enum response_fit fit(const char *lines, const char *etag)
{
	struct response r;
	struct err err = ERR_INIT;
	struct response_want want = {.offset_bytes = 100,
	    .length_bytes = 100,
	    .version = &version,
	    .etag = etag};
	enum response_fit result;

	take(&r, lines);
	result = response_fit_of(&r, &want, &err);
	assert_int_equal(err.code == 0,
	    result == RESPONSE_FITS || result == RESPONSE_FITS_MAY);
	return result;
}

#define PART   "HTTP/1.1 206 OK\r\nContent-Range: bytes 100-199/1000\r\n"
#define LENGTH "Content-Length: 100\r\n"
#define TIME   "Last-Modified: Tue, 14 Nov 2023 22:13:20 GMT\r\n"

static void a_part_fits_only_when_all_of_it_does(void **state)
{
	(void)state;
	assert_int_equal(fit(PART LENGTH TIME "\r\n", ""), RESPONSE_FITS);
	assert_int_equal(fit(PART TIME "\r\n", ""), RESPONSE_FITS);
	assert_int_equal(fit(PART LENGTH "\r\n", ""), RESPONSE_FITS_MAY);
	assert_int_equal(
	    fit(PART LENGTH "ETag: \"a\"\r\n\r\n", "\"a\""), RESPONSE_FITS);
	assert_int_equal(fit(PART LENGTH "ETag: \"b\"\r\n\r\n", "\"a\""),
	    RESPONSE_ETAG_DIFFERS);
	/* The ETag decides; times have steps of a second. */
	assert_int_equal(fit(PART TIME "ETag: \"b\"\r\n\r\n", "\"a\""),
	    RESPONSE_ETAG_DIFFERS);
	/* One that nobody asked with says nothing by itself. */
	assert_int_equal(
	    fit(PART LENGTH "ETag: \"b\"\r\n\r\n", ""), RESPONSE_FITS_MAY);
	assert_int_equal(
	    fit(PART "Content-Length: 99\r\n" TIME "\r\n", ""), RESPONSE_UNFIT);
	assert_int_equal(fit(PART "Content-Encoding: gzip\r\n" TIME "\r\n", ""),
	    RESPONSE_UNFIT);
	assert_int_equal(
	    fit(PART "Last-Modified: Tue, 14 Nov 2023 22:13:21 GMT\r\n\r\n",
	        ""),
	    RESPONSE_TIME_DIFFERS);
}

static void an_etag_that_is_known_may_be_missing_elsewhere_only(void **state)
{
	struct response r;
	struct err err = ERR_INIT;
	struct response_want want = {.offset_bytes = 100,
	    .length_bytes = 100,
	    .version = &version,
	    .etag = "\"a\""};

	(void)state;
	take(&r, PART LENGTH "\r\n");
	assert_int_equal(response_fit_of(&r, &want, &err), RESPONSE_UNFIT);
	want.elsewhere = true;
	assert_int_equal(response_fit_of(&r, &want, &err), RESPONSE_FITS_MAY);
	want.elsewhere = false;
	take(&r, PART LENGTH TIME "\r\n");
	assert_int_equal(response_fit_of(&r, &want, &err), RESPONSE_FITS);
}

static void a_whole_file_has_a_length(void **state)
{
	struct response r;
	struct err err = ERR_INIT;
	struct response_want want = {
	    .length_bytes = 1000, .version = &version, .etag = ""};

	(void)state;
	take(&r, "HTTP/1.1 200 OK\r\n" TIME "\r\n");
	assert_int_equal(response_fit_of(&r, &want, &err), RESPONSE_UNFIT);
	take(&r, "HTTP/1.1 200 OK\r\nContent-Length: 1000\r\n" TIME "\r\n");
	assert_int_equal(response_fit_of(&r, &want, &err), RESPONSE_FITS);
	take(&r, "HTTP/1.1 200 OK\r\nContent-Length: 1001\r\n" TIME "\r\n");
	assert_int_equal(
	    response_fit_of(&r, &want, &err), RESPONSE_SIZE_DIFFERS);
}

static void another_part_never_fits(void **state)
{
	static const char *const ranges[] = {"0-99/1000", "100-198/1000",
	    "101-199/1000", "101-200/1000", "100-200/1000", "99-199/1000"};
	char text[256];

	(void)state;
	for (size_t i = 0; i < ARRAY_COUNT(ranges); i++) {
		(void)snprintf(text, sizeof(text),
		    "HTTP/1.1 206 OK\r\nContent-Range: bytes %s\r\n" TIME
		    "\r\n",
		    ranges[i]);
		assert_int_equal(fit(text, ""), RESPONSE_UNFIT);
	}
	assert_int_equal(
	    fit("HTTP/1.1 206 OK\r\n" LENGTH TIME "\r\n", ""), RESPONSE_UNFIT);
	assert_int_equal(
	    fit("HTTP/1.1 206 OK\r\nContent-Range: bytes */1000\r\n\r\n", ""),
	    RESPONSE_UNFIT);
	assert_int_equal(
	    fit("HTTP/1.1 200 OK\r\n" LENGTH TIME "\r\n", ""), RESPONSE_UNFIT);
}

static void another_size_raises_doubts(void **state)
{
	(void)state;
	assert_int_equal(
	    fit("HTTP/1.1 206 OK\r\nContent-Range: bytes 100-199/1001\r\n" TIME
	        "\r\n",
	        ""),
	    RESPONSE_SIZE_DIFFERS);
	assert_int_equal(
	    fit("HTTP/1.1 206 OK\r\nContent-Range: bytes 100-199/*\r\n" TIME
	        "\r\n",
	        ""),
	    RESPONSE_FITS);
	assert_int_equal(
	    fit("HTTP/1.1 206 OK\r\nContent-Range: bytes 100-199/*\r\n\r\n",
	        ""),
	    RESPONSE_FITS_MAY);
}

static void no_status_but_two_is_an_answer_to_a_range(void **state)
{
	char text[256];

	(void)state;
	for (int status = 200; status <= 599; status++) {
		enum response_fit result;

		(void)snprintf(text, sizeof(text),
		    "HTTP/1.1 %d x\r\nContent-Range: bytes 100-199/1000\r\n"
		    "\r\n",
		    status);
		result = fit(text, "");
		assert_int_equal(result == RESPONSE_FITS_MAY, status == 206);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(every_status_has_a_meaning),
	    cmocka_unit_test(only_refusals_ask_for_another_token),
	    cmocka_unit_test(only_success_is_data),
	    cmocka_unit_test(an_error_of_the_server_may_be_asked_again),
	    cmocka_unit_test(headers_that_matter_are_kept),
	    cmocka_unit_test(an_interim_answer_leaves_nothing_behind),
	    cmocka_unit_test(trailers_change_nothing),
	    cmocka_unit_test(weak_etags_are_none),
	    cmocka_unit_test(xrootd_is_known_by_its_name),
	    cmocka_unit_test(problems_are_remembered),
	    cmocka_unit_test(headers_have_an_end),
	    cmocka_unit_test(what_is_not_http_is_refused),
	    cmocka_unit_test(an_endless_location_is_a_problem),
	    cmocka_unit_test(a_part_fits_only_when_all_of_it_does),
	    cmocka_unit_test(
	        an_etag_that_is_known_may_be_missing_elsewhere_only),
	    cmocka_unit_test(a_whole_file_has_a_length),
	    cmocka_unit_test(another_part_never_fits),
	    cmocka_unit_test(another_size_raises_doubts),
	    cmocka_unit_test(no_status_but_two_is_an_answer_to_a_range),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
