/* SPDX-License-Identifier: Apache-2.0 */
/*
 * tests/unit/cache/drafts/test_send_late.c - write=back, and a server that has
 * been given all of a file and says nothing: those who write go on after a
 * while, what was sent first lands first, and nothing is mixed.
 */
#include "cache/drafts/send/send.h"
#include "tests/unit/cache/drafts/post.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <string.h>

#include <cmocka.h>

static struct desk desk;
static struct draft *draft;

static int setup(void **state)
{
	(void)state;
	desk_init(&desk);
	desk.back = true;
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

/* "first" is closed, and all of it was read. */
static void send_first(void)
{
	fake_publish_hold(100);
	draft = desk_open(&desk, "/new", DRAFTS_OPEN_CREATE);
	assert_int_equal(desk_write(draft, 0, "first"), 5);
	assert_int_equal(desk_flush(&desk, draft), 0);
	desk_until_held(1);
}

/* Somebody writes, and has waited long enough. */
static void write_other(void)
{
	struct reply reply;

	reply_init(&reply);
	draft_write(draft, "other", 5, 0, false, reply_code, &reply);
	post_pass(&desk, SEND_LATE_MS - 1);
	assert_false(reply_is_here(&reply));
	assert_int_equal(post_ticks(&desk, &reply), 5);
	assert_false(fake_call(0).cancelled);
}

static void close_all(void)
{
	desk_close(&desk, draft);
	desk_until_empty(&desk);
	desk_stop(&desk);
}

static void who_writes_goes_on(void **state)
{
	(void)state;
	send_first();
	write_other();
	/* The next one does not wait at all. */
	assert_int_equal(desk_append(draft, "!"), 1);
	desk_reads(&desk, draft, "other!");
	desk_served("/new", NULL);
	fake_publish_hold(101);
	desk_until_quiet(&desk);
	/* What was sent is what was closed. */
	desk_served("/new", "first");
	post_expect_unsent(&desk, 1, 6, 0);
	assert_int_equal(desk_flush(&desk, draft), 0);
	desk_until_quiet(&desk);
	desk_served("/new", "other!");
	assert_int_equal(fake_published(), 2);
	assert_int_equal(fake_call(1).condition, FETCH_IF_SAME);
	close_all();
}

/* Closed again before the answer: it does not overtake. */
static void what_follows_is_sent_after_it(void **state)
{
	(void)state;
	send_first();
	write_other();
	assert_int_equal(desk_flush(&desk, draft), 0);
	post_pass(&desk, 60 * 1000);
	assert_int_equal(fake_published(), 1);
	fake_publish_hold(101);
	desk_until_quiet(&desk);
	desk_served("/new", "other");
	assert_int_equal(fake_published(), 2);
	assert_int_equal(post_conflicts(&desk), 0);
	close_all();
}

static bool is_waited_for(void *arg)
{
	struct draft *waited = arg;
	bool is;

	drafts_lock_enter(waited->drafts);
	is = !list_is_empty(&waited->waiters);
	drafts_lock_leave(waited->drafts);
	return is;
}

/* fsync=server, and the like: told when what they mean was sent. */
static void who_waits_hears_of_their_own(void **state)
{
	struct reply reply;
	struct reply more;

	(void)state;
	desk_stop(&desk);
	desk.sync_server = true;
	desk_start(&desk);
	send_first();
	write_other();
	reply_init(&reply);
	draft_sync(draft, &desk.ident, reply_code, &reply);
	desk_until(is_waited_for, draft);
	/* That is not changed any more before it was sent. */
	reply_init(&more);
	draft_write(draft, "third", 5, 0, false, reply_code, &more);
	post_pass(&desk, 60 * 1000);
	assert_false(reply_is_here(&reply));
	assert_false(reply_is_here(&more));
	fake_publish_one();
	post_until(fake_published, 2);
	desk_served("/new", "first");
	assert_false(reply_is_here(&reply));
	fake_publish_hold(101);
	assert_int_equal(reply_wait(&reply), 0);
	assert_int_equal(reply_wait(&more), 5);
	desk_served("/new", "other");
	close_all();
}

static void it_may_fail_while_it_is_written(void **state)
{
	(void)state;
	send_first();
	write_other();
	fake_publish_code(-ETIMEDOUT);
	fake_publish_hold(101);
	desk_until_quiet(&desk);
	post_expect_item(&desk, "/src/new", SPOOL_OPEN, 0);
	fake_publish_code(0);
	assert_int_equal(desk_flush(&desk, draft), 0);
	desk_until_quiet(&desk);
	desk_served("/new", "other");
	close_all();
}

static void it_may_fail_when_the_next_is_closed(void **state)
{
	(void)state;
	send_first();
	write_other();
	assert_int_equal(desk_flush(&desk, draft), 0);
	fake_publish_code(-EDQUOT);
	fake_publish_hold(101);
	desk_until_quiet(&desk);
	post_expect_item(&desk, "/src/new", SPOOL_FAILED, -EDQUOT);
	fake_publish_code(0);
	desk_tick(&desk);
	desk_until_quiet(&desk);
	desk_served("/new", "other");
	close_all();
}

/* Fetch wants the bytes again, and they are others now. */
static void it_is_not_read_again(void **state)
{
	(void)state;
	send_first();
	write_other();
	fake_publish_again(true);
	fake_publish_one();
	desk_until_quiet(&desk);
	assert_int_equal(fake_call(0).code, -ECANCELED);
	desk_served("/new", NULL);
	fake_publish_again(false);
	fake_publish_hold(101);
	assert_int_equal(desk_flush(&desk, draft), 0);
	desk_until_quiet(&desk);
	desk_served("/new", "other");
	close_all();
}

static void a_conflict_keeps_what_follows(void **state)
{
	(void)state;
	send_first();
	write_other();
	(void)fake_put("/new", (const uint8_t *)"theirs", 6);
	fake_publish_hold(101);
	desk_until_quiet(&desk);
	assert_int_equal(desk_flush(&desk, draft), -EEXIST);
	assert_int_equal(desk_write(draft, 0, "third"), -ESTALE);
	post_expect_item(&desk, "/src/new", SPOOL_CONFLICT, -EEXIST);
	desk_reads(&desk, draft, "other");
	desk_served("/new", "theirs");
	desk_close(&desk, draft);
	desk_until_quiet(&desk);
	desk_stop(&desk);
}

static atomic_bool has_asked;

static void ask(struct work *work)
{
	has_asked = true;
	work_done(work);
}

/* Who asks the server for something, as each change of names does, waits for
 * its answer. */
static void who_asks_waits(void **state)
{
	struct work work = {.run = ask, .changes = true, .asks = true};

	(void)state;
	send_first();
	write_other();
	has_asked = false;
	work_add(draft, &work);
	post_pass(&desk, 60 * 1000);
	desk_until_held(1);
	assert_false(has_asked);
	fake_publish_hold(101);
	desk_until_quiet(&desk);
	assert_true(has_asked);
	desk_served("/new", "first");
	close_all();
}

static bool is_all_gone(void *arg)
{
	(void)arg;
	desk_tick(&desk);
	return bed_count_all(&desk.bed) == 0;
}

static void at_the_end_all_is_kept(void **state)
{
	(void)state;
	send_first();
	write_other();
	assert_int_equal(desk_flush(&desk, draft), 0);
	fake_publish_stop();
	desk_close(&desk, draft);
	desk_stop(&desk);
	post_expect_item(&desk, "/src/new", SPOOL_CLOSED, 0);
	fake_publish_reset();
	desk_start(&desk);
	/* Also what the late one may have been sent as. */
	desk_until(is_all_gone, NULL);
	desk_until_empty(&desk);
	desk_served("/new", "other");
	desk_stop(&desk);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
	    TEST(who_writes_goes_on),
	    TEST(what_follows_is_sent_after_it),
	    TEST(who_waits_hears_of_their_own),
	    TEST(it_may_fail_while_it_is_written),
	    TEST(it_may_fail_when_the_next_is_closed),
	    TEST(it_is_not_read_again),
	    TEST(a_conflict_keeps_what_follows),
	    TEST(who_asks_waits),
	    TEST(at_the_end_all_is_kept),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
