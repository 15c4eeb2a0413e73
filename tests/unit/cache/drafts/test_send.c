/* SPDX-License-Identifier: Apache-2.0 */
/*
 * tests/unit/cache/drafts/test_send.c - what happens between a close and the
 * server's answer, and after it: every answer, changes that come meanwhile,
 * pauses, the end of the mount.
 */
#include "tests/unit/cache/drafts/post.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

enum {
	CREATE = DRAFTS_OPEN_CREATE,
	TRUNCATE = DRAFTS_OPEN_TRUNCATE,
};

static struct desk desk;

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

/* ---- success ---- */

static void what_is_closed_is_sent_once(void **state)
{
	struct draft *draft;
	struct draft_attr attr;

	(void)state;
	desk_start(&desk);
	draft = desk_open(&desk, "/new", CREATE);
	assert_int_equal(desk_write(draft, 0, "hello"), 5);
	post_expect_unsent(&desk, 1, 5, 0);
	assert_int_equal(desk_flush(&desk, draft), 0);
	draft_attr(draft, &attr);
	/* The cache knew before the answer came. */
	assert_int_equal(fake_notes(), 1);
	assert_int_equal(fake_noted_was(), attr.attr.version);
	assert_true(fake_noted_version());
	post_expect_unsent(&desk, 0, 0, 0);
	assert_int_equal(desk_flush(&desk, draft), 0);
	/* Then it replaces what it put there itself. */
	assert_int_equal(desk_append(draft, " you"), 4);
	post_expect_unsent(&desk, 1, 9, 0);
	assert_int_equal(desk_flush(&desk, draft), 0);
	desk_served("/new", "hello you");
	desk_close(&desk, draft);
	desk_until_empty(&desk);
	assert_int_equal(fake_published(), 2);
	assert_int_equal(fake_call(0).condition, FETCH_IF_ABSENT);
	assert_string_equal(fake_call(0).path, "/src/new");
	assert_int_equal(fake_call(0).mtime_s, -1);
	assert_int_equal(fake_call(1).condition, FETCH_IF_SAME);
	assert_int_equal(fake_kept(), 1);
	desk_stop(&desk);
}

static void a_time_that_was_set_goes_with_it(void **state)
{
	const struct draft_set set = {.mode = DRAFT_KEEP, .mtime_s = 77};
	struct draft *draft;
	struct reply reply;

	(void)state;
	desk_start(&desk);
	draft = desk_open(&desk, "/new", CREATE);
	assert_int_equal(desk_write(draft, 0, "hello"), 5);
	reply_init(&reply);
	draft_set(draft, &set, reply_code, &reply);
	assert_int_equal(reply_wait(&reply), 0);
	assert_int_equal(desk_flush(&desk, draft), 0);
	assert_int_equal(fake_call(0).mtime_s, 77);
	desk_close(&desk, draft);
	desk_stop(&desk);
}

/* What is answered with an error, or to nobody any more, has cut nothing. */
/* A change by path may be in the queue when the last handle goes. */
static void what_is_queued_at_the_close_is_sent(void **state)
{
	enum { BEFORE = 500 };
	struct reply *replies = calloc(BEFORE + 1, sizeof(*replies));
	struct draft *draft;

	(void)state;
	assert_non_null(replies);
	desk_start(&desk);
	draft = desk_open(&desk, "/new", CREATE);
	assert_int_equal(desk_write(draft, 0, "hello"), 5);
	assert_int_equal(desk_flush(&desk, draft), 0);
	for (unsigned i = 0; i <= BEFORE; i++)
		reply_init(&replies[i]);
	for (unsigned i = 0; i < BEFORE; i++)
		draft_sync(draft, &desk.ident, reply_code, &replies[i]);
	draft_truncate(draft, 1, reply_code, &replies[BEFORE]);
	desk_close(&desk, draft);
	for (unsigned i = 0; i <= BEFORE; i++)
		assert_int_equal(reply_wait(&replies[i]), 0);
	desk_until_empty(&desk);
	desk_served("/new", "h");
	desk_stop(&desk);
	free(replies);
}

