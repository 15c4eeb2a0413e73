/* SPDX-License-Identifier: Apache-2.0 */
/* The requests of the control socket: which there are, who may ask them, and
 * that nobody is answered before their token was looked for. */
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

#include "cli/control/answer.h"
#include "cli/control/control.h"
#include "cli/control/describe.h"
#include "json_check.h"

static struct describe mount = {
    .source = "https://h.example/a",
    .mountpoint = "/data",
    .origin = "https://h.example",
    .source_path = "/a",
    .timeout_ms = 120000,
};
static struct control_request request;
static struct buf out;
static struct err err;

static int begin(void **state)
{
	(void)state;
	fake_reset();
	mount.shared = false;
	buf_init(&out, 1 << 20);
	return 0;
}

static int end(void **state)
{
	(void)state;
	buf_fini(&out);
	return 0;
}

static int ask(const char *text, bool owner)
{
	request = (struct control_request){.text = text,
	    .owner = owner,
	    .peer = {.uid = owner ? 0 : 2001, .pid = 7}};
	buf_clear(&out);
	err = (struct err)ERR_INIT;
	return answer_request(&mount, &request, &out, &err);
}

static int ask_again(void)
{
	buf_clear(&out);
	return answer_request(&mount, &request, &out, &err);
}

static void requests_are_answered_by_name(void **state)
{
	(void)state;
	assert_int_equal(ask("status json", true), 0);
	assert_true(json_is_valid(buf_text(&out)));
	assert_int_equal(ask("status", true), 0);
	assert_false(request.hold);
	assert_null(request.memo);
	assert_non_null(strstr(buf_text(&out), "cache: fine"));
	assert_int_equal(ask("statuses", true), -EINVAL);
	assert_int_equal(ask("", true), -EINVAL);
	assert_int_equal(fake.stops, 0);
	assert_int_equal(ask("stop", true), 0);
	assert_true(request.hold);
	assert_int_equal(fake.stops, 1);
	/* Nothing had to be looked for. */
	assert_int_equal(fake.want_count, 0);
}

static void numbers_are_told_to_the_owner(void **state)
{
	(void)state;
	mount.shared = true;
	assert_int_equal(ask("metrics", false), -EPERM);
	assert_int_equal(err.code, -EPERM);
	assert_int_equal(ask("metrics", true), 0);
	assert_non_null(strstr(buf_text(&out), "\nservers{mountpoint=\""));
	assert_non_null(strstr(buf_text(&out),
	    "\n# TYPE bearerfs_fetch_hedges_total counter\n"
	    "bearerfs_fetch_hedges_total{mountpoint=\""));
	assert_non_null(
	    strstr(buf_text(&out), "\n# TYPE bearerfs_fs_nodes gauge\n"));
	assert_int_equal(fake.want_count, 0);
}

static void only_the_owner_ends_a_mount(void **state)
{
	(void)state;
	mount.shared = true;
	assert_int_equal(ask("stop", false), -EPERM);
	assert_int_equal(err.code, -EPERM);
	assert_false(request.hold);
	assert_int_equal(fake.stops, 0);
}

static void a_guests_token_is_looked_for_first(void **state)
{
	(void)state;
	mount.shared = true;
	assert_int_equal(ask("status", false), -EINPROGRESS);
	assert_non_null(request.memo);
	assert_int_equal(fake.want_count, 1);
	assert_int_equal(fake.want_ident.uid, 2001);
	assert_int_equal(fake.want_ident.pid, 7);
	assert_int_equal(fake.want_ident.tgid, FAKE_TGID);
	assert_int_equal(ask_again(), -EINPROGRESS);
	assert_int_equal(fake.want_count, 1);
	fake_answer_want();
	assert_int_equal(ask_again(), 0);
	assert_null(request.memo);
	assert_int_equal(fake.shown.tgid, FAKE_TGID);
	assert_null(strstr(buf_text(&out), "cache: fine"));
	/* When it is known already, at once. */
	fake.want_at_once = true;
	assert_int_equal(ask("status json", false), 0);
	assert_true(json_is_valid(buf_text(&out)));
	assert_null(request.memo);
	assert_int_equal(ask("status", true), 0);
	assert_non_null(strstr(buf_text(&out), "cache: fine"));
}

