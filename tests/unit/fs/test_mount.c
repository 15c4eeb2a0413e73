/* SPDX-License-Identifier: Apache-2.0 */
/*
 * tests/unit/fs/test_mount.c - a mount in use under the real kernel: what
 * only the kernel can show.
 */
#include "base/stats.h"
#include "fs/mountpoint.h"
#include "tests/unit/fs/fake_cache.h"
#include "tests/unit/fs/mounted.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <sys/wait.h>
#include <sys/xattr.h>
#include <time.h>
#include <unistd.h>

enum { TRIES = 10 };

static void bytes_come_through_read_mmap_and_o_direct(void **state)
{
	const unsigned char *map;
	void *aligned;
	int fd;

	NEEDS_MOUNT();
	fd = open_file("f");
	assert_bytes(fd, 7, 0, FILE_BYTES);
	assert_bytes(fd, 7, 65535, 65537);
	map = mmap(NULL, FILE_BYTES, PROT_READ, MAP_PRIVATE, fd, 0);
	assert_ptr_not_equal(map, MAP_FAILED);
	for (size_t i = 0; i < FILE_BYTES; i += 511)
		assert_int_equal(map[i], fake_byte(7, i));
	assert_int_equal(munmap((void *)(uintptr_t)map, FILE_BYTES), 0);
	(void)close(fd);
	fd = open(path_of("f"), O_RDONLY | O_DIRECT | O_CLOEXEC);
	assert_true(fd >= 0);
	aligned = aligned_alloc(4096, 1024 * 1024);
	assert_non_null(aligned);
	assert_int_equal(pread(fd, aligned, 1024 * 1024, 4096), 1024 * 1024);
	for (size_t i = 0; i < 1024 * 1024; i++)
		assert_int_equal(
		    ((unsigned char *)aligned)[i], fake_byte(7, 4096 + i));
	free(aligned);
	(void)close(fd);
}

static void stat_shows_what_the_configuration_says(void **state)
{
	struct stat stat_buf;

	NEEDS_MOUNT();
	assert_int_equal(stat(path_of("f"), &stat_buf), 0);
	assert_int_equal(stat_buf.st_mode, S_IFREG | 0444);
	assert_int_equal(stat_buf.st_uid, 1234);
	assert_int_equal(stat_buf.st_gid, 2345);
	assert_int_equal(stat_buf.st_nlink, 1);
	assert_int_equal(stat_buf.st_size, FILE_BYTES);
	assert_int_equal(stat_buf.st_blocks, FILE_BYTES / 512 + 1);
	assert_int_equal(stat_buf.st_blksize, CACHE_BLOCK_BYTES);
	assert_int_equal(stat_buf.st_mtime, 1700000007);
	assert_int_equal(stat(path_of("d"), &stat_buf), 0);
	assert_int_equal(stat_buf.st_mode, S_IFDIR | 0555);
	assert_int_equal(stat_buf.st_nlink, 2);
	assert_int_equal(stat(mounted.where, &stat_buf), 0);
	assert_int_equal(stat_buf.st_ino, 1);
}

static void the_mount_shows_its_source_and_cannot_be_misused(void **state)
{
	struct mountpoint found;
	struct statvfs space;
	char line[1024];
	bool seen = false;
	FILE *mounts;

	NEEDS_MOUNT();
	assert_int_equal(mountpoint_find(&found, mounted.where), 0);
	assert_true(found.ours);
	mounts = fopen("/proc/self/mounts", "re");
	assert_non_null(mounts);
	while (fgets(line, sizeof(line), mounts)) {
		if (!strstr(line, mounted.where))
			continue;
		seen = true;
		assert_non_null(strstr(line,
		    "https://origin.example.org/with,comma\\134and\\040more"));
		assert_non_null(strstr(line, " fuse.bearerfs ro,nosuid,nodev"));
		assert_null(strstr(line, "default_permissions"));
		assert_null(strstr(line, "allow_other"));
	}
	(void)fclose(mounts);
	assert_true(seen);
	assert_int_equal(statvfs(mounted.where, &space), 0);
	assert_int_equal(space.f_frsize * space.f_blocks, 1000 * 4096);
	assert_int_equal(space.f_frsize * space.f_bavail, 400 * 4096);
	assert_int_equal(space.f_namemax, 255);
}

