/* SPDX-License-Identifier: Apache-2.0 */
/*
 * tests/unit/fs/test_names.c - names that are made, removed and moved, and
 * attributes that are set: what becomes of the nodes.
 */
#include "base/stats.h"
#include "tests/unit/fs/fake_cache.h"
#include "tests/unit/fs/fake_drafts.h"
#include "tests/unit/fs/kernel.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/fs.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

#define LONG_NAME "a-name-that-does-not-fit-where-a-short-one-was"

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

static struct fuse_entry_out lookup_in(uint64_t parent, const char *name)
{
	struct fuse_entry_out entry;

	assert_int_equal(do_lookup(&kernel, parent, name, &entry), 0);
	assert_true(entry.nodeid != 0);
	return entry;
}

static struct fuse_entry_out lookup(const char *name)
{
	return lookup_in(FUSE_ROOT_ID, name);
}

static int lookup_error(const char *name)
{
	struct fuse_entry_out entry;

	return do_lookup(&kernel, FUSE_ROOT_ID, name, &entry);
}

static uint64_t opened(uint64_t node, uint32_t flags)
{
	const struct reply *reply =
	    kernel_reply(&kernel, send_open(&kernel, node, flags));
	struct fuse_open_out out;

	assert_int_equal(reply->error, 0);
	memcpy(&out, reply->bytes, sizeof(out));
	return out.fh;
}

static struct fuse_attr attr_of(uint64_t node)
{
	struct fuse_attr_out out;

	assert_int_equal(do_getattr(&kernel, node, &out), 0);
	return out.attr;
}

static int do_rename(const char *name, const char *new_name, uint32_t flags)
{
	return error_of(send_rename(
	    &kernel, FUSE_ROOT_ID, name, FUSE_ROOT_ID, new_name, flags));
}

static int do_unlink(const char *name)
{
	return error_of(send_name(&kernel, FUSE_UNLINK, FUSE_ROOT_ID, name));
}

static void a_removed_file_is_still_its_handles(void **state)
{
	struct fuse_entry_out entry = lookup("f");
	uint64_t handle = opened(entry.nodeid, O_RDWR);
	struct fuse_attr_out attr;

	(void)state;
	assert_int_equal(
	    error_of(send_write(&kernel, entry.nodeid, handle, 0, "mine", 0)),
	    0);
	assert_int_equal(do_unlink("f"), 0);
	assert_int_equal(lookup_error("f"), -ENOENT);
	assert_int_equal(attr_of(entry.nodeid).size, 1000);
	assert_memory_equal(kernel_reply(&kernel,
	                        send_read(&kernel, entry.nodeid, handle, 0, 4))
	                        ->bytes,
	    "mine", 4);
	assert_int_equal(
	    error_of(send_write(&kernel, entry.nodeid, handle, 2000, "x", 0)),
	    0);
	assert_int_equal(attr_of(entry.nodeid).size, 2001);
	assert_int_equal(
	    error_of(send_flush(&kernel, entry.nodeid, handle)), 0);
	assert_int_equal(do_release(&kernel, entry.nodeid, handle), 0);
	assert_int_equal(do_getattr(&kernel, entry.nodeid, &attr), -ESTALE);
	assert_int_equal(fake_drafts_sent(kernel.drafts), 0);
	assert_int_equal(do_unlink("f"), -ENOENT);
	assert_int_equal(do_unlink("d"), 0);
}

