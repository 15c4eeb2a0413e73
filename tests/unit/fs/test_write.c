/* SPDX-License-Identifier: Apache-2.0 */
/*
 * tests/unit/fs/test_write.c - files that are written: which inode they are
 * before, while and after, what their handles read, and what a request that
 * is interrupted, released or unmounted too early leaves behind.
 */
#include "base/stats.h"
#include "tests/unit/fs/fake_cache.h"
#include "tests/unit/fs/fake_drafts.h"
#include "tests/unit/fs/kernel.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/falloc.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

static struct kernel kernel;

static int start(void **state)
{
	(void)state;
	kernel_start_writable(&kernel);
	fake_put(kernel.cache, "/f", 1000, 7, 10000);
	return 0;
}

static int start_shared(void **state)
{
	(void)state;
	kernel_start_shared_writable(&kernel);
	fake_put(kernel.cache, "/f", 1000, 7, 10000);
	return 0;
}

static int stop(void **state)
{
	(void)state;
	kernel_stop(&kernel);
	return 0;
}

static struct fuse_entry_out lookup(const char *name)
{
	struct fuse_entry_out entry;

	assert_int_equal(do_lookup(&kernel, FUSE_ROOT_ID, name, &entry), 0);
	assert_true(entry.nodeid != 0);
	return entry;
}

static int error_of(uint64_t unique)
{
	return kernel_reply(&kernel, unique)->error;
}

static int open_with(uint64_t node, uint32_t flags, uint64_t *handle)
{
	const struct reply *reply =
	    kernel_reply(&kernel, send_open(&kernel, node, flags));
	struct fuse_open_out out;

	if (reply->error < 0)
		return reply->error;
	memcpy(&out, reply->bytes, sizeof(out));
	assert_true(out.open_flags & FOPEN_KEEP_CACHE);
	/* Only who may write has something to send at a close. */
	assert_int_equal((out.open_flags & FOPEN_NOFLUSH) == 0,
	    (flags & O_ACCMODE) != O_RDONLY || (flags & O_TRUNC));
	*handle = out.fh;
	return 0;
}

static uint64_t opened(uint64_t node, uint32_t flags)
{
	uint64_t handle = 0;

	assert_int_equal(open_with(node, flags, &handle), 0);
	return handle;
}

static uint64_t created(const char *name, struct fuse_entry_out *entry)
{
	struct fuse_open_out out;

	assert_int_equal(
	    do_create(&kernel, FUSE_ROOT_ID, name, O_RDWR, entry, &out), 0);
	assert_false(out.open_flags & FOPEN_NOFLUSH);
	return out.fh;
}

static void write_text(uint64_t node, uint64_t handle, uint64_t offset,
    const char *text, uint32_t flags)
{
	const struct reply *reply = kernel_reply(
	    &kernel, send_write(&kernel, node, handle, offset, text, flags));
	struct fuse_write_out out;

	assert_int_equal(reply->error, 0);
	memcpy(&out, reply->bytes, sizeof(out));
	assert_int_equal(out.size, strlen(text));
}

static void assert_text(
    uint64_t node, uint64_t handle, uint64_t offset, const char *text)
{
	const struct reply *reply = kernel_reply(
	    &kernel, send_read(&kernel, node, handle, offset, 4096));

	assert_int_equal(reply->error, 0);
	assert_true(reply->size_bytes >= strlen(text));
	assert_memory_equal(reply->bytes, text, strlen(text));
}

static struct fuse_attr attr_of(uint64_t node)
{
	struct fuse_attr_out out;

	assert_int_equal(do_getattr(&kernel, node, &out), 0);
	return out.attr;
}

