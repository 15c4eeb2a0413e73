/* SPDX-License-Identifier: Apache-2.0 */
/*
 * One mount for many users: what the kernel may keep, and what becomes of a
 * directory that one of them is refused while another sits in it. The fake
 * cache stands for the door: it refuses what the test tells it to.
 */
#include "tests/unit/fs/fake_cache.h"
#include "tests/unit/fs/kernel.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

static struct kernel kernel;

static int start(void **state)
{
	(void)state;
	kernel_start_shared(&kernel);
	fake_put(kernel.cache, "/f", 4096, 7, 60000);
	fake_put(kernel.cache, "/d", -1, 1, 60000);
	fake_put(kernel.cache, "/d/x", 10, 3, 60000);
	fake_negative_ms(kernel.cache, 60000);
	return 0;
}

static int stop(void **state)
{
	(void)state;
	kernel_stop(&kernel);
	return 0;
}

static int do_access(uint64_t node, uint32_t mask)
{
	struct fuse_access_in in = {.mask = mask};
	uint64_t unique =
	    kernel_send(&kernel, FUSE_ACCESS, node, &in, sizeof(in), NULL, 0);

	return kernel_reply(&kernel, unique)->error;
}

static void the_kernel_keeps_no_attribute_and_no_name_of_a_file(void **state)
{
	struct fuse_entry_out entry;
	struct fuse_attr_out attr;
	struct fuse_open_out opened;
	const struct reply *reply;
	size_t at = 0;
	unsigned plus = 0;

	(void)state;
	assert_int_equal(do_lookup(&kernel, FUSE_ROOT_ID, "f", &entry), 0);
	assert_int_equal(entry.entry_valid | entry.attr_valid, 0);
	/* For the call that has looked it up: no name, and attributes for a
	 * tick. */
	assert_int_equal(entry.entry_valid_nsec, 0);
	assert_in_range(entry.attr_valid_nsec, 1, 4000000);
	assert_int_equal(entry.attr.size, 4096);
	assert_int_equal(do_getattr(&kernel, entry.nodeid, &attr), 0);
	assert_int_equal(attr.attr_valid | attr.attr_valid_nsec, 0);
	/* Nor an absence, which would be a node 0 with a time. */
	assert_int_equal(
	    do_lookup(&kernel, FUSE_ROOT_ID, "none", &entry), -ENOENT);
	/* Nor a directory's names. */
	for (unsigned i = 0; i < 2; i++) {
		assert_int_equal(do_opendir(&kernel, FUSE_ROOT_ID, &opened), 0);
		assert_int_equal(
		    opened.open_flags & (FOPEN_CACHE_DIR | FOPEN_KEEP_CACHE),
		    0);
		if (i == 0)
			assert_int_equal(
			    do_releasedir(&kernel, FUSE_ROOT_ID, opened.fh), 0);
	}
	reply = kernel_reply(&kernel,
	    send_readdir(&kernel, FUSE_ROOT_ID, opened.fh, 0, 65536, true));
	assert_int_equal(reply->error, 0);
	while (at < reply->size_bytes) {
		struct fuse_direntplus one;

		memcpy(&one, reply->bytes + at, FUSE_NAME_OFFSET_DIRENTPLUS);
		at += (FUSE_NAME_OFFSET_DIRENTPLUS + one.dirent.namelen + 7) &
		    ~(size_t)7;
		if (!S_ISDIR(one.entry_out.attr.mode))
			assert_int_equal(one.entry_out.entry_valid |
			        one.entry_out.entry_valid_nsec,
			    0);
		assert_int_equal(
		    one.entry_out.attr_valid | one.entry_out.attr_valid_nsec,
		    0);
		plus++;
	}
	assert_int_equal(plus, 4);
	assert_int_equal(do_releasedir(&kernel, FUSE_ROOT_ID, opened.fh), 0);
}

