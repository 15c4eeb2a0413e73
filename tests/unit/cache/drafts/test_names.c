/* SPDX-License-Identifier: Apache-2.0 */
/*
 * tests/unit/cache/drafts/test_names.c - mkdir, rmdir, unlink, rename, copies
 * and listings: each answer of the server, early and late, with drafts in each
 * state.
 */
#include "tests/unit/cache/drafts/names_desk.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

static struct desk desk;

static int begin(void **state)
{
	(void)state;
	desk_begin(&desk);
	desk_start(&desk);
	return 0;
}

/* write=back */
static int begin_back(void **state)
{
	(void)state;
	desk_begin(&desk);
	desk.back = true;
	desk_start(&desk);
	return 0;
}

static int begin_shared(void **state)
{
	(void)state;
	desk_begin(&desk);
	desk.shared = true;
	desk_start(&desk);
	return 0;
}

static int end(void **state)
{
	(void)state;
	desk_end(&desk);
	return 0;
}

static void expect_notes(const char *text)
{
	char *notes = tree_notes();

	assert_string_equal(notes, text);
	free(notes);
}

static void forget_notes(void)
{
	free(tree_notes());
}

static const int refusals[] = {-EACCES, -EKEYREJECTED, -EKEYEXPIRED, -ENOKEY,
    -ENOENT, -EBUSY, -EDQUOT, -EINVAL, -ENOTSUP, -EIO, -ETIMEDOUT,
    -EHOSTUNREACH, -ECANCELED, -ENOMEM};

static void directories_are_made_and_removed(void **state)
{
	(void)state;
	assert_int_equal(desk_mkdir(&desk, "/d"), 0);
	desk_served("/d", "/");
	expect_notes("directory /d");
	assert_int_equal(desk_mkdir(&desk, "/d"), -EEXIST);
	expect_notes("doubt /d");
	assert_int_equal(desk_mkdir(&desk, "/"), -EEXIST);
	assert_int_equal(desk_mkdir(&desk, "/none/d"), -ENOENT);
	assert_int_equal(desk_rmdir(&desk, "/"), -EBUSY);
	tree_put("/d/f", "x");
	forget_notes();
	assert_int_equal(desk_rmdir(&desk, "/d"), -ENOTEMPTY);
	expect_notes("doubt /d");
	tree_remove("/d/f");
	assert_int_equal(desk_rmdir(&desk, "/d"), 0);
	expect_notes("gone /d");
	assert_int_equal(desk_rmdir(&desk, "/d"), -ENOENT);
	for (unsigned i = 0; i < ARRAY_COUNT(refusals); i++) {
		tree_refuse(TREE_MKCOL, refusals[i]);
		tree_refuse(TREE_RMDIR, refusals[i]);
		assert_int_equal(desk_mkdir(&desk, "/e"), refusals[i]);
		assert_int_equal(desk_rmdir(&desk, "/e"), refusals[i]);
	}
	assert_int_equal(tree_count(), 0);
}

static void unsent_files_are_in_the_way(void **state)
{
	struct draft *draft;

	(void)state;
	tree_put("/d", NULL);
	draft = desk_open(&desk, "/d/f", 0);
	assert_int_equal(desk_rmdir(&desk, "/d"), -ENOTEMPTY);
	assert_int_equal(desk_rmdir(&desk, "/d/f"), -ENOTDIR);
	assert_int_equal(desk_mkdir(&desk, "/d"), -EEXIST);
	assert_int_equal(desk_mkdir(&desk, "/d/f"), -EEXIST);
	assert_int_equal(tree_asked(TREE_RMDIR) + tree_asked(TREE_MKCOL), 0);
	assert_int_equal(desk_unlink(&desk, "/d/f"), 0);
	assert_int_equal(desk_rmdir(&desk, "/d"), 0);
	desk_close(&desk, draft);
	desk_until_empty(&desk);
}