static void a_created_file_is_written_read_and_sent(void **state)
{
	struct fuse_entry_out entry;
	uint64_t handle = created("n", &entry);
	struct fuse_attr attr;

	(void)state;
	assert_int_equal(entry.attr.size, 0);
	assert_int_equal(entry.attr.mode, S_IFREG | 0644);
	assert_int_equal(entry.attr_valid, 0);
	assert_int_equal(entry.attr_valid_nsec, 0);
	write_text(entry.nodeid, handle, 0, "hello", 0);
	write_text(entry.nodeid, handle, 0, " there", O_APPEND);
	assert_text(entry.nodeid, handle, 0, "hello there");
	attr = attr_of(entry.nodeid);
	assert_int_equal(attr.size, 11);
	assert_int_equal(attr.mtimensec, 123);
	assert_true(lookup("n").nodeid == entry.nodeid);
	assert_int_equal(
	    error_of(send_flush(&kernel, entry.nodeid, handle)), 0);
	assert_int_equal(fake_drafts_sent(kernel.drafts), 1);
	assert_int_equal(do_release(&kernel, entry.nodeid, handle), 0);
	assert_int_equal(fake_drafts_alive(kernel.drafts), 0);
	/* The server's version now, and the same inode. */
	assert_true(lookup("n").nodeid == entry.nodeid);
	assert_true(attr_of(entry.nodeid).ino == entry.attr.ino);
	handle = opened(entry.nodeid, O_RDONLY);
	assert_int_equal(do_release(&kernel, entry.nodeid, handle), 0);
}

static void an_existing_file_stays_its_inode_while_it_is_written(void **state)
{
	struct fuse_entry_out entry = lookup("f");
	uint64_t reader = opened(entry.nodeid, O_RDONLY);
	uint64_t writer = opened(entry.nodeid, O_RDWR);
	const struct reply *reply;

	(void)state;
	assert_true(lookup("f").nodeid == entry.nodeid);
	write_text(entry.nodeid, writer, 10, "new", 0);
	/* The older handle is of the same file. */
	assert_text(entry.nodeid, reader, 10, "new");
	reply = kernel_reply(
	    &kernel, send_read(&kernel, entry.nodeid, reader, 0, 4096));
	assert_int_equal(reply->size_bytes, 1000);
	assert_int_equal(reply->bytes[9], fake_byte(7, 9));
	assert_int_equal(
	    error_of(send_flush(&kernel, entry.nodeid, writer)), 0);
	assert_true(lookup("f").nodeid == entry.nodeid);
	assert_int_equal(do_release(&kernel, entry.nodeid, writer), 0);
	assert_text(entry.nodeid, reader, 10, "new");
	assert_int_equal(fake_drafts_alive(kernel.drafts), 1);
	assert_int_equal(do_release(&kernel, entry.nodeid, reader), 0);
	assert_int_equal(fake_drafts_alive(kernel.drafts), 0);
	assert_true(lookup("f").nodeid == entry.nodeid);
	assert_int_equal(attr_of(entry.nodeid).size, 1000);
}

static void an_open_that_changes_nothing_leaves_the_inode(void **state)
{
	struct fuse_entry_out entry = lookup("f");
	uint64_t handle = opened(entry.nodeid, O_RDWR);

	(void)state;
	assert_int_equal(
	    error_of(send_flush(&kernel, entry.nodeid, handle)), 0);
	assert_int_equal(do_release(&kernel, entry.nodeid, handle), 0);
	assert_int_equal(fake_drafts_sent(kernel.drafts), 0);
	assert_int_equal(fake_drafts_alive(kernel.drafts), 0);
	assert_true(lookup("f").nodeid == entry.nodeid);
	handle = opened(entry.nodeid, O_RDONLY);
	assert_int_equal(do_release(&kernel, entry.nodeid, handle), 0);
}