static void who_does_not_wait_leaves_nothing(void **state)
{
	(void)state;
	mount.shared = true;
	assert_int_equal(ask("status", false), -EINPROGRESS);
	answer_forget(&mount, &request);
	assert_null(request.memo);
	fake_answer_want(); /* too late: nobody is touched */
	assert_int_equal(ask("status", false), -EINPROGRESS);
	fake_answer_want();
	answer_forget(&mount, &request);
}

static void a_path_is_explained_when_all_is_known(void **state)
{
	(void)state;
	assert_int_equal(ask("explain json /b%20c", true), -EINPROGRESS);
	assert_int_equal(fake.want_count, 1);
	assert_int_equal(ask_again(), -EINPROGRESS);
	assert_int_equal(fake.known_count, 0);
	fake_answer_want();
	assert_int_equal(ask_again(), -EINPROGRESS);
	assert_int_equal(fake.known_count, 1);
	assert_string_equal(fake.known_path, "/b c");
	assert_int_equal(ask_again(), -EINPROGRESS);
	assert_int_equal(fake.known_count, 1);
	fake_answer_known();
	assert_int_equal(ask_again(), 0);
	assert_null(request.memo);
	assert_int_equal(strncmp(buf_text(&out), "well\n{", 6), 0);
	assert_true(json_is_valid(buf_text(&out) + 5));
	assert_non_null(strstr(buf_text(&out), "\"server_path\":\"/a/b c\""));
	assert_non_null(strstr(buf_text(&out), "\"kind\":\"directory\""));
	/* As text, and of one that is refused. */
	fake.refuses = "/a/b c";
	fake.want_at_once = true;
	assert_int_equal(ask("explain /b%20c", true), -EINPROGRESS);
	fake_answer_known();
	assert_int_equal(ask_again(), 0);
	assert_int_equal(strncmp(buf_text(&out), "wrong\n/data/b c\n", 16), 0);
	assert_non_null(
	    strstr(buf_text(&out), "\nverdict: EACCES: no; get one\n"));
}

static void what_is_no_path_is_refused(void **state)
{
	static const char *const wrong[] = {"explain ", "explain b",
	    "explain json b", "explain  /b", "explain /b%00", "explain /b/../c",
	    "explain //b", "explain json /%2e", "explain /b/"};

	(void)state;
	assert_int_equal(ask("explain", true), -EINVAL);
	assert_int_equal(ask("explains /b", true), -EINVAL);
	for (unsigned i = 0; i < ARRAY_COUNT(wrong); i++) {
		assert_true(ask(wrong[i], true) < 0);
		assert_non_null(strstr(err.text, "explain: no path"));
		assert_null(request.memo);
	}
	assert_int_equal(fake.want_count, 0);
}

static void a_disk_that_hangs_is_not_waited_for(void **state)
{
	(void)state;
	fake.want_at_once = true;
	assert_int_equal(ask("explain json /b", true), -EINPROGRESS);
	(void)usleep((ANSWER_CACHE_MS + 100) * 1000);
	assert_int_equal(ask_again(), 0);
	assert_non_null(strstr(
	    buf_text(&out), "\"problem\":\"the cache's disk does not answer"));
	fake_answer_known(); /* too late: nobody is touched */
}

#define CASE(name) cmocka_unit_test_setup_teardown(name, begin, end)

int main(void)
{
	const struct CMUnitTest tests[] = {
	    CASE(requests_are_answered_by_name),
	    CASE(numbers_are_told_to_the_owner),
	    CASE(only_the_owner_ends_a_mount),
	    CASE(a_guests_token_is_looked_for_first),
	    CASE(who_does_not_wait_leaves_nothing),
	    CASE(a_path_is_explained_when_all_is_known),
	    CASE(what_is_no_path_is_refused),
	    CASE(a_disk_that_hangs_is_not_waited_for),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
