/* SPDX-License-Identifier: Apache-2.0 */
/*
 * tests/unit/cache/drafts/test_drafts.c - what opening, writing, reading and
 * closing a file do, to the spool and to the server, one step after the other.
 */
#include "tests/unit/cache/drafts/desk.h"

#include <errno.h>
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

enum {
	CREATE = DRAFTS_OPEN_CREATE,
	EXCLUSIVE = DRAFTS_OPEN_CREATE | DRAFTS_OPEN_EXCLUSIVE,
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
	desk_fini(&desk);
	return 0;
}

/* ---- one file ---- */

static void a_new_file_is_sent_when_it_is_closed(void **state)
{
	struct draft *draft;
	struct draft_attr attr;
	struct drafts_worn worn;

	(void)state;
	desk_start(&desk);
	draft = desk_open(&desk, "/new", CREATE);
	assert_int_equal(bed_count_all(&desk.bed), 0);
	assert_int_equal(desk_write(draft, 0, "hello"), 5);
	assert_int_equal(bed_count(&desk.bed, SPOOL_OPEN), 1);
	desk_served("/new", NULL);
	assert_int_equal(desk_write(draft, 5, " you"), 4);
	desk_reads(&desk, draft, "hello you");
	draft_attr(draft, &attr);
	assert_true(attr.unsent);
	assert_int_equal(attr.mode, 0644);
	assert_int_equal(desk_flush(&desk, draft), 0);
	desk_served("/new", "hello you");
	draft_attr(draft, &attr);
	assert_false(attr.unsent);
	assert_int_equal(fake_sent(), 1);
	/* The second close of a descriptor sends nothing. */
	assert_int_equal(desk_flush(&desk, draft), 0);
	desk_close(&desk, draft);
	desk_until_empty(&desk);
	assert_int_equal(fake_sent(), 1);
	assert_int_equal(fake_kept(), 1);
	/* As the cache knows what it has become. */
	attr.attr.was = attr.attr.version;
	assert_true(drafts_worn(desk.drafts, "/new", &attr.attr, &worn));
	assert_int_equal(worn.mode, 0644);
	assert_null(drafts_find(desk.drafts, &desk.ident, "/new"));
	desk_stop(&desk);
}

static void opening_alone_leaves_nothing(void **state)
{
	struct draft *draft;
	struct draft_attr attr;

	(void)state;
	(void)fake_put("/old", "0123456789", 10);
	desk_start(&desk);
	draft = desk_open(&desk, "/old", 0);
	draft_attr(draft, &attr);
	assert_int_equal(attr.attr.size_bytes, 10);
	assert_false(attr.unsent);
	assert_int_not_equal(attr.attr.was, 0);
	assert_int_not_equal(attr.attr.was, attr.attr.version);
	desk_reads(&desk, draft, "0123456789");
	assert_int_equal(desk_flush(&desk, draft), 0);
	assert_int_equal(desk_sync(&desk, draft), 0);
	desk_close(&desk, draft);
	assert_int_equal(bed_count_all(&desk.bed), 0);
	assert_int_equal(fake_sent(), 0);
	desk_stop(&desk);
}

static void parts_that_nobody_writes_stay(void **state)
{
	struct draft *draft;
	char out[8];

	(void)state;
	(void)fake_put("/old", "0123456789", 10);
	desk_start(&desk);
	draft = desk_open(&desk, "/old", CREATE);
	assert_int_equal(desk_write(draft, 3, "abc"), 3);
	desk_reads(&desk, draft, "012abc6789");
	assert_int_equal(desk_read(&desk, draft, 4, out, 4), 4);
	assert_memory_equal(out, "bc67", 4);
	assert_int_equal(desk_read(&desk, draft, 7, out, 8), 3);
	assert_memory_equal(out, "789", 3);
	assert_int_equal(desk_read(&desk, draft, 10, out, 8), 0);
	assert_int_equal(desk_read(&desk, draft, UINT64_MAX, out, 8), 0);
	assert_int_equal(desk_truncate(draft, 5), 0);
	desk_reads(&desk, draft, "012ab");
	assert_int_equal(desk_truncate(draft, 7), 0);
	assert_int_equal(desk_read(&desk, draft, 0, out, 8), 7);
	assert_memory_equal(out, "012ab\0\0", 7);
	assert_int_equal(desk_append(draft, "!"), 1);
	assert_int_equal(desk_write(draft, 5, "__"), 2);
	assert_int_equal(desk_flush(&desk, draft), 0);
	desk_served("/old", "012ab__!");
	/* On top of our own version. */
	assert_int_equal(desk_write(draft, 0, "x"), 1);
	assert_int_equal(desk_flush(&desk, draft), 0);
	desk_served("/old", "x12ab__!");
	desk_close(&desk, draft);
	desk_until_empty(&desk);
	desk_stop(&desk);
}