static void an_open_that_nobody_has_got_leaves_nothing(void **state)
{
	struct draft *draft;

	(void)state;
	(void)fake_put("/old", "0123456789", 10);
	desk_start(&desk);
	draft = desk_open(&desk, "/old", TRUNCATE);
	draft_unused(draft, &desk.ident);
	draft_put(draft);
	draft = desk_open(&desk, "/new", CREATE);
	draft_unused(draft, &desk.ident);
	draft_put(draft);
	desk_until_empty(&desk);
	assert_int_equal(fake_published(), 0);
	desk_served("/old", "0123456789");
	desk_served("/new", NULL);
	/* Of what somebody else has, or has had, nothing is taken away. */
	draft = desk_open(&desk, "/new", CREATE);
	assert_ptr_equal(desk_open(&desk, "/new", 0), draft);
	draft_unused(draft, &desk.ident);
	draft_put(draft);
	desk_close(&desk, draft);
	desk_until_empty(&desk);
	desk_served("/new", "");
	desk_stop(&desk);
}

/* ---- failure ---- */

static void every_failure_keeps_the_data(void **state)
{
	static const int codes[] = {-ENOKEY, -EKEYEXPIRED, -EKEYREJECTED,
	    -EACCES, -EBUSY, -EDQUOT, -EIO, -ETIMEDOUT, -EHOSTUNREACH, -ENOMEM,
	    -ENOSPC, -ENOENT, -ENOTDIR, -EISDIR, -EINVAL, -EFBIG, -ENOTSUP};

	(void)state;
	for (unsigned i = 0; i < sizeof(codes) / sizeof(codes[0]); i++) {
		desk_start(&desk);
		fake_publish_code(codes[i]);
		assert_int_equal(post_file(&desk, "/new", "hello"), codes[i]);
		desk_until_quiet(&desk);
		post_expect_unsent(&desk, 1, 5, 1);
		post_expect_item(&desk, "/src/new", SPOOL_FAILED, codes[i]);
		desk_served("/new", NULL);
		/* Tried again by itself, when that may help. */
		fake_publish_code(0);
		post_pass(&desk, 999);
		desk_until_quiet(&desk);
		assert_int_equal(fake_published(), 1);
		post_pass(&desk, 1);
		desk_until_quiet(&desk);
		if (again_after_ms(0, codes[i]) == 0) {
			assert_int_equal(fake_published(), 1);
			post_expect_unsent(&desk, 1, 5, 1);
			desk_stop(&desk);
			/* And by the next mount. */
			desk_start(&desk);
		}
		desk_until_empty(&desk);
		desk_served("/new", "hello");
		assert_int_equal(fake_published(), 2);
		desk_stop(&desk);
		fake_remove("/new");
		fake_publish_reset();
	}
}

static void pauses_double(void **state)
{
	uint64_t pause = 1000;

	(void)state;
	for (unsigned i = 0; i < 9; i++) {
		assert_int_equal(again_after_ms(i, -EIO), pause);
		pause *= 2;
	}
	for (unsigned i = 9; i < 200; i++)
		assert_int_equal(again_after_ms(i, -EIO), 300 * 1000);
	assert_int_equal(again_after_ms(UINT32_MAX, -EIO), 300 * 1000);
	assert_int_equal(again_after_ms(0, -EISDIR), 0);

	desk_start(&desk);
	fake_publish_code(-EIO);
	assert_int_equal(post_file(&desk, "/new", "hello"), -EIO);
	desk_until_quiet(&desk);
	pause = 1000;
	for (unsigned i = 1; i < 12; i++) {
		assert_int_equal(fake_published(), i);
		post_pass(&desk, pause - 1);
		desk_until_quiet(&desk);
		assert_int_equal(fake_published(), i);
		post_pass(&desk, 1);
		desk_until_quiet(&desk);
		pause = pause * 2 < 300000 ? pause * 2 : 300000;
	}
	fake_publish_code(0);
	post_pass(&desk, pause);
	desk_until_empty(&desk);
	desk_served("/new", "hello");
	desk_stop(&desk);
}

/* The process that closed it has no good token, nor has any other at first;
 * then one has, and the server is not well. */
