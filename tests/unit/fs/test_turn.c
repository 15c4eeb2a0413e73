/* SPDX-License-Identifier: Apache-2.0 */
/*
 * tests/unit/fs/test_turn.c - opens, and names that are taken away while the
 * server is asked: each goes by the path that its node has then.
 */
#include "tests/unit/fs/fake_cache.h"
#include "tests/unit/fs/fake_drafts.h"
#include "tests/unit/fs/kernel.h"

#include <errno.h>
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <string.h>

#include <cmocka.h>

static struct kernel kernel;

static int start(void **state)
{
	(void)state;
	kernel_start_writable(&kernel);
	fake_put(kernel.cache, "/f", 1000, 7, 10000);
	fake_put(kernel.cache, "/g", 10, 8, 10000);
	fake_put(kernel.cache, "/d", -1, 1, 10000);
	fake_put(kernel.cache, "/d/x", 20, 9, 10000);
	return 0;
}

static int stop(void **state)
{
	(void)state;
	kernel_stop(&kernel);
	return 0;
}

static int error_of(uint64_t unique)
{
	return kernel_reply(&kernel, unique)->error;
}

static uint64_t node_of(const char *name)
{
	struct fuse_entry_out entry;

	assert_int_equal(do_lookup(&kernel, FUSE_ROOT_ID, name, &entry), 0);
	return entry.nodeid;
}

static bool is_there(const char *name)
{
	struct fuse_entry_out entry;

	return do_lookup(&kernel, FUSE_ROOT_ID, name, &entry) == 0 &&
	    entry.nodeid != 0;
}

/* The first is asked and not answered, the second has to wait for it. */
static void expect_order(uint64_t first, uint64_t second)
{
	fake_drafts_await_held(kernel.drafts, 1);
	kernel_sync(&kernel);
	assert_int_equal(fake_drafts_calls(kernel.drafts), 1);
	assert_false(kernel_is_answered(&kernel, second));
	fake_drafts_hold(kernel.drafts, false);
	fake_drafts_answer(kernel.drafts, 0);
	assert_int_equal(error_of(first), 0);
}

static uint64_t handle_of(uint64_t unique)
{
	struct fuse_open_out out;

	assert_int_equal(error_of(unique), 0);
	memcpy(&out, kernel_reply(&kernel, unique)->bytes, sizeof(out));
	return out.fh;
}

static void a_rename_waits_for_who_opens(void **state)
{
	uint64_t node = node_of("f");
	uint64_t open;
	uint64_t rename;

	(void)state;
	fake_drafts_hold(kernel.drafts, true);
	open = send_open(&kernel, node, O_WRONLY | O_TRUNC);
	rename = send_rename(&kernel, FUSE_ROOT_ID, "f", FUSE_ROOT_ID, "h", 0);
	expect_order(open, rename);
	assert_int_equal(error_of(rename), 0);
	assert_int_equal(do_release(&kernel, node, handle_of(open)), 0);
	assert_false(is_there("f"));
	assert_true(node_of("h") == node);
}

static void who_opens_waits_for_a_rename(void **state)
{
	uint64_t node = node_of("f");
	uint64_t open;
	uint64_t rename;

	(void)state;
	fake_drafts_keep(kernel.drafts, true);
	fake_drafts_hold(kernel.drafts, true);
	rename = send_rename(&kernel, FUSE_ROOT_ID, "f", FUSE_ROOT_ID, "h", 0);
	open = send_open(&kernel, node, O_WRONLY | O_TRUNC);
	expect_order(rename, open);
	assert_int_equal(do_release(&kernel, node, handle_of(open)), 0);
	assert_false(is_there("f"));
	assert_true(node_of("h") == node);
	fake_drafts_send(kernel.drafts, "/h");
}