static void a_file_is_removed_on_the_server(void **state)
{
	struct draft *draft;

	(void)state;
	tree_put("/f", "old");
	assert_int_equal(desk_unlink(&desk, "/f"), 0);
	desk_served("/f", NULL);
	expect_notes("gone /f");
	assert_int_equal(desk_unlink(&desk, "/f"), -ENOENT);
	assert_int_equal(desk_unlink(&desk, "/"), -EISDIR);
	/* One that is open, and changed: it is read to the end. */
	tree_put("/g", "abcdef");
	draft = desk_open(&desk, "/g", 0);
	desk_write(draft, 1, "XY");
	for (unsigned i = 0; i < ARRAY_COUNT(refusals); i++) {
		if (refusals[i] == -ENOENT)
			continue;
		tree_refuse(TREE_DELETE, refusals[i]);
		assert_int_equal(desk_unlink(&desk, "/g"), refusals[i]);
		assert_true(desk_has(&desk, "/g"));
		desk_served("/g", "abcdef");
	}
	/* Somebody was quicker. */
	tree_refuse(TREE_DELETE, -ENOENT);
	assert_int_equal(desk_unlink(&desk, "/g"), 0);
	assert_false(desk_has(&desk, "/g"));
	desk_reads(&desk, draft, "aXYdef");
	desk_write(draft, 0, "Z");
	assert_int_equal(desk_flush(&desk, draft), 0);
	desk_reads(&desk, draft, "ZXYdef");
	assert_int_equal(tree_asked(TREE_PUBLISH), 0);
	desk_close(&desk, draft);
	desk_until_empty(&desk);
}

static void what_no_server_has_is_removed_here(void **state)
{
	struct draft *draft;

	(void)state;
	/* Sent behind our back, and held up: it gives way. */
	tree_hold(true);
	desk_file(&desk, "/f", "text");
	desk_until_waiting(1);
	assert_int_equal(bed_count_all(&desk.bed), 1);
	tree_refuse(TREE_PUBLISH, -EIO);
	tree_hold(false);
	(void)desk_unlink(&desk, "/f");
	tree_refuse(TREE_PUBLISH, 0);
	desk_until_empty(&desk);
	desk_served("/f", NULL);
	/* One that is read still. */
	draft = desk_open(&desk, "/g", 0);
	desk_write(draft, 0, "text");
	assert_int_equal(desk_unlink(&desk, "/g"), 0);
	assert_int_equal(desk_state(&desk, "/src/g", NULL), SPOOL_OPEN);
	desk_reads(&desk, draft, "text");
	desk_close(&desk, draft);
	desk_until_empty(&desk);
	/* One that was closed, and is not sent by the next mount. */
	tree_refuse(TREE_PUBLISH, -EACCES);
	desk_file(&desk, "/h", "text");
	while (bed_count(&desk.bed, SPOOL_FAILED) == 0)
		;
	draft = drafts_find(desk.drafts, &desk.ident, "/h");
	assert_non_null(draft);
	assert_int_equal(desk_unlink(&desk, "/h"), 0);
	assert_int_equal(bed_count(&desk.bed, SPOOL_OPEN), 1);
	desk_reads(&desk, draft, "text");
	draft_put(draft);
	desk_until_empty(&desk);
}

static void a_file_is_renamed_on_the_server(void **state)
{
	struct draft *draft;

	(void)state;
	tree_put("/a", "abc");
	tree_put("/b", "other");
	tree_put("/d", NULL);
	assert_int_equal(desk_rename(&desk, "/a", "/c"), 0);
	expect_notes("moved /a /c");
	desk_served("/a", NULL);
	desk_served("/c", "abc");
	assert_int_equal(desk_rename(&desk, "/c", "/b"), 0);
	desk_served("/b", "abc");
	assert_int_equal(desk_rename(&desk, "/none", "/b"), -ENOENT);
	assert_int_equal(desk_rename(&desk, "/b", "/d"), -EISDIR);
	assert_int_equal(desk_rename(&desk, "/d", "/b"), -ENOTDIR);
	assert_int_equal(desk_rename(&desk, "/d", "/d/e"), -EINVAL);
	assert_int_equal(desk_rename(&desk, "/d", "/"), -EBUSY);
	assert_int_equal(desk_rename(&desk, "/", "/d"), -EBUSY);
	assert_int_equal(desk_rename(&desk, "/b", "/b"), 0);
	/* With a draft that is open: it follows, and reads its base there. */
	draft = desk_open(&desk, "/b", 0);
	desk_write(draft, 1, "X");
	assert_int_equal(desk_rename(&desk, "/b", "/d/b"), 0);
	assert_false(desk_has(&desk, "/b"));
	assert_true(desk_has(&desk, "/d/b"));
	desk_served("/d/b", "abc");
	assert_int_equal(desk_state(&desk, "/src/d/b", NULL), SPOOL_OPEN);
	desk_reads(&desk, draft, "aXc");
	assert_int_equal(desk_flush(&desk, draft), 0);
	desk_served("/d/b", "aXc");
	assert_int_equal(desk_rename(&desk, "/d/b", "/e"), 0);
	desk_write(draft, 0, "Y");
	desk_reads(&desk, draft, "YXc");
	assert_int_equal(desk_flush(&desk, draft), 0);
	desk_served("/e", "YXc");
	desk_close(&desk, draft);
	desk_until_empty(&desk);
}

