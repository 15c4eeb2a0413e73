/* SPDX-License-Identifier: Apache-2.0 */
/* tokens/find/mounts.h: which devices are bearerfs mounts, and that none of
 * them is sent a request when a token file is looked for. */
#include "tests/unit/oom.h"
#include "tests/unit/tokens/make.h"
#include "tests/unit/tokens/mount_bed.h"
#include "tokens/find/condor.h"
#include "tokens/find/file.h"
#include "tokens/find/mounts.h"

#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <unistd.h>

#include <cmocka.h>

static struct mounts mounts;

static int fed(const char *text, size_t piece_bytes)
{
	struct mounts_reader reader = {.mounts = &mounts};
	size_t left_bytes = strlen(text);
	int code = 0;

	mounts_fini(&mounts);
	while (code == 0 && left_bytes > 0) {
		size_t n = left_bytes < piece_bytes ? left_bytes : piece_bytes;

		code = mounts_feed(&reader, text, n);
		text += n;
		left_bytes -= n;
	}
	return code;
}

#define OURS "31 30 0:55 / /data rw,nosuid - fuse.bearerfs src rw\n"

static void a_table_is_read_in_any_pieces(void **state)
{
	static const char table[] =
	    "24 30 0:22 / /sys rw,nosuid shared:7 - sysfs sysfs rw\n"
	    "31 30 0:55 / /data rw shared:9 master:3 - fuse.bearerfs s rw\n"
	    "32 30 259:1048575 /sub /x rw - fuse.bearerfs s rw\n"
	    "33 30 0:57 / /home/a rw - fuse.sshfs a@b: rw\n"
	    "34 30 0:55 /below /twice rw - fuse.bearerfs s rw\n"
	    "35 30 0:58 / /y rw - fuse.bearerfs\n";

	(void)state;
	for (size_t piece = 1; piece <= sizeof(table); piece++) {
		assert_int_equal(fed(table, piece), 0);
		assert_int_equal(mounts.count, 3);
		assert_true(mounts_have(&mounts, makedev(0, 55)));
		assert_true(mounts_have(&mounts, makedev(259, 1048575)));
		assert_true(mounts_have(&mounts, makedev(0, 58)));
		assert_false(mounts_have(&mounts, makedev(0, 57)));
		assert_false(mounts_have(&mounts, makedev(0, 22)));
	}
	mounts_fini(&mounts);
}

/* Blanks in a name come escaped. */
static void a_name_is_no_type(void **state)
{
	static const char *const lines[] = {
	    "31 30 0:55 / /-\\040fuse.bearerfs rw - tmpfs s rw\n",
	    "31 30 0:55 - fuse.bearerfs rw - tmpfs s rw\n",
	    "31 30 0:55 / - fuse.bearerfs - tmpfs s rw\n",
	    "31 30 0:55 / /x rw - tmpfs fuse.bearerfs rw\n",
	    "31 30 0:55 / /x rw - tmpfs - fuse.bearerfs\n",
	    "31 30 0:55 / /x rw - fuse.bearerfs2 s rw\n",
	    "31 30 0:55 / /x rw - fuse.bearerf s rw\n",
	    "31 30 0:55 / /x rw fuse.bearerfs s rw\n",
	    "31 30 55 / /x rw - fuse.bearerfs s rw\n",
	    "31 30 0:5x / /x rw - fuse.bearerfs s rw\n",
	    "31 30 : / /x rw - fuse.bearerfs s rw\n",
	    "31 30 0: / /x rw - fuse.bearerfs s rw\n", "- fuse.bearerfs s rw\n",
	    "\n", "31 30 0:55 / /x rw - fuse.bearerfs", /* without its end */
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_COUNT(lines); i++) {
		assert_int_equal(fed(lines[i], SIZE_MAX), 0);
		if (mounts.count != 0)
			fail_msg("%s", lines[i]);
	}
}

static void words_of_any_length_are_passed_over(void **state)
{
	static char table[64 * 1024];
	size_t n = 0;

	(void)state;
	n += (size_t)snprintf(table, sizeof(table), "31 30 0:5 / /");
	memset(table + n, 'x', 60000);
	n += 60000;
	(void)snprintf(
	    table + n, sizeof(table) - n, " rw - fuse.bearerfs s rw\n" OURS);
	assert_int_equal(fed(table, 1000), 0);
	assert_int_equal(mounts.count, 2);
	mounts_fini(&mounts);
}

static void a_table_has_a_limit(void **state)
{
	int fd = open("/dev/zero", O_RDONLY | O_CLOEXEC);

	(void)state;
	assert_true(fd >= 0);
	assert_int_equal(mounts_read(&mounts, fd), -EMSGSIZE);
	assert_int_equal(close(fd), 0);
	assert_int_equal(mounts_read(&mounts, -1), -EBADF);
	assert_int_equal(mounts.count, 0);
}