static void what_lacks_a_token_is_sent_with_its_users(void **state)
{
	/* What the server says to each try, and whose token it is with. */
	static const struct {
		int code;
		bool of_user;
	} tries[] = {{-EIO, false}, {-EIO, false}, {-EKEYEXPIRED, false},
	    {-ENOKEY, true}, {-EKEYEXPIRED, false}, {-EIO, true}, {0, true}};
	enum { COUNT = sizeof(tries) / sizeof(tries[0]) };

	(void)state;
	for (unsigned odd = 0; odd < 2; odd++) {
		desk.shared = true;
		desk_start(&desk);
		fake_publish_code(tries[odd].code);
		assert_int_equal(
		    post_file(&desk, "/new", "hello"), tries[odd].code);
		for (unsigned i = odd + 1; i < COUNT; i++) {
			desk_until_quiet(&desk);
			assert_int_equal(fake_published(), i - odd);
			fake_publish_code(tries[i].code);
			post_pass(&desk, DRAFTS_AGAIN_MAX_MS);
		}
		desk_until_empty(&desk);
		for (unsigned i = odd; i < COUNT; i++)
			assert_int_equal(
			    fake_call(i - odd).of_user, tries[i].of_user);
		desk_stop(&desk);
		fake_remove("/new");
		fake_publish_reset();
	}
	/* Who comes meanwhile brings a token of their own. */
	desk.shared = true;
	desk_start(&desk);
	fake_publish_code(-ENOKEY);
	assert_int_equal(post_file(&desk, "/new", "hello"), -ENOKEY);
	fake_publish_code(0);
	assert_int_equal(post_file(&desk, "/new", "again"), 0);
	assert_false(fake_call(1).of_user);
	desk_stop(&desk);
	fake_remove("/new");
	fake_publish_reset();
	/* Who has a mount alone has one token. */
	desk.shared = false;
	desk_start(&desk);
	fake_publish_code(-ENOKEY);
	assert_int_equal(post_file(&desk, "/new", "hello"), -ENOKEY);
	fake_publish_code(0);
	post_pass(&desk, DRAFTS_AGAIN_MAX_MS);
	desk_until_empty(&desk);
	assert_false(fake_call(1).of_user);
	desk_stop(&desk);
}

static void a_server_that_answers_again_gets_all(void **state)
{
	(void)state;
	desk_start(&desk);
	fake_publish_code(-EHOSTUNREACH);
	assert_int_equal(post_file(&desk, "/a", "a"), -EHOSTUNREACH);
	assert_int_equal(post_file(&desk, "/b", "b"), -EHOSTUNREACH);
	assert_int_equal(post_file(&desk, "/c", "c"), -EHOSTUNREACH);
	desk_until_quiet(&desk);
	/* Nobody waits: one at a time tries. */
	fake_publish_hold(0);
	post_pass(&desk, 1000);
	desk_until_held(1);
	assert_int_equal(fake_published(), 4);
	/* Somebody waits: that one is tried at once. */
	fake_publish_hold(101);
	desk_until_quiet(&desk);
	fake_publish_code(0);
	assert_int_equal(post_file(&desk, "/d", "d"), 0);
	desk_until_quiet(&desk);
	post_pass(&desk, 0);
	desk_until_empty(&desk);
	desk_served("/a", "a");
	desk_served("/c", "c");
	desk_stop(&desk);
}

static void a_conflict_keeps_both(void **state)
{
	struct draft *draft;

	(void)state;
	(void)fake_put("/old", "before", 6);
	desk_start(&desk);
	draft = desk_open(&desk, "/old", 0);
	assert_int_equal(desk_write(draft, 0, "OURS"), 4);
	(void)fake_put("/old", "theirs", 6);
	assert_int_equal(desk_flush(&desk, draft), -ESTALE);
	desk_served("/old", "theirs");
	/* The path is the server's again; who has it open still has it. */
	assert_null(drafts_find(desk.drafts, &desk.ident, "/old"));
	assert_int_equal(fake_doubts(), 1);
	desk_reads(&desk, draft, "OURSre");
	assert_int_equal(desk_flush(&desk, draft), -ESTALE);
	assert_int_equal(desk_write(draft, 0, "x"), -ESTALE);
	post_expect_unsent(&desk, 0, 0, 0);
	assert_int_equal(post_conflicts(&desk), 1);
	desk_close(&desk, draft);
	desk_until_quiet(&desk);
	post_expect_item(&desk, "/src/old", SPOOL_CONFLICT, -ESTALE);
	/* A new one where another has made one. */
	draft = desk_open(&desk, "/new", CREATE);
	assert_int_equal(desk_write(draft, 0, "ours"), 4);
	(void)fake_put("/new", "theirs", 6);
	assert_int_equal(desk_flush(&desk, draft), -EEXIST);
	desk_close(&desk, draft);
	desk_until_quiet(&desk);
	post_expect_item(&desk, "/src/new", SPOOL_CONFLICT, -EEXIST);
	assert_int_equal(post_conflicts(&desk), 2);
	/* No mount sends them by itself. */
	desk_stop(&desk);
	desk_start(&desk);
	desk_until_quiet(&desk);
	assert_int_equal(fake_published(), 2);
	assert_int_equal(bed_count(&desk.bed, SPOOL_CONFLICT), 2);
	desk_stop(&desk);
}

