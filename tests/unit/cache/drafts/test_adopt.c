/* SPDX-License-Identifier: Apache-2.0 */
/*
 * tests/unit/cache/drafts/test_adopt.c - what earlier mounts left: each state
 * that the spool knows, whose it is, where it belongs; and a mount that is
 * killed while it looks at it.
 */
#include "tests/unit/cache/drafts/post.h"
#include "tests/unit/cache/spool/kill_shim.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

enum { KILLS_MAX = 400 };

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

/* ---- what is left ---- */

static struct spool_entry *make(const struct spool_wish *wish, const char *text)
{
	struct spool_entry *entry;
	struct err err = ERR_INIT;

	if (spool_create(desk.bed.spool, wish, &entry, &err) < 0)
		fail_msg("%s", err.text);
	if (text != NULL)
		bed_write(entry, 0, text);
	return entry;
}

static const char *being_sent_as; /* NULL: nothing else */

static void leave_text(
    const struct spool_wish *wish, const char *text, enum spool_state state)
{
	struct spool_entry *entry = make(wish, text);
	struct err err = ERR_INIT;
	uint64_t changes;

	if (state != SPOOL_OPEN)
		assert_int_equal(spool_finish(entry, SPOOL_TO_POWER, &err), 0);
	if (state == SPOOL_SENDING || state == SPOOL_SENT)
		assert_int_equal(
		    spool_sending(entry, being_sent_as, &changes, &err), 0);
	if (state == SPOOL_SENT)
		assert_int_equal(
		    spool_sent(entry, changes,
		        &(struct spool_version){.exists = true}, &err),
		    1);
	if (state == SPOOL_FAILED || state == SPOOL_CONFLICT ||
	    state == SPOOL_ASIDE)
		assert_int_equal(
		    spool_stop(entry, state, -EACCES, "as it was", &err), 0);
	assert_int_equal(spool_attr(entry).state, state);
	spool_release(entry);
}

/* A file with its path as its text, in a state. */
static void leave_as(const struct spool_wish *wish, enum spool_state state)
{
	leave_text(wish, wish->path, state);
}

static void leave_file(const char *path, enum spool_state state)
{
	const struct spool_wish wish = bed_wish(path);

	leave_as(&wish, state);
}

static void leave_all(void)
{
	struct spool_wish wish;

	leave_file("/src/open", SPOOL_OPEN);
	leave_file("/src/closed", SPOOL_CLOSED);
	leave_file("/src/sending", SPOOL_SENDING);
	leave_file("/src/sent", SPOOL_SENT);
	leave_file("/src/failed", SPOOL_FAILED);
	leave_file("/src/conflict", SPOOL_CONFLICT);
	leave_file("/src/aside", SPOOL_ASIDE);
	leave_file("/src/d/deep", SPOOL_CLOSED);
	/* Not ours. */
	leave_file("/srcery", SPOOL_CLOSED);
	leave_file("/other/file", SPOOL_CLOSED);
	wish = bed_wish("/src/elsewhere");
	wish.origin = "https://other.test";
	leave_as(&wish, SPOOL_CLOSED);
	wish = bed_wish("/src/theirs");
	wish.uid = 4000000000u;
	leave_as(&wish, SPOOL_CLOSED);
	/* No file. */
	wish = bed_wish("/src/.x.bearerfs-1");
	wish.kind = SPOOL_TEMPORARY;
	spool_release(make(&wish, NULL));
	wish = bed_wish("/src/dir");
	wish.kind = SPOOL_MKDIR;
	spool_release(make(&wish, NULL));
}

static const char *const sent[] = {"/closed", "/sending", "/failed", "/d/deep"};
enum { SENT_FILES = sizeof(sent) / sizeof(sent[0]) };

static void expect_all(void)
{
	char path[64];

	for (unsigned i = 0; i < SENT_FILES; i++) {
		(void)snprintf(path, sizeof(path), "/src%s", sent[i]);
		desk_served(sent[i], path);
		post_expect_item(&desk, path, 0, 0);
	}
	post_expect_item(&desk, "/src/open", SPOOL_ASIDE, -EINTR);
	post_expect_item(&desk, "/src/sent", 0, 0);
	post_expect_item(&desk, "/src/conflict", SPOOL_CONFLICT, -EACCES);
	post_expect_item(&desk, "/src/aside", SPOOL_ASIDE, -EACCES);
	post_expect_item(&desk, "/srcery", SPOOL_CLOSED, 0);
	post_expect_item(&desk, "/other/file", SPOOL_CLOSED, 0);
	post_expect_item(&desk, "/src/elsewhere", SPOOL_CLOSED, 0);
	post_expect_item(&desk, "/src/theirs", SPOOL_CLOSED, 0);
	post_expect_item(&desk, "/src/dir", SPOOL_CLOSED, 0);
}