/* Each open goes on from what the server has of the draft before. */
static void a_file_that_is_written_again_and_again_is_one_inode(void **state)
{
	struct fuse_entry_out entry = lookup("f");
	struct fuse_entry_out again;
	struct fuse_open_out out;

	(void)state;
	for (unsigned i = 0; i < 3; i++) {
		uint64_t handle = opened(entry.nodeid, O_RDWR);

		write_text(entry.nodeid, handle, i, "x", 0);
		assert_int_equal(do_release(&kernel, entry.nodeid, handle), 0);
		assert_int_equal(
		    do_create(&kernel, FUSE_ROOT_ID, "f", O_RDWR, &again, &out),
		    0);
		assert_true(again.nodeid == entry.nodeid);
		assert_int_equal(do_release(&kernel, entry.nodeid, out.fh), 0);
	}
	assert_true(lookup("f").nodeid == entry.nodeid);
	assert_int_equal(attr_of(entry.nodeid).size, 1000);
}

static void truncating_and_exclusive_opens_are_told_on(void **state)
{
	struct fuse_entry_out entry = lookup("f");
	struct fuse_entry_out again;
	struct fuse_open_out out;
	uint64_t handle = opened(entry.nodeid, O_WRONLY | O_TRUNC);

	(void)state;
	assert_int_equal(attr_of(entry.nodeid).size, 0);
	assert_int_equal(do_create(&kernel, FUSE_ROOT_ID, "f", O_RDWR | O_EXCL,
	                     &again, &out),
	    -EEXIST);
	/* The kernel had no entry, but the file is there: the same inode. */
	assert_int_equal(
	    do_create(&kernel, FUSE_ROOT_ID, "f", O_RDWR, &again, &out), 0);
	assert_true(again.nodeid == entry.nodeid);
	assert_int_equal(do_release(&kernel, entry.nodeid, out.fh), 0);
	assert_int_equal(do_release(&kernel, entry.nodeid, handle), 0);
}

static void what_is_unsent_is_found_by_the_next_open(void **state)
{
	struct fuse_entry_out entry;
	uint64_t handle;

	(void)state;
	fake_drafts_adopt(kernel.drafts, "/old", 10);
	entry = lookup("old");
	assert_int_equal(entry.attr.size, 10);
	handle = opened(entry.nodeid, O_RDONLY);
	assert_text(entry.nodeid, handle, 0, "aaaaaaaaaa");
	fake_drafts_send(kernel.drafts, "/old");
	assert_int_equal(attr_of(entry.nodeid).size, 10);
	assert_int_equal(do_release(&kernel, entry.nodeid, handle), 0);
	assert_true(lookup("old").nodeid == entry.nodeid);
}

static void after_a_conflict_the_path_is_another_inode(void **state)
{
	struct fuse_entry_out entry = lookup("f");
	struct fuse_entry_out fresh;
	uint64_t handle = opened(entry.nodeid, O_RDWR);
	uint64_t other;

	(void)state;
	write_text(entry.nodeid, handle, 0, "ours", 0);
	fake_put(kernel.cache, "/f", 2000, 9, 10000);
	fake_drafts_part(kernel.drafts, "/f");
	assert_int_equal(open_with(entry.nodeid, O_RDONLY, &other), -ESTALE);
	fresh = lookup("f");
	assert_true(fresh.nodeid != entry.nodeid);
	assert_int_equal(fresh.attr.size, 2000);
	assert_text(entry.nodeid, handle, 0, "ours");
	assert_int_equal(attr_of(entry.nodeid).size, 1000);
	assert_int_equal(do_release(&kernel, entry.nodeid, handle), 0);
}

static void a_failure_is_told_and_nothing_is_lost(void **state)
{
	struct fuse_entry_out entry;
	uint64_t handle = created("n", &entry);
	uint64_t other;

	(void)state;
	write_text(entry.nodeid, handle, 0, "kept", 0);
	fake_drafts_fail_next(kernel.drafts, -ENOSPC);
	assert_int_equal(
	    error_of(send_write(&kernel, entry.nodeid, handle, 4, "x", 0)),
	    -ENOSPC);
	fake_drafts_fail_next(kernel.drafts, -EDQUOT);
	assert_int_equal(
	    error_of(send_flush(&kernel, entry.nodeid, handle)), -EDQUOT);
	fake_drafts_fail_next(kernel.drafts, -EACCES);
	assert_int_equal(open_with(entry.nodeid, O_RDWR, &other), -EACCES);
	assert_text(entry.nodeid, handle, 0, "kept");
	assert_int_equal(do_release(&kernel, entry.nodeid, handle), 0);
}

