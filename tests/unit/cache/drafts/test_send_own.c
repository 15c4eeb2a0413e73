/* SPDX-License-Identifier: Apache-2.0 */
/*
 * tests/unit/cache/drafts/test_send_own.c - a file whose answer was lost is
 * changed and sent again: what stands there then is our own earlier version,
 * and no conflict; and what only may be it is one.
 */
#include "cache/drafts/send/send.h"
#include "fetch/digest.h"
#include "tests/unit/cache/drafts/post.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

enum { LARGE = SEND_SUMMED_BYTES + 1 };

static struct desk desk;

static int setup(void **state)
{
	(void)state;
	desk_init(&desk);
	desk_start(&desk);
	return 0;
}

static int teardown(void **state)
{
	(void)state;
	fake_publish_reset();
	desk_fini(&desk);
	return 0;
}

/* Close it with that content, and have the server's answer lost. */
static void lose(const char *path, const char *text)
{
	fake_publish_lost(true);
	assert_int_equal(post_file(&desk, path, text), -ETIMEDOUT);
	desk_until_quiet(&desk);
	fake_publish_lost(false);
	post_expect_unsent(&desk, 1, strlen(text), 1);
}

/* The same, and the server never gets it. */
static void fail_to_send(const char *path, const char *text)
{
	fake_publish_code(-EHOSTUNREACH);
	assert_int_equal(post_file(&desk, path, text), -EHOSTUNREACH);
	desk_until_quiet(&desk);
	fake_publish_code(0);
}

static void expect_sent(const char *path, const char *text)
{
	desk_until_empty(&desk);
	desk_served(path, text);
	assert_int_equal(post_conflicts(&desk), 0);
	desk_stop(&desk);
}

static void expect_conflict(const char *path, int code, const char *theirs)
{
	char server_path[64];

	desk_until_quiet(&desk);
	desk_served(path, theirs);
	assert_int_equal(post_conflicts(&desk), 1);
	(void)snprintf(server_path, sizeof(server_path), "/src%s", path);
	post_expect_item(&desk, server_path, SPOOL_CONFLICT, code);
	desk_stop(&desk);
}

static void a_new_file_that_is_changed_since_is_sent(void **state)
{
	(void)state;
	lose("/new", "first");
	desk_served("/new", "first");
	assert_int_equal(post_file(&desk, "/new", "changed"), 0);
	/* In the way, and then over that version. */
	assert_int_equal(fake_published(), 3);
	assert_int_equal(fake_call(1).condition, FETCH_IF_ABSENT);
	assert_int_equal(fake_call(1).code, -EEXIST);
	assert_int_equal(fake_call(2).condition, FETCH_IF_SAME);
	expect_sent("/new", "changed");
}

static void so_is_an_old_one(void **state)
{
	struct draft *draft;

	(void)state;
	(void)fake_put("/old", "before", 6);
	draft = desk_open(&desk, "/old", 0);
	assert_int_equal(desk_write(draft, 0, "AFT"), 3);
	fake_publish_lost(true);
	assert_int_equal(desk_flush(&desk, draft), -ETIMEDOUT);
	fake_publish_lost(false);
	desk_served("/old", "AFTore");
	/* As long as it was. */
	assert_int_equal(desk_write(draft, 3, "ER"), 2);
	assert_int_equal(desk_flush(&desk, draft), 0);
	desk_close(&desk, draft);
	expect_sent("/old", "AFTERe");
}

static void all_of_it_is_compared_whatever_its_size(void **state)
{
	char text[300 * 1000];

	(void)state;
	(void)memset(text, 'a', sizeof(text) - 1);
	text[sizeof(text) - 1] = '\0';
	lose("/new", text);
	text[0] = 'b';
	assert_int_equal(post_file(&desk, "/new", text), 0);
	expect_sent("/new", text);
}

/* The next mount has it from the journal. */
static void the_next_mount_knows(void **state)
{
	(void)state;
	lose("/new", "first");
	fail_to_send("/new", "changed");
	desk_stop(&desk);
	bed_again(&desk.bed);
	desk_start(&desk);
	expect_sent("/new", "changed");
}

/* Killed while the second was on its way. */
static void it_is_known_of_what_was_being_sent(void **state)
{
	struct spool_wish wish = bed_wish("/src/new");
	struct spool_try one = {.size_bytes = 5, .summed = true};
	struct fetch_sum *sum = tries_sum();
	struct spool_entry *entry;
	struct err err = ERR_INIT;
	uint64_t changes;

	(void)state;
	desk_stop(&desk);
	fetch_sum_add(sum, "first", 5);
	assert_true(tries_sum_end(sum, one.sum));
	fetch_sum_free(sum);
	assert_int_equal(spool_create(desk.bed.spool, &wish, &entry, &err), 0);
	bed_write(entry, 0, "changed");
	assert_int_equal(spool_finish(entry, SPOOL_TO_KILL, &err), 0);
	spool_note_try(entry, &one);
	assert_int_equal(spool_sending(entry, NULL, &changes, &err), 0);
	spool_release(entry);
	bed_again(&desk.bed);
	(void)fake_put("/new", "first", 5);
	desk_start(&desk);
	expect_sent("/new", "changed");
}