static void attributes_of_ours_can_be_read_and_listed(void **state)
{
	char value[512];
	ssize_t n;

	NEEDS_MOUNT();
	n = getxattr(
	    path_of("f"), "user.bearerfs.cached", value, sizeof(value));
	assert_int_equal(n, 2);
	assert_memory_equal(value, "37", 2);
	n = getxattr(
	    path_of("f"), "user.bearerfs.server", value, sizeof(value));
	assert_int_equal(n, strlen("https://origin.example.org"));
	assert_int_equal(
	    getxattr(path_of("f"), "user.bearerfs.server", NULL, 0), n);
	assert_int_equal(
	    getxattr(path_of("f"), "user.bearerfs.server", value, 3), -1);
	assert_int_equal(errno, ERANGE);
	/* No checksum is known. */
	assert_int_equal(getxattr(path_of("f"), "user.bearerfs.checksum", value,
	                     sizeof(value)),
	    -1);
	assert_int_equal(errno, ENODATA);
	assert_int_equal(
	    getxattr(path_of("f"), "user.other", value, sizeof(value)), -1);
	assert_int_equal(errno, ENODATA);
	n = listxattr(path_of("f"), value, sizeof(value));
	assert_int_equal(n, listxattr(path_of("f"), NULL, 0));
	assert_memory_equal(value,
	    "user.bearerfs.etag\0user.bearerfs.server\0"
	    "user.bearerfs.cached\0user.bearerfs.freshness",
	    (size_t)n);
}

static void what_writes_is_refused(void **state)
{
	NEEDS_MOUNT();
	assert_int_equal(open(path_of("f"), O_WRONLY | O_CLOEXEC), -1);
	assert_int_equal(errno, EROFS);
	assert_int_equal(
	    open(path_of("n"), O_CREAT | O_RDWR | O_CLOEXEC, 0600), -1);
	assert_int_equal(errno, EROFS);
	assert_int_equal(mkdir(path_of("n"), 0700), -1);
	assert_int_equal(errno, EROFS);
	assert_int_equal(unlink(path_of("f")), -1);
	assert_int_equal(errno, EROFS);
	assert_int_equal(rename(path_of("f"), path_of("g")), -1);
	assert_int_equal(errno, EROFS);
	assert_int_equal(chmod(path_of("f"), 0777), -1);
	assert_int_equal(errno, EROFS);
	assert_int_equal(access(path_of("f"), W_OK), -1);
	assert_int_equal(errno, EROFS);
	assert_int_equal(access(path_of("f"), X_OK), -1);
	assert_int_equal(errno, EACCES);
	assert_int_equal(access(path_of("f"), R_OK), 0);
}

/* All names of a directory in one text. */
static void assert_names(const char *path, const char *expected)
{
	char names[512] = "";
	struct dirent *entry;
	DIR *dir = opendir(path);

	assert_non_null(dir);
	while ((entry = readdir(dir))) {
		assert_true(strlen(names) + strlen(entry->d_name) < 500);
		(void)strcat(strcat(names, entry->d_name), " ");
	}
	(void)closedir(dir);
	assert_string_equal(names, expected);
}

static void a_listing_fills_attributes_and_is_kept(void **state)
{
	struct stat stat_buf;
	uint64_t requests = UINT64_MAX;
	size_t calls;

	NEEDS_MOUNT();
	assert_names(path_of("d"), ". .. x y ");
	calls = fake_calls(mounted.cache);
	assert_int_equal(stat(path_of("d/x"), &stat_buf), 0);
	assert_int_equal(stat_buf.st_size, 10);
	assert_int_equal(stat(path_of("d/y"), &stat_buf), 0);
	assert_int_equal(fake_calls(mounted.cache), calls);
	/* Names come from the kernel while the listing is the same: an
	 * OPENDIR and RELEASEDIRs. A kernel in need of memory may drop them. */
	for (unsigned i = 0; i < TRIES && requests > 4; i++) {
		uint64_t before = stats_get(STATS_fs_requests);

		assert_names(path_of("d"), ". .. x y ");
		requests = stats_get(STATS_fs_requests) - before;
	}
	assert_true(requests <= 4);
	fake_put(mounted.cache, "/d/z", 30, 1, FOREVER_MS);
	assert_names(path_of("d"), ". .. x y z ");
	fake_remove(mounted.cache, "/d/x");
	assert_names(path_of("d"), ". .. y z ");
}

