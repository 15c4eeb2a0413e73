/* SPDX-License-Identifier: Apache-2.0 */
/*
 * tests/unit/fs/test_requests.c - a request is answered exactly once,
 * whoever is first: the cache, an INTERRUPT, the end of its process or of the
 * mount.
 * (The harness aborts at a second answer and at a missing one.)
 */
#include "base/stats.h"
#include "fs/session.h"
#include "tests/unit/fs/fake_cache.h"
#include "tests/unit/fs/kernel.h"

#include <errno.h>
#include <poll.h>
#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

enum { ROUNDS = 2000, MIB = 1024 * 1024 };

static struct kernel kernel;
static uint64_t node;
static uint64_t handle;

static int start(void **state)
{
	(void)state;
	kernel_start(&kernel);
	fake_put(kernel.cache, "/f", 3 * MIB, 7, 1000);
	return 0;
}

static int stop(void **state)
{
	(void)state;
	kernel_stop(&kernel);
	return 0;
}

static void open_file(void)
{
	struct fuse_entry_out entry;
	struct fuse_open_out opened;

	assert_int_equal(do_lookup(&kernel, FUSE_ROOT_ID, "f", &entry), 0);
	node = entry.nodeid;
	assert_int_equal(do_open(&kernel, node, &opened), 0);
	handle = opened.fh;
}

static int error_of(uint64_t unique)
{
	return kernel_reply(&kernel, unique)->error;
}

/* For what another thread does in its own time; within a minute. */
static void wait_a_little(unsigned turn)
{
	struct timespec pause = {.tv_nsec = 1000000};

	assert_true(turn < 60000);
	(void)nanosleep(&pause, NULL);
}

static void *answer_oldest(void *arg)
{
	fake_answer_oldest(kernel.cache, *(int *)arg);
	return NULL;
}

/* On a thread that is not the FUSE thread, as fetch answers. */
static void answer_elsewhere(int code)
{
	pthread_t thread;

	assert_int_equal(
	    pthread_create(&thread, NULL, answer_oldest, &code), 0);
	assert_int_equal(pthread_join(thread, NULL), 0);
}

static void a_read_gives_the_bytes_of_its_version(void **state)
{
	const struct reply *reply;

	(void)state;
	open_file();
	reply =
	    kernel_reply(&kernel, send_read(&kernel, node, handle, 12345, MIB));
	assert_int_equal(reply->error, 0);
	assert_int_equal(reply->size_bytes, MIB);
	for (size_t i = 0; i < MIB; i++)
		assert_int_equal(reply->bytes[i], fake_byte(7, 12345 + i));
	reply = kernel_reply(
	    &kernel, send_read(&kernel, node, handle, 3 * MIB - 10, 4096));
	assert_int_equal(reply->size_bytes, 10);
	reply = kernel_reply(
	    &kernel, send_read(&kernel, node, handle, 4 * MIB, 4096));
	assert_int_equal(reply->error, 0);
	assert_int_equal(reply->size_bytes, 0);
}

static void a_read_that_no_kernel_sends_is_refused(void **state)
{
	(void)state;
	open_file();
	assert_int_equal(
	    error_of(send_read(&kernel, node, handle, 0, MIB + 1)), -EINVAL);
	assert_int_equal(
	    error_of(send_read(&kernel, node, handle, UINT64_MAX, 1)), -EINVAL);
}

static void a_late_answer_from_another_thread_reaches_its_request(void **state)
{
	uint64_t read;
	uint64_t lookup;

	(void)state;
	open_file();
	fake_hold(kernel.cache, true);
	read = send_read(&kernel, node, handle, 0, 4096);
	lookup = send_lookup(&kernel, FUSE_ROOT_ID, "f");
	fake_await_held(kernel.cache, 2);
	assert_int_equal(stats_get(STATS_fs_waiting), 2);
	assert_false(kernel_is_answered(&kernel, read));
	assert_false(kernel_is_answered(&kernel, lookup));
	answer_elsewhere(0);
	answer_elsewhere(0);
	assert_int_equal(error_of(read), 0);
	assert_int_equal(error_of(lookup), 0);
	assert_int_equal(stats_get(STATS_fs_waiting), 0);
}