static bool is_gone(void *arg)
{
	struct drafts_count count;

	(void)arg;
	drafts_count(desk.drafts, &count);
	return count.unsent_files == 0;
}

static void each_state_has_its_way(void **state)
{
	(void)state;
	leave_all();
	fake_publish_hold(0);
	desk_start(&desk);
	desk_until_held(SENT_FILES);
	/* Seen as any other, before the server has it. */
	post_expect_unsent(&desk, SENT_FILES,
	    strlen("/src/closed/src/sending/src/failed/src/d/deep"), 0);
	post_describes(&desk, "\"leftovers\":1");
	post_describes(&desk, "{\"path\":\"/d/deep\",\"size_bytes\":11,");
	for (unsigned i = 0; i < SENT_FILES; i++) {
		struct draft *draft =
		    drafts_find(desk.drafts, &desk.ident, sent[i]);
		char path[64];

		assert_non_null(draft);
		(void)snprintf(path, sizeof(path), "/src%s", sent[i]);
		desk_reads(&desk, draft, path);
		draft_put(draft);
		assert_int_equal(fake_call(i).condition, FETCH_IF_ABSENT);
		assert_int_equal(fake_call(i).uid, BED_UID);
	}
	fake_publish_hold(101);
	desk_until(is_gone, NULL);
	post_pass(&desk, 1000);
	post_until(fake_deletes, 1);
	desk_until_quiet(&desk);
	expect_all();
	post_expect_item(&desk, "/src/.x.bearerfs-1", 0, 0);
	assert_int_equal(fake_published(), SENT_FILES);
	desk_stop(&desk);
}

/* Its sender was killed: what is on the server goes, whatever becomes of the
 * file. */
static void what_it_was_being_sent_as_is_removed(void **state)
{
	struct drafts_count count;

	(void)state;
	being_sent_as = "/src/.part";
	leave_file("/src/a", SPOOL_SENDING);
	being_sent_as = NULL;
	fake_publish_hold(0);
	desk_start(&desk);
	drafts_count(desk.drafts, &count);
	assert_int_equal(count.untried, 1);
	desk_until_held(1);
	assert_string_not_equal(fake_call(0).temporary, "/src/.part");
	post_expect_item(&desk, "/src/.part", SPOOL_CLOSED, 0);
	post_pass(&desk, 1000);
	post_until(fake_deletes, 1);
	fake_publish_hold(101);
	desk_until_empty(&desk);
	desk_served("/a", "/src/a");
	drafts_count(desk.drafts, &count);
	assert_int_equal(count.untried, 0);
	desk_stop(&desk);
}

static void they_are_sent_in_order(void **state)
{
	char path[32];

	(void)state;
	for (unsigned i = 0; i < 8; i++) {
		(void)snprintf(path, sizeof(path), "/src/file%u", 7 - i);
		leave_file(path, i % 2 == 0 ? SPOOL_CLOSED : SPOOL_FAILED);
	}
	fake_publish_hold(0);
	desk_start(&desk);
	desk_until_held(8);
	fake_publish_hold(101);
	desk_until_quiet(&desk);
	assert_int_equal(bed_count_all(&desk.bed), 0);
	desk_stop(&desk);
}

/* The later of two of one path is compared with what the first has become. */
static void two_of_one_path_go_one_after_the_other(void **state)
{
	const struct spool_wish wish = bed_wish("/src/a");
	struct draft *draft;

	(void)state;
	leave_file("/src/a", SPOOL_CLOSED);
	leave_text(&wish, "/src/b", SPOOL_CLOSED);
	leave_text(&wish, "/src/c", SPOOL_FAILED);
	fake_publish_hold(0);
	desk_start(&desk);
	desk_until_held(1);
	post_expect_unsent(&desk, 3, 18, 0);
	assert_int_equal(fake_published(), 1);
	fake_publish_hold(101);
	desk_until_quiet(&desk);
	desk_served("/a", "/src/a");
	assert_int_equal(bed_count(&desk.bed, SPOOL_CLOSED), 1);
	assert_int_equal(bed_count(&desk.bed, SPOOL_FAILED), 1);
	post_pass(&desk, 100);
	desk_until_quiet(&desk);
	post_pass(&desk, 100);
	desk_until_quiet(&desk);
	assert_int_equal(bed_count(&desk.bed, SPOOL_CONFLICT), 2);
	assert_int_equal(post_conflicts(&desk), 2);
	draft = drafts_find(desk.drafts, &desk.ident, "/a");
	assert_null(draft);
	desk_stop(&desk);
	/* What is parked at the end stays. */
	leave_file("/src/b", SPOOL_CLOSED);
	leave_file("/src/b", SPOOL_CLOSED);
	fake_publish_reset();
	fake_publish_code(-EBUSY);
	desk_start(&desk);
	desk_until_quiet(&desk);
	desk_stop(&desk);
	assert_int_equal(bed_count(&desk.bed, SPOOL_CLOSED), 1);
	assert_int_equal(bed_count(&desk.bed, SPOOL_FAILED), 1);
}