/* The server has it and could not say so, or says it is not what was sent:
 * that is ours, and no conflict with ourselves. */
static void what_we_put_there_is_no_conflict(void **state)
{
	(void)state;
	desk_start(&desk);
	fake_publish_code_after(-EIO);
	assert_int_equal(post_file(&desk, "/new", "hello"), -EIO);
	desk_until_quiet(&desk);
	post_expect_item(&desk, "/src/new", SPOOL_FAILED, -EIO);
	fake_publish_code_after(0);
	post_pass(&desk, 1000);
	desk_until_empty(&desk);
	assert_int_equal(fake_call(1).condition, FETCH_IF_SAME);
	desk_served("/new", "hello");
	desk_stop(&desk);
}

/* The old one was removed for the new one, which has not got its name: it is
 * sent as a new one. */
static void what_we_removed_there_is_no_conflict(void **state)
{
	(void)state;
	desk_start(&desk);
	assert_int_equal(post_file(&desk, "/new", "hello"), 0);
	desk_until_empty(&desk);
	fake_publish_removes(true);
	assert_int_equal(post_file(&desk, "/new", "again"), -EACCES);
	desk_until_quiet(&desk);
	post_expect_item(&desk, "/src/new", SPOOL_FAILED, -EACCES);
	fake_publish_removes(false);
	post_pass(&desk, 1000000);
	desk_until_empty(&desk);
	assert_int_equal(
	    fake_call(fake_published() - 1).condition, FETCH_IF_ABSENT);
	desk_served("/new", "again");
	desk_stop(&desk);
}

/* ---- changes that come meanwhile ---- */

static void nobody_waits_so_it_gives_way(void **state)
{
	struct drafts_count count;
	struct draft *draft;

	(void)state;
	desk.back = true;
	desk_start(&desk);
	fake_publish_hold(50);
	draft = desk_open(&desk, "/new", CREATE);
	assert_int_equal(desk_write(draft, 0, "first content"), 13);
	assert_int_equal(desk_flush(&desk, draft), 0);
	desk_until_held(1);
	drafts_count(desk.drafts, &count);
	assert_int_equal(count.sent_bytes, 6);
	assert_int_equal(desk_write(draft, 0, "OTHER"), 5);
	assert_true(fake_call(0).cancelled);
	assert_int_equal(fake_call(0).code, -ECANCELED);
	post_expect_unsent(&desk, 1, 13, 0);
	fake_publish_hold(101);
	assert_int_equal(desk_flush(&desk, draft), 0);
	desk_close(&desk, draft);
	desk_until_empty(&desk);
	desk_served("/new", "OTHER content");
	assert_int_equal(fake_published(), 2);
	desk_stop(&desk);
}

/* Whether the server has all of it could not be told. */
static void what_may_be_there_is_waited_for(void **state)
{
	struct draft *draft;
	struct reply reply;

	(void)state;
	desk.back = true;
	desk_start(&desk);
	fake_publish_hold(100);
	draft = desk_open(&desk, "/new", CREATE);
	assert_int_equal(desk_write(draft, 0, "first"), 5);
	assert_int_equal(desk_flush(&desk, draft), 0);
	desk_until_held(1);
	reply_init(&reply);
	draft_write(draft, "other", 5, 0, false, reply_code, &reply);
	assert_false(reply_is_here(&reply));
	assert_false(fake_call(0).cancelled);
	fake_publish_hold(101);
	assert_int_equal(reply_wait(&reply), 5);
	desk_served("/new", "first");
	assert_int_equal(desk_flush(&desk, draft), 0);
	desk_close(&desk, draft);
	desk_until_empty(&desk);
	desk_served("/new", "other");
	desk_stop(&desk);
}

