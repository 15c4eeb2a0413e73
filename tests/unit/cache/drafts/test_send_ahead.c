/* SPDX-License-Identifier: Apache-2.0 */
/*
 * tests/unit/cache/drafts/test_send_ahead.c - large files that are sent while they
 * are written: when that is begun, what ends it, and that what comes to stand
 * on the server is the file as it was closed, sent once.
 */
#include "tests/unit/cache/drafts/post.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include <sys/types.h>

#include <cmocka.h>

enum {
	CREATE = DRAFTS_OPEN_CREATE,
	PIECE = 1024 * 1024,
	LEAST = 4, /* pieces, from which on it is begun */
	PACE_MS = 5000,
};

/* How many of a write's calls go before they fail; negative: all. */
static atomic_int writes_left = -1;

ssize_t __real_pwrite64(int fd, const void *from, size_t size, off64_t at);
ssize_t __wrap_pwrite64(int fd, const void *from, size_t size, off64_t at);
ssize_t __wrap_pwrite64(int fd, const void *from, size_t size, off64_t at)
{
	int left = atomic_load(&writes_left);

	if (left == 0) {
		errno = EIO;
		return -1;
	}
	if (left > 0 && size > 4096) {
		/* The disk takes half of it, and then no more. */
		atomic_store(&writes_left, 0);
		size /= 2;
	}
	return __real_pwrite64(fd, from, size, at);
}

static struct desk desk;
static char bytes[PIECE];

static int setup(void **state)
{
	(void)state;
	desk_init(&desk);
	fake_publish_grows(true);
	for (size_t i = 0; i < sizeof(bytes); i++)
		bytes[i] = (char)('a' + i % 23);
	return 0;
}

static int teardown(void **state)
{
	(void)state;
	fake_publish_reset();
	desk_fini(&desk);
	return 0;
}

/* ---- helpers ---- */

static void write_at(struct draft *draft, uint64_t offset, size_t size)
{
	struct reply reply;

	reply_init(&reply);
	draft_write(draft, bytes, size, offset, false, reply_code, &reply);
	assert_int_equal(reply_wait(&reply), (int)size);
}

/* So many pieces, one after the other, from its begin. */
static void write_pieces(struct draft *draft, unsigned from, unsigned to)
{
	for (unsigned i = from; i < to; i++)
		write_at(draft, (uint64_t)i * PIECE, PIECE);
}

static struct draft *begun(const char *path, unsigned pieces)
{
	struct draft *draft = desk_open(&desk, path, CREATE);

	write_pieces(draft, 0, pieces);
	return draft;
}

static void serves(const char *path, const char *first, uint64_t size)
{
	struct fetch_version version;
	size_t got;
	uint8_t *there = fake_get(path, &got, &version);

	assert_non_null(there);
	assert_int_equal(got, size);
	assert_memory_equal(there, first, strlen(first));
	for (uint64_t at = strlen(first); at < size; at += 4093)
		assert_int_equal(there[at], bytes[at % PIECE]);
	free(there);
}

static bool is_answered(void *arg)
{
	return fake_call(*(unsigned *)arg).code != 1;
}

static void until_answered(unsigned nth)
{
	desk_until(is_answered, &nth);
}

/* ---- what is begun ---- */

static void it_is_sent_once_while_it_is_written(void **state)
{
	struct draft *draft;

	(void)state;
	desk_start(&desk);
	draft = begun("/f", LEAST - 1);
	assert_int_equal(fake_published(), 0);
	write_pieces(draft, LEAST - 1, LEAST + 2);
	assert_int_equal(fake_published(), 1);
	assert_true(fake_call(0).grew);
	assert_string_equal(fake_call(0).path, "/src/f");
	assert_int_equal(fake_call(0).condition, FETCH_IF_ABSENT);
	assert_int_equal(fake_call(0).told_bytes, (LEAST + 2) * PIECE);
	assert_int_equal(fake_call(0).code, 1);
	write_at(draft, (LEAST + 2) * PIECE, 5);
	assert_int_equal(desk_flush(&desk, draft), 0);
	assert_int_equal(fake_published(), 1);
	serves("/f", "", (LEAST + 2) * PIECE + 5);
	/* What comes now replaces it, as ever. */
	write_at(draft, 0, 1);
	write_at(draft, (LEAST + 2) * PIECE + 5, 1);
	assert_int_equal(desk_flush(&desk, draft), 0);
	assert_int_equal(fake_published(), 2);
	assert_false(fake_call(1).grew);
	desk_close(&desk, draft);
	desk_until_empty(&desk);
	desk_stop(&desk);
}