/* Its sender was killed when the server had it, and nobody here knew. */
static void what_an_earlier_mount_sent_is_no_conflict(void **state)
{
	struct fetch_version version;
	struct spool_wish wish;

	(void)state;
	version = fake_put("/old", "before", 6);
	wish = bed_wish("/src/old");
	wish.base = (struct spool_version){.exists = true,
	    .size_bytes = version.size_bytes,
	    .mtime_s = version.mtime_s,
	    .etag = version.etag};
	leave_as(&wish, SPOOL_SENDING);
	(void)fake_put("/old", "/src/old", 8);
	leave_file("/src/new", SPOOL_SENDING);
	(void)fake_put("/new", "/src/new", 8);
	leave_file("/src/failed", SPOOL_FAILED);
	(void)fake_put("/failed", "/src/failed", 11);
	wish = bed_wish("/src/empty");
	leave_text(&wish, "", SPOOL_CLOSED);
	(void)fake_put("/empty", "", 0);
	desk_start(&desk);
	desk_until_empty(&desk);
	assert_int_equal(post_conflicts(&desk), 0);
	desk_served("/old", "/src/old");
	desk_served("/new", "/src/new");
	desk_served("/empty", "");
	desk_stop(&desk);
	assert_int_equal(bed_count_all(&desk.bed), 0);
}

/* As long, and another; and what nobody may read. */
static void what_only_looks_like_it_is_one(void **state)
{
	(void)state;
	leave_file("/src/same", SPOOL_SENDING);
	(void)fake_put("/same", "/src/samE", 9);
	leave_file("/src/long", SPOOL_SENDING);
	(void)fake_put("/long", "/src/long more", 14);
	desk_start(&desk);
	desk_until_quiet(&desk);
	assert_int_equal(post_conflicts(&desk), 2);
	post_expect_item(&desk, "/src/same", SPOOL_CONFLICT, -EEXIST);
	post_expect_item(&desk, "/src/long", SPOOL_CONFLICT, -EEXIST);
	desk_served("/same", "/src/samE");
	desk_stop(&desk);
}

/* The network went, or the mount, before it could be told. */
static void what_cannot_be_compared_is_tried_again(void **state)
{
	(void)state;
	leave_file("/src/a", SPOOL_SENDING);
	(void)fake_put("/a", "/src/a", 6);
	fake_open_code(-EHOSTUNREACH);
	desk_start(&desk);
	desk_until_quiet(&desk);
	assert_int_equal(post_conflicts(&desk), 0);
	post_expect_item(&desk, "/src/a", SPOOL_FAILED, -EHOSTUNREACH);
	fake_open_code(-EACCES);
	post_pass(&desk, 5000);
	desk_until_quiet(&desk);
	post_expect_item(&desk, "/src/a", SPOOL_CONFLICT, -EEXIST);
	desk_stop(&desk);
}

/* More than is compared at once, the last byte another one. */
static void all_of_a_large_one_is_compared(void **state)
{
	enum { BYTES = 300 * 1024 };
	char *text = malloc(BYTES + 1);
	struct spool_wish wish;

	(void)state;
	assert_non_null(text);
	(void)memset(text, 'x', BYTES);
	text[BYTES] = '\0';
	wish = bed_wish("/src/ours");
	leave_text(&wish, text, SPOOL_SENDING);
	wish = bed_wish("/src/theirs");
	leave_text(&wish, text, SPOOL_SENDING);
	(void)fake_put("/ours", text, BYTES);
	text[BYTES - 1] = 'y';
	(void)fake_put("/theirs", text, BYTES);
	free(text);
	desk_start(&desk);
	desk_until_quiet(&desk);
	post_expect_item(&desk, "/src/ours", 0, 0);
	post_expect_item(&desk, "/src/theirs", SPOOL_CONFLICT, -EEXIST);
	desk_stop(&desk);
}