static void somebody_waits_so_the_change_does(void **state)
{
	struct draft *draft;
	struct reply first;
	struct reply second;
	struct reply change;

	(void)state;
	desk_start(&desk);
	fake_publish_hold(0);
	draft = desk_open(&desk, "/new", CREATE);
	assert_int_equal(desk_write(draft, 0, "first"), 5);
	reply_init(&first);
	reply_init(&second);
	reply_init(&change);
	draft_flush(draft, &desk.ident, reply_code, &first);
	desk_until_held(1);
	draft_flush(draft, &desk.ident, reply_code, &second);
	draft_write(draft, "other", 5, 0, false, reply_code, &change);
	desk_reads(&desk, draft, "first");
	assert_false(reply_is_here(&first));
	assert_false(reply_is_here(&change));
	fake_publish_hold(101);
	assert_int_equal(reply_wait(&first), 0);
	assert_int_equal(reply_wait(&second), 0);
	assert_int_equal(reply_wait(&change), 5);
	assert_int_equal(fake_published(), 1);
	assert_false(fake_call(0).cancelled);
	desk_served("/new", "first");
	assert_int_equal(desk_flush(&desk, draft), 0);
	desk_served("/new", "other");
	desk_close(&desk, draft);
	desk_until_empty(&desk);
	desk_stop(&desk);
}

/* ---- who is next ---- */

enum { SMALL_FILES = 40, LARGE_FILES = 12 };

static struct draft *make_of(const char *path, uint64_t size_bytes)
{
	struct draft *draft = desk_open(&desk, path, CREATE);

	assert_int_equal(desk_truncate(draft, size_bytes), 0);
	assert_int_equal(desk_flush(&desk, draft), 0);
	return draft;
}

static unsigned held_larges(void)
{
	unsigned count = 0;

	for (unsigned i = 0; i < fake_published(); i++)
		count += fake_call(i).code == 1 &&
		    fake_call(i).size_bytes > SEND_LARGE_BYTES;
	return count;
}

static void large_ones_leave_room_for_small_ones(void **state)
{
	struct draft *large[LARGE_FILES];
	struct draft *small[SMALL_FILES];
	char path[32];

	(void)state;
	desk.back = true;
	desk_start(&desk);
	fake_publish_hold(0);
	for (unsigned i = 0; i < LARGE_FILES; i++) {
		(void)snprintf(path, sizeof(path), "/large%u", i);
		large[i] = make_of(path, SEND_LARGE_BYTES + 1);
	}
	desk_until_held(SEND_LARGE_MAX);
	for (unsigned i = 0; i < SMALL_FILES; i++) {
		(void)snprintf(path, sizeof(path), "/small%u", i);
		small[i] = make_of(path, 10);
	}
	desk_until_held(DRAFTS_SENDING_MAX);
	assert_int_equal(held_larges(), SEND_LARGE_MAX);
	post_expect_unsent(&desk, LARGE_FILES + SMALL_FILES,
	    LARGE_FILES * (SEND_LARGE_BYTES + 1) + SMALL_FILES * 10, 0);
	for (unsigned i = 0; i < SMALL_FILES; i++)
		desk_close(&desk, small[i]);
	for (unsigned i = 0; i < LARGE_FILES; i++)
		desk_close(&desk, large[i]);
	fake_publish_stop();
	desk_stop(&desk);
	assert_int_equal(
	    bed_count(&desk.bed, SPOOL_CLOSED), LARGE_FILES + SMALL_FILES);
}

static void small_ones_leave_room_for_large_ones(void **state)
{
	struct draft *small[SMALL_FILES];
	struct draft *large[3];
	char path[32];

	(void)state;
	desk.back = true;
	desk_start(&desk);
	fake_publish_hold(0);
	for (unsigned i = 0; i < SMALL_FILES; i++) {
		(void)snprintf(path, sizeof(path), "/small%u", i);
		small[i] = make_of(path, 10);
	}
	desk_until_held(DRAFTS_SENDING_MAX);
	for (unsigned i = 0; i < 3; i++) {
		(void)snprintf(path, sizeof(path), "/large%u", i);
		large[i] = make_of(path, SEND_LARGE_BYTES + 1);
	}
	assert_int_equal(held_larges(), 0);
	/* One of the small ones is done: a large one is next. */
	fake_publish_one();
	post_until(held_larges, 1);
	desk_until_held(DRAFTS_SENDING_MAX);
	assert_int_equal(held_larges(), 1);
	for (unsigned i = 0; i < SMALL_FILES; i++)
		desk_close(&desk, small[i]);
	for (unsigned i = 0; i < 3; i++)
		desk_close(&desk, large[i]);
	fake_publish_stop();
	desk_stop(&desk);
}