static void a_directory_is_made_and_removed(void **state)
{
	const struct fuse_mkdir_in in = {.mode = 0700, .umask = 022};
	const struct reply *reply;
	struct fuse_entry_out entry;
	struct fuse_attr_out attr;

	(void)state;
	reply = kernel_reply(&kernel,
	    kernel_send(
	        &kernel, FUSE_MKDIR, FUSE_ROOT_ID, &in, sizeof(in), "n", 2));
	assert_int_equal(reply->error, 0);
	memcpy(&entry, reply->bytes, sizeof(entry));
	assert_int_equal(entry.attr.mode, S_IFDIR | 0700);
	assert_true(lookup("n").nodeid == entry.nodeid);
	assert_int_equal(
	    error_of(send_name(&kernel, FUSE_RMDIR, FUSE_ROOT_ID, "n")), 0);
	assert_int_equal(do_getattr(&kernel, entry.nodeid, &attr), -ESTALE);
	assert_int_equal(
	    error_of(send_name(&kernel, FUSE_UNLINK, entry.nodeid, "in-it")),
	    -ENOENT);
	/* Made, though this token may not look at it. */
	fake_fail(kernel.cache, "/m", -EACCES);
	reply = kernel_reply(&kernel,
	    kernel_send(
	        &kernel, FUSE_MKDIR, FUSE_ROOT_ID, &in, sizeof(in), "m", 2));
	assert_int_equal(reply->error, 0);
	fake_fail(kernel.cache, "/m", 0);
	fake_drafts_fail_next(kernel.drafts, -EEXIST);
	assert_int_equal(error_of(kernel_send(&kernel, FUSE_MKDIR, FUSE_ROOT_ID,
	                     &in, sizeof(in), "m", 2)),
	    -EEXIST);
}

/* Which a server may not list, and would take along. */
static void what_is_hidden_in_a_directory_keeps_it(void **state)
{
	struct fuse_entry_out directory = lookup("d");
	size_t calls = fake_drafts_calls(kernel.drafts);

	(void)state;
	fake_put(kernel.cache, "/d/.hidden", 20, 9, 10000);
	(void)lookup_in(directory.nodeid, ".hidden");
	assert_int_equal(
	    error_of(send_name(&kernel, FUSE_RMDIR, FUSE_ROOT_ID, "d")),
	    -ENOTEMPTY);
	assert_int_equal(fake_drafts_calls(kernel.drafts), calls);
	assert_true(lookup("d").nodeid == directory.nodeid);
	/* Somebody has removed it: the server is asked. */
	fake_remove(kernel.cache, "/d/.hidden");
	(void)error_of(send_name(&kernel, FUSE_RMDIR, FUSE_ROOT_ID, "d"));
	assert_int_equal(fake_drafts_calls(kernel.drafts), calls + 1);
}

static void a_renamed_file_keeps_its_node_and_handles(void **state)
{
	struct fuse_entry_out entry = lookup("f");
	struct fuse_entry_out there = lookup("g");
	uint64_t old = opened(there.nodeid, O_RDONLY);
	struct fuse_attr_out attr;

	(void)state;
	assert_int_equal(do_rename("f", "g", RENAME_NOREPLACE), -EEXIST);
	assert_true(lookup("f").nodeid == entry.nodeid);
	assert_int_equal(do_rename("f", "g", RENAME_EXCHANGE), -EINVAL);
	assert_int_equal(do_rename("f", "g", 0), 0);
	assert_int_equal(lookup_error("f"), -ENOENT);
	assert_true(lookup("g").nodeid == entry.nodeid);
	assert_int_equal(attr_of(entry.nodeid).size, 1000);
	/* What was there is nobody's but its handle's. */
	assert_int_equal(attr_of(there.nodeid).size, 10);
	assert_int_equal(do_release(&kernel, there.nodeid, old), 0);
	assert_int_equal(do_getattr(&kernel, there.nodeid, &attr), -ESTALE);
	/* There, and back again. */
	assert_int_equal(do_rename("g", LONG_NAME, 0), 0);
	assert_true(lookup(LONG_NAME).nodeid == entry.nodeid);
	assert_int_equal(do_rename(LONG_NAME, LONG_NAME "-2", 0), 0);
	assert_int_equal(do_rename(LONG_NAME "-2", "f", 0), 0);
	assert_true(lookup("f").nodeid == entry.nodeid);
	assert_int_equal(do_rename("none", "f", 0), -ENOENT);
}