static int read_many(void *arg)
{
	int code;

	(void)lseek(*(int *)arg, 0, SEEK_SET);
	code = mounts_read(&mounts, *(int *)arg);
	assert_int_equal(mounts.count, code == 0 ? 100 : 0);
	mounts_fini(&mounts);
	return code;
}

static void reading_survives_every_failed_allocation(void **state)
{
	FILE *stream = tmpfile();
	int fd = fileno(stream);

	(void)state;
	for (int i = 0; i < 100; i++)
		(void)fprintf(stream,
		    "31 30 0:%d / /data rw - fuse.bearerfs src rw\n", i);
	assert_int_equal(fflush(stream), 0);
	oom_each(read_many, &fd);
	(void)fclose(stream);
}

/* With a real mount. */

static char dir[256];
static struct mount_bed bed;

static char *in_dir(const char *name)
{
	static char paths[8][512];
	static unsigned next;
	char *path = paths[next++ % 8];

	(void)snprintf(path, sizeof(paths[0]), "%s/%s", dir, name);
	return path;
}

static int set_up(void **state)
{
	int fd;

	(void)state;
	make_directory(dir);
	assert_int_equal(mkdir(in_dir("mnt"), 0700), 0);
	assert_int_equal(mkdir(in_dir("other"), 0700), 0);
	mount_bed_start(&bed, in_dir("mnt"), "fuse.bearerfs");
	fd = open("/proc/self/mountinfo", O_RDONLY | O_CLOEXEC);
	assert_int_equal(mounts_read(&mounts, fd), 0);
	(void)close(fd);
	return 0;
}

static int tear_down(void **state)
{
	(void)state;
	mount_bed_end(&bed);
	make_remove(dir);
	mounts_fini(&mounts);
	return 0;
}

static int look(const char *path)
{
	const struct file_rules rules = {.uid = geteuid(), .mounts = &mounts};
	static struct file_look file;
	struct err err = ERR_INIT;
	int code = token_file_look(&file, path, &rules, &err);

	if (code == -EPERM)
		assert_non_null(strstr(err.text, "keep it elsewhere"));
	return code;
}

static void no_request_goes_to_such_a_mount(void **state)
{
	(void)state;
	assert_int_equal(symlink("mnt/x", in_dir("near")), 0);
	assert_int_equal(symlink(in_dir("mnt"), in_dir("far")), 0);
	assert_int_equal(
	    mount(in_dir("mnt"), in_dir("other"), NULL, MS_BIND, NULL), 0);
	assert_int_equal(look(in_dir("mnt")), -EPERM);
	assert_int_equal(look(in_dir("mnt/x")), -EPERM);
	assert_int_equal(look(in_dir("mnt/x/../../file")), -EPERM);
	assert_int_equal(look(in_dir("near")), -EPERM);
	assert_int_equal(look(in_dir("far/x")), -EPERM);
	assert_int_equal(look(in_dir("other/x")), -EPERM);
	assert_int_equal(mount_bed_requests(&bed), 0);
	assert_int_equal(umount(in_dir("other")), 0);
}

static void nor_is_its_directory_listed(void **state)
{
	const struct file_rules rules = {.uid = geteuid(), .mounts = &mounts};
	struct condor_files files;
	struct err err = ERR_INIT;

	(void)state;
	assert_int_equal(
	    condor_list(&files, in_dir("mnt"), &rules, &err), -EPERM);
	assert_int_equal(mount_bed_requests(&bed), 0);
}

static void what_lies_beside_it_is_found(void **state)
{
	(void)state;
	make_file(in_dir("token"), "a", 0600);
	assert_int_equal(look(in_dir("token")), 0);
	assert_int_equal(look(in_dir("mnt/../token")), -EPERM);
	assert_int_equal(look(in_dir("missing")), -ENOENT);
}

/* That requests would be counted. */
static int look_without_rules(void *path)
{
	const struct file_rules rules = {.uid = geteuid()};
	static struct file_look file;
	struct err err = ERR_INIT;

	return token_file_look(&file, path, &rules, &err);
}

static void without_the_rule_one_would(void **state)
{
	(void)state;
	assert_true(mount_bed_requests_of(
	                &bed, look_without_rules, in_dir("mnt/x")) > 0);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(a_table_is_read_in_any_pieces),
	    cmocka_unit_test(a_name_is_no_type),
	    cmocka_unit_test(words_of_any_length_are_passed_over),
	    cmocka_unit_test(a_table_has_a_limit),
	    cmocka_unit_test(reading_survives_every_failed_allocation),
	};
	const struct CMUnitTest mounted[] = {
	    TEST(no_request_goes_to_such_a_mount),
	    TEST(nor_is_its_directory_listed),
	    TEST(what_lies_beside_it_is_found),
	    TEST(without_the_rule_one_would),
	};
	int failed = cmocka_run_group_tests(tests, NULL, NULL);

	if (!mount_bed_private()) {
		(void)puts("no right to mount: no real mount is looked at");
		return failed;
	}
	return failed + cmocka_run_group_tests(mounted, NULL, NULL);
}