static void all_of_many_are_sent(void **state)
{
	char path[32];

	(void)state;
	desk.back = true;
	desk_start(&desk);
	fake_publish_hold(0);
	for (unsigned i = 0; i < SMALL_FILES; i++) {
		(void)snprintf(path, sizeof(path), "/file%u", i);
		assert_int_equal(post_file(&desk, path, path), 0);
	}
	desk_until_held(DRAFTS_SENDING_MAX);
	post_expect_item(&desk, "/src/file0", SPOOL_SENDING, 0);
	fake_publish_hold(101);
	desk_until_empty(&desk);
	assert_int_equal(fake_published(), SMALL_FILES);
	assert_int_equal(fake_publish_most(), DRAFTS_SENDING_MAX);
	for (unsigned i = 0; i < SMALL_FILES; i++) {
		(void)snprintf(path, sizeof(path), "/file%u", i);
		desk_served(path, path);
	}
	desk_stop(&desk);
}

/* ---- the end ---- */

static void what_flies_at_the_end_is_kept(void **state)
{
	struct draft *draft;
	struct reply reply;

	(void)state;
	desk_start(&desk);
	fake_publish_hold(50);
	draft = desk_open(&desk, "/new", CREATE);
	assert_int_equal(desk_write(draft, 0, "hello"), 5);
	reply_init(&reply);
	draft_flush(draft, &desk.ident, reply_code, &reply);
	desk_until_held(1);
	fake_publish_stop();
	assert_int_equal(reply_wait(&reply), -ECANCELED);
	desk_close(&desk, draft);
	desk_stop(&desk);
	post_expect_item(&desk, "/src/new", SPOOL_CLOSED, 0);
	/* The power goes: it was promised against that. */
	bed_reboot(&desk.bed);
	fake_publish_reset();
	desk_start(&desk);
	desk_until_empty(&desk);
	desk_served("/new", "hello");
	desk_stop(&desk);
}

static void what_stands_in_line_at_the_end_is_kept(void **state)
{
	struct reply reply[SMALL_FILES];
	struct draft *draft[SMALL_FILES];
	char path[32];

	(void)state;
	desk_start(&desk);
	fake_publish_hold(0);
	for (unsigned i = 0; i < SMALL_FILES; i++) {
		(void)snprintf(path, sizeof(path), "/file%u", i);
		draft[i] = desk_open(&desk, path, CREATE);
		assert_int_equal(desk_write(draft[i], 0, "x"), 1);
		reply_init(&reply[i]);
		draft_flush(draft[i], &desk.ident, reply_code, &reply[i]);
	}
	desk_until_held(DRAFTS_SENDING_MAX);
	for (unsigned i = 0; i < SMALL_FILES; i++)
		assert_false(reply_is_here(&reply[i]));
	fake_publish_stop();
	drafts_stop(desk.drafts);
	for (unsigned i = 0; i < SMALL_FILES; i++) {
		assert_int_equal(reply_wait(&reply[i]), -ECANCELED);
		desk_close(&desk, draft[i]);
	}
	drafts_free(desk.drafts);
	desk.drafts = NULL;
	assert_int_equal(bed_count(&desk.bed, SPOOL_CLOSED), SMALL_FILES);
	fake_publish_reset();
	desk_start(&desk);
	desk_until_empty(&desk);
	desk_served("/file39", "x");
	desk_stop(&desk);
}

/* ---- versions that nobody told ---- */

