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

#include <cmocka.h>

#include "cli/answer.h"
#include "cli/control.h"
#include "cli/describe.h"
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

#define CASE(name) cmocka_unit_test_setup_teardown(name, begin, end)

int main(void)
{
	const struct CMUnitTest tests[] = {
	    CASE(requests_are_answered_by_name),
	    CASE(only_the_owner_ends_a_mount),
	    CASE(a_guests_token_is_looked_for_first),
	    CASE(who_does_not_wait_leaves_nothing),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
