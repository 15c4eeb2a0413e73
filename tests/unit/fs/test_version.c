/* SPDX-License-Identifier: Apache-2.0 */
/*
 * tests/unit/fs/test_version.c - a version is an inode: what lookup, getattr
 * and open answer when a file was replaced, for how long it is believed, and
 * what INIT and the operations that write say.
 */
#include "base/stats.h"
#include "fs/fs.h"
#include "tests/unit/fs/fake_cache.h"
#include "tests/unit/fs/kernel.h"

#include <errno.h>
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

static struct kernel kernel;

static int start(void **state)
{
	(void)state;
	kernel_start(&kernel);
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

/* ESTALE makes the VFS walk again and find the node of what is there. */
static void open_of_a_replaced_version_is_stale_and_the_walk_mends_it(
    void **state)
{
	struct fuse_entry_out old = lookup("f");
	struct fuse_entry_out fresh;
	struct fuse_open_out opened;

	(void)state;
	fake_put(kernel.cache, "/f", 2000, 8, 10000);
	assert_int_equal(do_open(&kernel, old.nodeid, &opened), -ESTALE);
	kernel_sync(&kernel);
	assert_int_equal(fake_open_files(kernel.cache), 0);
	fresh = lookup("f");
	assert_true(fresh.nodeid != old.nodeid);
	assert_true(fresh.attr.ino != old.attr.ino);
	assert_int_equal(fresh.attr.size, 2000);
	assert_int_equal(do_open(&kernel, fresh.nodeid, &opened), 0);
	/* The old one has no name any more: stale without a question. */
	assert_int_equal(do_open(&kernel, old.nodeid, &opened), -ESTALE);
}

static void an_open_handle_keeps_its_version(void **state)
{
	struct fuse_entry_out old = lookup("f");
	struct fuse_attr_out attr;
	struct fuse_open_out opened;
	const struct reply *reply;
	size_t calls;

	(void)state;
	assert_int_equal(do_open(&kernel, old.nodeid, &opened), 0);
	/* Who only reads has nothing to flush. */
	assert_int_equal(opened.open_flags, FOPEN_KEEP_CACHE | FOPEN_NOFLUSH);
	fake_put(kernel.cache, "/f", 2000, 8, 10000);
	calls = fake_calls(kernel.cache);
	assert_int_equal(do_getattr(&kernel, old.nodeid, &attr), 0);
	assert_int_equal(attr.attr.size, 1000);
	assert_int_equal(attr.attr.mtime, 1700000007);
	assert_true(attr.attr.ino == old.attr.ino);
	assert_int_equal(fake_calls(kernel.cache), calls);
	(void)lookup("f");
	assert_int_equal(do_getattr(&kernel, old.nodeid, &attr), 0);
	assert_int_equal(attr.attr.size, 1000);
	reply = kernel_reply(
	    &kernel, send_read(&kernel, old.nodeid, opened.fh, 500, 4096));
	assert_int_equal(reply->size_bytes, 500);
	assert_int_equal(reply->bytes[0], fake_byte(7, 500));
	assert_int_equal(do_release(&kernel, old.nodeid, opened.fh), 0);
	assert_int_equal(do_getattr(&kernel, old.nodeid, &attr), -ESTALE);
}

static void getattr_of_a_replaced_version_is_stale(void **state)
{
	struct fuse_entry_out entry = lookup("f");
	struct fuse_attr_out attr;

	(void)state;
	assert_int_equal(do_getattr(&kernel, entry.nodeid, &attr), 0);
	assert_int_equal(attr.attr_valid, 10);
	fake_put(kernel.cache, "/f", 1000, 8, 10000);
	assert_int_equal(do_getattr(&kernel, entry.nodeid, &attr), -ESTALE);
	/* The kernel would make an inode of another kind a bad one. */
	fake_put(kernel.cache, "/f", -1, 7, 10000);
	assert_int_equal(do_getattr(&kernel, entry.nodeid, &attr), -ESTALE);
}

static void a_directory_is_the_same_inode_when_it_changed(void **state)
{
	struct fuse_entry_out entry;
	struct fuse_attr_out attr;

	(void)state;
	fake_put(kernel.cache, "/d", -1, 1, 10000);
	entry = lookup("d");
	fake_put(kernel.cache, "/d", -1, 2, 10000);
	assert_int_equal(do_getattr(&kernel, entry.nodeid, &attr), 0);
	assert_int_equal(attr.attr.mtime, 1700000002);
	assert_true(lookup("d").nodeid == entry.nodeid);
	assert_int_equal(do_getattr(&kernel, FUSE_ROOT_ID, &attr), 0);
	assert_int_equal(attr.attr.ino, FUSE_ROOT_ID);
	assert_int_equal(attr.attr.mode, S_IFDIR | 0555);
}

static void attributes_are_believed_for_what_is_left(void **state)
{
	struct fuse_entry_out entry;

	(void)state;
	kernel.clock.monotonic_ms += 123;
	fake_put(kernel.cache, "/f", 1000, 7, 2250);
	entry = lookup("f");
	assert_int_equal(entry.entry_valid, 2);
	assert_int_equal(entry.entry_valid_nsec, 250000000);
	assert_int_equal(entry.attr_valid, 2);
	assert_int_equal(entry.generation, 0);
	fake_put(kernel.cache, "/f", 1000, 7, 0);
	entry = lookup("f");
	assert_int_equal(entry.entry_valid, 0);
	assert_int_equal(entry.entry_valid_nsec, 0);
	/* For ever, as the kernel can count it. */
	fake_put(kernel.cache, "/f", 1000, 7, UINT64_MAX / 2);
	entry = lookup("f");
	assert_int_equal(entry.entry_valid, 30 * 24 * 3600);
}

static void an_absence_is_believed_only_when_the_cache_does(void **state)
{
	struct fuse_entry_out entry;

	(void)state;
	assert_int_equal(
	    do_lookup(&kernel, FUSE_ROOT_ID, "none", &entry), -ENOENT);
	fake_negative_ms(kernel.cache, 1500);
	assert_int_equal(do_lookup(&kernel, FUSE_ROOT_ID, "none", &entry), 0);
	assert_int_equal(entry.nodeid, 0);
	assert_int_equal(entry.entry_valid, 1);
	assert_int_equal(entry.entry_valid_nsec, 500000000);
	/* A refusal or an unreachable server is never an absence. */
	fake_fail(kernel.cache, "/none", -EACCES);
	assert_int_equal(
	    do_lookup(&kernel, FUSE_ROOT_ID, "none", &entry), -EACCES);
}

static void a_refused_lookup_or_open_leaves_nothing(void **state)
{
	struct fuse_entry_out entry;

	(void)state;
	kernel_refuse_next(&kernel);
	assert_int_equal(
	    do_lookup(&kernel, FUSE_ROOT_ID, "f", &entry), -ENOENT);
	kernel_sync(&kernel);
	assert_int_equal(stats_get(STATS_fs_nodes), 0);
	entry = lookup("f");
	kernel_refuse_next(&kernel);
	(void)kernel_reply(&kernel, send_open(&kernel, entry.nodeid, 0));
	kernel_sync(&kernel);
	assert_int_equal(fake_open_files(kernel.cache), 0);
	do_forget(&kernel, entry.nodeid, 1);
	kernel_sync(&kernel);
	assert_int_equal(stats_get(STATS_fs_nodes), 0);
}

static void names_and_paths_that_are_too_long_are_refused_here(void **state)
{
	struct fuse_entry_out entry = {.nodeid = FUSE_ROOT_ID};
	char name[300];
	char path[5000] = "";
	size_t calls = fake_calls(kernel.cache);

	(void)state;
	memset(name, 'n', sizeof(name));
	name[256] = '\0';
	assert_int_equal(
	    do_lookup(&kernel, FUSE_ROOT_ID, name, &entry), -ENAMETOOLONG);
	assert_int_equal(
	    do_lookup(&kernel, FUSE_ROOT_ID, "..", &entry), -EINVAL);
	assert_int_equal(fake_calls(kernel.cache), calls);
	name[255] = '\0';
	entry.nodeid = FUSE_ROOT_ID;
	for (unsigned i = 0; i < 15; i++) {
		(void)snprintf(path + strlen(path), sizeof(path) - strlen(path),
		    "/%s", name);
		fake_put(kernel.cache, path, -1, 1, 1000);
		assert_int_equal(
		    do_lookup(&kernel, entry.nodeid, name, &entry), 0);
	}
	assert_int_equal(
	    do_lookup(&kernel, entry.nodeid, name, &entry), -ENAMETOOLONG);
}

static struct fuse_init_out init_answer(void)
{
	struct fuse_init_out out;

	/* INIT was the first request. */
	memcpy(&out, kernel_reply(&kernel, 1)->bytes, sizeof(out));
	return out;
}

static void init_asks_for_what_the_rules_need_and_nothing_else(void **state)
{
	const uint32_t wanted = FUSE_ASYNC_READ | FUSE_DO_READDIRPLUS |
	    FUSE_EXPLICIT_INVAL_DATA | FUSE_PARALLEL_DIROPS;
	const uint32_t unwanted = FUSE_AUTO_INVAL_DATA | FUSE_READDIRPLUS_AUTO |
	    FUSE_ASYNC_DIO | FUSE_WRITEBACK_CACHE | FUSE_FLOCK_LOCKS |
	    FUSE_POSIX_LOCKS | FUSE_SPLICE_READ | FUSE_SPLICE_WRITE |
	    FUSE_EXPORT_SUPPORT | FUSE_POSIX_ACL | FUSE_NO_OPEN_SUPPORT;
	struct fuse_init_out out = init_answer();

	(void)state;
	assert_int_equal(out.flags & wanted, wanted);
	assert_int_equal(out.flags & unwanted, 0);
	assert_int_equal(out.max_background, FS_MAX_BACKGROUND);
	assert_int_equal(out.congestion_threshold, 48);
	assert_int_equal(out.max_write, 1024 * 1024);
	assert_int_equal(out.max_pages, 256);
	assert_true(fs_is_ready(kernel.fs));
}

static int error_of(enum fuse_opcode opcode, uint64_t node, const void *body,
    size_t body_bytes, const char *name, size_t name_bytes)
{
	return kernel_reply(&kernel,
	    kernel_send(
	        &kernel, opcode, node, body, body_bytes, name, name_bytes))
	    ->error;
}

#define ERROR_OF(opcode, body, names) \
	error_of(                     \
	    opcode, FUSE_ROOT_ID, &(body), sizeof(body), names, sizeof(names))

/* A read-only mount is refused by the VFS already; these say the same. */
static void everything_that_writes_is_refused(void **state)
{
	const struct fuse_mkdir_in make_dir = {.mode = 0700};
	const struct fuse_mknod_in make_file = {.mode = S_IFREG | 0600};
	const struct fuse_mknod_in make_fifo = {.mode = S_IFIFO | 0600};
	const struct fuse_rename2_in rename_to = {.newdir = FUSE_ROOT_ID};
	const struct fuse_link_in link_to = {.oldnodeid = FUSE_ROOT_ID};
	const struct fuse_create_in create = {.flags = O_RDWR};
	const struct fuse_setattr_in attr = {.valid = FATTR_MODE};
	const struct fuse_fallocate_in allocate = {.length = 1};
	/* libfuse has the first half of it without SETXATTR_EXT. */
	const struct {
		uint32_t size;
		uint32_t flags;
	} xattr = {.size = 1};

	(void)state;
	assert_int_equal(ERROR_OF(FUSE_MKDIR, make_dir, "n"), -EROFS);
	assert_int_equal(ERROR_OF(FUSE_MKNOD, make_file, "n"), -EROFS);
	assert_int_equal(ERROR_OF(FUSE_MKNOD, make_fifo, "n"), -EROFS);
	assert_int_equal(ERROR_OF(FUSE_RENAME2, rename_to, "f\0g"), -EROFS);
	assert_int_equal(ERROR_OF(FUSE_LINK, link_to, "g"), -EROFS);
	assert_int_equal(ERROR_OF(FUSE_CREATE, create, "g"), -EROFS);
	assert_int_equal(ERROR_OF(FUSE_SETATTR, attr, ""), -EROFS);
	assert_int_equal(ERROR_OF(FUSE_FALLOCATE, allocate, ""), -EROFS);
	assert_int_equal(ERROR_OF(FUSE_SETXATTR, xattr, "user.x\0v"), -EROFS);
	assert_int_equal(
	    error_of(FUSE_UNLINK, FUSE_ROOT_ID, "f", 2, NULL, 0), -EROFS);
	assert_int_equal(
	    error_of(FUSE_RMDIR, FUSE_ROOT_ID, "f", 2, NULL, 0), -EROFS);
	assert_int_equal(
	    error_of(FUSE_SYMLINK, FUSE_ROOT_ID, "n\0target", 9, NULL, 0),
	    -EROFS);
	assert_int_equal(
	    error_of(FUSE_REMOVEXATTR, FUSE_ROOT_ID, "user.x", 7, NULL, 0),
	    -EROFS);
	assert_int_equal(
	    error_of(FUSE_READLINK, FUSE_ROOT_ID, NULL, 0, NULL, 0), -EINVAL);
}

static void opening_for_writing_is_refused(void **state)
{
	struct fuse_entry_out entry = lookup("f");
	const uint32_t flags[] = {O_WRONLY, O_RDWR, O_RDONLY | O_TRUNC};

	(void)state;
	for (unsigned i = 0; i < 3; i++)
		assert_int_equal(kernel_reply(&kernel,
		                     send_open(&kernel, entry.nodeid, flags[i]))
		                     ->error,
		    -EROFS);
	assert_int_equal(
	    kernel_reply(&kernel, send_open(&kernel, FUSE_ROOT_ID, 0))->error,
	    -EISDIR);
}

static int access_of(uint64_t node, uint32_t mask)
{
	const struct fuse_access_in in = {.mask = mask};

	return error_of(FUSE_ACCESS, node, &in, sizeof(in), NULL, 0);
}

static void access_tells_what_the_token_allows(void **state)
{
	struct fuse_entry_out entry = lookup("f");
	struct fuse_open_out opened;

	(void)state;
	assert_int_equal(access_of(entry.nodeid, R_OK), 0);
	assert_int_equal(access_of(entry.nodeid, W_OK), -EROFS);
	assert_int_equal(access_of(entry.nodeid, X_OK), -EACCES);
	assert_int_equal(access_of(FUSE_ROOT_ID, R_OK | X_OK), 0);
	fake_fail(kernel.cache, "/f", -EKEYEXPIRED);
	assert_int_equal(access_of(entry.nodeid, R_OK), -EKEYEXPIRED);
	fake_fail(kernel.cache, "/f", 0);
	fake_put(kernel.cache, "/f", 1000, 8, 1000);
	assert_int_equal(access_of(entry.nodeid, R_OK), -ESTALE);
	entry = lookup("f");
	assert_int_equal(do_open(&kernel, entry.nodeid, &opened), 0);
	assert_int_equal(access_of(entry.nodeid, R_OK), 0);
}

#define CASE(name) cmocka_unit_test_setup_teardown(name, start, stop)

int main(void)
{
	const struct CMUnitTest tests[] = {
	    CASE(open_of_a_replaced_version_is_stale_and_the_walk_mends_it),
	    CASE(an_open_handle_keeps_its_version),
	    CASE(getattr_of_a_replaced_version_is_stale),
	    CASE(a_directory_is_the_same_inode_when_it_changed),
	    CASE(attributes_are_believed_for_what_is_left),
	    CASE(an_absence_is_believed_only_when_the_cache_does),
	    CASE(a_refused_lookup_or_open_leaves_nothing),
	    CASE(names_and_paths_that_are_too_long_are_refused_here),
	    CASE(init_asks_for_what_the_rules_need_and_nothing_else),
	    CASE(everything_that_writes_is_refused),
	    CASE(opening_for_writing_is_refused),
	    CASE(access_tells_what_the_token_allows),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