static void a_refused_rename_changes_nothing(void **state)
{
	struct draft *from;
	struct draft *to;

	(void)state;
	tree_put("/a", "abc");
	tree_put("/b", "other");
	from = desk_open(&desk, "/a", 0);
	desk_write(from, 0, "A");
	to = desk_open(&desk, "/b", 0);
	desk_write(to, 0, "O");
	for (unsigned i = 0; i < ARRAY_COUNT(refusals); i++) {
		tree_refuse(TREE_MOVE, refusals[i]);
		forget_notes();
		assert_int_equal(desk_rename(&desk, "/a", "/b"), refusals[i]);
		expect_notes("doubt /a, doubt /b");
		assert_true(desk_has(&desk, "/a"));
		assert_true(desk_has(&desk, "/b"));
		assert_int_equal(desk_state(&desk, "/src/a", NULL), SPOOL_OPEN);
	}
	tree_refuse(TREE_MOVE, 0);
	/* The one that is replaced is read to its end, and never sent. */
	assert_int_equal(desk_rename(&desk, "/a", "/b"), 0);
	desk_reads(&desk, from, "Abc");
	desk_write(to, 1, "!");
	assert_int_equal(desk_flush(&desk, to), 0);
	desk_served("/b", "abc");
	assert_int_equal(desk_flush(&desk, from), 0);
	desk_served("/b", "Abc");
	desk_close(&desk, to);
	desk_close(&desk, from);
	desk_until_empty(&desk);
	desk_served("/b", "Abc");
	desk_served("/a", NULL);
}

static void nothing_is_replaced_that_is_not_to_be(void **state)
{
	struct reply reply;
	struct draft *draft;

	(void)state;
	tree_put("/a", "abc");
	draft = desk_open(&desk, "/b", 0);
	reply_init(&reply);
	drafts_rename(
	    desk.drafts, &desk.ident, "/a", "/b", false, reply_code, &reply);
	assert_int_equal(reply_wait(&reply), -EEXIST);
	reply_init(&reply);
	drafts_rename(
	    desk.drafts, &desk.ident, "/b", "/a", false, reply_code, &reply);
	assert_int_equal(reply_wait(&reply), -EEXIST);
	reply_init(&reply);
	drafts_rename(
	    desk.drafts, &desk.ident, "/b", "/c", false, reply_code, &reply);
	assert_int_equal(reply_wait(&reply), 0);
	assert_int_equal(tree_asked(TREE_MOVE), 0);
	desk_close(&desk, draft);
	desk_until_empty(&desk);
	desk_served("/c", "");
}

static void what_no_server_has_is_renamed_here(void **state)
{
	struct draft *draft;
	struct draft *old;
	bool exists;

	(void)state;
	draft = desk_open(&desk, "/a", 0);
	desk_write(draft, 0, "new");
	assert_int_equal(desk_rename(&desk, "/a", "/b"), 0);
	assert_int_equal(desk_state(&desk, "/src/b", NULL), SPOOL_OPEN);
	/* Over one that the server has: that is replaced when it is sent. */
	tree_put("/c", "old");
	assert_int_equal(desk_rename(&desk, "/b", "/c"), 0);
	desk_served("/c", "old");
	(void)desk_state(&desk, "/src/c", &exists);
	assert_true(exists);
	assert_int_equal(desk_flush(&desk, draft), 0);
	desk_served("/c", "new");
	desk_close(&desk, draft);
	desk_until_empty(&desk);
	/* Over one that is written: it goes. */
	old = desk_open(&desk, "/c", 0);
	desk_write(old, 0, "N");
	draft = desk_open(&desk, "/d", 0);
	desk_write(draft, 0, "newer");
	assert_int_equal(desk_rename(&desk, "/d", "/c"), 0);
	desk_reads(&desk, old, "New");
	assert_int_equal(desk_flush(&desk, old), 0);
	assert_int_equal(desk_flush(&desk, draft), 0);
	desk_served("/c", "newer");
	desk_close(&desk, old);
	desk_close(&desk, draft);
	/* Over one that no server has either. */
	old = desk_open(&desk, "/x", 0);
	desk_write(old, 0, "x");
	desk_close(&desk, desk_open(&desk, "/y", 0));
	desk_until_waiting(0);
	draft = desk_open(&desk, "/z", 0);
	desk_write(draft, 0, "z");
	assert_int_equal(desk_rename(&desk, "/z", "/x"), 0);
	assert_int_equal(desk_flush(&desk, draft), 0);
	desk_served("/x", "z");
	desk_close(&desk, draft);
	desk_close(&desk, old);
	desk_until_empty(&desk);
	assert_int_equal(tree_asked(TREE_MOVE), 0);
	/* Somebody has changed meanwhile what was there: it is kept. */
	draft = desk_open(&desk, "/n", 0);
	desk_write(draft, 0, "ours");
	assert_int_equal(desk_rename(&desk, "/n", "/x"), 0);
	tree_put("/x", "theirs");
	assert_int_equal(desk_flush(&desk, draft), -ESTALE);
	desk_served("/x", "theirs");
	assert_int_equal(bed_count(&desk.bed, SPOOL_CONFLICT), 1);
	desk_close(&desk, draft);
}