static void an_absence_is_believed_as_long_as_the_cache_says(void **state)
{
	struct stat stat_buf;
	size_t calls;

	NEEDS_MOUNT();
	assert_int_equal(stat(path_of("none"), &stat_buf), -1);
	assert_int_equal(errno, ENOENT);
	calls = fake_calls(mounted.cache);
	assert_int_equal(stat(path_of("none"), &stat_buf), -1);
	assert_int_equal(fake_calls(mounted.cache), calls + 1);
	fake_negative_ms(mounted.cache, FOREVER_MS);
	assert_int_equal(stat(path_of("none"), &stat_buf), -1);
	calls = fake_calls(mounted.cache);
	assert_int_equal(stat(path_of("none"), &stat_buf), -1);
	assert_int_equal(errno, ENOENT);
	assert_int_equal(fake_calls(mounted.cache), calls);
}

/* The kernel believes the old attributes for long; open(2) finds the new
 * version all the same, and the old handle keeps the old one. */
static void a_replaced_file_is_another_inode(void **state)
{
	struct stat before;
	struct stat after;
	int old;
	int fresh;

	NEEDS_MOUNT();
	old = open_file("f");
	assert_bytes(old, 7, 0, 4096);
	assert_int_equal(fstat(old, &before), 0);
	fake_put(mounted.cache, "/f", 100, 8, FOREVER_MS);
	fresh = open_file("f");
	assert_int_equal(fstat(fresh, &after), 0);
	assert_int_equal(after.st_size, 100);
	assert_true(after.st_ino != before.st_ino);
	assert_bytes(fresh, 8, 0, 100);
	assert_bytes(old, 7, 0, 4096); /* from the page cache */
	assert_bytes(old, 7, 2 * 1024 * 1024, 4096);
	assert_int_equal(fstat(old, &after), 0);
	assert_int_equal(after.st_size, FILE_BYTES);
	assert_int_equal(after.st_ino, before.st_ino);
	(void)close(old);
	(void)close(fresh);
}

static void stat_of_a_replaced_file_finds_the_new_one(void **state)
{
	struct stat before;
	struct stat after;

	NEEDS_MOUNT();
	fake_put(mounted.cache, "/f", 100, 7, 0); /* believed for no time */
	assert_int_equal(stat(path_of("f"), &before), 0);
	fake_put(mounted.cache, "/f", 200, 8, 0);
	assert_int_equal(stat(path_of("f"), &after), 0);
	assert_int_equal(after.st_size, 200);
	assert_true(after.st_ino != before.st_ino);
	fake_put(mounted.cache, "/f", -1, 9, 0);
	assert_int_equal(stat(path_of("f"), &after), 0);
	assert_true(S_ISDIR(after.st_mode));
}

static void data_are_kept_over_opens(void **state)
{
	uint64_t reads = UINT64_MAX;

	NEEDS_MOUNT();
	/* As above: once is enough. */
	for (unsigned i = 0; i < TRIES && reads > 0; i++) {
		uint64_t before = stats_get(STATS_fs_reads);
		int fd = open_file("f");

		assert_bytes(fd, 7, 0, FILE_BYTES);
		(void)close(fd);
		reads = stats_get(STATS_fs_reads) - before;
	}
	assert_int_equal(reads, 0);
}