static void cutting_at_open_needs_no_bytes(void **state)
{
	struct draft *draft;
	struct draft_attr attr;

	(void)state;
	(void)fake_put("/old", "0123456789", 10);
	fake_open_code(-EACCES);
	desk_start(&desk);
	assert_int_equal(desk_open_code(&desk, "/old", 0), -EACCES);
	assert_int_equal(desk_open_code(&desk, "/old", CREATE), -EACCES);
	draft = desk_open(&desk, "/old", TRUNCATE);
	draft_attr(draft, &attr);
	assert_int_equal(attr.attr.size_bytes, 0);
	assert_int_equal(bed_count_all(&desk.bed), 0);
	assert_int_equal(desk_write(draft, 0, "ab"), 2);
	desk_reads(&desk, draft, "ab");
	assert_int_equal(desk_flush(&desk, draft), 0);
	desk_served("/old", "ab");
	desk_close(&desk, draft);
	desk_until_empty(&desk);
	assert_int_equal(fake_reads(), 0);
	desk_stop(&desk);
}

static void a_second_opener_joins_the_first(void **state)
{
	struct draft *first, *second, *third;

	(void)state;
	desk_start(&desk);
	first = desk_open(&desk, "/new", CREATE);
	assert_int_equal(desk_write(first, 0, "first"), 5);
	assert_int_equal(desk_open_code(&desk, "/new", EXCLUSIVE), -EEXIST);
	second = desk_open(&desk, "/new", 0);
	assert_ptr_equal(first, second);
	desk_reads(&desk, second, "first");
	third = desk_open(&desk, "/new", TRUNCATE);
	assert_ptr_equal(first, third);
	desk_reads(&desk, first, "");
	assert_int_equal(desk_write(third, 0, "3"), 1);
	desk_close(&desk, third);
	desk_close(&desk, first);
	desk_served("/new", NULL);
	/* The last one: what nobody flushed is sent. */
	desk_close(&desk, second);
	desk_until_empty(&desk);
	desk_served("/new", "3");
	desk_stop(&desk);
}

static void what_stands_in_the_way_of_opening(void **state)
{
	(void)state;
	(void)fake_put("/old", "0", 1);
	desk_start(&desk);
	assert_int_equal(desk_open_code(&desk, "/none", 0), -ENOENT);
	assert_int_equal(desk_open_code(&desk, "/none", TRUNCATE), -ENOENT);
	assert_int_equal(desk_open_code(&desk, "/old", EXCLUSIVE), -EEXIST);
	assert_int_equal(desk_open_code(&desk, "/dir", 0), -EISDIR);
	assert_int_equal(desk_open_code(&desk, "/dir", TRUNCATE), -EISDIR);
	desk.may_modify = -EACCES;
	assert_int_equal(desk_open_code(&desk, "/old", 0), -EACCES);
	assert_int_equal(desk_open_code(&desk, "/old", CREATE), -EACCES);
	desk.may_create = -ENOKEY;
	assert_int_equal(desk_open_code(&desk, "/none", CREATE), -EACCES);
	desk.may_modify = 0;
	assert_int_equal(desk_open_code(&desk, "/none", CREATE), -ENOKEY);
	assert_int_equal(desk_open_code(&desk, "/old", CREATE), 0);
	/* The look and the upload wait for a newer one. */
	desk.may_create = desk.may_modify = -EKEYEXPIRED;
	assert_int_equal(desk_open_code(&desk, "/old", 0), 0);
	fake_look_code(-EKEYEXPIRED);
	assert_int_equal(desk_open_code(&desk, "/any", CREATE), -EKEYEXPIRED);
	desk.may_create = desk.may_modify = 0;
	fake_look_code(-EHOSTUNREACH);
	assert_int_equal(desk_open_code(&desk, "/any", 0), -EHOSTUNREACH);
	assert_int_equal(
	    desk_open_code(&desk, "/any", TRUNCATE), -EHOSTUNREACH);
	desk_stop(&desk);
	assert_int_equal(bed_count_all(&desk.bed), 0);
}

