/* SPDX-License-Identifier: Apache-2.0 */
/*
 * tests/unit/cache/drafts/test_tell.c - what is unsent: counted, described,
 * waited for.
 */
#include "tests/unit/cache/drafts/post.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

static struct desk desk;

/* An answer to drafts_flush(). */
static struct flushed {
	struct reply reply;
	char text[ERR_TEXT_BYTES];
} flushed;

static int setup(void **state)
{
	(void)state;
	desk_init(&desk);
	return 0;
}

static int teardown(void **state)
{
	(void)state;
	fake_publish_reset();
	desk_fini(&desk);
	return 0;
}

static void on_flushed(void *arg, int code, const struct err *err)
{
	struct flushed *to = arg;

	(void)snprintf(to->text, sizeof(to->text), "%s", err->text);
	assert_int_equal(code, err->code);
	reply_code(&to->reply, code);
}

/* Ask, with a time to wait. */
static void flush(const char *path, uint64_t timeout_ms)
{
	reply_init(&flushed.reply);
	drafts_flush(desk.drafts, path,
	    atomic_load(&desk.bed.clock.monotonic_ms) + timeout_ms, on_flushed,
	    &flushed);
}

static int flush_code(void)
{
	return reply_wait(&flushed.reply);
}

static void nothing_unsent_is_answered_at_once(void **state)
{
	struct draft *draft;

	(void)state;
	desk_start(&desk);
	flush("/", 1000);
	assert_true(reply_is_here(&flushed.reply));
	assert_int_equal(flush_code(), 0);
	/* Open, and unchanged. */
	(void)fake_put("/old", "before", 6);
	draft = desk_open(&desk, "/old", 0);
	flush("/", 1000);
	assert_int_equal(flush_code(), 0);
	desk_close(&desk, draft);
	desk_stop(&desk);
}

static void it_waits_until_all_is_there(void **state)
{
	(void)state;
	desk.back = true;
	desk_start(&desk);
	fake_publish_hold(0);
	assert_int_equal(post_file(&desk, "/a", "a"), 0);
	assert_int_equal(post_file(&desk, "/d/b", "b"), 0);
	desk_until_held(2);
	flush("/", 1000);
	assert_false(reply_is_here(&flushed.reply));
	post_pass(&desk, 999);
	assert_false(reply_is_here(&flushed.reply));
	fake_publish_hold(101);
	assert_int_equal(flush_code(), 0);
	desk_served("/a", "a");
	desk_served("/d/b", "b");
	desk_stop(&desk);
}

static void it_waits_for_what_is_below_its_path(void **state)
{
	(void)state;
	desk.back = true;
	desk_start(&desk);
	fake_publish_hold(0);
	assert_int_equal(post_file(&desk, "/a", "a"), 0);
	desk_until_held(1);
	flush("/d", 1000);
	assert_int_equal(flush_code(), 0);
	flush("/a", 1000);
	assert_false(reply_is_here(&flushed.reply));
	fake_publish_hold(101);
	assert_int_equal(flush_code(), 0);
	desk_stop(&desk);
}

static void at_the_deadline_it_names_what_is_missing(void **state)
{
	(void)state;
	desk.back = true;
	desk_start(&desk);
	fake_publish_hold(0);
	assert_int_equal(post_file(&desk, "/a", "a"), 0);
	desk_until_held(1);
	flush("/", 1000);
	post_pass(&desk, 1000);
	assert_int_equal(flush_code(), -ETIMEDOUT);
	assert_non_null(strstr(flushed.text, "'/a'"));
	/* A deadline that is past already. */
	flush("/", 0);
	assert_int_equal(flush_code(), -ETIMEDOUT);
	fake_publish_hold(101);
	desk_until_empty(&desk);
	desk_stop(&desk);
}

static void what_failed_is_tried_once_at_once(void **state)
{
	(void)state;
	desk_start(&desk);
	fake_publish_code(-EISDIR); /* not by itself */
	assert_int_equal(post_file(&desk, "/a", "a"), -EISDIR);
	fake_publish_code(-EACCES);
	assert_int_equal(post_file(&desk, "/b", "bb"), -EACCES);
	desk_until_quiet(&desk);
	post_expect_unsent(&desk, 2, 3, 2);
	post_describes(&desk,
	    "{\"path\":\"/a\",\"size_bytes\":1,\"sent_bytes\":0,"
	    "\"state\":\"failed\",\"errno\":\"EISDIR\","
	    "\"why\":\"the server says EISDIR\",\"again_s\":null}");
	post_describes(&desk,
	    "\"errno\":\"EACCES\",\"why\":\"the server says "
	    "EACCES\",\"again_s\":1}");
	post_describes(&desk,
	    "\"unsent_files\":2,\"unsent_bytes\":3,\"sent_bytes\":0,"
	    "\"failed\":2,\"conflicts\":0,\"sending\":0");
	/* Both fail again, one try each. */
	flush("/", 100000);
	assert_int_equal(flush_code(), -EACCES);
	assert_non_null(strstr(flushed.text, "the server says EACCES"));
	assert_int_equal(fake_published(), 4);
	desk_until_quiet(&desk);
	/* One of them: the other's pause goes on. */
	fake_publish_code(0);
	flush("/a", 100000);
	assert_int_equal(flush_code(), 0);
	desk_served("/a", "a");
	desk_served("/b", NULL);
	flush("/", 100000);
	assert_int_equal(flush_code(), 0);
	desk_served("/b", "bb");
	desk_until_empty(&desk);
	desk_stop(&desk);
}