static void the_number_of_a_file_is_the_same_after_a_remount(void **state)
{
	struct stat before;
	struct stat after;

	NEEDS_MOUNT();
	assert_int_equal(stat(path_of("d/x"), &before), 0);
	mounted_teardown(state);
	mounted_setup(state);
	assert_int_equal(stat(path_of("d/x"), &after), 0);
	assert_int_equal(after.st_ino, before.st_ino);
}

static void a_killed_reader_is_free_and_the_next_open_does_not_wait(
    void **state)
{
	struct timespec pause = {.tv_nsec = 1000000};
	pid_t reader;
	int status;
	int fd;

	NEEDS_MOUNT();
	fd = open_file("f"); /* so that only the READ will be held */
	(void)fd;
	reader = fork();
	assert_true(reader >= 0);
	if (reader == 0) {
		char byte;
		int mine = open(path_of("f"), O_RDONLY | O_CLOEXEC);

		(void)raise(SIGSTOP);
		_exit(pread(mine, &byte, 1, 0) == 1 ? 0 : 1);
	}
	assert_int_equal(waitpid(reader, &status, WUNTRACED), reader);
	fake_hold(mounted.cache, true);
	(void)kill(reader, SIGCONT);
	fake_await_held(mounted.cache, 1);
	(void)kill(reader, SIGKILL);
	for (unsigned i = 0; waitpid(reader, &status, WNOHANG) == 0; i++) {
		assert_true(i < 20000);
		(void)nanosleep(&pause, NULL);
	}
	assert_true(WIFSIGNALED(status));
	/* The READ is still on its way. Only its pages are waited for. */
	fake_hold(mounted.cache, false);
	(void)close(open_file("f"));
	while (fake_held(mounted.cache) > 0)
		fake_answer_oldest(mounted.cache, 0);
	assert_bytes(fd, 7, 0, 100);
	(void)close(fd);
}

static void *stat_in_background(void *arg)
{
	struct stat stat_buf;

	(void)stat(arg, &stat_buf);
	return NULL;
}

/* Without PARALLEL_DIROPS the second would wait in the kernel for the first,
 * unkillably: both must come to us. */
static void look_ups_in_one_directory_do_not_wait_for_each_other(void **state)
{
	char first[256];
	char second[256];
	pthread_t threads[2];

	NEEDS_MOUNT();
	(void)snprintf(first, sizeof(first), "%s/d/slow1", mounted.where);
	(void)snprintf(second, sizeof(second), "%s/d/slow2", mounted.where);
	(void)close(open_file("d")); /* its own look-up is over */
	fake_hold(mounted.cache, true);
	assert_int_equal(
	    pthread_create(&threads[0], NULL, stat_in_background, first), 0);
	assert_int_equal(
	    pthread_create(&threads[1], NULL, stat_in_background, second), 0);
	fake_await_held(mounted.cache, 2);
	fake_hold(mounted.cache, false);
	fake_answer_oldest(mounted.cache, 0);
	fake_answer_oldest(mounted.cache, 0);
	assert_int_equal(pthread_join(threads[0], NULL), 0);
	assert_int_equal(pthread_join(threads[1], NULL), 0);
}

#define CASE(name) \
	cmocka_unit_test_setup_teardown(name, mounted_setup, mounted_teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
	    CASE(bytes_come_through_read_mmap_and_o_direct),
	    CASE(stat_shows_what_the_configuration_says),
	    CASE(the_mount_shows_its_source_and_cannot_be_misused),
	    CASE(attributes_of_ours_can_be_read_and_listed),
	    CASE(what_writes_is_refused),
	    CASE(a_listing_fills_attributes_and_is_kept),
	    CASE(an_absence_is_believed_as_long_as_the_cache_says),
	    CASE(a_replaced_file_is_another_inode),
	    CASE(stat_of_a_replaced_file_finds_the_new_one),
	    CASE(data_are_kept_over_opens),
	    CASE(the_number_of_a_file_is_the_same_after_a_remount),
	    CASE(a_killed_reader_is_free_and_the_next_open_does_not_wait),
	    CASE(look_ups_in_one_directory_do_not_wait_for_each_other),
	};

	return mounted_run(tests, ARRAY_COUNT(tests));
}
