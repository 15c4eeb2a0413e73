/* SPDX-License-Identifier: Apache-2.0 */
/* The lines of `bearerfs doctor`: what they look like and when they fail. */
#include "fetch/abilities.h"
#include "fetch/fetch.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "cli/doctor/checks.h"

static struct doctor_report begin(bool json)
{
	struct doctor_report report = {.json = json};

	buf_init(&report.out, 65536);
	return report;
}

static void a_line_shows_its_grade_and_only_fail_fails(void **state)
{
	struct doctor_report report = begin(false);

	(void)state;
	doctor_line(&report, DOCTOR_OK, "a", "x%d", 1);
	doctor_line(&report, DOCTOR_WARN, "b", "y\033[2J\n");
	assert_false(report.failed);
	doctor_line(&report, DOCTOR_FAIL, "c", "z; do this");
	assert_true(report.failed);
	doctor_line(&report, DOCTOR_OK, "d", "w");
	assert_true(report.failed);
	assert_string_equal(buf_text(&report.out),
	    "ok   a: x1\nwarn b: y?[2J?\nFAIL c: z; do this\nok   d: w\n");
	buf_fini(&report.out);
}

static void json_has_an_object_for_each_line(void **state)
{
	struct doctor_report report = begin(true);

	(void)state;
	doctor_line(&report, DOCTOR_OK, "a", "x\"y");
	doctor_line(&report, DOCTOR_FAIL, "b", "z");
	assert_string_equal(buf_text(&report.out),
	    "{\"name\":\"a\",\"result\":\"ok\",\"text\":\"x\\\"y\"},"
	    "{\"name\":\"b\",\"result\":\"FAIL\",\"text\":\"z\"}");
	buf_fini(&report.out);
}

static void check_clock(bool known, int64_t skew_s, const char *line)
{
	struct doctor_report report = begin(false);

	doctor_clock(&report, known, skew_s);
	assert_false(report.failed);
	assert_string_equal(buf_text(&report.out), line);
	buf_fini(&report.out);
}

static void a_clock_that_is_off_is_warned_of(void **state)
{
	static const char good[] = "ok   clock: agrees with the server's\n";

	(void)state;
	check_clock(true, 0, good);
	check_clock(true, 5, good);
	check_clock(true, -5, good);
	check_clock(true, 6,
	    "warn clock: this machine's is 6 s ahead of the server's; set "
	    "the clock\n");
	check_clock(true, -312,
	    "warn clock: this machine's is 312 s behind the server's; set "
	    "the clock\n");
	check_clock(
	    false, 0, "ok   clock: not compared: the server told no time\n");
}

static void check_validators(const char *attributes, int64_t mtime_s,
    const char *bytes, const char *line)
{
	struct doctor_report report = begin(false);
	struct fetch_version version = {.mtime_s = mtime_s};

	memcpy(version.etag, attributes, strlen(attributes) + 1);
	doctor_validators(&report, &version, bytes);
	assert_false(report.failed);
	assert_string_equal(buf_text(&report.out), line);
	buf_fini(&report.out);
}

static void validators_are_judged(void **state)
{
	(void)state;
	check_validators(
	    "\"a\"", 0, "\"a\"", "ok   validators: files have a strong ETag\n");
	check_validators("\"a\"", -1, "\"a\"",
	    "ok   validators: files have a strong ETag\n");
	check_validators("", 0, "\"a\"",
	    "ok   validators: files have a time, and bytes have a strong "
	    "ETag\n");
	check_validators("\"a\"", 0, "",
	    "ok   validators: files have a time, and attributes have a strong "
	    "ETag\n");
	check_validators("", -1, "\"a\"",
	    "ok   validators: bytes have a strong ETag; files have no time\n");
	check_validators("", 0, "",
	    "ok   validators: files have a time and no strong ETag: after "
	    "each range the time is asked for once more\n");
	check_validators("", -1, "",
	    "warn validators: files have neither a strong ETag nor a time, so "
	    "a change that keeps the size is not seen; ask for ETag or "
	    "Last-Modified there\n");
}

static const struct fetch_abilities abilities = {
    .open_range = FETCH_ABILITY_WRONG,
    .past_end = FETCH_ABILITY_NO,
    .multi_range = FETCH_ABILITY_UNKNOWN,
    .checksum = FETCH_ABILITY_YES,
    .algorithm = FETCH_ADLER32,
    .listed_etag = FETCH_ABILITY_YES,
    .escaped = FETCH_ABILITY_NO,
    .http2 = FETCH_ABILITY_NO,
};

static void what_a_server_does_right_is_told(void **state)
{
	struct doctor_report report = begin(false);

	(void)state;
	doctor_profile(&report, &abilities);
	assert_string_equal(buf_text(&report.out),
	    "ok   profile: open ranges wrong, ranges past the end no, several "
	    "ranges at once unknown, checksums yes (adler32), ETags in "
	    "listings yes, names encoded no, HTTP/2 no\n");
	buf_fini(&report.out);
	report = begin(true);
	doctor_profile(&report, &abilities);
	doctor_line(&report, DOCTOR_OK, "a", "x");
	assert_non_null(strstr(buf_text(&report.out),
	    ",\"abilities\":{\"open_range\":\"wrong\",\"range_past_end\":"
	    "\"no\",\"multi_range\":\"unknown\",\"checksum\":\"yes\","
	    "\"listed_etag\":\"yes\",\"escaped_names\":\"no\","
	    "\"http2\":\"no\",\"checksum_algorithm\":\"adler32\"}},"
	    "{\"name\":\"a\",\"result\":\"ok\",\"text\":\"x\"}"));
	buf_fini(&report.out);
}

static void each_errno_has_its_cure(void **state)
{
	(void)state;
	assert_non_null(strstr(doctor_cure(-EACCES), "scope"));
	assert_non_null(strstr(doctor_cure(-EKEYEXPIRED), "new token"));
	assert_non_null(strstr(doctor_cure(-EKEYREJECTED), "issuer"));
	assert_non_null(strstr(doctor_cure(-EHOSTUNREACH), "host"));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(a_line_shows_its_grade_and_only_fail_fails),
	    cmocka_unit_test(json_has_an_object_for_each_line),
	    cmocka_unit_test(a_clock_that_is_off_is_warned_of),
	    cmocka_unit_test(validators_are_judged),
	    cmocka_unit_test(what_a_server_does_right_is_told),
	    cmocka_unit_test(each_errno_has_its_cure),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