static void a_version_that_is_forgotten_is_held(void **state)
{
	struct draft *draft;

	(void)state;
	(void)fake_put("/old", "0123456789", 10);
	fake_forgets(1);
	desk_start(&desk);
	draft = desk_open(&desk, "/old", TRUNCATE);
	assert_int_equal(fake_opens(), 1);
	assert_int_equal(desk_flush(&desk, draft), 0);
	desk_served("/old", "");
	desk_close(&desk, draft);
	fake_open_code(-EACCES);
	desk_until_empty(&desk);
	(void)fake_put("/old", "0123456789", 10);
	fake_forgets(1);
	assert_int_equal(desk_open_code(&desk, "/old", TRUNCATE), -EACCES);
	desk_stop(&desk);
}

static void who_may_not_look_creates_or_replaces(void **state)
{
	struct draft *draft;

	(void)state;
	(void)fake_put("/old", "0123456789", 10);
	fake_look_code(-EACCES);
	desk_start(&desk);
	/* What must be there already is cut, whatever it is. */
	assert_int_equal(desk_open_code(&desk, "/old", 0), -EACCES);
	draft = desk_open(&desk, "/old", TRUNCATE);
	assert_int_equal(desk_write(draft, 0, "ab"), 2);
	assert_int_equal(desk_flush(&desk, draft), 0);
	desk_served("/old", "ab");
	desk_close(&desk, draft);
	desk_until_empty(&desk);
	/* What is created is a new one, or there is a conflict. */
	draft = desk_open(&desk, "/old", CREATE | TRUNCATE);
	assert_int_equal(desk_write(draft, 0, "cd"), 2);
	assert_int_equal(desk_flush(&desk, draft), -EEXIST);
	desk_served("/old", "ab");
	desk_close(&desk, draft);
	draft = desk_open(&desk, "/new", CREATE);
	assert_int_equal(desk_write(draft, 0, "ef"), 2);
	assert_int_equal(desk_flush(&desk, draft), 0);
	desk_served("/new", "ef");
	desk_close(&desk, draft);
	desk_stop(&desk);
	assert_int_equal(bed_count_all(&desk.bed), 1);
	assert_int_equal(bed_count(&desk.bed, SPOOL_CONFLICT), 1);
}

/* ---- empty files ---- */

static void an_empty_file_is_sent_at_its_close(void **state)
{
	struct draft *draft;

	(void)state;
	(void)fake_put("/old", "0123456789", 10);
	desk_start(&desk);
	draft = desk_open(&desk, "/new", CREATE);
	assert_int_equal(desk_flush(&desk, draft), 0);
	desk_served("/new", "");
	assert_int_equal(desk_write(draft, 0, "later"), 5);
	assert_int_equal(desk_flush(&desk, draft), 0);
	desk_served("/new", "later");
	desk_close(&desk, draft);
	draft = desk_open(&desk, "/old", TRUNCATE);
	assert_int_equal(desk_flush(&desk, draft), 0);
	desk_served("/old", "");
	desk_close(&desk, draft);
	desk_until_empty(&desk);
	assert_int_equal(fake_sent(), 3);
	desk_stop(&desk);
}

static void a_token_that_may_only_create_sends_once(void **state)
{
	struct draft *draft;

	(void)state;
	desk.may_modify = -EACCES;
	desk_start(&desk);
	draft = desk_open(&desk, "/new", CREATE);
	assert_int_equal(desk_flush(&desk, draft), 0);
	desk_served("/new", NULL);
	assert_int_equal(desk_write(draft, 0, "now"), 3);
	assert_int_equal(desk_flush(&desk, draft), 0);
	desk_served("/new", "now");
	desk_close(&desk, draft);
	draft = desk_open(&desk, "/empty", CREATE);
	assert_int_equal(desk_flush(&desk, draft), 0);
	assert_int_equal(desk_flush(&desk, draft), 0);
	desk_served("/empty", NULL);
	assert_int_equal(bed_count(&desk.bed, SPOOL_OPEN), 0);
	desk_close(&desk, draft);
	desk_until_empty(&desk);
	desk_served("/empty", "");
	assert_int_equal(fake_sent(), 2);
	desk_stop(&desk);
}