static void each_of_several_tries_may_be_it(void **state)
{
	(void)state;
	/* The server has the first, and never got the others. */
	lose("/new", "first");
	fail_to_send("/new", "second");
	fail_to_send("/new", "third");
	assert_int_equal(post_file(&desk, "/new", "fourth"), 0);
	desk_until_empty(&desk);
	desk_served("/new", "fourth");
	/* The server has the second, which came late. */
	lose("/late", "first");
	fail_to_send("/late", "second");
	(void)fake_put("/late", "second", 6);
	assert_int_equal(post_file(&desk, "/late", "third"), 0);
	expect_sent("/late", "third");
}

/* Close it with that content; the first answer is let through, and the try that
 * follows it, of so many in all, is held. */
static struct draft *hold_again(
    const char *text, unsigned published, struct reply *reply)
{
	struct draft *draft = desk_open(&desk, "/new", DRAFTS_OPEN_TRUNCATE);

	assert_int_equal(desk_write(draft, 0, text), strlen(text));
	fake_publish_hold(100);
	reply_init(reply);
	draft_flush(draft, &desk.ident, reply_code, reply);
	desk_until_held(1);
	fake_publish_one();
	while (fake_published() < published || fake_publish_held() == 0)
		;
	return draft;
}

/* The first is seen, and the second comes before it is replaced. */
static void the_others_may_be_late(void **state)
{
	struct reply reply;
	struct draft *draft;

	(void)state;
	lose("/new", "first");
	fail_to_send("/new", "second");
	draft = hold_again("third", 4, &reply);
	assert_int_equal(fake_call(3).condition, FETCH_IF_SAME);
	(void)fake_put("/new", "second", 6);
	fake_publish_hold(101);
	assert_int_equal(reply_wait(&reply), 0);
	desk_close(&desk, draft);
	expect_sent("/new", "third");
}

static void what_somebody_else_wrote_is_a_conflict(void **state)
{
	(void)state;
	lose("/new", "first");
	(void)fake_put("/new", "other", 5); /* as long */
	assert_int_equal(post_file(&desk, "/new", "changed"), -EEXIST);
	expect_conflict("/new", -EEXIST, "other");
}

static void so_is_what_is_longer(void **state)
{
	(void)state;
	lose("/new", "first");
	(void)fake_put("/new", "first, and more", 15);
	assert_int_equal(post_file(&desk, "/new", "changed"), -EEXIST);
	expect_conflict("/new", -EEXIST, "first, and more");
}

/* Between the look and the next byte. */
static void so_is_what_comes_after_the_look(void **state)
{
	struct reply reply;
	struct draft *draft;

	(void)state;
	lose("/new", "first");
	draft = hold_again("changed", 3, &reply);
	(void)fake_put("/new", "other", 5);
	fake_publish_hold(101);
	assert_int_equal(reply_wait(&reply), -ESTALE);
	desk_close(&desk, draft);
	expect_conflict("/new", -ESTALE, "other");
}

/* What was known to stand there is not ours to replace any more. */
static void what_was_answered_counts_no_more(void **state)
{
	struct draft *draft;

	(void)state;
	lose("/new", "first");
	draft = desk_open(&desk, "/new", 0);
	assert_int_equal(desk_append(draft, "!"), 1);
	assert_int_equal(desk_flush(&desk, draft), 0);
	desk_served("/new", "first!");
	/* Somebody brings the first one back. */
	(void)fake_put("/new", "first", 5);
	assert_int_equal(desk_append(draft, "?"), 1);
	assert_int_equal(desk_flush(&desk, draft), -ESTALE);
	desk_close(&desk, draft);
	expect_conflict("/new", -ESTALE, "first");
}

static void of_too_many_tries_the_last_are_known(void **state)
{
	char text[16];

	(void)state;
	lose("/new", "first");
	for (unsigned i = 0; i < SPOOL_TRIES_MAX; i++) {
		/* The same again is none more. */
		for (unsigned again = 0; again < 3; again++) {
			(void)snprintf(text, sizeof(text), "number %u", i);
			fail_to_send("/new", text);
		}
	}
	assert_int_equal(post_file(&desk, "/new", "changed"), -EEXIST);
	expect_conflict("/new", -EEXIST, "first");
}

static void an_empty_one_is_nobodys(void **state)
{
	(void)state;
	lose("/new", "");
	assert_int_equal(post_file(&desk, "/new", "changed"), -EEXIST);
	expect_conflict("/new", -EEXIST, "");
}

/* Nobody may look: it is said again, and the next one does. */
static void what_cannot_be_read_now_is_no_conflict(void **state)
{
	(void)state;
	lose("/new", "first");
	fake_open_code(-EIO);
	assert_int_equal(post_file(&desk, "/new", "changed"), -EIO);
	desk_until_quiet(&desk);
	post_expect_item(&desk, "/src/new", SPOOL_FAILED, -EIO);
	fake_open_code(0);
	desk_tick(&desk);
	expect_sent("/new", "changed");
}