/* Who uses one is judged by the attributes that the kernel then asks for. */
static void of_a_directory_it_keeps_the_name(void **state)
{
	struct fuse_entry_out entry;
	struct fuse_attr_out attr;

	(void)state;
	assert_int_equal(do_lookup(&kernel, FUSE_ROOT_ID, "d", &entry), 0);
	assert_true(entry.entry_valid >= 59);
	assert_int_equal(entry.attr_valid | entry.attr_valid_nsec, 0);
	assert_int_equal(do_getattr(&kernel, entry.nodeid, &attr), 0);
	assert_int_equal(attr.attr_valid | attr.attr_valid_nsec, 0);
	/* One that somebody's scopes make up is theirs alone. */
	fake_make_up(kernel.cache, "/up");
	assert_int_equal(do_lookup(&kernel, FUSE_ROOT_ID, "up", &entry), 0);
	assert_int_equal(entry.entry_valid | entry.entry_valid_nsec, 0);
}

/* Else one whose token opens something further down could not come in. */
static void the_root_that_a_server_does_not_show_is_passed(void **state)
{
	struct fuse_attr_out attr;
	struct fuse_open_out opened;

	(void)state;
	fake_fail(kernel.cache, "/", -EACCES);
	assert_int_equal(do_getattr(&kernel, FUSE_ROOT_ID, &attr), 0);
	assert_int_equal(attr.attr.mode, S_IFDIR | 0555);
	assert_int_equal(attr.attr.mtime, 0);
	assert_int_equal(do_opendir(&kernel, FUSE_ROOT_ID, &opened), -EACCES);
	fake_fail(kernel.cache, "/", -ENOKEY);
	assert_int_equal(do_getattr(&kernel, FUSE_ROOT_ID, &attr), -ENOKEY);
	fake_fail(kernel.cache, "/", -EKEYREJECTED);
	assert_int_equal(
	    do_getattr(&kernel, FUSE_ROOT_ID, &attr), -EKEYREJECTED);
}

static void a_refused_directory_that_is_in_use_is_found_and_bare(void **state)
{
	static const int codes[] = {
	    -EACCES, -EKEYREJECTED, -ENOKEY, -EKEYEXPIRED, -ETIMEDOUT};
	struct fuse_entry_out known;
	struct fuse_entry_out entry;
	struct fuse_attr_out attr;
	struct fuse_open_out opened;

	(void)state;
	/* Nobody has it: the refusal is told. */
	fake_fail(kernel.cache, "/d", -EACCES);
	assert_int_equal(
	    do_lookup(&kernel, FUSE_ROOT_ID, "d", &entry), -EACCES);
	fake_fail(kernel.cache, "/d", 0);
	assert_int_equal(do_lookup(&kernel, FUSE_ROOT_ID, "d", &known), 0);
	assert_int_not_equal(known.attr.mtime, 0);
	for (unsigned i = 0; i < 5; i++) {
		fake_fail(kernel.cache, "/d", codes[i]);
		fake_fail(kernel.cache, "/d/x", codes[i]);
		assert_int_equal(
		    do_lookup(&kernel, FUSE_ROOT_ID, "d", &entry), 0);
		assert_int_equal(entry.nodeid, known.nodeid);
		assert_int_equal(entry.attr.ino, known.attr.ino);
		assert_int_equal(entry.attr.mode, S_IFDIR | 0555);
		assert_int_equal(entry.attr.uid, 1000);
		assert_int_equal(entry.attr.gid, 1001);
		assert_int_equal(entry.attr.size, 0);
		assert_int_equal(entry.attr.mtime, 0);
		assert_int_equal(entry.attr.ctime, 0);
		assert_int_equal(entry.entry_valid | entry.attr_valid, 0);
		/* The refusal falls behind it. */
		assert_int_equal(
		    do_getattr(&kernel, known.nodeid, &attr), codes[i]);
		assert_int_equal(do_access(known.nodeid, X_OK), codes[i]);
		assert_int_equal(
		    do_opendir(&kernel, known.nodeid, &opened), codes[i]);
		assert_int_equal(
		    do_lookup(&kernel, known.nodeid, "x", &entry), codes[i]);
	}
	/* One that has really gone has gone for all. */
	fake_fail(kernel.cache, "/d", 0);
	fake_remove(kernel.cache, "/d");
	assert_int_equal(
	    do_lookup(&kernel, FUSE_ROOT_ID, "d", &entry), -ENOENT);
	/* The kernel counts six look-ups, and so do we. */
	do_forget(&kernel, known.nodeid, 6);
	fake_fail(kernel.cache, "/d", -EACCES);
	assert_int_equal(
	    do_lookup(&kernel, FUSE_ROOT_ID, "d", &entry), -EACCES);
}