static void a_blank_file_that_nobody_waits_for_is_sent_once(void **state)
{
	struct draft *draft;

	(void)state;
	desk.back = true;
	desk_start(&desk);
	fake_send_hold(true);
	draft = desk_open(&desk, "/new", CREATE);
	assert_int_equal(desk_flush(&desk, draft), 0);
	/* Not held up by a sending of nothing. */
	assert_int_equal(desk_write(draft, 0, "now"), 3);
	fake_send_hold(false);
	desk_close(&desk, draft);
	desk_until_empty(&desk);
	desk_served("/new", "now");
	assert_int_equal(fake_sent(), 1);
	desk_stop(&desk);
}

/* ---- while it is sent ---- */

static void a_change_ends_a_sending_that_nobody_waits_for(void **state)
{
	struct draft *draft;

	(void)state;
	desk.back = true;
	desk_start(&desk);
	fake_send_hold(true);
	draft = desk_open(&desk, "/new", CREATE);
	assert_int_equal(desk_write(draft, 0, "one"), 3);
	assert_int_equal(desk_flush(&desk, draft), 0); /* not sent yet */
	desk_until_held(1);
	desk_reads(&desk, draft, "one");
	assert_int_equal(desk_write(draft, 0, "two"), 3);
	assert_int_equal(fake_gave_way(), 1);
	assert_int_equal(fake_sent(), 0);
	assert_int_equal(bed_count(&desk.bed, SPOOL_OPEN), 1);
	assert_int_equal(desk_flush(&desk, draft), 0);
	desk_until_held(1);
	fake_send_hold(false);
	desk_close(&desk, draft);
	desk_until_empty(&desk);
	desk_served("/new", "two");
	assert_int_equal(fake_sent(), 1);
	desk_stop(&desk);
}

/* Who works somewhere may be long at it: what is left to him holds up nobody
 * who comes after it. */
static void what_is_left_for_later_holds_nobody_up(void **state)
{
	struct draft *draft, *other;

	(void)state;
	desk.back = true;
	desk_start(&desk);
	draft = desk_open(&desk, "/new", CREATE);
	assert_int_equal(desk_write(draft, 0, "one"), 3);
	assert_int_equal(desk_flush(&desk, draft), 0);
	desk_until_quiet(&desk);
	fake_send_hold(true);
	other = desk_open(&desk, "/other", CREATE);
	assert_int_equal(desk_write(other, 0, "held"), 4);
	assert_int_equal(desk_flush(&desk, other), 0);
	desk_until_held(1);
	desk_close(&desk, draft);
	draft = desk_open(&desk, "/new", 0);
	assert_int_equal(desk_write(draft, 0, "two"), 3);
	fake_send_hold(false);
	desk_close(&desk, draft);
	desk_close(&desk, other);
	desk_until_empty(&desk);
	desk_served("/new", "two");
	desk_stop(&desk);
}

static void a_change_waits_for_a_sending_that_somebody_waits_for(void **state)
{
	struct draft *draft;
	struct reply flush, again, write;

	(void)state;
	desk_start(&desk);
	fake_send_hold(true);
	draft = desk_open(&desk, "/new", CREATE);
	assert_int_equal(desk_write(draft, 0, "one"), 3);
	reply_init(&flush);
	draft_flush(draft, &desk.ident, reply_code, &flush);
	desk_until_held(1);
	reply_init(&again);
	draft_flush(draft, &desk.ident, reply_code, &again);
	reply_init(&write);
	draft_write(draft, "two", 3, 0, false, reply_code, &write);
	/* Reading goes on. */
	desk_reads(&desk, draft, "one");
	assert_false(reply_is_here(&flush));
	assert_false(reply_is_here(&again));
	assert_false(reply_is_here(&write));
	fake_send_hold(false);
	assert_int_equal(reply_wait(&flush), 0);
	assert_int_equal(reply_wait(&again), 0);
	assert_int_equal(reply_wait(&write), 3);
	assert_int_equal(fake_gave_way(), 0);
	assert_int_equal(fake_sent(), 1);
	desk_served("/new", "one");
	desk_reads(&desk, draft, "two");
	desk_close(&desk, draft);
	desk_until_empty(&desk);
	desk_served("/new", "two");
	desk_stop(&desk);
}