static void it_looks_once_where_nothing_was_told(void **state)
{
	struct draft *draft;
	unsigned lookups;

	(void)state;
	desk_start(&desk);
	fake_publish_blind(true);
	draft = desk_open(&desk, "/new", CREATE);
	assert_int_equal(desk_write(draft, 0, "first"), 5);
	assert_int_equal(desk_flush(&desk, draft), 0);
	assert_false(fake_noted_version());
	lookups = fake_lookups();
	assert_int_equal(desk_append(draft, " second"), 7);
	assert_int_equal(desk_flush(&desk, draft), 0);
	assert_int_equal(fake_lookups(), lookups + 1);
	assert_int_equal(fake_call(1).condition, FETCH_IF_SAME);
	desk_served("/new", "first second");
	/* Nobody may look. */
	fake_look_code(-EACCES);
	assert_int_equal(desk_append(draft, "!"), 1);
	assert_int_equal(desk_flush(&desk, draft), 0);
	assert_int_equal(fake_call(2).condition, FETCH_IF_ANY);
	desk_served("/new", "first second!");
	/* What keeps from looking keeps from sending, until the next try. */
	fake_look_code(-ETIMEDOUT);
	assert_int_equal(desk_append(draft, "!"), 1);
	assert_int_equal(desk_flush(&desk, draft), -ETIMEDOUT);
	assert_int_equal(fake_published(), 3);
	/* Somebody was there meanwhile. */
	fake_look_code(0);
	(void)fake_put("/new", "theirs", 6);
	assert_int_equal(desk_flush(&desk, draft), -ESTALE);
	desk_served("/new", "theirs");
	desk_close(&desk, draft);
	desk_until_quiet(&desk);
	assert_int_equal(bed_count(&desk.bed, SPOOL_CONFLICT), 1);
	desk_stop(&desk);
}

/* Who closes the file does not hear of it. */
static void what_is_forgotten_is_looked_at_again(void **state)
{
	struct draft *draft;
	unsigned lookups;

	(void)state;
	fake_cache_later();
	desk_start(&desk);
	fake_publish_blind(true);
	draft = desk_open(&desk, "/new", CREATE);
	assert_int_equal(desk_write(draft, 0, "first"), 5);
	assert_int_equal(desk_flush(&desk, draft), 0);
	lookups = fake_lookups();
	fake_forgets(SEND_LOOKS_MAX - 1);
	assert_int_equal(desk_append(draft, " second"), 7);
	assert_int_equal(desk_flush(&desk, draft), 0);
	assert_int_equal(fake_lookups(), lookups + SEND_LOOKS_MAX);
	assert_int_equal(fake_call(1).condition, FETCH_IF_SAME);
	desk_served("/new", "first second");
	/* Not for ever: it is tried again after a pause. */
	fake_forgets(SEND_LOOKS_MAX);
	assert_int_equal(desk_append(draft, "!"), 1);
	assert_int_equal(desk_flush(&desk, draft), -EIO);
	post_expect_item(&desk, "/src/new", SPOOL_FAILED, -EIO);
	post_pass(&desk, DRAFTS_AGAIN_FIRST_MS);
	desk_close(&desk, draft);
	desk_until_empty(&desk);
	desk_served("/new", "first second!");
	desk_stop(&desk);
}

static void what_was_removed_is_not_made_again(void **state)
{
	struct draft *draft;

	(void)state;
	desk_start(&desk);
	fake_publish_blind(true);
	draft = desk_open(&desk, "/new", CREATE);
	assert_int_equal(desk_write(draft, 0, "first"), 5);
	assert_int_equal(desk_flush(&desk, draft), 0);
	fake_remove("/new");
	assert_int_equal(desk_append(draft, "!"), 1);
	assert_int_equal(desk_flush(&desk, draft), -ESTALE);
	desk_close(&desk, draft);
	desk_until_quiet(&desk);
	desk_served("/new", NULL);
	desk_stop(&desk);
}

/* ---- names that are left over ---- */

