/* SPDX-License-Identifier: Apache-2.0 */
/*
 * tests/unit/cache/spool/test_spool_export.c - unsent files as plain ones
 * outside of the spool: by a second name, and by copying.
 */
#include "base/io.h"
#include "tests/unit/cache/spool/spool_bed.h"

#include <errno.h>
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

static struct err err;
static bool other_disk; /* no second names */

int __real_linkat(
    int from_fd, const char *from, int to_fd, const char *to, int flags);
int __wrap_linkat(
    int from_fd, const char *from, int to_fd, const char *to, int flags);

int __wrap_linkat(
    int from_fd, const char *from, int to_fd, const char *to, int flags)
{
	if (other_disk) {
		errno = EXDEV;
		return -1;
	}
	return __real_linkat(from_fd, from, to_fd, to, flags);
}

static void expect_file(
    const struct bed *bed, const char *name, const char *text, size_t size)
{
	char path[5000];
	char bytes[9000];
	int fd;

	(void)snprintf(path, sizeof(path), "%s/out/%s", bed->top, name);
	fd = open(path, O_RDONLY | O_CLOEXEC);
	assert_true(fd >= 0);
	assert_int_equal(io_read_all(fd, bytes, sizeof(bytes)), size);
	assert_memory_equal(bytes, text, size);
	(void)close(fd);
}

/* Take out; the name it got. */
static void take_out(
    const struct bed *bed, struct spool_entry *entry, const char *expected)
{
	char dir[200];
	char name[SPOOL_TEXT_BYTES_MAX + 32];

	(void)snprintf(dir, sizeof(dir), "%s/out", bed->top);
	if (spool_export(&entry, dir, name, &err) < 0)
		fail_msg("%s", err.text);
	assert_null(entry);
	assert_string_equal(name, expected);
}

static void come_out(bool copied)
{
	struct bed bed;
	struct spool_entry *entry;
	struct stat about;
	char path[300];
	char hole[9000] = {0};

	other_disk = copied;
	bed_init(&bed);
	entry = bed_file(&bed, "/home/ada/x.h5");
	bed_write(entry, 0, "whole");
	assert_int_equal(
	    spool_set(entry,
	        &(struct spool_attr){
	            .mode = 0640, .has_mtime = true, .mtime_s = 12345},
	        &err),
	    0);
	take_out(&bed, entry, "home/ada/x.h5");
	expect_file(&bed, "home/ada/x.h5", "whole", 5);
	(void)snprintf(path, sizeof(path), "%s/out/home/ada/x.h5", bed.top);
	assert_int_equal(stat(path, &about), 0);
	assert_int_equal(about.st_mode & 07777, 0640);
	assert_int_equal(about.st_mtime, 12345);
	/* The name is taken now; what is there stays. */
	entry = bed_file(&bed, "/home/ada/x.h5");
	bed_write(entry, 0, "other");
	take_out(&bed, entry, "home/ada/x.h5.2");
	expect_file(&bed, "home/ada/x.h5", "whole", 5);
	expect_file(&bed, "home/ada/x.h5.2", "other", 5);
	/* A file stands where its directory would be. */
	entry = bed_file(&bed, "/home/ada/x.h5/below");
	take_out(&bed, entry, "entry-3");
	/* Holes, in front, within and behind. */
	entry = bed_file(&bed, "/hole");
	bed_write(entry, 8000, "data");
	assert_int_equal(spool_truncate(entry, 8999, &err), 0);
	memcpy(hole + 8000, "data", 4);
	take_out(&bed, entry, "hole");
	expect_file(&bed, "hole", hole, 8999);
	/* Without the base's bytes it is not whole, and says so. */
	entry = bed_file_base(&bed, "/part", 20);
	bed_write(entry, 5, "ours");
	bed_write(entry, 20, "more");
	take_out(&bed, entry, "part.partial");
	expect_file(&bed, "part.partial",
	    "\0\0\0\0\0ours\0\0\0\0\0\0\0\0\0\0\0more", 24);
	expect_file(&bed, "part.partial.ranges", "5 4\n20 4\n", 9);
	assert_int_equal(bed_count_all(&bed), 0);
	assert_int_equal(bed_files(&bed, ".d") + bed_files(&bed, ".j"), 0);
	bed_fini(&bed);
}

static void files_come_out_by_a_second_name(void **state)
{
	(void)state;
	come_out(false);
}

static void files_come_out_as_copies(void **state)
{
	(void)state;
	come_out(true);
}

static void what_cannot_come_out_stays(void **state)
{
	struct bed bed;
	struct spool_entry *entry;
	struct spool_wish wish = bed_wish("/dir");
	char name[SPOOL_TEXT_BYTES_MAX + 32];

	(void)state;
	other_disk = false;
	bed_init(&bed);
	entry = bed_file(&bed, "/a");
	bed_write(entry, 0, "bytes");
	assert_int_equal(
	    spool_export(&entry, "/proc/nowhere", name, &err), -ENOENT);
	assert_non_null(entry);
	assert_non_null(strstr(err.text, "/proc/nowhere"));
	bed_expect(entry, "bytes");
	spool_release(entry);
	wish.kind = SPOOL_MKDIR;
	assert_int_equal(spool_create(bed.spool, &wish, &entry, &err), 0);
	assert_int_equal(spool_export(&entry, bed.top, name, &err), -EBADF);
	spool_release(entry);
	assert_int_equal(bed_count_all(&bed), 2);
	bed_fini(&bed);
}

/* Nothing outside is written through a link that lies in the way. */
static void links_in_the_way_are_not_followed(void **state)
{
	struct bed bed;
	struct stat about;
	char path[200];

	(void)state;
	other_disk = true;
	bed_init(&bed);
	(void)snprintf(path, sizeof(path), "%s/out", bed.top);
	assert_int_equal(mkdir(path, 0700), 0);
	(void)snprintf(path, sizeof(path), "%s/out/home", bed.top);
	assert_int_equal(symlink(bed.top, path), 0);
	take_out(&bed, bed_file(&bed, "/home/a"), "entry-1");
	(void)snprintf(path, sizeof(path), "%s/a", bed.top);
	assert_true(lstat(path, &about) < 0);
	bed_fini(&bed);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(files_come_out_by_a_second_name),
	    cmocka_unit_test(files_come_out_as_copies),
	    cmocka_unit_test(what_cannot_come_out_stays),
	    cmocka_unit_test(links_in_the_way_are_not_followed),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