static void an_errno_of_the_cache_reaches_the_caller(void **state)
{
	uint64_t read;

	(void)state;
	open_file();
	fake_hold(kernel.cache, true);
	read = send_read(&kernel, node, handle, 0, 4096);
	fake_await_held(kernel.cache, 1);
	answer_elsewhere(-EKEYEXPIRED);
	assert_int_equal(error_of(read), -EKEYEXPIRED);
}

static void errnos_that_the_kernel_would_misread_are_replaced(void **state)
{
	struct fuse_entry_out entry;

	(void)state;
	fake_fail(kernel.cache, "/f", -ENOSYS); /* "never ask again" */
	assert_int_equal(
	    do_lookup(&kernel, FUSE_ROOT_ID, "f", &entry), -EOPNOTSUPP);
	fake_fail(kernel.cache, "/f", -512); /* dropped, the caller hangs */
	assert_int_equal(do_lookup(&kernel, FUSE_ROOT_ID, "f", &entry), -EIO);
	fake_fail(kernel.cache, "/f", -EHWPOISON); /* the last there is */
	assert_int_equal(
	    do_lookup(&kernel, FUSE_ROOT_ID, "f", &entry), -EHWPOISON);
	/* libfuse 3.17 takes that for a mistake. */
	fake_fail(kernel.cache, "/f", -511);
	assert_int_equal(do_lookup(&kernel, FUSE_ROOT_ID, "f", &entry),
	    fuse_version() < 317 ? -511 : -ERANGE);
	fake_fail(kernel.cache, "/f", -100000);
	assert_int_equal(do_lookup(&kernel, FUSE_ROOT_ID, "f", &entry), -EIO);
}

static void an_interrupt_ends_each_kind_of_waiting_request(void **state)
{
	const struct fuse_getxattr_in xattr = {.size = 100};
	const struct fuse_open_in opendir = {0};
	uint64_t waiting[6];

	(void)state;
	open_file();
	fake_hold(kernel.cache, true);
	waiting[0] = send_read(&kernel, node, handle, 0, 4096);
	waiting[1] = send_lookup(&kernel, FUSE_ROOT_ID, "g");
	waiting[2] = send_open(&kernel, node, 0);
	waiting[3] = kernel_send(&kernel, FUSE_OPENDIR, FUSE_ROOT_ID, &opendir,
	    sizeof(opendir), NULL, 0);
	waiting[4] =
	    kernel_send(&kernel, FUSE_STATFS, FUSE_ROOT_ID, NULL, 0, NULL, 0);
	waiting[5] = kernel_send(&kernel, FUSE_GETXATTR, node, &xattr,
	    sizeof(xattr), "user.bearerfs.etag", sizeof("user.bearerfs.etag"));
	fake_await_held(kernel.cache, 6);
	for (unsigned i = 0; i < 6; i++) {
		do_interrupt(&kernel, waiting[i]);
		assert_int_equal(error_of(waiting[i]), -EINTR);
	}
	assert_int_equal(stats_get(STATS_fs_waiting), 0);
	/* The cache answers all the same; nobody is told again, and what it
	 * opened is closed (the harness looks). */
	for (unsigned i = 0; i < 6; i++)
		answer_elsewhere(0);
	kernel_sync(&kernel);
}

static void an_interrupt_that_comes_first_is_kept_for_its_request(void **state)
{
	uint64_t sync;
	uint64_t read;

	(void)state;
	open_file();
	fake_hold(kernel.cache, true);
	/* The number that the next request but one will have. */
	sync = send_lookup(&kernel, FUSE_ROOT_ID, "x");
	do_interrupt(&kernel, sync + 2);
	read = send_read(&kernel, node, handle, 0, 4096);
	assert_int_equal(read, sync + 2);
	assert_int_equal(error_of(read), -EINTR);
	answer_elsewhere(0);
	assert_int_equal(error_of(sync), -ENOENT);
	assert_int_equal(fake_held(kernel.cache), 0);
}