static void a_base_is_compared_with(void **state)
{
	struct fetch_version version;
	struct spool_wish wish;

	(void)state;
	version = fake_put("/old", "before", 6);
	wish = bed_wish("/src/old");
	wish.base = (struct spool_version){.exists = true,
	    .size_bytes = version.size_bytes,
	    .mtime_s = version.mtime_s,
	    .etag = version.etag};
	leave_as(&wish, SPOOL_CLOSED);
	/* Of this one nothing was known. */
	(void)fake_put("/blind", "before", 6);
	wish = bed_wish("/src/blind");
	wish.base = (struct spool_version){.exists = true, .mtime_s = -1};
	leave_as(&wish, SPOOL_CLOSED);
	desk_start(&desk);
	desk_until_empty(&desk);
	desk_served("/old", "/src/old");
	desk_served("/blind", "/src/blind");
	assert_int_equal(fake_call(0).condition, FETCH_IF_SAME);
	assert_int_equal(fake_call(1).condition, FETCH_IF_SAME);
	desk_stop(&desk);
}

/* Each as theirs, with the tokens that are found for them: also of users whom
 * the system does not know by a name. */
static void a_shared_mount_sends_everybodys(void **state)
{
	struct spool_wish wish;

	(void)state;
	leave_file("/src/mine", SPOOL_CLOSED);
	wish = bed_wish("/src/roots");
	wish.uid = 0;
	leave_as(&wish, SPOOL_CLOSED);
	wish = bed_wish("/src/nobodys");
	wish.uid = 4000000000u;
	leave_as(&wish, SPOOL_CLOSED);
	desk.shared = true;
	desk_start(&desk);
	desk_until(is_gone, NULL);
	desk_until_quiet(&desk);
	desk_served("/mine", "/src/mine");
	desk_served("/roots", "/src/roots");
	desk_served("/nobodys", "/src/nobodys");
	assert_int_equal(bed_count_all(&desk.bed), 0);
	desk_stop(&desk);
}

static void it_can_be_opened_and_changed_before(void **state)
{
	struct draft *draft;

	(void)state;
	leave_file("/src/a", SPOOL_FAILED);
	fake_publish_hold(0);
	desk_start(&desk);
	desk_until_held(1);
	draft = desk_open(&desk, "/a", 0);
	assert_int_equal(desk_append(draft, " and more"), 9);
	assert_true(fake_call(0).cancelled);
	fake_publish_hold(101);
	assert_int_equal(desk_flush(&desk, draft), 0);
	desk_close(&desk, draft);
	desk_until_empty(&desk);
	desk_served("/a", "/src/a and more");
	desk_stop(&desk);
}

/* ---- killed ---- */

/* What looks at the spool, and dies. */
static void die_looking(unsigned nth)
{
	bed_again(&desk.bed);
	fake_publish_hold(0);
	kill_at(nth, nth % 2 == 0);
	desk_start(&desk);
	desk_until_held(SENT_FILES);
	_exit(0);
}

static void killed_at_any_step_nothing_is_lost(void **state)
{
	unsigned nth = 1;
	int status = 0;

	(void)state;
	for (; nth < KILLS_MAX; nth++) {
		pid_t child;

		desk_init(&desk);
		leave_all();
		child = fork();
		assert_true(child >= 0);
		if (child == 0)
			die_looking(nth);
		assert_int_equal(waitpid(child, &status, 0), child);
		assert_true(WIFEXITED(status));
		desk_start(&desk);
		desk_until(is_gone, NULL);
		desk_until_quiet(&desk);
		expect_all();
		desk_stop(&desk);
		fake_publish_reset();
		if (WEXITSTATUS(status) == 0)
			break;
		assert_int_equal(WEXITSTATUS(status), KILL_STATUS);
		desk_fini(&desk);
	}
	/* It has steps, and an end. */
	assert_true(nth > 5 && nth < KILLS_MAX);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
	    TEST(each_state_has_its_way),
	    TEST(what_it_was_being_sent_as_is_removed),
	    TEST(they_are_sent_in_order),
	    TEST(two_of_one_path_go_one_after_the_other),
	    TEST(what_an_earlier_mount_sent_is_no_conflict),
	    TEST(what_only_looks_like_it_is_one),
	    TEST(what_cannot_be_compared_is_tried_again),
	    TEST(all_of_a_large_one_is_compared),
	    TEST(a_base_is_compared_with),
	    TEST(a_shared_mount_sends_everybodys),
	    TEST(it_can_be_opened_and_changed_before),
	    cmocka_unit_test_teardown(
	        killed_at_any_step_nothing_is_lost, teardown),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