static void a_handle_that_only_reads_cannot_write(void **state)
{
	struct fuse_entry_out entry = lookup("f");
	uint64_t handle = opened(entry.nodeid, O_RDONLY);

	(void)state;
	assert_int_equal(
	    error_of(send_write(&kernel, entry.nodeid, handle, 0, "x", 0)),
	    -EBADF);
	/* As an old kernel asks. */
	assert_int_equal(
	    error_of(send_flush(&kernel, entry.nodeid, handle)), 0);
	assert_int_equal(do_release(&kernel, entry.nodeid, handle), 0);
}

/* ---- who does not wait for the answer ---- */

static void a_signal_does_not_end_a_write(void **state)
{
	struct fuse_entry_out entry;
	uint64_t handle = created("n", &entry);
	uint64_t unique;

	(void)state;
	fake_drafts_hold(kernel.drafts, true);
	unique = send_write(&kernel, entry.nodeid, handle, 0, "hello", 0);
	fake_drafts_await_held(kernel.drafts, 1);
	do_interrupt(&kernel, unique);
	kernel_sync(&kernel);
	assert_false(kernel_is_answered(&kernel, unique));
	fake_drafts_hold(kernel.drafts, false);
	fake_drafts_answer(kernel.drafts, 0);
	assert_int_equal(error_of(unique), 0);
	assert_int_equal(do_release(&kernel, entry.nodeid, handle), 0);
}

/* A process that was killed and waits to be buried. */
static pid_t corpse(void)
{
	pid_t child = fork();
	siginfo_t info;

	if (child == 0)
		for (;;)
			(void)pause();
	assert_true(child > 0);
	assert_int_equal(kill(child, SIGKILL), 0);
	assert_int_equal(
	    waitid(P_PID, (id_t)child, &info, WEXITED | WNOWAIT), 0);
	return child;
}

static void who_was_killed_does_not_wait(void **state)
{
	struct fuse_entry_out entry;
	uint64_t handle = created("n", &entry);
	pid_t child = corpse();
	uint64_t uniques[2];

	(void)state;
	fake_drafts_hold(kernel.drafts, true);
	kernel.caller = child;
	uniques[0] = send_write(&kernel, entry.nodeid, handle, 0, "x", 0);
	uniques[1] = send_flush(&kernel, entry.nodeid, handle);
	kernel.caller = getpid();
	fake_drafts_await_held(kernel.drafts, 2);
	do_interrupt(&kernel, uniques[0]);
	assert_int_equal(error_of(uniques[0]), -EINTR);
	/* Of what the dead close the kernel sends no INTERRUPT. */
	kernel.clock.monotonic_ms += 2000;
	assert_int_equal(error_of(uniques[1]), -EINTR);
	assert_int_equal(waitpid(child, NULL, 0), child);
	/* RELEASE before what was asked for has ended. */
	assert_int_equal(do_release(&kernel, entry.nodeid, handle), 0);
	do_forget(&kernel, entry.nodeid, 1);
	kernel_sync(&kernel);
	fake_drafts_hold(kernel.drafts, false);
	fake_drafts_answer(kernel.drafts, 0);
	fake_drafts_answer(kernel.drafts, 0);
	while (fake_drafts_alive(kernel.drafts) > 0)
		kernel_sync(&kernel);
	assert_int_equal(stats_get(STATS_fs_nodes), 0);
}