static void a_server_that_must_know_the_length_is_asked_once(void **state)
{
	struct draft *draft;

	(void)state;
	fake_publish_grows(false);
	desk_start(&desk);
	draft = begun("/f", LEAST);
	until_answered(0);
	assert_int_equal(fake_call(0).code, -ENOTSUP);
	write_pieces(draft, LEAST, LEAST + 1);
	assert_int_equal(desk_flush(&desk, draft), 0);
	assert_false(fake_call(1).grew);
	desk_close(&desk, draft);
	draft = begun("/g", LEAST + 1);
	assert_int_equal(desk_flush(&desk, draft), 0);
	assert_int_equal(fake_published(), 3);
	assert_false(fake_call(2).grew);
	desk_close(&desk, draft);
	desk_stop(&desk);
}

static void what_is_cut_to_nothing_is_replaced(void **state)
{
	struct draft *draft;

	(void)state;
	(void)fake_put("/old", "0123456789", 10);
	desk_start(&desk);
	draft = desk_open(&desk, "/old", DRAFTS_OPEN_TRUNCATE);
	write_pieces(draft, 0, LEAST + 1);
	assert_int_equal(fake_published(), 1);
	assert_true(fake_call(0).grew);
	assert_int_equal(fake_call(0).condition, FETCH_IF_SAME);
	assert_int_equal(desk_flush(&desk, draft), 0);
	assert_int_equal(fake_published(), 1);
	serves("/old", "", (LEAST + 1) * PIECE);
	desk_close(&desk, draft);
	desk_stop(&desk);
}

static void what_a_shell_made_is_replaced(void **state)
{
	struct draft *draft;

	(void)state;
	desk_start(&desk);
	draft = desk_open(&desk, "/f", CREATE);
	/* The close of the descriptor that was duplicated. */
	assert_int_equal(desk_flush(&desk, draft), 0);
	assert_int_equal(fake_published(), 1);
	write_pieces(draft, 0, LEAST + 1);
	assert_int_equal(fake_published(), 2);
	assert_true(fake_call(1).grew);
	assert_int_equal(fake_call(1).condition, FETCH_IF_SAME);
	assert_int_equal(desk_flush(&desk, draft), 0);
	assert_int_equal(fake_published(), 2);
	serves("/f", "", (LEAST + 1) * PIECE);
	desk_close(&desk, draft);
	desk_stop(&desk);
}

static void what_has_an_older_begin_is_not_begun(void **state)
{
	struct draft *draft;

	(void)state;
	(void)fake_put("/old", "0123456789", 10);
	desk_start(&desk);
	draft = desk_open(&desk, "/old", 0);
	for (unsigned i = 0; i <= LEAST; i++)
		write_at(draft, 10 + (uint64_t)i * PIECE, PIECE);
	assert_int_equal(fake_published(), 0);
	assert_int_equal(desk_flush(&desk, draft), 0);
	assert_false(fake_call(0).grew);
	desk_close(&desk, draft);
	desk_stop(&desk);
}

/* ---- what ends it ---- */