static void what_is_below_a_renamed_directory_follows(void **state)
{
	struct fuse_entry_out dir = lookup("d");
	struct fuse_entry_out child = lookup_in(dir.nodeid, "x");

	(void)state;
	fake_put(kernel.cache, "/e/x", 20, 9, 10000);
	assert_int_equal(do_rename("d", "e", 0), 0);
	assert_true(lookup("e").nodeid == dir.nodeid);
	fake_remove(kernel.cache, "/d/x");
	assert_true(lookup_in(dir.nodeid, "x").nodeid == child.nodeid);
	assert_int_equal(attr_of(child.nodeid).size, 20);
	/* Between directories, and with nothing of it known any more. */
	assert_int_equal(error_of(send_rename(
	                     &kernel, dir.nodeid, "x", FUSE_ROOT_ID, "top", 0)),
	    0);
	assert_true(lookup("top").nodeid == child.nodeid);
	do_forget(&kernel, child.nodeid, 3);
	do_forget(&kernel, dir.nodeid, 2);
	kernel_sync(&kernel);
	assert_int_equal(stats_get(STATS_fs_nodes), 0);
	assert_int_equal(do_rename("top", "f", 0), 0);
	assert_int_equal(lookup("f").attr.size, 20);
}

/* An editor's save: a new file over the old one, which somebody reads. */
static void a_draft_that_replaces_a_file_is_not_taken_for_it(void **state)
{
	struct fuse_entry_out old = lookup("f");
	uint64_t reader = opened(old.nodeid, O_RDONLY);
	struct fuse_entry_out entry;
	struct fuse_open_out out;
	uint64_t unique;

	(void)state;
	fake_drafts_keep(kernel.drafts, true);
	assert_int_equal(
	    do_create(&kernel, FUSE_ROOT_ID, "tmp", O_RDWR, &entry, &out), 0);
	assert_int_equal(
	    error_of(send_write(&kernel, entry.nodeid, out.fh, 0, "new", 0)),
	    0);
	fake_drafts_hold(kernel.drafts, true);
	unique =
	    send_rename(&kernel, FUSE_ROOT_ID, "tmp", FUSE_ROOT_ID, "f", 0);
	fake_drafts_await_held(kernel.drafts, 1);
	fake_drafts_hold(kernel.drafts, false);
	fake_drafts_answer(kernel.drafts, 0);
	assert_int_equal(error_of(unique), 0);
	assert_true(lookup("f").nodeid == entry.nodeid);
	assert_int_equal(attr_of(entry.nodeid).size, 3);
	assert_int_equal(attr_of(old.nodeid).size, 1000);
	assert_int_equal(do_release(&kernel, entry.nodeid, out.fh), 0);
	assert_int_equal(do_release(&kernel, old.nodeid, reader), 0);
	fake_drafts_send(kernel.drafts, "/f");
}

/* ---- attributes ---- */

static int set(uint64_t node, struct fuse_setattr_in in, struct fuse_attr *attr)
{
	const struct reply *reply =
	    kernel_reply(&kernel, send_setattr(&kernel, node, &in));
	struct fuse_attr_out out;

	if (reply->error < 0)
		return reply->error;
	memcpy(&out, reply->bytes, sizeof(out));
	*attr = out.attr;
	return 0;
}

static void a_size_by_path_is_sent_as_by_a_close(void **state)
{
	struct fuse_entry_out entry = lookup("f");
	struct fuse_attr attr;

	(void)state;
	assert_int_equal(
	    set(entry.nodeid,
	        (struct fuse_setattr_in){.valid = FATTR_SIZE, .size = 1500},
	        &attr),
	    0);
	assert_int_equal(attr.size, 1500);
	assert_int_equal(fake_drafts_sent(kernel.drafts), 1);
	kernel_sync(&kernel);
	assert_int_equal(fake_drafts_alive(kernel.drafts), 0);
	assert_true(lookup("f").nodeid == entry.nodeid);
	assert_int_equal(set(entry.nodeid,
	                     (struct fuse_setattr_in){
	                         .valid = FATTR_SIZE | FATTR_MODE,
	                         .mode = 0600,
	                     },
	                     &attr),
	    0);
	assert_int_equal(attr.size, 0);
	assert_int_equal(attr.mode, S_IFREG | 0600);
	fake_drafts_fail_next(kernel.drafts, -EACCES);
	assert_int_equal(
	    set(entry.nodeid, (struct fuse_setattr_in){.valid = FATTR_SIZE},
	        &attr),
	    -EACCES);
	assert_int_equal(
	    set(lookup("d").nodeid,
	        (struct fuse_setattr_in){.valid = FATTR_SIZE}, &attr),
	    -EISDIR);
}