static void a_create_that_nobody_waits_for_leaves_no_handle(void **state)
{
	const struct fuse_create_in in = {.flags = O_RDWR, .mode = S_IFREG};
	pid_t child = corpse();
	uint64_t unique;

	(void)state;
	fake_drafts_hold(kernel.drafts, true);
	kernel.caller = child;
	unique = kernel_send(
	    &kernel, FUSE_CREATE, FUSE_ROOT_ID, &in, sizeof(in), "n", 2);
	kernel.caller = getpid();
	fake_drafts_await_held(kernel.drafts, 1);
	do_interrupt(&kernel, unique);
	assert_int_equal(error_of(unique), -EINTR);
	assert_int_equal(waitpid(child, NULL, 0), child);
	fake_drafts_hold(kernel.drafts, false);
	fake_drafts_answer(kernel.drafts, 0);
	while (fake_drafts_alive(kernel.drafts) > 0)
		kernel_sync(&kernel);
	assert_int_equal(fake_drafts_open(kernel.drafts), 0);
	assert_int_equal(stats_get(STATS_fs_nodes), 0);
}

static void a_refused_open_or_create_leaves_nothing(void **state)
{
	const struct fuse_create_in in = {.flags = O_RDWR, .mode = S_IFREG};
	struct fuse_entry_out entry = lookup("f");

	(void)state;
	kernel_refuse_next(&kernel);
	(void)kernel_reply(&kernel, send_open(&kernel, entry.nodeid, O_RDWR));
	kernel_sync(&kernel);
	assert_int_equal(fake_drafts_open(kernel.drafts), 0);
	do_forget(&kernel, entry.nodeid, 1);
	kernel_refuse_next(&kernel);
	(void)kernel_reply(&kernel,
	    kernel_send(
	        &kernel, FUSE_CREATE, FUSE_ROOT_ID, &in, sizeof(in), "n", 2));
	kernel_sync(&kernel);
	assert_int_equal(fake_drafts_open(kernel.drafts), 0);
	assert_int_equal(stats_get(STATS_fs_nodes), 0);
}

static void an_unmount_ends_what_waits(void **state)
{
	struct fuse_entry_out entry;
	uint64_t handle = created("n", &entry);
	uint64_t uniques[4];

	(void)state;
	write_text(entry.nodeid, handle, 0, "kept", 0);
	fake_drafts_hold(kernel.drafts, true);
	uniques[0] = send_write(&kernel, entry.nodeid, handle, 0, "x", 0);
	uniques[1] = send_flush(&kernel, entry.nodeid, handle);
	uniques[2] = send_name(&kernel, FUSE_UNLINK, FUSE_ROOT_ID, "f");
	uniques[3] =
	    send_rename(&kernel, FUSE_ROOT_ID, "n", FUSE_ROOT_ID, "h", 0);
	fake_drafts_await_held(kernel.drafts, 4);
	kernel_cancel(&kernel);
	/* A WRITE where it has the answer, the rest by the FUSE thread. */
	assert_true(kernel_is_answered(&kernel, uniques[0]));
	(void)uniques;
}

static void forgets_in_between_are_survived(void **state)
{
	struct fuse_entry_out entry = lookup("f");
	uint64_t unique;

	(void)state;
	fake_drafts_hold(kernel.drafts, true);
	unique = send_open(&kernel, entry.nodeid, O_RDWR);
	fake_drafts_await_held(kernel.drafts, 1);
	do_forget(&kernel, entry.nodeid, 1);
	kernel_sync(&kernel);
	kernel_refuse_next(&kernel);
	fake_drafts_hold(kernel.drafts, false);
	fake_drafts_answer(kernel.drafts, 0);
	(void)kernel_reply(&kernel, unique);
	kernel_sync(&kernel);
	assert_int_equal(stats_get(STATS_fs_nodes), 0);
}

/* ---- sizes, copies ---- */