static void a_name_that_is_left_over_is_removed_later(void **state)
{
	(void)state;
	desk_start(&desk);
	fake_publish_leftover("/src/.new.bearerfs-0123");
	fake_delete_code(-EACCES);
	assert_int_equal(post_file(&desk, "/new", "hello"), 0);
	fake_publish_leftover(NULL);
	desk_until_quiet(&desk);
	assert_int_equal(bed_count_all(&desk.bed), 1);
	post_expect_item(&desk, "/src/.new.bearerfs-0123", SPOOL_CLOSED, 0);
	post_expect_unsent(&desk, 0, 0, 0);
	post_describes(&desk, "\"leftovers\":1");
	assert_int_equal(fake_deletes(), 0);
	post_pass(&desk, 1000);
	post_until(fake_deletes, 1);
	desk_until_quiet(&desk);
	assert_int_equal(bed_count_all(&desk.bed), 1);
	/* The next mount has it, too. */
	desk_stop(&desk);
	desk_start(&desk);
	post_pass(&desk, 1000);
	post_until(fake_deletes, 2);
	desk_until_quiet(&desk);
	post_pass(&desk, 999);
	assert_int_equal(fake_deletes(), 2);
	fake_delete_code(-ENOENT);
	post_pass(&desk, 1);
	post_until(fake_deletes, 3);
	desk_until_empty(&desk);
	desk_stop(&desk);
}

/* That a slow server does not have it yet says nothing: whose connection was
 * closed it may begin with later. */
static void a_name_that_may_come_is_removed_thrice(void **state)
{
	(void)state;
	desk_start(&desk);
	fake_publish_leftover("/src/.new.bearerfs-0123");
	fake_delete_code(-ENOENT);
	assert_int_equal(post_file(&desk, "/new", "hello"), 0);
	fake_publish_leftover(NULL);
	desk_until_quiet(&desk);
	for (unsigned i = 0; i < 3; i++) {
		post_expect_item(
		    &desk, "/src/.new.bearerfs-0123", SPOOL_CLOSED, 0);
		post_pass(&desk, i == 0 ? 999 : (500U << i) - 1);
		assert_int_equal(fake_deletes(), i);
		post_pass(&desk, 1);
		post_until(fake_deletes, i + 1);
		desk_until_idle(&desk);
	}
	desk_until_empty(&desk);
	desk_stop(&desk);
}

static void a_name_is_noted_before_anything_is_sent(void **state)
{
	struct draft *draft;
	struct spool_item item;

	(void)state;
	desk.back = true;
	desk_start(&desk);
	fake_publish_hold(0);
	draft = desk_open(&desk, "/new", CREATE);
	assert_int_equal(desk_write(draft, 0, "hello"), 5);
	assert_int_equal(desk_flush(&desk, draft), 0);
	desk_until_held(1);
	item = bed_item(&desk.bed, "/src/new");
	assert_int_equal(item.state, SPOOL_SENDING);
	assert_string_not_equal(item.text[SPOOL_PART], "");
	assert_string_equal(item.text[SPOOL_PART], fake_call(0).temporary);
	spool_item_fini(&item);
	fake_publish_hold(101);
	desk_until_quiet(&desk);
	item = bed_item(&desk.bed, "/src/new");
	if (item.state != 0)
		assert_string_equal(item.text[SPOOL_PART], "");
	spool_item_fini(&item);
	desk_close(&desk, draft);
	desk_until_empty(&desk);
	desk_stop(&desk);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
	    TEST(what_is_closed_is_sent_once),
	    TEST(what_is_queued_at_the_close_is_sent),
	    TEST(an_open_that_nobody_has_got_leaves_nothing),
	    TEST(a_time_that_was_set_goes_with_it),
	    TEST(every_failure_keeps_the_data),
	    TEST(pauses_double),
	    TEST(what_lacks_a_token_is_sent_with_its_users),
	    TEST(a_server_that_answers_again_gets_all),
	    TEST(a_conflict_keeps_both),
	    TEST(what_we_put_there_is_no_conflict),
	    TEST(what_we_removed_there_is_no_conflict),
	    TEST(nobody_waits_so_it_gives_way),
	    TEST(what_may_be_there_is_waited_for),
	    TEST(somebody_waits_so_the_change_does),
	    TEST(large_ones_leave_room_for_small_ones),
	    TEST(small_ones_leave_room_for_large_ones),
	    TEST(all_of_many_are_sent),
	    TEST(what_flies_at_the_end_is_kept),
	    TEST(what_stands_in_line_at_the_end_is_kept),
	    TEST(it_looks_once_where_nothing_was_told),
	    TEST(what_is_forgotten_is_looked_at_again),
	    TEST(what_was_removed_is_not_made_again),
	    TEST(a_name_that_is_left_over_is_removed_later),
	    TEST(a_name_that_may_come_is_removed_thrice),
	    TEST(a_name_is_noted_before_anything_is_sent),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