static void who_reads_sees_a_size_by_path(void **state)
{
	struct fuse_entry_out entry = lookup("f");
	uint64_t handle = opened(entry.nodeid, O_RDONLY);
	const struct reply *reply;
	struct fuse_attr attr;

	(void)state;
	assert_int_equal(
	    set(entry.nodeid,
	        (struct fuse_setattr_in){.valid = FATTR_SIZE, .size = 600},
	        &attr),
	    0);
	assert_int_equal(attr_of(entry.nodeid).size, 600);
	reply = kernel_reply(
	    &kernel, send_read(&kernel, entry.nodeid, handle, 0, 4096));
	assert_int_equal(reply->size_bytes, 600);
	assert_true(lookup("f").nodeid == entry.nodeid);
	assert_int_equal(do_release(&kernel, entry.nodeid, handle), 0);
	assert_true(lookup("f").nodeid == entry.nodeid);
}

static void a_size_by_handle_waits_for_its_close(void **state)
{
	struct fuse_entry_out entry = lookup("f");
	uint64_t handle = opened(entry.nodeid, O_RDWR);
	struct fuse_attr attr;

	(void)state;
	assert_int_equal(set(entry.nodeid,
	                     (struct fuse_setattr_in){
	                         .valid = FATTR_SIZE | FATTR_FH,
	                         .fh = handle,
	                         .size = 100,
	                     },
	                     &attr),
	    0);
	assert_int_equal(attr.size, 100);
	/* By path while it is being written: not sent half done either. */
	assert_int_equal(
	    set(entry.nodeid,
	        (struct fuse_setattr_in){.valid = FATTR_SIZE, .size = 50},
	        &attr),
	    0);
	assert_int_equal(attr.size, 50);
	assert_int_equal(fake_drafts_sent(kernel.drafts), 0);
	assert_int_equal(do_release(&kernel, entry.nodeid, handle), 0);
	assert_int_equal(fake_drafts_sent(kernel.drafts), 1);
}

static void mode_and_time_are_worn(void **state)
{
	struct fuse_entry_out entry = lookup("f");
	const struct fuse_access_in executable = {.mask = X_OK};
	struct fuse_setattr_in in = {
	    .valid = FATTR_MODE | FATTR_MTIME,
	    .mode = S_IFREG | 0755,
	    .mtime = 1600000000,
	    .mtimensec = 5,
	};
	struct fuse_attr attr;

	(void)state;
	assert_int_equal(entry.attr.mode, S_IFREG | 0644);
	assert_int_equal(set(entry.nodeid, in, &attr), 0);
	assert_int_equal(attr.mode, S_IFREG | 0755);
	attr = lookup("f").attr;
	assert_int_equal(attr.mode, S_IFREG | 0755);
	assert_int_equal(attr.mtime, 1600000000);
	assert_int_equal(attr.mtimensec, 5);
	assert_int_equal(attr_of(entry.nodeid).mtime, 1600000000);
	assert_int_equal(
	    error_of(kernel_send(&kernel, FUSE_ACCESS, entry.nodeid,
	        &executable, sizeof(executable), NULL, 0)),
	    0);
	assert_int_equal(fake_drafts_alive(kernel.drafts), 0);
	/* Of a draft it is the draft's. */
	fake_drafts_adopt(kernel.drafts, "/n", 5);
	entry = lookup("n");
	assert_int_equal(set(entry.nodeid, in, &attr), 0);
	assert_int_equal(attr.mtime, 1600000000);
	assert_int_equal(set(entry.nodeid,
	                     (struct fuse_setattr_in){
	                         .valid = FATTR_MTIME | FATTR_MTIME_NOW},
	                     &attr),
	    0);
	assert_true(attr.mtime > 1600000000);
	/* To take all rights away is to set a mode. */
	in.valid = FATTR_MODE;
	in.mode = S_IFREG;
	assert_int_equal(set(entry.nodeid, in, &attr), 0);
	assert_int_equal(attr.mode, S_IFREG);
	assert_int_equal(lookup("n").attr.mode, S_IFREG);
	fake_drafts_send(kernel.drafts, "/n");
}