static void what_is_made_in_a_directory_goes_with_it(void **state)
{
	struct fuse_create_in in = {.flags = O_WRONLY | O_CREAT, .mode = 0644};
	struct fuse_entry_out entry;
	struct fuse_open_out opened;
	uint64_t directory = node_of("d");
	uint64_t create;
	uint64_t rename;

	(void)state;
	fake_drafts_keep(kernel.drafts, true);
	fake_drafts_hold(kernel.drafts, true);
	rename = send_rename(&kernel, FUSE_ROOT_ID, "d", FUSE_ROOT_ID, "e", 0);
	create = kernel_send(
	    &kernel, FUSE_CREATE, directory, &in, sizeof(in), "new", 4);
	expect_order(rename, create);
	assert_int_equal(error_of(create), 0);
	memcpy(&entry, kernel_reply(&kernel, create)->bytes, sizeof(entry));
	memcpy(&opened, kernel_reply(&kernel, create)->bytes + sizeof(entry),
	    sizeof(opened));
	assert_int_equal(do_release(&kernel, entry.nodeid, opened.fh), 0);
	fake_drafts_send(kernel.drafts, "/e/new");
}

static void who_removes_waits_too(void **state)
{
	uint64_t directory = node_of("d");
	uint64_t node = node_of("f");
	uint64_t open;
	uint64_t removal;
	uint64_t rename;

	(void)state;
	fake_drafts_hold(kernel.drafts, true);
	open = send_open(&kernel, node, O_WRONLY | O_TRUNC);
	removal = send_name(&kernel, FUSE_UNLINK, FUSE_ROOT_ID, "f");
	expect_order(open, removal);
	assert_int_equal(error_of(removal), 0);
	assert_int_equal(do_release(&kernel, node, handle_of(open)), 0);
	assert_false(is_there("f"));
	fake_drafts_hold(kernel.drafts, true);
	rename = send_rename(&kernel, FUSE_ROOT_ID, "d", FUSE_ROOT_ID, "e", 0);
	removal = send_name(&kernel, FUSE_UNLINK, directory, "x");
	fake_drafts_await_held(kernel.drafts, 1);
	kernel_sync(&kernel);
	/* What is below goes along on a server. */
	fake_put(kernel.cache, "/e/x", 20, 9, 10000);
	fake_drafts_hold(kernel.drafts, false);
	fake_drafts_answer(kernel.drafts, 0);
	assert_int_equal(error_of(rename), 0);
	assert_int_equal(error_of(removal), 0);
	assert_int_equal(
	    error_of(send_name(&kernel, FUSE_UNLINK, directory, "x")), -ENOENT);
}

static void others_do_not_wait(void **state)
{
	uint64_t node = node_of("g");
	uint64_t open;
	uint64_t rename;

	(void)state;
	fake_drafts_hold(kernel.drafts, true);
	rename = send_rename(&kernel, FUSE_ROOT_ID, "f", FUSE_ROOT_ID, "h", 0);
	open = send_open(&kernel, node, O_WRONLY);
	fake_drafts_await_held(kernel.drafts, 2);
	fake_drafts_hold(kernel.drafts, false);
	fake_drafts_answer(kernel.drafts, 0);
	fake_drafts_answer(kernel.drafts, 0);
	assert_int_equal(error_of(rename), 0);
	assert_int_equal(do_release(&kernel, node, handle_of(open)), 0);
}

static void what_waits_at_the_end_is_answered(void **state)
{
	uint64_t node = node_of("f");

	(void)state;
	fake_drafts_hold(kernel.drafts, true);
	(void)send_rename(&kernel, FUSE_ROOT_ID, "f", FUSE_ROOT_ID, "h", 0);
	(void)send_open(&kernel, node, O_WRONLY | O_TRUNC);
	fake_drafts_await_held(kernel.drafts, 1);
	/* The harness sees to it that each is answered. */
	kernel_cancel(&kernel);
}

#define CASE(name) cmocka_unit_test_setup_teardown(name, start, stop)

int main(void)
{
	const struct CMUnitTest tests[] = {
	    CASE(a_rename_waits_for_who_opens),
	    CASE(who_opens_waits_for_a_rename),
	    CASE(what_is_made_in_a_directory_goes_with_it),
	    CASE(who_removes_waits_too),
	    CASE(others_do_not_wait),
	    CASE(what_waits_at_the_end_is_answered),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