/* The server has what it replaces, and nobody here heard of it. */
static void what_replaces_a_lost_one_knows_of_it(void **state)
{
	struct draft *lost;
	struct draft *draft;

	(void)state;
	for (unsigned old = 0; old < 2; old++) {
		/* New at first, and then an old one. */
		lost = desk_open(&desk, "/f", DRAFTS_OPEN_TRUNCATE);
		desk_write(lost, 0, "lost");
		tree_refuse(TREE_PUBLISH, -ETIMEDOUT);
		assert_int_equal(desk_flush(&desk, lost), -ETIMEDOUT);
		tree_put("/f", "lost");
		tree_refuse(TREE_PUBLISH, 0);
		draft = desk_open(&desk, "/new", 0);
		desk_write(draft, 0, "newer");
		assert_int_equal(desk_rename(&desk, "/new", "/f"), 0);
		desk_close(&desk, lost);
		assert_int_equal(desk_flush(&desk, draft), 0);
		desk_served("/f", "newer");
		desk_close(&desk, draft);
		desk_until_empty(&desk);
	}
	assert_int_equal(tree_asked(TREE_MOVE), 0);
}

/* The server has it under its first name, since the answer was lost, and what
 * came after told nothing of that: nothing is left there. */
static void what_a_lost_try_put_there_moves_or_goes(void **state)
{
	struct draft *draft;

	(void)state;
	for (unsigned unlinked = 0; unlinked < 2; unlinked++) {
		draft = desk_open(&desk, "/f", 0);
		desk_write(draft, 0, "text");
		tree_refuse(TREE_PUBLISH, -ETIMEDOUT);
		assert_int_equal(desk_flush(&desk, draft), -ETIMEDOUT);
		tree_refuse(TREE_PUBLISH, -EHOSTUNREACH);
		assert_int_equal(desk_flush(&desk, draft), -EHOSTUNREACH);
		tree_put("/f", "text");
		tree_refuse(TREE_PUBLISH, 0);
		if (unlinked == 0)
			assert_int_equal(desk_rename(&desk, "/f", "/g"), 0);
		else
			assert_int_equal(desk_unlink(&desk, "/f"), 0);
		assert_int_equal(desk_flush(&desk, draft), 0);
		desk_close(&desk, draft);
		desk_until_empty(&desk);
		desk_served("/g", "text");
		desk_served("/f", NULL);
	}
}

/* Nor does the next mount know how the tries of the one before it ended. */
static void what_an_earlier_mount_sent_moves_too(void **state)
{
	struct draft *draft;
	int code;

	(void)state;
	draft = desk_open(&desk, "/f", 0);
	desk_write(draft, 0, "text");
	tree_refuse(TREE_PUBLISH, -EDQUOT);
	assert_int_equal(desk_flush(&desk, draft), -EDQUOT);
	desk_close(&desk, draft);
	drafts_stop(desk.drafts);
	drafts_free(desk.drafts);
	tree_put("/f", "text");
	desk_start(&desk);
	while (tree_asked(TREE_PUBLISH) < 2)
		;
	tree_refuse(TREE_PUBLISH, 0);
	/* One was refused just now, perhaps. */
	do
		code = desk_rename(&desk, "/f", "/g");
	while (code == -EDQUOT);
	assert_int_equal(code, 0);
	desk_until_empty(&desk);
	desk_served("/g", "text");
	desk_served("/f", NULL);
}

/* Over one that was written here, and whose draft ends meanwhile: what the
 * server has of it is known still. */