static void an_owner_can_only_be_what_it_is(void **state)
{
	struct fuse_entry_out entry = lookup("f");
	struct fuse_attr attr;

	(void)state;
	assert_int_equal(set(entry.nodeid,
	                     (struct fuse_setattr_in){
	                         .valid = FATTR_UID | FATTR_GID,
	                         .uid = 1000,
	                         .gid = 1001,
	                     },
	                     &attr),
	    0);
	assert_int_equal(attr.uid, 1000);
	assert_int_equal(
	    set(entry.nodeid,
	        (struct fuse_setattr_in){.valid = FATTR_UID, .uid = 0}, &attr),
	    -EPERM);
	assert_int_equal(
	    set(entry.nodeid,
	        (struct fuse_setattr_in){.valid = FATTR_GID, .gid = 5}, &attr),
	    -EPERM);
}

static void what_webdav_cannot_express_is_refused(void **state)
{
	const struct fuse_mknod_in fifo = {.mode = S_IFIFO | 0600};
	const struct fuse_mknod_in file = {.mode = S_IFREG | 0600};
	const struct fuse_link_in link_to = {.oldnodeid = FUSE_ROOT_ID};
	const struct {
		uint32_t size;
		uint32_t flags;
	} xattr = {.size = 1};

	(void)state;
	assert_int_equal(error_of(kernel_send(&kernel, FUSE_MKNOD, FUSE_ROOT_ID,
	                     &fifo, sizeof(fifo), "n", 2)),
	    -EPERM);
	assert_int_equal(error_of(kernel_send(&kernel, FUSE_LINK, FUSE_ROOT_ID,
	                     &link_to, sizeof(link_to), "n", 2)),
	    -EPERM);
	assert_int_equal(error_of(kernel_send(&kernel, FUSE_SYMLINK,
	                     FUSE_ROOT_ID, "n\0target", 9, NULL, 0)),
	    -EPERM);
	assert_int_equal(
	    error_of(kernel_send(&kernel, FUSE_SETXATTR, FUSE_ROOT_ID, &xattr,
	        sizeof(xattr), "user.x\0v", 9)),
	    -ENOTSUP);
	assert_int_equal(error_of(kernel_send(&kernel, FUSE_MKNOD, FUSE_ROOT_ID,
	                     &file, sizeof(file), "n", 2)),
	    0);
	kernel_sync(&kernel);
	assert_int_equal(fake_drafts_sent(kernel.drafts), 1);
}

/* ---- listings ---- */

static size_t read_directory(
    uint64_t handle, struct fuse_entry_out *of, const char *wanted)
{
	const struct reply *reply = kernel_reply(&kernel,
	    send_readdir(&kernel, FUSE_ROOT_ID, handle, 0, 8192, true));
	size_t at = 0;
	size_t count = 0;

	memset(of, 0, sizeof(*of));
	while (at < reply->size_bytes) {
		struct fuse_direntplus entry;
		const char *name = (const char *)reply->bytes + at +
		    FUSE_NAME_OFFSET_DIRENTPLUS;

		memcpy(&entry, reply->bytes + at, sizeof(entry));
		if (entry.dirent.namelen == strlen(wanted) &&
		    memcmp(name, wanted, strlen(wanted)) == 0)
			*of = entry.entry_out;
		at += FUSE_DIRENTPLUS_SIZE(&entry);
		count++;
	}
	return count;
}