static void a_conflict_is_an_answer(void **state)
{
	(void)state;
	desk.back = true;
	desk_start(&desk);
	fake_publish_hold(0);
	assert_int_equal(post_file(&desk, "/a", "a"), 0);
	desk_until_held(1);
	(void)fake_put("/a", "theirs", 6);
	flush("/", 1000);
	fake_publish_hold(101);
	assert_int_equal(flush_code(), -EEXIST);
	assert_int_equal(post_conflicts(&desk), 1);
	post_expect_unsent(&desk, 0, 0, 0);
	flush("/", 1000);
	assert_int_equal(flush_code(), 0);
	desk_stop(&desk);
}

/* Nobody sends half of a file. */
static void what_is_open_is_waited_for(void **state)
{
	struct draft *draft;

	(void)state;
	desk_start(&desk);
	draft = desk_open(&desk, "/a", DRAFTS_OPEN_CREATE);
	assert_int_equal(desk_write(draft, 0, "half"), 4);
	post_describes(&desk, "\"state\":\"open\"");
	flush("/", 1000);
	post_pass(&desk, 999);
	desk_until_quiet(&desk);
	assert_false(reply_is_here(&flushed.reply));
	assert_int_equal(fake_published(), 0);
	assert_int_equal(desk_append(draft, " and half"), 9);
	assert_int_equal(desk_flush(&desk, draft), 0);
	post_pass(&desk, 0);
	assert_int_equal(flush_code(), 0);
	/* It stays open. */
	assert_int_equal(desk_append(draft, "!"), 1);
	flush("/", 10);
	post_pass(&desk, 10);
	assert_int_equal(flush_code(), -ETIMEDOUT);
	assert_non_null(strstr(flushed.text, "it is open"));
	desk_close(&desk, draft);
	desk_until_empty(&desk);
	desk_served("/a", "half and half!");
	desk_stop(&desk);
}

static void at_the_end_all_are_answered(void **state)
{
	(void)state;
	desk.back = true;
	desk_start(&desk);
	fake_publish_hold(0);
	assert_int_equal(post_file(&desk, "/a", "a"), 0);
	desk_until_held(1);
	flush("/", 1000);
	fake_publish_stop();
	desk_stop(&desk);
	assert_int_equal(flush_code(), -ECANCELED);
	assert_int_equal(bed_count(&desk.bed, SPOOL_CLOSED), 1);
}

static void others_are_not_told_of(void **state)
{
	struct buf buf;

	(void)state;
	desk_start(&desk);
	fake_publish_code(-EBUSY);
	assert_int_equal(post_file(&desk, "/secret", "a"), -EBUSY);
	buf_init(&buf, 65536);
	assert_int_equal(
	    drafts_describe(desk.drafts, false, BED_UID + 1, &buf), 0);
	assert_null(strstr(buf_text(&buf), "secret"));
	assert_non_null(strstr(buf_text(&buf), "\"unsent_files\":0,"));
	buf_clear(&buf);
	assert_int_equal(drafts_describe(desk.drafts, false, BED_UID, &buf), 0);
	assert_non_null(strstr(buf_text(&buf), "\"/secret\""));
	buf_fini(&buf);
	desk_stop(&desk);
}

static void a_long_list_is_cut(void **state)
{
	struct buf buf;
	char path[32];
	unsigned listed = 0;

	(void)state;
	desk.back = true;
	desk_start(&desk);
	fake_publish_hold(0);
	for (unsigned i = 0; i < 1100; i++) {
		(void)snprintf(path, sizeof(path), "/f%u", i);
		assert_int_equal(post_file(&desk, path, "x"), 0);
	}
	desk_until_held(DRAFTS_SENDING_MAX);
	post_expect_unsent(&desk, 1100, 1100, 0);
	buf_init(&buf, 1024 * 1024);
	assert_int_equal(drafts_describe(desk.drafts, true, 0, &buf), 0);
	for (const char *at = buf_text(&buf);
	     (at = strstr(at, "\"path\"")) != NULL; at++)
		listed++;
	assert_int_equal(listed, 1000);
	assert_non_null(strstr(buf_text(&buf), "\"unsent_files\":1100,"));
	buf_fini(&buf);
	/* No room for it is told. */
	buf_init(&buf, 1000);
	assert_int_equal(
	    drafts_describe(desk.drafts, true, 0, &buf), -EMSGSIZE);
	buf_fini(&buf);
	fake_publish_stop();
	desk_stop(&desk);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
	    TEST(nothing_unsent_is_answered_at_once),
	    TEST(it_waits_until_all_is_there),
	    TEST(it_waits_for_what_is_below_its_path),
	    TEST(at_the_deadline_it_names_what_is_missing),
	    TEST(what_failed_is_tried_once_at_once),
	    TEST(a_conflict_is_an_answer),
	    TEST(what_is_open_is_waited_for),
	    TEST(at_the_end_all_are_answered),
	    TEST(others_are_not_told_of),
	    TEST(a_long_list_is_cut),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