static void what_ends_meanwhile_is_known_still(void **state)
{
	struct draft *draft;
	struct draft *old;
	struct reply reply;
	char *notes;

	(void)state;
	old = desk_open(&desk, "/b", 0);
	desk_write(old, 0, "old");
	assert_int_equal(desk_flush(&desk, old), 0);
	assert_int_equal(desk_send_all(&desk), 0);
	desk_served("/b", "old");
	/* The rename waits for a try that fails. */
	tree_hold(true);
	draft = desk_open(&desk, "/a", 0);
	desk_write(draft, 0, "new");
	assert_int_equal(desk_flush(&desk, draft), 0);
	desk_until_waiting(1);
	reply_init(&reply);
	drafts_rename(
	    desk.drafts, &desk.ident, "/a", "/b", true, reply_code, &reply);
	desk_close(&desk, old);
	while (desk_has(&desk, "/b"))
		;
	assert_false(reply_is_here(&reply));
	forget_notes();
	tree_refuse(TREE_PUBLISH, -EACCES);
	tree_hold(false);
	assert_int_equal(reply_wait(&reply), 0);
	assert_true(desk_has(&desk, "/b"));
	desk_served("/b", "old");
	tree_refuse(TREE_PUBLISH, 0);
	(void)desk_send_all(&desk); /* one was refused just now, perhaps */
	assert_int_equal(desk_send_all(&desk), 0);
	desk_served("/b", "new");
	desk_close(&desk, draft);
	desk_until_empty(&desk);
	notes = tree_notes();
	assert_null(strstr(notes, "doubt"));
	free(notes);
}

static void a_directory_is_renamed_with_all_below(void **state)
{
	struct draft *made;
	struct draft *changed;
	char *notes;

	(void)state;
	tree_put("/d", NULL);
	tree_put("/d/e", NULL);
	tree_put("/d/e/f", "abcdef");
	made = desk_open(&desk, "/d/e/new", 0);
	desk_write(made, 0, "new");
	changed = desk_open(&desk, "/d/e/f", 0);
	desk_write(changed, 2, "X");
	assert_int_equal(desk_rename(&desk, "/d", "/g"), 0);
	notes = tree_notes();
	assert_non_null(strstr(notes, "moved /d /g"));
	free(notes);
	desk_served("/g/e/f", "abcdef");
	desk_served("/d", NULL);
	assert_int_equal(desk_state(&desk, "/src/g/e/new", NULL), SPOOL_OPEN);
	assert_int_equal(desk_state(&desk, "/src/g/e/f", NULL), SPOOL_OPEN);
	desk_reads(&desk, changed, "abXdef");
	assert_int_equal(desk_flush(&desk, changed), 0);
	assert_int_equal(desk_flush(&desk, made), 0);
	desk_served("/g/e/f", "abXdef");
	desk_served("/g/e/new", "new");
	desk_close(&desk, changed);
	desk_close(&desk, made);
	desk_until_empty(&desk);
}

static void an_empty_directory_is_replaced(void **state)
{
	struct draft *draft;

	(void)state;
	tree_put("/d", NULL);
	tree_put("/d/f", "x");
	tree_put("/e", NULL);
	assert_int_equal(desk_rename(&desk, "/d", "/e"), 0);
	desk_served("/e/f", "x");
	desk_served("/d", NULL);
	expect_notes("gone /e, moved /d /e");
	/* One that is not. */
	tree_put("/d", NULL);
	assert_int_equal(desk_rename(&desk, "/d", "/e"), -ENOTEMPTY);
	/* One in which there is only what nobody has sent. */
	tree_put("/g", NULL);
	draft = desk_open(&desk, "/g/new", 0);
	assert_int_equal(desk_rename(&desk, "/d", "/g"), -ENOTEMPTY);
	assert_int_equal(desk_unlink(&desk, "/g/new"), 0);
	desk_close(&desk, draft);
	/* It is there again when the server refuses. */
	tree_refuse(TREE_MOVE, -EACCES);
	forget_notes();
	assert_int_equal(desk_rename(&desk, "/d", "/g"), -EACCES);
	desk_served("/d", "/");
	desk_served("/g", "/");
	expect_notes("gone /g, doubt /d, doubt /g");
	tree_refuse(TREE_MOVE, 0);
	tree_refuse(TREE_RMDIR, -EBUSY);
	assert_int_equal(desk_rename(&desk, "/d", "/g"), -EBUSY);
	desk_served("/g", "/");
	tree_refuse(TREE_RMDIR, 0);
	assert_int_equal(desk_rename(&desk, "/d", "/g"), 0);
}

static bool is_file_closed(void *arg)
{
	(void)arg;
	return bed_count(&desk.bed, SPOOL_SENDING) == 1;
}