static void a_write_in_the_middle_sends_it_anew(void **state)
{
	struct draft *draft;

	(void)state;
	desk_start(&desk);
	draft = begun("/f", LEAST + 1);
	assert_int_equal(desk_write(draft, 0, "HEAD"), 4);
	until_answered(0);
	assert_int_equal(fake_call(0).code, -ECANCELED);
	write_pieces(draft, LEAST + 1, LEAST + 2);
	assert_int_equal(desk_flush(&desk, draft), 0);
	assert_int_equal(fake_published(), 2);
	serves("/f", "HEAD", (LEAST + 2) * PIECE);
	desk_close(&desk, draft);
	/* The next is not begun with, the one after that is. */
	draft = begun("/g", LEAST + 1);
	assert_int_equal(fake_published(), 2);
	assert_int_equal(desk_flush(&desk, draft), 0);
	desk_close(&desk, draft);
	draft = begun("/h", LEAST + 1);
	assert_int_equal(fake_published(), 4);
	assert_true(fake_call(3).grew);
	assert_int_equal(desk_flush(&desk, draft), 0);
	desk_close(&desk, draft);
	desk_stop(&desk);
}

/* The server would have what was there before, and everybody here, whom the
 * cache gives what the spool has, what was written. */
static void a_write_that_fails_halfway_sends_it_anew(void **state)
{
	struct draft *draft;
	struct reply reply;

	(void)state;
	desk_start(&desk);
	draft = begun("/f", LEAST + 1);
	assert_int_equal(fake_published(), 1);
	reply_init(&reply);
	atomic_store(&writes_left, 1);
	draft_write(draft, bytes + 1, PIECE - 1, 0, false, reply_code, &reply);
	assert_int_equal(reply_wait(&reply), -EIO);
	atomic_store(&writes_left, -1);
	assert_int_equal(desk_flush(&desk, draft), 0);
	assert_int_equal(fake_published(), 2);
	desk_close(&desk, draft);
	desk_stop(&desk);
}

static void a_cut_sends_it_anew(void **state)
{
	struct draft *draft;

	(void)state;
	desk_start(&desk);
	draft = begun("/f", LEAST + 1);
	assert_int_equal(desk_truncate(draft, LEAST * PIECE), 0);
	until_answered(0);
	assert_int_equal(desk_flush(&desk, draft), 0);
	assert_int_equal(fake_published(), 2);
	serves("/f", "", LEAST * PIECE);
	desk_close(&desk, draft);
	desk_stop(&desk);
}

static void a_time_that_is_set_sends_it_anew(void **state)
{
	const struct draft_set set = {.mode = DRAFT_KEEP, .mtime_s = 77};
	struct draft *draft;
	struct reply reply;

	(void)state;
	desk_start(&desk);
	draft = begun("/f", LEAST);
	reply_init(&reply);
	draft_set(draft, &set, reply_code, &reply);
	assert_int_equal(reply_wait(&reply), 0);
	assert_int_equal(desk_flush(&desk, draft), 0);
	assert_int_equal(fake_published(), 2);
	assert_int_equal(fake_call(0).code, -ECANCELED);
	assert_int_equal(fake_call(1).mtime_s, 77);
	serves("/f", "", LEAST * PIECE);
	desk_close(&desk, draft);
	desk_stop(&desk);
}

static void who_writes_slowly_does_not_keep_a_connection(void **state)
{
	struct draft *draft;

	(void)state;
	desk_start(&desk);
	draft = begun("/f", LEAST);
	post_pass(&desk, PACE_MS - 1);
	write_pieces(draft, LEAST, LEAST + 1);
	post_pass(&desk, 1);
	assert_int_equal(fake_call(0).code, 1);
	write_at(draft, (LEAST + 1) * PIECE, 1);
	post_pass(&desk, PACE_MS);
	until_answered(0);
	assert_int_equal(fake_call(0).code, -ECANCELED);
	assert_int_equal(desk_flush(&desk, draft), 0);
	assert_int_equal(fake_published(), 2);
	serves("/f", "", (LEAST + 1) * PIECE + 1);
	desk_close(&desk, draft);
	desk_stop(&desk);
}