/* Two threads and the FUSE thread meet at one request, again and again. */
static void interrupt_and_answer_race_for_one_reply(void **state)
{
	unsigned interrupted = 0;

	(void)state;
	open_file();
	for (unsigned i = 0; i < ROUNDS; i++) {
		pthread_t thread;
		int code = 0;
		uint64_t read;

		fake_hold(kernel.cache, true);
		read = send_read(&kernel, node, handle, 0, 4096);
		fake_await_held(kernel.cache, 1);
		assert_int_equal(
		    pthread_create(&thread, NULL, answer_oldest, &code), 0);
		do_interrupt(&kernel, read);
		interrupted += error_of(read) == -EINTR;
		assert_int_equal(pthread_join(thread, NULL), 0);
	}
	print_message("%u of %u reads were interrupted\n", interrupted, ROUNDS);
}

static void *answer_many(void *arg)
{
	for (unsigned i = 0; i < ROUNDS; i++) {
		fake_await_held(kernel.cache, 1);
		fake_answer_newest(kernel.cache, i % 7 == 0 ? -EIO : 0);
	}
	return arg;
}

static void lookups_answered_elsewhere_race_with_forgets(void **state)
{
	struct fuse_entry_out entry;
	pthread_t thread;

	(void)state;
	fake_hold(kernel.cache, true);
	assert_int_equal(pthread_create(&thread, NULL, answer_many, NULL), 0);
	for (unsigned i = 0; i < ROUNDS; i++)
		if (do_lookup(&kernel, FUSE_ROOT_ID, "f", &entry) == 0)
			do_forget(&kernel, entry.nodeid, 1);
	assert_int_equal(pthread_join(thread, NULL), 0);
	kernel_sync(&kernel);
	assert_int_equal(stats_get(STATS_fs_nodes), 0);
}

/* The number of a process that has been. */
static pid_t gone_process(void)
{
	pid_t pid = fork();

	if (pid == 0)
		_exit(0);
	assert_true(pid > 0);
	assert_int_equal(waitpid(pid, NULL, 0), pid);
	return pid;
}

/* Whatever comes has the mount look through its READs first. */
static void pass_ms(uint64_t ms)
{
	kernel.clock.monotonic_ms += ms;
	kernel_sync(&kernel);
}

static void stalled_reads_end_with_their_process_and_no_others(void **state)
{
	pid_t gone = gone_process();
	uint64_t reads[4]; /* of the gone, the living, from elsewhere, young */

	(void)state;
	open_file();
	fake_hold(kernel.cache, true);
	kernel.caller = gone;
	reads[0] = send_read(&kernel, node, handle, 0, 4096);
	kernel.caller = getpid();
	reads[1] = send_read(&kernel, node, handle, 0, 4096);
	kernel.caller = 0;
	reads[2] = send_read(&kernel, node, handle, 0, 4096);
	fake_await_held(kernel.cache, 3);
	pass_ms(1001);
	assert_int_equal(error_of(reads[0]), -EINTR);
	kernel.caller = gone;
	reads[3] = send_read(&kernel, node, handle, 4096, 4096);
	fake_await_held(kernel.cache, 4);
	pass_ms(1000); /* not *more* than a second */
	for (unsigned i = 1; i < 4; i++)
		assert_false(kernel_is_answered(&kernel, reads[i]));
	for (unsigned i = 0; i < 4; i++)
		answer_elsewhere(0);
	for (unsigned i = 1; i < 4; i++)
		assert_int_equal(error_of(reads[i]), 0);
}

/* The kernel releases a handle when its READs are answered; the cache may
 * still be at one of them. */
static void release_before_the_cache_is_done(void)
{
	uint64_t read;

	open_file();
	fake_hold(kernel.cache, true);
	read = send_read(&kernel, node, handle, 0, 4096);
	fake_await_held(kernel.cache, 1);
	do_interrupt(&kernel, read);
	assert_int_equal(error_of(read), -EINTR);
	assert_int_equal(do_release(&kernel, node, handle), 0);
	kernel_sync(&kernel);
	assert_int_equal(fake_open_files(kernel.cache), 1);
	fake_hold(kernel.cache, false);
	wait_a_little(0); /* the FUSE thread goes to sleep */
	answer_elsewhere(0);
	/* Without a further request: the answer wakes it. */
	for (unsigned i = 0; fake_open_files(kernel.cache) > 0; i++)
		wait_a_little(i);
}