static void what_is_unsent_is_sent_before(void **state)
{
	struct reply reply;

	(void)state;
	tree_put("/d", NULL);
	tree_put("/d/f", "old");
	tree_hold(true);
	desk_file(&desk, "/d/f", "newer");
	reply_init(&reply);
	drafts_rename(
	    desk.drafts, &desk.ident, "/d", "/e", true, reply_code, &reply);
	desk_until(is_file_closed, NULL);
	assert_int_equal(tree_asked(TREE_MOVE), 0);
	tree_hold(false);
	assert_int_equal(reply_wait(&reply), 0);
	desk_served("/e/f", "newer");
	assert_int_equal(tree_asked(TREE_PUBLISH), 1);
	desk_until_empty(&desk);
	/* When that fails, nothing moves. */
	tree_refuse(TREE_PUBLISH, -EDQUOT);
	desk_file(&desk, "/e/f", "newest");
	assert_int_equal(desk_rename(&desk, "/e", "/d"), -EDQUOT);
	assert_int_equal(desk_rename(&desk, "/e/f", "/e/g"), -EDQUOT);
	desk_served("/e/f", "newer");
	assert_int_equal(tree_asked(TREE_MOVE), 1);
	tree_refuse(TREE_PUBLISH, 0);
	assert_int_equal(desk_rename(&desk, "/e/f", "/e/g"), 0);
	desk_served("/e/g", "newest");
	desk_until_empty(&desk);
}

static void what_is_being_sent_is_waited_for(void **state)
{
	struct reply reply;

	(void)state;
	tree_hold(true);
	desk_file(&desk, "/f", "text");
	desk_until_waiting(1);
	reply_init(&reply);
	drafts_rename(
	    desk.drafts, &desk.ident, "/f", "/g", true, reply_code, &reply);
	assert_false(reply_is_here(&reply));
	tree_hold(false);
	assert_int_equal(reply_wait(&reply), 0);
	desk_served("/g", "text");
	desk_served("/f", NULL);
	desk_until_empty(&desk);
	assert_int_equal(tree_asked(TREE_PUBLISH), 1);
	assert_int_equal(tree_asked(TREE_MOVE), 1);
	/* It could not be sent: it is renamed here, and sent under that name. */
	tree_hold(true);
	desk_file(&desk, "/f", "text");
	desk_until_waiting(1);
	tree_refuse(TREE_PUBLISH, -EACCES);
	reply_init(&reply);
	drafts_rename(
	    desk.drafts, &desk.ident, "/f", "/h", true, reply_code, &reply);
	tree_hold(false);
	assert_int_equal(reply_wait(&reply), 0);
	assert_int_equal(tree_asked(TREE_MOVE), 1);
	tree_refuse(TREE_PUBLISH, 0);
	(void)desk_send_all(&desk); /* one was refused just now, perhaps */
	assert_int_equal(desk_send_all(&desk), 0);
	desk_served("/h", "text");
	desk_served("/f", NULL);
	desk_until_empty(&desk);
}

static void changes_that_meet_come_one_after_the_other(void **state)
{
	struct reply replies[6];

	(void)state;
	tree_put("/a", NULL);
	tree_put("/a/f", "f");
	tree_put("/b", NULL);
	tree_hold(true);
	tree_late(true);
	for (unsigned i = 0; i < ARRAY_COUNT(replies); i++)
		reply_init(&replies[i]);
	drafts_rename(desk.drafts, &desk.ident, "/a", "/c", true, reply_code,
	    &replies[0]);
	drafts_rename(desk.drafts, &desk.ident, "/c", "/a", true, reply_code,
	    &replies[1]);
	drafts_rename(desk.drafts, &desk.ident, "/a/f", "/b/f", true,
	    reply_code, &replies[2]);
	drafts_rename(desk.drafts, &desk.ident, "/b", "/a/b", true, reply_code,
	    &replies[3]);
	drafts_unlink(
	    desk.drafts, &desk.ident, "/a/b/f", reply_code, &replies[4]);
	/* Elsewhere nobody waits for them. */
	drafts_mkdir(desk.drafts, &desk.ident, "/x", reply_code, &replies[5]);
	desk_until_waiting(2);
	tree_hold(false);
	for (unsigned i = 0; i < ARRAY_COUNT(replies); i++)
		assert_int_equal(reply_wait(&replies[i]), 0);
	desk_served("/a/b", "/");
	assert_int_equal(tree_count(), 3);
}