/* Late: it is written on while it meets what an earlier one left. */
static void one_that_is_late_has_the_next_look(void **state)
{
	struct draft *draft;
	struct reply reply;

	(void)state;
	desk_stop(&desk);
	desk.back = true;
	desk_start(&desk);
	fake_publish_lost(true);
	assert_int_equal(post_file(&desk, "/new", "first"), 0);
	desk_until_quiet(&desk);
	fake_publish_lost(false);
	fake_publish_hold(100);
	draft = desk_open(&desk, "/new", 0);
	assert_int_equal(desk_append(draft, "!"), 1);
	assert_int_equal(desk_flush(&desk, draft), 0);
	desk_until_held(1);
	reply_init(&reply);
	draft_write(draft, "?", 1, 0, true, reply_code, &reply);
	post_pass(&desk, SEND_LATE_MS);
	assert_int_equal(post_ticks(&desk, &reply), 1);
	fake_publish_hold(101);
	desk_until_quiet(&desk);
	assert_int_equal(fake_call(1).code, -EEXIST);
	post_expect_item(&desk, "/src/new", SPOOL_OPEN, 0);
	assert_int_equal(desk_flush(&desk, draft), 0);
	desk_close(&desk, draft);
	expect_sent("/new", "first!?");
}

static struct draft *lose_large(const char *begin)
{
	struct draft *draft = desk_open(&desk, "/new", DRAFTS_OPEN_CREATE);

	assert_int_equal(desk_truncate(draft, LARGE), 0);
	assert_int_equal(desk_write(draft, 0, begin), strlen(begin));
	fake_publish_lost(true);
	assert_int_equal(desk_flush(&desk, draft), -ETIMEDOUT);
	fake_publish_lost(false);
	return draft;
}

static void a_large_one_is_a_conflict_that_says_so(void **state)
{
	struct spool_item item;
	struct draft *draft;
	size_t size;

	(void)state;
	draft = lose_large("first");
	assert_int_equal(desk_write(draft, 0, "other"), 5);
	assert_int_equal(desk_flush(&desk, draft), -EEXIST);
	desk_close(&desk, draft);
	desk_until_quiet(&desk);
	assert_int_equal(post_conflicts(&desk), 1);
	item = bed_item(&desk.bed, "/src/new");
	assert_int_equal(item.state, SPOOL_CONFLICT);
	assert_non_null(strstr(item.text[SPOOL_WHY],
	    "an earlier try of ours put there (its 16777217 bytes"));
	assert_non_null(strstr(item.text[SPOOL_WHY], "look at it, then"));
	spool_item_fini(&item);
	free(fake_get("/new", &size, NULL));
	assert_int_equal(size, LARGE);
	desk_stop(&desk);
}

/* As it is: that is compared, whatever its size. */
static void a_large_one_that_is_as_it_was_is_sent(void **state)
{
	struct draft *draft;

	(void)state;
	draft = lose_large("first");
	assert_int_equal(desk_flush(&desk, draft), 0);
	desk_close(&desk, draft);
	desk_until_empty(&desk);
	assert_int_equal(fake_published(), 2);
	assert_int_equal(post_conflicts(&desk), 0);
	desk_stop(&desk);
}

/* The first of all never looks: somebody else has the same bytes. */
static void the_first_try_hears_of_the_other(void **state)
{
	(void)state;
	desk_stop(&desk);
	desk.back = true;
	desk_start(&desk);
	fake_publish_hold(0);
	assert_int_equal(post_file(&desk, "/lock", "4711"), 0);
	desk_until_held(1);
	(void)fake_put("/lock", "4711", 4);
	fake_publish_hold(101);
	expect_conflict("/lock", -EEXIST, "4711");
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
	    TEST(a_new_file_that_is_changed_since_is_sent),
	    TEST(so_is_an_old_one),
	    TEST(all_of_it_is_compared_whatever_its_size),
	    TEST(the_next_mount_knows),
	    TEST(it_is_known_of_what_was_being_sent),
	    TEST(each_of_several_tries_may_be_it),
	    TEST(the_others_may_be_late),
	    TEST(what_somebody_else_wrote_is_a_conflict),
	    TEST(so_is_what_is_longer),
	    TEST(so_is_what_comes_after_the_look),
	    TEST(what_was_answered_counts_no_more),
	    TEST(of_too_many_tries_the_last_are_known),
	    TEST(an_empty_one_is_nobodys),
	    TEST(what_cannot_be_read_now_is_no_conflict),
	    TEST(one_that_is_late_has_the_next_look),
	    TEST(a_large_one_is_a_conflict_that_says_so),
	    TEST(a_large_one_that_is_as_it_was_is_sent),
	    TEST(the_first_try_hears_of_the_other),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
