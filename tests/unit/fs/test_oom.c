/* SPDX-License-Identifier: Apache-2.0 */
/*
 * tests/unit/fs/test_oom.c - each allocation of the FUSE thread fails once:
 * its request gets ENOMEM, and nothing is lost, leaked or answered twice.
 */
#include "base/err.h"
#include "base/stats.h"
#include "fs/session.h"
#include "tests/unit/fs/fake_cache.h"
#include "tests/unit/fs/fake_drafts.h"
#include "tests/unit/fs/kernel.h"

#include <errno.h>
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

enum { PAGE = 4096, ROUNDS_MAX = 200 };

static _Atomic unsigned countdown; /* 0: none fails */
static _Atomic unsigned failed;
static _Thread_local bool is_test_thread;
static bool fail_here; /* on the test's thread too */

void *__real_malloc(size_t size_bytes);
void *__real_calloc(size_t count, size_t size_bytes);
void *__wrap_malloc(size_t size_bytes);
void *__wrap_calloc(size_t count, size_t size_bytes);

static bool must_fail(void)
{
	unsigned left = atomic_load(&countdown);

	if (left == 0 || fake_allocates || (is_test_thread && !fail_here))
		return false;
	atomic_store(&countdown, left - 1);
	if (left > 1)
		return false;
	(void)atomic_fetch_add(&failed, 1);
	return true;
}

void *__wrap_malloc(size_t size_bytes)
{
	return must_fail() ? NULL : __real_malloc(size_bytes);
}

void *__wrap_calloc(size_t count, size_t size_bytes)
{
	return must_fail() ? NULL : __real_calloc(count, size_bytes);
}

/* @return false: out of memory */
static bool fine(int error)
{
	assert_true(error == 0 || error == -ENOMEM);
	return error == 0;
}

static void read_file(struct kernel *kernel, uint64_t node)
{
	struct fuse_open_out opened;
	const struct reply *reply;

	if (!fine(do_open(kernel, node, &opened)))
		return;
	reply =
	    kernel_reply(kernel, send_read(kernel, node, opened.fh, 10, PAGE));
	if (fine(reply->error)) {
		assert_int_equal(reply->size_bytes, 90);
		assert_int_equal(reply->bytes[0], fake_byte(7, 10));
	}
	assert_int_equal(do_release(kernel, node, opened.fh), 0);
}

static void read_directory(struct kernel *kernel)
{
	struct fuse_open_out opened;
	const struct reply *reply;

	if (!fine(do_opendir(kernel, FUSE_ROOT_ID, &opened)))
		return;
	reply = kernel_reply(kernel,
	    send_readdir(kernel, FUSE_ROOT_ID, opened.fh, 0, PAGE, true));
	/* Names are shown even when there is no memory for their nodes. */
	if (fine(reply->error))
		assert_true(reply->size_bytes >
		    (size_t)3 * sizeof(struct fuse_entry_out));
	assert_int_equal(do_releasedir(kernel, FUSE_ROOT_ID, opened.fh), 0);
}

/* One of each operation. */
static void use(struct kernel *kernel)
{
	static const char name[] = "user.bearerfs.etag";
	const struct fuse_getxattr_in xattr = {.size = 100};
	struct fuse_entry_out entry;
	struct fuse_attr_out attr;

	if (fine(do_lookup(kernel, FUSE_ROOT_ID, "f", &entry))) {
		(void)fine(do_getattr(kernel, entry.nodeid, &attr));
		read_file(kernel, entry.nodeid);
	}
	read_directory(kernel);
	(void)fine(kernel_reply(kernel,
	    kernel_send(kernel, FUSE_STATFS, FUSE_ROOT_ID, NULL, 0, NULL, 0))
	               ->error);
	(void)fine(kernel_reply(kernel,
	    kernel_send(kernel, FUSE_GETXATTR, FUSE_ROOT_ID, &xattr,
	        sizeof(xattr), name, sizeof(name)))
	               ->error);
}

static void every_failed_allocation_is_one_answer(void **state)
{
	unsigned round = 1;

	(void)state;
	is_test_thread = true;
	for (;; round++) {
		struct kernel kernel;
		unsigned before = atomic_load(&failed);

		assert_true(round < ROUNDS_MAX);
		kernel_start(&kernel);
		fake_put(kernel.cache, "/f", 100, 7, 1000);
		atomic_store(&countdown, round);
		use(&kernel);
		atomic_store(&countdown, 0);
		kernel_stop(&kernel); /* looks for what leaked */
		if (atomic_load(&failed) == before)
			break;
	}
	/* Seven waits, two handles, a node, a page. */
	assert_true(round > 11);
	print_message("%u allocations failed\n", round - 1);
}