static void what_is_unlinked_ends(void **state)
{
	struct draft *draft;

	(void)state;
	desk_start(&desk);
	draft = begun("/f", LEAST);
	drafts_lock_enter(desk.drafts);
	draft->gone = true;
	draft_part(draft);
	drafts_lock_leave(desk.drafts);
	post_pass(&desk, 1);
	until_answered(0);
	assert_int_equal(fake_call(0).code, -ECANCELED);
	desk_close(&desk, draft);
	desk_stop(&desk);
	assert_int_equal(fake_published(), 1);
}

static void the_end_of_the_mount_ends_it(void **state)
{
	struct draft *draft;

	(void)state;
	desk_start(&desk);
	draft = begun("/f", LEAST);
	drafts_stop(desk.drafts);
	assert_int_equal(fake_call(0).code, -ECANCELED);
	desk_close(&desk, draft);
	desk_stop(&desk);
	assert_int_equal(fake_published(), 1);
}

/* ---- what a server says of it ---- */

static void a_form_that_is_refused_is_tried_whole(void **state)
{
	struct draft *draft;
	struct reply reply;

	(void)state;
	desk_start(&desk);
	draft = begun("/f", LEAST);
	fake_publish_code(-EIO);
	fake_publish_hold(50);
	write_at(draft, LEAST * PIECE, 1);
	reply_init(&reply);
	draft_flush(draft, &desk.ident, reply_code, &reply);
	desk_until_held(1);
	assert_int_equal(fake_published(), 1);
	fake_publish_one();
	/* Asked for once more, as a whole. */
	post_until(fake_published, 2);
	desk_until_held(1);
	assert_false(fake_call(1).grew);
	fake_publish_code(0);
	fake_publish_one();
	assert_int_equal(reply_wait(&reply), 0);
	serves("/f", "", LEAST * PIECE + 1);
	desk_close(&desk, draft);
	desk_stop(&desk);
}

static void a_conflict_is_one(void **state)
{
	struct draft *draft;

	(void)state;
	desk_start(&desk);
	draft = begun("/f", LEAST);
	(void)fake_put("/f", (const uint8_t *)"another's", 9);
	assert_int_equal(desk_flush(&desk, draft), -EEXIST);
	assert_int_equal(fake_published(), 1);
	desk_served("/f", "another's");
	post_expect_item(&desk, "/src/f", SPOOL_CONFLICT, -EEXIST);
	desk_close(&desk, draft);
	desk_stop(&desk);
}

static void what_failed_before_the_close_is_sent_then(void **state)
{
	struct draft *draft;

	(void)state;
	fake_publish_code(-EHOSTUNREACH);
	fake_publish_grows(false);
	desk_start(&desk);
	draft = begun("/f", LEAST);
	until_answered(0);
	fake_publish_code(0);
	write_pieces(draft, LEAST, LEAST + 1);
	assert_int_equal(desk_flush(&desk, draft), 0);
	serves("/f", "", (LEAST + 1) * PIECE);
	desk_close(&desk, draft);
	desk_stop(&desk);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
	    TEST(it_is_sent_once_while_it_is_written),
	    TEST(a_server_that_must_know_the_length_is_asked_once),
	    TEST(what_is_cut_to_nothing_is_replaced),
	    TEST(what_a_shell_made_is_replaced),
	    TEST(what_has_an_older_begin_is_not_begun),
	    TEST(a_write_in_the_middle_sends_it_anew),
	    TEST(a_write_that_fails_halfway_sends_it_anew),
	    TEST(a_cut_sends_it_anew),
	    TEST(a_time_that_is_set_sends_it_anew),
	    TEST(who_writes_slowly_does_not_keep_a_connection),
	    TEST(what_is_unlinked_ends),
	    TEST(the_end_of_the_mount_ends_it),
	    TEST(a_form_that_is_refused_is_tried_whole),
	    TEST(a_conflict_is_one),
	    TEST(what_failed_before_the_close_is_sent_then),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