static void a_listing_has_drafts_and_never_an_old_size(void **state)
{
	struct fuse_entry_out entry = lookup("f");
	uint64_t handle = opened(entry.nodeid, O_RDWR);
	struct fuse_open_out dir;
	struct fuse_entry_out listed;
	struct fuse_entry_out made;
	struct fuse_open_out out;

	(void)state;
	fake_drafts_adopt(kernel.drafts, "/n", 5);
	assert_int_equal(do_opendir(&kernel, FUSE_ROOT_ID, &dir), 0);
	/* Written after the listing was made. */
	assert_int_equal(
	    error_of(send_write(&kernel, entry.nodeid, handle, 5000, "x", 0)),
	    0);
	assert_int_equal(read_directory(dir.fh, &listed, "f"), 6);
	assert_true(listed.nodeid == entry.nodeid);
	assert_true(listed.attr.ino == entry.attr.ino);
	assert_int_equal(listed.attr.size, 5001);
	assert_int_equal(listed.attr_valid, 0);
	(void)read_directory(dir.fh, &listed, "n");
	assert_int_equal(listed.attr.size, 5);
	/* Something was begun since: names alone are told. */
	assert_int_equal(
	    do_create(&kernel, FUSE_ROOT_ID, "later", O_RDWR, &made, &out), 0);
	(void)read_directory(dir.fh, &listed, "g");
	assert_int_equal(listed.nodeid, 0);
	assert_int_equal(do_release(&kernel, made.nodeid, out.fh), 0);
	assert_int_equal(do_release(&kernel, entry.nodeid, handle), 0);
	/* The name is not given back to the draft that has ended. */
	(void)read_directory(dir.fh, &listed, "f");
	assert_int_equal(listed.nodeid, 0);
	assert_true(lookup("f").nodeid == entry.nodeid);
	assert_int_equal(do_releasedir(&kernel, FUSE_ROOT_ID, dir.fh), 0);
	fake_drafts_send(kernel.drafts, "/n");
}

static void a_late_answer_of_the_cache_is_not_taken_for_the_draft(void **state)
{
	struct fuse_entry_out entry = lookup("f");
	struct fuse_entry_out out;
	uint64_t handle;
	uint64_t unique;

	(void)state;
	fake_hold(kernel.cache, true);
	unique = send_lookup(&kernel, FUSE_ROOT_ID, "f");
	fake_await_held(kernel.cache, 1);
	handle = opened(entry.nodeid, O_WRONLY | O_TRUNC);
	fake_hold(kernel.cache, false);
	fake_answer_oldest(kernel.cache, 0);
	assert_int_equal(error_of(unique), 0);
	memcpy(&out, kernel_reply(&kernel, unique)->bytes, sizeof(out));
	assert_true(out.nodeid == entry.nodeid);
	assert_int_equal(out.attr.size, 0);
	assert_int_equal(do_release(&kernel, entry.nodeid, handle), 0);
}

#define CASE(name) cmocka_unit_test_setup_teardown(name, start, stop)

int main(void)
{
	const struct CMUnitTest tests[] = {
	    CASE(a_removed_file_is_still_its_handles),
	    CASE(a_directory_is_made_and_removed),
	    CASE(what_is_hidden_in_a_directory_keeps_it),
	    CASE(a_renamed_file_keeps_its_node_and_handles),
	    CASE(what_is_below_a_renamed_directory_follows),
	    CASE(a_draft_that_replaces_a_file_is_not_taken_for_it),
	    CASE(a_size_by_path_is_sent_as_by_a_close),
	    CASE(who_reads_sees_a_size_by_path),
	    CASE(a_size_by_handle_waits_for_its_close),
	    CASE(mode_and_time_are_worn),
	    CASE(an_owner_can_only_be_what_it_is),
	    CASE(what_webdav_cannot_express_is_refused),
	    CASE(a_listing_has_drafts_and_never_an_old_size),
	    CASE(a_late_answer_of_the_cache_is_not_taken_for_the_draft),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