static void write_file(struct kernel *kernel)
{
	struct fuse_entry_out entry;
	struct fuse_open_out opened;

	if (!fine(
	        do_create(kernel, FUSE_ROOT_ID, "n", O_RDWR, &entry, &opened)))
		return;
	(void)fine(kernel_reply(
	    kernel, send_write(kernel, entry.nodeid, opened.fh, 0, "text", 0))
	               ->error);
	(void)fine(
	    kernel_reply(kernel, send_flush(kernel, entry.nodeid, opened.fh))
	        ->error);
	assert_int_equal(do_release(kernel, entry.nodeid, opened.fh), 0);
}

static void set_attributes(struct kernel *kernel)
{
	const struct fuse_setattr_in size = {.valid = FATTR_SIZE, .size = 50};
	const struct fuse_setattr_in mode = {.valid = FATTR_MODE, .mode = 0755};
	struct fuse_entry_out entry;
	const struct reply *reply;

	if (!fine(do_lookup(kernel, FUSE_ROOT_ID, "f", &entry)))
		return;
	(void)fine(
	    kernel_reply(kernel, send_setattr(kernel, entry.nodeid, &size))
	        ->error);
	(void)fine(
	    kernel_reply(kernel, send_setattr(kernel, entry.nodeid, &mode))
	        ->error);
	reply = kernel_reply(kernel, send_open(kernel, entry.nodeid, O_RDWR));
	if (fine(reply->error)) {
		struct fuse_open_out opened;

		memcpy(&opened, reply->bytes, sizeof(opened));
		assert_int_equal(
		    do_release(kernel, entry.nodeid, opened.fh), 0);
	}
}

/* One of each operation that writes. */
static void use_writing(struct kernel *kernel)
{
	static const char name[] = "a-directory";
	const struct fuse_mkdir_in in = {.mode = 0755};

	write_file(kernel);
	set_attributes(kernel);
	read_directory(kernel);
	(void)fine(kernel_reply(kernel,
	    kernel_send(kernel, FUSE_MKDIR, FUSE_ROOT_ID, &in, sizeof(in), name,
	        sizeof(name)))
	               ->error);
	(void)fine(kernel_reply(kernel,
	    send_rename(kernel, FUSE_ROOT_ID, "f", FUSE_ROOT_ID,
	        "a-name-that-is-much-longer", 0))
	               ->error);
	(void)fine(kernel_reply(
	    kernel, send_name(kernel, FUSE_UNLINK, FUSE_ROOT_ID, "g"))
	               ->error);
}

static void every_failed_allocation_of_a_writer_is_one_answer(void **state)
{
	unsigned round = 1;

	(void)state;
	is_test_thread = true;
	for (;; round++) {
		struct kernel kernel;
		unsigned before = atomic_load(&failed);

		assert_true(round < ROUNDS_MAX);
		kernel_start_writable(&kernel);
		fake_put(kernel.cache, "/f", 100, 7, 1000);
		fake_put(kernel.cache, "/g", 100, 7, 1000);
		atomic_store(&countdown, round);
		use_writing(&kernel);
		atomic_store(&countdown, 0);
		kernel_stop(&kernel); /* looks for what leaked */
		if (atomic_load(&failed) == before)
			break;
	}
	/* Eleven waits, three handles, nodes, a page, a name. */
	assert_true(round > 18);
	print_message("%u allocations failed\n", round - 1);
}

static void a_mount_that_cannot_be_prepared_says_so(void **state)
{
	struct clock clock = {.hand_driven = 1};
	struct cache *cache = fake_new(&clock);
	const struct fs_config config = {
	    .clock = &clock,
	    .cache = cache,
	    .source = "s",
	    .mountpoint = "/mnt",
	    .origin = "o",
	};
	unsigned round = 1;
	struct fs *fs;
	int code;

	(void)state;
	is_test_thread = true;
	fail_here = true;
	for (;; round++) {
		struct err err = ERR_INIT;
		unsigned before = atomic_load(&failed);

		atomic_store(&countdown, round);
		code = fs_prepare(&fs, &config, &err);
		atomic_store(&countdown, 0);
		if (atomic_load(&failed) == before)
			break;
		assert_int_equal(code, -ENOMEM);
		assert_int_equal(err.code, -ENOMEM);
		assert_null(fs);
	}
	assert_int_equal(code, 0);
	assert_true(round > 3);
	fs_free(fs);
	fake_free(cache);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(every_failed_allocation_is_one_answer),
	    cmocka_unit_test(every_failed_allocation_of_a_writer_is_one_answer),
	    cmocka_unit_test(a_mount_that_cannot_be_prepared_says_so),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