static void what_was_sent_is_found_until_the_cache_has_it(void **state)
{
	struct draft *draft, *again;

	(void)state;
	desk.back = true;
	desk_start(&desk);
	fake_send_hold(true);
	draft = desk_open(&desk, "/new", CREATE);
	assert_int_equal(desk_write(draft, 0, "one"), 3);
	assert_int_equal(desk_flush(&desk, draft), 0);
	desk_close(&desk, draft);
	again = drafts_find(desk.drafts, &desk.ident, "/new");
	assert_ptr_equal(again, draft);
	desk_reads(&desk, again, "one");
	fake_send_hold(false);
	draft_put(again);
	desk_until_empty(&desk);
	assert_int_equal(fake_kept(), 1);
	desk_stop(&desk);
}

/* ---- what fails ---- */

static void a_failure_is_told_and_tried_again(void **state)
{
	struct draft *draft;
	struct draft_attr attr;

	(void)state;
	desk_start(&desk);
	fake_send_code(-EDQUOT);
	draft = desk_open(&desk, "/new", CREATE);
	assert_int_equal(desk_write(draft, 0, "one"), 3);
	assert_int_equal(desk_flush(&desk, draft), -EDQUOT);
	draft_attr(draft, &attr);
	assert_true(attr.unsent);
	assert_int_equal(attr.code, -EDQUOT);
	/* A second descriptor's close tries. */
	assert_int_equal(desk_flush(&desk, draft), -EDQUOT);
	assert_int_equal(fake_failed(), 2);
	/* Its closer knows: not again at once. */
	desk_close(&desk, draft);
	draft = drafts_find(desk.drafts, &desk.ident, "/new");
	assert_non_null(draft);
	desk_reads(&desk, draft, "one");
	assert_int_equal(fake_failed(), 2);
	assert_int_equal(bed_count(&desk.bed, SPOOL_FAILED), 1);
	draft_put(draft);
	fake_send_code(0);
	drafts_tick(desk.drafts);
	desk_until_empty(&desk);
	desk_served("/new", "one");
	desk_stop(&desk);
}

static void what_failed_can_be_changed(void **state)
{
	struct draft *draft;

	(void)state;
	desk_start(&desk);
	fake_send_code(-EHOSTUNREACH);
	draft = desk_open(&desk, "/new", CREATE);
	assert_int_equal(desk_write(draft, 0, "one"), 3);
	assert_int_equal(desk_flush(&desk, draft), -EHOSTUNREACH);
	desk_close(&desk, draft);
	draft = desk_open(&desk, "/new", 0);
	assert_int_equal(desk_append(draft, "two"), 3);
	fake_send_code(0);
	/* It is being written: not sent behind its writer's back. */
	drafts_tick(desk.drafts);
	assert_int_equal(fake_sent(), 0);
	assert_int_equal(desk_flush(&desk, draft), 0);
	desk_served("/new", "onetwo");
	desk_close(&desk, draft);
	desk_until_empty(&desk);
	desk_stop(&desk);
}

static void a_conflict_keeps_both(void **state)
{
	struct draft *draft, *other;

	(void)state;
	(void)fake_put("/old", "theirs", 6);
	desk_start(&desk);
	draft = desk_open(&desk, "/old", 0);
	assert_int_equal(desk_write(draft, 0, "ours"), 4);
	(void)fake_put("/old", "newer", 5);
	assert_int_equal(desk_flush(&desk, draft), -ESTALE);
	desk_served("/old", "newer");
	/* Its path is the server's again; its handle reads what it wrote, and
	 * is told. */
	other = drafts_find(desk.drafts, &desk.ident, "/old");
	assert_null(other);
	desk_reads(&desk, draft, "oursrs");
	assert_int_equal(desk_write(draft, 0, "x"), -ESTALE);
	assert_int_equal(desk_flush(&desk, draft), -ESTALE);
	assert_int_equal(desk_sync(&desk, draft), -ESTALE);
	other = desk_open(&desk, "/old", 0);
	assert_ptr_not_equal(other, draft);
	desk_reads(&desk, other, "newer");
	desk_close(&desk, other);
	desk_close(&desk, draft);
	desk_stop(&desk);
	assert_int_equal(bed_count(&desk.bed, SPOOL_CONFLICT), 1);
	assert_int_equal(bed_count_all(&desk.bed), 1);
}