static void a_refused_file_is_refused_though_another_has_it_open(void **state)
{
	struct fuse_entry_out known;
	struct fuse_entry_out entry;
	struct fuse_attr_out attr;
	struct fuse_open_out opened;
	struct fuse_open_out again;
	const struct reply *reply;

	(void)state;
	assert_int_equal(do_lookup(&kernel, FUSE_ROOT_ID, "f", &known), 0);
	assert_int_equal(do_open(&kernel, known.nodeid, &opened), 0);
	fake_fail(kernel.cache, "/f", -EACCES);
	assert_int_equal(
	    do_lookup(&kernel, FUSE_ROOT_ID, "f", &entry), -EACCES);
	assert_int_equal(do_open(&kernel, known.nodeid, &again), -EACCES);
	assert_int_equal(do_access(known.nodeid, R_OK), -EACCES);
	/* The handle goes on working for whoever has it. */
	assert_int_equal(do_getattr(&kernel, known.nodeid, &attr), 0);
	assert_int_equal(attr.attr.size, 4096);
	assert_int_equal(attr.attr_valid | attr.attr_valid_nsec, 0);
	reply = kernel_reply(
	    &kernel, send_read(&kernel, known.nodeid, opened.fh, 0, 4096));
	assert_int_equal(reply->error, 0);
	assert_int_equal(reply->size_bytes, 4096);
	assert_int_equal(do_release(&kernel, known.nodeid, opened.fh), 0);
	/* Closed: there is nothing but the door. */
	assert_int_equal(do_getattr(&kernel, known.nodeid, &attr), -EACCES);
}

static void what_one_makes_up_takes_no_file_from_others(void **state)
{
	struct fuse_entry_out known;
	struct fuse_entry_out entry;
	struct fuse_attr_out attr;

	(void)state;
	assert_int_equal(do_lookup(&kernel, FUSE_ROOT_ID, "f", &known), 0);
	fake_make_up(kernel.cache, "/f");
	assert_int_equal(
	    do_lookup(&kernel, FUSE_ROOT_ID, "f", &entry), -EACCES);
	fake_put(kernel.cache, "/f", 4096, 7, 60000);
	assert_int_equal(do_getattr(&kernel, known.nodeid, &attr), 0);
	/* Where there is none it may be passed. */
	fake_make_up(kernel.cache, "/up");
	assert_int_equal(do_lookup(&kernel, FUSE_ROOT_ID, "up", &entry), 0);
	assert_int_equal(entry.attr.mode, S_IFDIR | 0555);
	/* And a real directory stays the one it is. */
	assert_int_equal(do_lookup(&kernel, FUSE_ROOT_ID, "d", &known), 0);
	fake_make_up(kernel.cache, "/d");
	assert_int_equal(do_lookup(&kernel, FUSE_ROOT_ID, "d", &entry), 0);
	assert_int_equal(entry.nodeid, known.nodeid);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, start, stop)

int main(void)
{
	const struct CMUnitTest tests[] = {
	    TEST(the_kernel_keeps_no_attribute_and_no_name_of_a_file),
	    TEST(of_a_directory_it_keeps_the_name),
	    TEST(the_root_that_a_server_does_not_show_is_passed),
	    TEST(a_refused_directory_that_is_in_use_is_found_and_bare),
	    TEST(a_refused_file_is_refused_though_another_has_it_open),
	    TEST(what_one_makes_up_takes_no_file_from_others),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
