/* SPDX-License-Identifier: Apache-2.0 */
/* What a mount answers about what is unsent: counts, its place, and a flush,
 * which is answered when it has ended and whoever asked is still there. */
#include "base/buf.h"
#include "base/clock.h"
#include "base/path.h"
#include "cache/drafts/drafts.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "cli/control/control.h"
#include "cli/control/describe.h"
#include "cli/unsent/serve.h"

/* The drafts, as they are asked. */
static struct {
	unsigned flushes;
	char path[PATH_BYTES_MAX];
	uint64_t deadline_ms;
	drafts_flushed_fn answer;
	void *arg;
	bool at_once;
} fake;

void __wrap_drafts_count(struct drafts *drafts, struct drafts_count *out);
void __wrap_drafts_flush(struct drafts *drafts, const char *path,
    uint64_t deadline_ms, drafts_flushed_fn answer, void *arg);

void __wrap_drafts_count(struct drafts *drafts, struct drafts_count *out)
{
	assert_non_null(drafts);
	*out = (struct drafts_count){.unsent_files = 3,
	    .unsent_bytes = 1000,
	    .sent_bytes = 10,
	    .failed = 2,
	    .conflicts = 1};
}

void __wrap_drafts_flush(struct drafts *drafts, const char *path,
    uint64_t deadline_ms, drafts_flushed_fn answer, void *arg)
{
	assert_non_null(drafts);
	fake.flushes++;
	(void)snprintf(fake.path, sizeof(fake.path), "%s", path);
	fake.deadline_ms = deadline_ms;
	fake.answer = answer;
	fake.arg = arg;
	if (fake.at_once)
		answer(arg, 0, NULL);
}

static struct describe mount;
static struct control_request request;
static struct buf out;
static struct err err;

static int begin(void **state)
{
	static int drafts;

	(void)state;
	memset(&fake, 0, sizeof(fake));
	mount = (struct describe){
	    .origin = "https://h.example",
	    .source_path = "/a b",
	    .spool_dir = "/var/lib/bearerfs/spool",
	    .drafts = (struct drafts *)&drafts,
	};
	request = (struct control_request){.owner = true};
	buf_init(&out, 1 << 20);
	err = (struct err)ERR_INIT;
	return 0;
}

static int end(void **state)
{
	(void)state;
	buf_fini(&out);
	return 0;
}

static int ask(const char *text)
{
	request.text = text;
	buf_clear(&out);
	assert_true(unsent_is_asked(text));
	return unsent_answer(&mount, &request, &out, &err);
}

static void answer(int code)
{
	struct err why = ERR_INIT;

	if (code < 0)
		(void)err_set(&why, code, "'/secret/name': no room");
	fake.answer(fake.arg, code, &why);
}

static void counts_and_place_are_told(void **state)
{
	(void)state;
	assert_int_equal(ask("unsent"), 0);
	assert_string_equal(buf_text(&out), "3 1000 10 2 1\n");
	assert_int_equal(ask("spool"), 0);
	assert_string_equal(buf_text(&out),
	    "https://h.example\n/a%20b\n/var/lib/bearerfs/spool\n");
}

static void a_mount_that_is_read_only_has_nothing_unsent(void **state)
{
	(void)state;
	mount.drafts = NULL;
	assert_int_equal(ask("unsent"), 0);
	assert_string_equal(buf_text(&out), "0 0 0 0 0\n");
	assert_int_equal(ask("spool"), 0);
	assert_string_equal(buf_text(&out), "https://h.example\n/a%20b\n");
	assert_int_equal(ask("flush 1000 /"), 0);
	assert_string_equal(buf_text(&out), "sent\n");
	assert_int_equal(fake.flushes, 0);
}

static void a_flush_is_answered_when_it_has_ended(void **state)
{
	uint64_t now_ms = clock_now_ms(clock_system());

	(void)state;
	assert_int_equal(ask("flush 600000 /x%20y"), -EINPROGRESS);
	assert_string_equal(fake.path, "/x y");
	assert_in_range(fake.deadline_ms, now_ms + 600000, now_ms + 660000);
	/* The control socket waits as long. */
	assert_true(request.latest_ms > fake.deadline_ms);
	assert_int_equal(ask("flush 600000 /x%20y"), -EINPROGRESS);
	answer(0);
	assert_int_equal(ask("flush 600000 /x%20y"), 0);
	assert_string_equal(buf_text(&out), "sent\n");
	assert_null(request.memo);
	assert_int_equal(fake.flushes, 1);
	fake.at_once = true;
	assert_int_equal(ask("flush 0 /"), 0);
	assert_string_equal(buf_text(&out), "sent\n");
}

static void what_could_not_be_sent_is_told_to_the_owner(void **state)
{
	(void)state;
	assert_int_equal(ask("flush 1000 /"), -EINPROGRESS);
	answer(-EDQUOT);
	assert_int_equal(ask("flush 1000 /"), 0);
	assert_string_equal(
	    buf_text(&out), "unsent EDQUOT '/secret/name': no room\n");
}

static void a_guest_is_told_no_names_and_keeps_no_place(void **state)
{
	uint64_t now_ms = clock_now_ms(clock_system());

	(void)state;
	request.owner = false;
	assert_int_equal(ask("flush 99999999 /"), -EINPROGRESS);
	assert_in_range(fake.deadline_ms, now_ms, now_ms + 60000);
	answer(-EDQUOT);
	assert_int_equal(ask("flush 99999999 /"), 0);
	assert_null(strstr(buf_text(&out), "secret"));
	assert_non_null(strstr(buf_text(&out), "unsent EDQUOT "));
}

static void who_hangs_up_is_forgotten_before_or_after_the_answer(void **state)
{
	(void)state;
	assert_int_equal(ask("flush 1000 /"), -EINPROGRESS);
	unsent_forget(&request);
	assert_null(request.memo);
	answer(0);
	assert_int_equal(ask("flush 1000 /"), -EINPROGRESS);
	answer(-EIO);
	unsent_forget(&request);
}

static void what_is_no_flush_is_refused(void **state)
{
	static const char *const texts[] = {"flush ", "flush 1", "flush /",
	    "flush x /", "flush 1000", "flush 1000 ", "flush 1000 a",
	    "flush 1000 /..", "flush 1000 /a//b", "flush 1000 /%00",
	    "flush 9999999999999 /", "flush -1 /"};

	(void)state;
	for (size_t i = 0; i < ARRAY_COUNT(texts); i++) {
		int code = ask(texts[i]);

		if (code != -EINVAL)
			fail_msg("'%s' gives %d", texts[i], code);
		assert_null(request.memo);
	}
	assert_int_equal(fake.flushes, 0);
	assert_false(unsent_is_asked("status"));
	assert_false(unsent_is_asked("unsent json"));
}

int main(void)
{
#define CASE(name) cmocka_unit_test_setup_teardown(name, begin, end)
	static const struct CMUnitTest tests[] = {
	    CASE(counts_and_place_are_told),
	    CASE(a_mount_that_is_read_only_has_nothing_unsent),
	    CASE(a_flush_is_answered_when_it_has_ended),
	    CASE(what_could_not_be_sent_is_told_to_the_owner),
	    CASE(a_guest_is_told_no_names_and_keeps_no_place),
	    CASE(who_hangs_up_is_forgotten_before_or_after_the_answer),
	    CASE(what_is_no_flush_is_refused),
	};
#undef CASE

	return cmocka_run_group_tests(tests, NULL, NULL);
}