static void a_full_spool_is_told_and_nothing_is_half(void **state)
{
	static char big[1 << 20];
	struct draft *draft;
	struct reply reply;
	struct draft_attr attr;

	(void)state;
	desk_start(&desk);
	desk.bed.size_bytes = 0; /* of the next spool */
	desk_stop(&desk);
	desk.bed.size_bytes = 2 << 20;
	bed_again(&desk.bed);
	desk_start(&desk);
	draft = desk_open(&desk, "/new", CREATE);
	for (unsigned i = 0;; i++) {
		(void)memset(big, 'a' + (int)i, sizeof(big));
		reply_init(&reply);
		draft_write(draft, big, sizeof(big), (uint64_t)i * sizeof(big),
		    false, reply_code, &reply);
		if (reply_wait(&reply) < 0)
			break;
		assert_int_equal(reply.code, sizeof(big));
		assert_true(i < 3);
	}
	assert_int_equal(reply.code, -ENOSPC);
	draft_attr(draft, &attr);
	assert_int_equal(attr.attr.size_bytes % sizeof(big), 0);
	assert_true(attr.attr.size_bytes > 0);
	assert_int_equal(desk_write(draft, 0, "fits"), 4);
	assert_int_equal(desk_write(draft, SPOOL_FILE_BYTES_MAX, "x"), -EFBIG);
	assert_int_equal(desk_write(draft, UINT64_MAX, "x"), -EFBIG);
	assert_int_equal(
	    desk_truncate(draft, SPOOL_FILE_BYTES_MAX + 1), -EFBIG);
	assert_int_equal(desk_flush(&desk, draft), 0);
	desk_close(&desk, draft);
	desk_until_empty(&desk);
	desk_stop(&desk);
}

/* ---- fsync, attributes, the end ---- */

static void fsync_sends_where_it_is_to(void **state)
{
	struct draft *draft;

	(void)state;
	desk_start(&desk);
	draft = desk_open(&desk, "/new", CREATE);
	assert_int_equal(desk_sync(&desk, draft), 0);
	assert_int_equal(bed_count(&desk.bed, SPOOL_OPEN), 1);
	assert_int_equal(desk_write(draft, 0, "one"), 3);
	assert_int_equal(desk_sync(&desk, draft), 0);
	desk_served("/new", NULL);
	assert_int_equal(bed_count(&desk.bed, SPOOL_OPEN), 1);
	desk_close(&desk, draft);
	desk_until_empty(&desk);
	desk_stop(&desk);
	desk.sync_server = true;
	desk_start(&desk);
	draft = desk_open(&desk, "/new", 0);
	assert_int_equal(desk_write(draft, 0, "two"), 3);
	assert_int_equal(desk_sync(&desk, draft), 0);
	desk_served("/new", "two");
	assert_int_equal(desk_write(draft, 0, "2"), 1);
	desk_close(&desk, draft);
	desk_until_empty(&desk);
	desk_served("/new", "2wo");
	desk_stop(&desk);
}

static void mode_and_time_are_what_was_set(void **state)
{
	struct draft *draft;
	struct draft_attr attr;
	struct drafts_worn worn;
	struct reply reply;
	const struct draft_set set = {
	    .mode = 0750, .mtime_s = 77, .mtime_ns = 5};
	const struct draft_set keep = {
	    .mode = 0700, .mtime_s = DRAFT_KEEP, .mtime_ns = 9};

	(void)state;
	(void)fake_put("/old", "0123456789", 10);
	desk_start(&desk);
	draft = desk_open(&desk, "/old", 0);
	reply_init(&reply);
	draft_set(draft, &set, reply_code, &reply);
	assert_int_equal(reply_wait(&reply), 0);
	draft_attr(draft, &attr);
	assert_int_equal(attr.mode, 0750);
	assert_int_equal(attr.attr.mtime_s, 77);
	assert_int_equal(attr.mtime_ns, 5);
	assert_false(attr.unsent); /* no server keeps these */
	assert_int_equal(bed_count_all(&desk.bed), 0);
	/* A write sets the time anew. */
	assert_int_equal(desk_write(draft, 0, "x"), 1);
	draft_attr(draft, &attr);
	assert_int_equal(attr.attr.mtime_s, 1000);
	assert_int_equal(attr.mode, 0750);
	reply_init(&reply);
	draft_set(draft, &set, reply_code, &reply);
	assert_int_equal(reply_wait(&reply), 0);
	reply_init(&reply);
	draft_set(draft, &keep, reply_code, &reply);
	assert_int_equal(reply_wait(&reply), 0);
	assert_int_equal(desk_flush(&desk, draft), 0);
	draft_attr(draft, &attr);
	assert_int_equal(attr.mode, 0700);
	assert_int_equal(attr.attr.mtime_s, 77);
	assert_int_equal(attr.mtime_ns, 5);
	desk_close(&desk, draft);
	desk_until_empty(&desk);
	/* As the cache knows what it has become. */
	attr.attr.was = attr.attr.version;
	assert_true(drafts_worn(desk.drafts, "/old", &attr.attr, &worn));
	assert_int_equal(worn.mode, 0700);
	desk_stop(&desk);
}