static void at_the_end_all_are_answered(void **state)
{
	struct reply replies[4];

	(void)state;
	desk_begin(&desk);
	desk.back = true;
	desk_start(&desk);
	tree_put("/a", NULL);
	tree_hold(true);
	desk_file(&desk, "/a/f", "text");
	for (unsigned i = 0; i < ARRAY_COUNT(replies); i++)
		reply_init(&replies[i]);
	drafts_rename(desk.drafts, &desk.ident, "/a", "/c", true, reply_code,
	    &replies[0]);
	drafts_unlink(
	    desk.drafts, &desk.ident, "/a/g", reply_code, &replies[1]);
	drafts_mkdir(desk.drafts, &desk.ident, "/x", reply_code, &replies[2]);
	tree_end();
	drafts_stop(desk.drafts);
	for (unsigned i = 0; i < 3; i++)
		assert_int_equal(reply_wait(&replies[i]), -ECANCELED);
	drafts_rmdir(desk.drafts, &desk.ident, "/x", reply_code, &replies[3]);
	assert_int_equal(reply_wait(&replies[3]), -ECANCELED);
	drafts_free(desk.drafts);
	bed_again(&desk.bed);
	assert_int_equal(desk_state(&desk, "/src/a/f", NULL), SPOOL_CLOSED);
	bed_fini(&desk.bed);
}

static void another_users_files_stay_theirs(void **state)
{
	struct ident other = {.uid = BED_UID + 1, .gid = BED_UID + 1};
	struct ident self = desk.ident;
	struct draft *theirs;
	struct draft *made;

	(void)state;
	tree_put("/f", "abc");
	desk.ident = other;
	theirs = desk_open(&desk, "/f", 0);
	desk_write(theirs, 0, "T");
	made = desk_open(&desk, "/g", 0);
	desk_write(made, 0, "made");
	desk.ident = self;
	/* Nobody else sees what is made; what is written follows its file. */
	assert_int_equal(desk_mkdir(&desk, "/g"), 0);
	assert_int_equal(desk_rmdir(&desk, "/g"), 0);
	assert_int_equal(desk_rename(&desk, "/f", "/h"), 0);
	assert_int_equal(desk_rename(&desk, "/g", "/i"), -ENOENT);
	desk.ident = other;
	assert_true(desk_has(&desk, "/h"));
	assert_true(desk_has(&desk, "/g"));
	assert_int_equal(desk_flush(&desk, theirs), 0);
	desk_served("/h", "Tbc");
	assert_int_equal(desk_flush(&desk, made), 0);
	desk_served("/g", "made");
	desk_close(&desk, theirs);
	desk_close(&desk, made);
	desk.ident = self;
	desk_until_empty(&desk);
}

static int64_t copy(const char *from, struct draft *to)
{
	struct reply reply;

	reply_init(&reply);
	drafts_copy(desk.drafts, &desk.ident, from, to, reply_copied, &reply);
	(void)reply_wait(&reply);
	return reply.code;
}

static void a_whole_file_is_copied_by_the_server(void **state)
{
	struct draft *draft;

	(void)state;
	tree_put("/a", "abcdef");
	draft = desk_open(&desk, "/b", 0);
	assert_int_equal(copy("/a", draft), 6);
	desk_served("/b", "abcdef");
	desk_reads(&desk, draft, "abcdef");
	assert_int_equal(desk_flush(&desk, draft), 0);
	assert_int_equal(tree_asked(TREE_PUBLISH), 0);
	desk_write(draft, 1, "X");
	assert_int_equal(copy("/a", draft), -EXDEV);
	assert_int_equal(desk_flush(&desk, draft), 0);
	desk_served("/b", "aXcdef");
	desk_close(&desk, draft);
	desk_until_empty(&desk);
	/* By hand: unsent, written to, nothing there, not empty, not able. */
	draft = desk_open(&desk, "/c", 0);
	assert_int_equal(copy("/none", draft), -EXDEV);
	assert_int_equal(copy("/c", draft), -EXDEV);
	tree_refuse(TREE_COPY, -ENOTSUP);
	assert_int_equal(copy("/a", draft), -EXDEV);
	tree_refuse(TREE_COPY, -ETIMEDOUT);
	assert_int_equal(copy("/a", draft), -ETIMEDOUT);
	tree_refuse(TREE_COPY, 0);
	tree_put("/c", "theirs");
	assert_int_equal(copy("/a", draft), -EXDEV);
	tree_remove("/c");
	desk_write(draft, 0, "x");
	assert_int_equal(copy("/a", draft), -EXDEV);
	desk_close(&desk, draft);
	desk_until_empty(&desk);
	draft = desk_open(&desk, "/a", 0);
	assert_int_equal(copy("/b", draft), -EXDEV);
	desk_close(&desk, draft);
	desk_until_empty(&desk);
}