/* Again and again, because the thread may not sleep yet. */
static void a_file_is_closed_when_released_and_read_no_more(void **state)
{
	(void)state;
	for (unsigned i = 0; i < 20; i++)
		release_before_the_cache_is_done();
}

/* Else the loop would turn for ever. */
static void the_fuse_thread_sleeps_again_after_an_answer(void **state)
{
	struct pollfd bell = {.fd = kernel.fs->mail.wake_fd, .events = POLLIN};
	uint64_t lookup;

	(void)state;
	fake_hold(kernel.cache, true);
	lookup = send_lookup(&kernel, FUSE_ROOT_ID, "f");
	fake_await_held(kernel.cache, 1);
	answer_elsewhere(0);
	assert_int_equal(error_of(lookup), 0);
	for (unsigned i = 0; poll(&bell, 1, 0) == 1; i++)
		wait_a_little(i);
}

static void a_forgotten_node_lives_until_its_answer_has_come(void **state)
{
	struct fuse_entry_out entry;
	const struct fuse_getattr_in in = {0};
	uint64_t getattr;

	(void)state;
	assert_int_equal(do_lookup(&kernel, FUSE_ROOT_ID, "f", &entry), 0);
	fake_hold(kernel.cache, true);
	getattr = kernel_send(
	    &kernel, FUSE_GETATTR, entry.nodeid, &in, sizeof(in), NULL, 0);
	fake_await_held(kernel.cache, 1);
	do_forget(&kernel, entry.nodeid, 1);
	kernel_sync(&kernel);
	assert_int_equal(stats_get(STATS_fs_nodes), 1);
	answer_elsewhere(0);
	assert_int_equal(error_of(getattr), 0);
	kernel_sync(&kernel);
	assert_int_equal(stats_get(STATS_fs_nodes), 0);
}

static void the_end_answers_all_that_waits(void **state)
{
	struct fuse_open_in opendir = {0};
	uint64_t waiting[4];

	(void)state;
	open_file();
	fake_hold(kernel.cache, true);
	waiting[0] = send_read(&kernel, node, handle, 0, 4096);
	waiting[1] = send_lookup(&kernel, FUSE_ROOT_ID, "g");
	waiting[2] = send_open(&kernel, node, 0);
	waiting[3] = kernel_send(&kernel, FUSE_OPENDIR, FUSE_ROOT_ID, &opendir,
	    sizeof(opendir), NULL, 0);
	fake_await_held(kernel.cache, 4);
	kernel_cancel(&kernel);
	/* A READ at once; the others when the mount is freed, which the
	 * harness checks. */
	assert_int_equal(error_of(waiting[0]), -ENOTCONN);
}

static void a_stop_before_the_start_is_heard(void **state)
{
	(void)state;
	kernel_cancel(&kernel);
	fs_stop(kernel.fs);
	assert_int_equal(fs_run(kernel.fs), 0);
}

#define CASE(name) cmocka_unit_test_setup_teardown(name, start, stop)

int main(void)
{
	const struct CMUnitTest tests[] = {
	    CASE(a_read_gives_the_bytes_of_its_version),
	    CASE(a_read_that_no_kernel_sends_is_refused),
	    CASE(a_late_answer_from_another_thread_reaches_its_request),
	    CASE(an_errno_of_the_cache_reaches_the_caller),
	    CASE(errnos_that_the_kernel_would_misread_are_replaced),
	    CASE(an_interrupt_ends_each_kind_of_waiting_request),
	    CASE(an_interrupt_that_comes_first_is_kept_for_its_request),
	    CASE(interrupt_and_answer_race_for_one_reply),
	    CASE(lookups_answered_elsewhere_race_with_forgets),
	    CASE(stalled_reads_end_with_their_process_and_no_others),
	    CASE(a_file_is_closed_when_released_and_read_no_more),
	    CASE(the_fuse_thread_sleeps_again_after_an_answer),
	    CASE(a_forgotten_node_lives_until_its_answer_has_come),
	    CASE(the_end_answers_all_that_waits),
	    CASE(a_stop_before_the_start_is_heard),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