static void the_end_loses_nothing(void **state)
{
	struct draft *closed, *open, *flushed;
	struct reply reply;

	(void)state;
	desk.back = true;
	desk_start(&desk);
	fake_send_hold(true);
	closed = desk_open(&desk, "/closed", CREATE);
	assert_int_equal(desk_write(closed, 0, "one"), 3);
	assert_int_equal(desk_flush(&desk, closed), 0);
	desk_until_held(1);
	fake_send_code(-EHOSTUNREACH);
	open = desk_open(&desk, "/open", CREATE);
	assert_int_equal(desk_write(open, 0, "two"), 3);
	flushed = desk_open(&desk, "/flushed", CREATE);
	assert_int_equal(desk_write(flushed, 0, "three"), 5);
	reply_init(&reply);
	draft_flush(flushed, &desk.ident, reply_code, &reply);
	drafts_stop(desk.drafts);
	assert_int_equal(reply_wait(&reply), 0);
	draft_put(closed);
	draft_put(open);
	draft_put(flushed);
	drafts_free(desk.drafts);
	desk.drafts = NULL;
	assert_int_equal(bed_count_all(&desk.bed), 3);
	bed_reboot(&desk.bed);
	assert_int_equal(bed_adopt(&desk.bed), 2);
	assert_int_equal(bed_count(&desk.bed, SPOOL_ASIDE), 1);
}

static void in_a_shared_mount_a_draft_is_its_users(void **state)
{
	struct draft *draft, *other;
	struct ident them = {.uid = 2000, .gid = 2000};

	(void)state;
	(void)fake_put("/old", "theirs", 6);
	desk.shared = true;
	desk_start(&desk);
	draft = desk_open(&desk, "/old", 0);
	assert_int_equal(desk_write(draft, 0, "ours"), 4);
	assert_null(drafts_find(desk.drafts, &them, "/old"));
	desk.ident.uid = 2000;
	other = desk_open(&desk, "/old", 0);
	assert_ptr_not_equal(draft, other);
	desk_reads(&desk, other, "theirs");
	assert_int_equal(desk_write(other, 0, "mine!!"), 6);
	assert_int_equal(desk_flush(&desk, other), 0);
	desk_close(&desk, other);
	desk.ident.uid = BED_UID;
	assert_int_equal(desk_flush(&desk, draft), -ESTALE);
	desk_close(&desk, draft);
	desk_stop(&desk);
	desk_served("/old", "mine!!");
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
	const struct CMUnitTest tests[] = {
	    TEST(a_new_file_is_sent_when_it_is_closed),
	    TEST(opening_alone_leaves_nothing),
	    TEST(parts_that_nobody_writes_stay),
	    TEST(cutting_at_open_needs_no_bytes),
	    TEST(a_second_opener_joins_the_first),
	    TEST(what_stands_in_the_way_of_opening),
	    TEST(a_version_that_is_forgotten_is_held),
	    TEST(who_may_not_look_creates_or_replaces),
	    TEST(an_empty_file_is_sent_at_its_close),
	    TEST(a_token_that_may_only_create_sends_once),
	    TEST(a_blank_file_that_nobody_waits_for_is_sent_once),
	    TEST(a_change_ends_a_sending_that_nobody_waits_for),
	    TEST(what_is_left_for_later_holds_nobody_up),
	    TEST(a_change_waits_for_a_sending_that_somebody_waits_for),
	    TEST(what_was_sent_is_found_until_the_cache_has_it),
	    TEST(a_failure_is_told_and_tried_again),
	    TEST(what_failed_can_be_changed),
	    TEST(a_conflict_keeps_both),
	    TEST(a_full_spool_is_told_and_nothing_is_half),
	    TEST(fsync_sends_where_it_is_to),
	    TEST(mode_and_time_are_what_was_set),
	    TEST(the_end_loses_nothing),
	    TEST(in_a_shared_mount_a_draft_is_its_users),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