static int fallocate_of(
    uint64_t node, uint64_t handle, uint32_t mode, uint64_t end)
{
	const struct fuse_fallocate_in in = {
	    .fh = handle, .length = end, .mode = mode};

	return error_of(kernel_send(
	    &kernel, FUSE_FALLOCATE, node, &in, sizeof(in), NULL, 0));
}

static void fallocate_extends_and_sets_nothing_aside(void **state)
{
	struct fuse_entry_out entry = lookup("f");
	uint64_t handle = opened(entry.nodeid, O_RDWR);

	(void)state;
	assert_int_equal(fallocate_of(entry.nodeid, handle, 0, 500), 0);
	assert_int_equal(attr_of(entry.nodeid).size, 1000);
	assert_int_equal(
	    fallocate_of(entry.nodeid, handle, FALLOC_FL_KEEP_SIZE, 5000), 0);
	assert_int_equal(attr_of(entry.nodeid).size, 1000);
	assert_int_equal(fallocate_of(entry.nodeid, handle, 0, 5000), 0);
	assert_int_equal(attr_of(entry.nodeid).size, 5000);
	assert_int_equal(fallocate_of(entry.nodeid, handle,
	                     FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE, 10),
	    -EOPNOTSUPP);
	assert_int_equal(
	    fallocate_of(entry.nodeid, handle, 0, INT64_MAX), -EFBIG);
	assert_int_equal(do_release(&kernel, entry.nodeid, handle), 0);
}

static int copy(uint64_t from, uint64_t from_handle, uint64_t from_offset,
    uint64_t to, uint64_t to_handle, uint64_t size, uint32_t *copied)
{
	const struct fuse_copy_file_range_in in = {
	    .fh_in = from_handle,
	    .off_in = from_offset,
	    .nodeid_out = to,
	    .fh_out = to_handle,
	    .len = size,
	};
	const struct reply *reply = kernel_reply(&kernel,
	    kernel_send(
	        &kernel, FUSE_COPY_FILE_RANGE, from, &in, sizeof(in), NULL, 0));
	struct fuse_write_out out;

	if (reply->error < 0)
		return reply->error;
	memcpy(&out, reply->bytes, sizeof(out));
	*copied = out.size;
	return 0;
}

static void only_a_whole_file_is_copied_by_the_server(void **state)
{
	struct fuse_entry_out from = lookup("f");
	struct fuse_entry_out to;
	uint64_t reader = opened(from.nodeid, O_RDONLY);
	uint64_t writer = created("n", &to);
	uint32_t n = 0;

	(void)state;
	assert_int_equal(
	    copy(from.nodeid, reader, 0, to.nodeid, writer, 999, &n), -EXDEV);
	assert_int_equal(
	    copy(from.nodeid, reader, 10, to.nodeid, writer, 4000, &n), -EXDEV);
	assert_int_equal(
	    copy(from.nodeid, reader, 0, to.nodeid, writer, 4000, &n), 0);
	assert_int_equal(n, 1000);
	assert_int_equal(attr_of(to.nodeid).size, 1000);
	assert_int_equal(
	    copy(from.nodeid, reader, 1000, to.nodeid, writer, 4000, &n), 0);
	assert_int_equal(n, 0);
	/* It is not empty any more; and no server has it. */
	assert_int_equal(
	    copy(from.nodeid, reader, 0, to.nodeid, writer, 4000, &n), -EXDEV);
	assert_int_equal(
	    copy(to.nodeid, writer, 0, to.nodeid, writer, 4000, &n), -EXDEV);
	assert_int_equal(do_release(&kernel, to.nodeid, writer), 0);
	assert_int_equal(do_release(&kernel, from.nodeid, reader), 0);
}