static void listings_have_what_is_written(void **state)
{
	struct cache_listing *listing = calloc(1, 64);
	struct draft *made;
	struct draft *deep;
	char *notes;

	(void)state;
	assert_non_null(listing);
	tree_put("/d", NULL);
	tree_put("/d/e", NULL);
	assert_ptr_equal(
	    drafts_list(desk.drafts, &desk.ident, "/d", listing), listing);
	made = desk_open(&desk, "/d/f", 0);
	desk_write(made, 0, "12345");
	deep = desk_open(&desk, "/d/e/g", 0);
	forget_notes();
	listing = drafts_list(desk.drafts, &desk.ident, "/d", listing);
	assert_non_null(listing);
	notes = tree_notes();
	assert_string_equal(notes, "over f 5");
	free(notes);
	cache_listing_put(listing);
	listing = calloc(1, 64);
	assert_ptr_equal(
	    drafts_list(desk.drafts, &desk.ident, "/", listing), listing);
	assert_int_equal(desk_unlink(&desk, "/d/f"), 0);
	assert_ptr_equal(
	    drafts_list(desk.drafts, &desk.ident, "/d", listing), listing);
	cache_listing_put(listing);
	desk_close(&desk, made);
	desk_close(&desk, deep);
	desk_until_empty(&desk);
}

static bool is_idle(void *arg)
{
	struct drafts *drafts = arg;
	bool idle;

	drafts_lock_enter(drafts);
	idle = drafts->busy == 0;
	drafts_lock_leave(drafts);
	return idle;
}

/* The cache has listed before, and it is put over that after. */
static void listings_have_what_was_sent_meanwhile(void **state)
{
	struct cache_listing *listing = calloc(1, 64);
	struct drafts_held *held = NULL;
	struct draft *made;
	char *notes;

	(void)state;
	assert_non_null(listing);
	tree_put("/d", NULL);
	made = desk_open(&desk, "/d/f", 0);
	desk_write(made, 0, "12345");
	assert_int_equal(
	    drafts_hold_listed(desk.drafts, &desk.ident, "/d", &held), 0);
	assert_int_equal(desk_flush(&desk, made), 0);
	desk_close(&desk, made);
	desk_until(is_idle, desk.drafts);
	desk_served("/d/f", "12345");
	forget_notes();
	listing = drafts_list(desk.drafts, &desk.ident, "/d", listing);
	assert_non_null(listing);
	notes = tree_notes();
	assert_string_equal(notes, "over f 5");
	free(notes);
	cache_listing_put(listing);
	drafts_held_put(held);
	desk_until_empty(&desk);
	assert_int_equal(
	    drafts_hold_listed(desk.drafts, &desk.ident, "/d", &held), 0);
	assert_null(held);
}

#define TEST(name, begin) cmocka_unit_test_setup_teardown(name, begin, end)

int main(void)
{
	const struct CMUnitTest tests[] = {
	    TEST(directories_are_made_and_removed, begin),
	    TEST(unsent_files_are_in_the_way, begin),
	    TEST(a_file_is_removed_on_the_server, begin),
	    TEST(what_no_server_has_is_removed_here, begin_back),
	    TEST(a_file_is_renamed_on_the_server, begin),
	    TEST(a_refused_rename_changes_nothing, begin),
	    TEST(nothing_is_replaced_that_is_not_to_be, begin),
	    TEST(what_no_server_has_is_renamed_here, begin),
	    TEST(what_a_lost_try_put_there_moves_or_goes, begin),
	    TEST(what_an_earlier_mount_sent_moves_too, begin),
	    TEST(what_replaces_a_lost_one_knows_of_it, begin),
	    TEST(what_ends_meanwhile_is_known_still, begin_back),
	    TEST(a_directory_is_renamed_with_all_below, begin),
	    TEST(an_empty_directory_is_replaced, begin),
	    TEST(what_is_unsent_is_sent_before, begin_back),
	    TEST(what_is_being_sent_is_waited_for, begin_back),
	    TEST(changes_that_meet_come_one_after_the_other, begin),
	    cmocka_unit_test(at_the_end_all_are_answered),
	    TEST(another_users_files_stay_theirs, begin_shared),
	    TEST(a_whole_file_is_copied_by_the_server, begin),
	    TEST(listings_have_what_is_written, begin),
	    TEST(listings_have_what_was_sent_meanwhile, begin),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