static void fsync_reaches_the_draft_through_any_handle(void **state)
{
	struct fuse_entry_out entry = lookup("f");
	uint64_t reader = opened(entry.nodeid, O_RDONLY);
	struct fuse_fsync_in in = {.fh = reader};
	size_t calls = fake_drafts_calls(kernel.drafts);
	uint64_t writer;

	(void)state;
	assert_int_equal(error_of(kernel_send(&kernel, FUSE_FSYNC, entry.nodeid,
	                     &in, sizeof(in), NULL, 0)),
	    0);
	assert_int_equal(fake_drafts_calls(kernel.drafts), calls);
	writer = opened(entry.nodeid, O_RDWR);
	calls = fake_drafts_calls(kernel.drafts);
	assert_int_equal(error_of(kernel_send(&kernel, FUSE_FSYNC, entry.nodeid,
	                     &in, sizeof(in), NULL, 0)),
	    0);
	assert_int_equal(fake_drafts_calls(kernel.drafts), calls + 1);
	assert_int_equal(do_release(&kernel, entry.nodeid, writer), 0);
	assert_int_equal(do_release(&kernel, entry.nodeid, reader), 0);
}

/* ---- many users ---- */

static void a_draft_is_its_users_alone(void **state)
{
	struct fuse_entry_out theirs;
	struct fuse_entry_out ours;
	uint64_t reader;
	uint64_t writer = 0;

	(void)state;
	kernel.uid = 2000;
	theirs = lookup("f");
	assert_int_equal(theirs.attr.mode & 0777, 0666);
	reader = opened(theirs.nodeid, O_RDONLY);
	kernel.uid = 1000;
	ours = lookup("f");
	assert_true(ours.nodeid == theirs.nodeid);
	/* The kernel's pages would be theirs too: it walks again, and finds a
	 * node that nobody else has. */
	assert_int_equal(open_with(ours.nodeid, O_RDWR, &writer), -ESTALE);
	ours = lookup("f");
	assert_true(ours.nodeid != theirs.nodeid);
	writer = opened(ours.nodeid, O_RDWR);
	write_text(ours.nodeid, writer, 0, "secret", 0);
	assert_text(ours.nodeid, writer, 0, "secret");
	assert_int_equal(*kernel_reply(&kernel,
	                     send_read(&kernel, theirs.nodeid, reader, 0, 10))
	                      ->bytes,
	    fake_byte(7, 0));
	kernel.uid = 2000;
	theirs = lookup("f");
	assert_true(theirs.nodeid != ours.nodeid);
	assert_int_equal(theirs.attr.size, 1000);
	kernel.uid = 1000;
	assert_true(lookup("f").nodeid != theirs.nodeid);
	assert_int_equal(do_release(&kernel, ours.nodeid, writer), 0);
}

#define CASE(name)   cmocka_unit_test_setup_teardown(name, start, stop)
#define SHARED(name) cmocka_unit_test_setup_teardown(name, start_shared, stop)

int main(void)
{
	const struct CMUnitTest tests[] = {
	    CASE(a_created_file_is_written_read_and_sent),
	    CASE(an_existing_file_stays_its_inode_while_it_is_written),
	    CASE(an_open_that_changes_nothing_leaves_the_inode),
	    CASE(a_file_that_is_written_again_and_again_is_one_inode),
	    CASE(truncating_and_exclusive_opens_are_told_on),
	    CASE(what_is_unsent_is_found_by_the_next_open),
	    CASE(after_a_conflict_the_path_is_another_inode),
	    CASE(a_failure_is_told_and_nothing_is_lost),
	    CASE(a_handle_that_only_reads_cannot_write),
	    CASE(a_signal_does_not_end_a_write),
	    CASE(who_was_killed_does_not_wait),
	    CASE(a_create_that_nobody_waits_for_leaves_no_handle),
	    CASE(a_refused_open_or_create_leaves_nothing),
	    CASE(an_unmount_ends_what_waits),
	    CASE(forgets_in_between_are_survived),
	    CASE(fallocate_extends_and_sets_nothing_aside),
	    CASE(only_a_whole_file_is_copied_by_the_server),
	    CASE(fsync_reaches_the_draft_through_any_handle),
	    SHARED(a_draft_is_its_users_alone),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
