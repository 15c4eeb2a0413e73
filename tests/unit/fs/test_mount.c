/* SPDX-License-Identifier: Apache-2.0 */
/*
 * tests/unit/fs/test_mount.c - the same mount under the real kernel, in a
 * mount namespace of its own, over the fake cache: what only the kernel can
 * show.
 *
 * Without the right to mount (no root and no user namespaces, or no
 * /dev/fuse) the cases are skipped, and say so.
 */
#include "base/clock.h"
#include "base/stats.h"
#include "fs/fs.h"
#include "fs/mountpoint.h"
#include "tests/unit/fs/fake_cache.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <sched.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/mount.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <sys/sysmacros.h>
#include <sys/wait.h>
#include <sys/xattr.h>
#include <unistd.h>

#include <cmocka.h>

enum {
	SKIPPED = 77,
	TRIES = 10,
	WATCH_S = 90, /* less than ctest's limit */

	FILE_BYTES = 3 * 1024 * 1024 + 17,
	FOREVER_MS = 1000 * 1000
};

static char where[64];
static struct cache *cache;
static struct fs *fs;
static pthread_t thread;
static bool may_mount;

static struct fs_config config_of(struct cache *over)
{
	return (struct fs_config){
	    .clock = clock_system(),
	    .cache = over,
	    .source = "https://origin.example.org/with,comma\\and more",
	    .mountpoint = where,
	    .origin = "https://origin.example.org",
	    .uid = 1234,
	    .gid = 2345,
	    .umask = 022,
	    .read_only = true,
	};
}

static void *serve(void *arg)
{
	static int code;

	code = fs_run(arg);
	return &code;
}

static void start_mount(void)
{
	struct err err = ERR_INIT;
	struct fs_config config;

	cache = fake_new(clock_system());
	fake_put(cache, "/", -1, 1, FOREVER_MS);
	fake_put(cache, "/f", FILE_BYTES, 7, FOREVER_MS);
	fake_put(cache, "/d", -1, 1, FOREVER_MS);
	fake_put(cache, "/d/x", 10, 1, FOREVER_MS);
	fake_put(cache, "/d/y", 20, 1, FOREVER_MS);
	config = config_of(cache);
	if (fs_new(&fs, &config, &err) < 0)
		fail_msg("%s", err.text);
	assert_int_equal(pthread_create(&thread, NULL, serve, fs), 0);
}

static int start(void **state)
{
	(void)state;
	if (!may_mount)
		return 0;
	(void)strcpy(where, "/tmp/fs-test-XXXXXX");
	assert_non_null(mkdtemp(where));
	start_mount();
	return 0;
}

static int stop(void **state)
{
	void *result;

	(void)state;
	if (!may_mount)
		return 0;
	fs_stop(fs);
	assert_int_equal(pthread_join(thread, &result), 0);
	assert_int_equal(*(int *)result, 0);
	cache_stop(cache);
	fs_free(fs);
	fake_free(cache);
	assert_int_equal(rmdir(where), 0);
	assert_int_equal(stats_get(STATS_fs_nodes), 0);
	assert_int_equal(stats_get(STATS_fs_waiting), 0);
	return 0;
}

static const char *path_of(const char *name)
{
	static char path[4][256];
	static unsigned turn;
	char *out = path[turn++ % 4];

	(void)snprintf(out, sizeof(path[0]), "%s/%s", where, name);
	return out;
}

#define NEEDS_MOUNT()           \
	do {                    \
		(void)state;    \
		if (!may_mount) \
			skip(); \
	} while (0)

static int open_file(const char *name)
{
	int fd = open(path_of(name), O_RDONLY | O_CLOEXEC);

	if (fd < 0)
		fail_msg("open %s: %s", name, strerror(errno));
	return fd;
}

static void assert_bytes(int fd, uint64_t version, off_t offset, size_t n)
{
	unsigned char *bytes = malloc(n);

	assert_non_null(bytes);
	assert_int_equal(pread(fd, bytes, n, offset), n);
	for (size_t i = 0; i < n; i++)
		if (bytes[i] != fake_byte(version, (uint64_t)offset + i))
			fail_msg("byte %zu of %zu at %lld is wrong", i, n,
			    (long long)offset);
	free(bytes);
}

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
	assert_int_equal(stat(where, &stat_buf), 0);
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
	assert_int_equal(mountpoint_find(&found, where), 0);
	assert_true(found.ours);
	mounts = fopen("/proc/self/mounts", "re");
	assert_non_null(mounts);
	while (fgets(line, sizeof(line), mounts)) {
		if (!strstr(line, where))
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
	assert_int_equal(statvfs(where, &space), 0);
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
	calls = fake_calls(cache);
	assert_int_equal(stat(path_of("d/x"), &stat_buf), 0);
	assert_int_equal(stat_buf.st_size, 10);
	assert_int_equal(stat(path_of("d/y"), &stat_buf), 0);
	assert_int_equal(fake_calls(cache), calls);
	/* Names come from the kernel while the listing is the same: an
	 * OPENDIR and RELEASEDIRs. A kernel in need of memory may drop them. */
	for (unsigned i = 0; i < TRIES && requests > 4; i++) {
		uint64_t before = stats_get(STATS_fs_requests);

		assert_names(path_of("d"), ". .. x y ");
		requests = stats_get(STATS_fs_requests) - before;
	}
	assert_true(requests <= 4);
	fake_put(cache, "/d/z", 30, 1, FOREVER_MS);
	assert_names(path_of("d"), ". .. x y z ");
	fake_remove(cache, "/d/x");
	assert_names(path_of("d"), ". .. y z ");
}

static void an_absence_is_believed_as_long_as_the_cache_says(void **state)
{
	struct stat stat_buf;
	size_t calls;

	NEEDS_MOUNT();
	assert_int_equal(stat(path_of("none"), &stat_buf), -1);
	assert_int_equal(errno, ENOENT);
	calls = fake_calls(cache);
	assert_int_equal(stat(path_of("none"), &stat_buf), -1);
	assert_int_equal(fake_calls(cache), calls + 1);
	fake_negative_ms(cache, FOREVER_MS);
	assert_int_equal(stat(path_of("none"), &stat_buf), -1);
	calls = fake_calls(cache);
	assert_int_equal(stat(path_of("none"), &stat_buf), -1);
	assert_int_equal(errno, ENOENT);
	assert_int_equal(fake_calls(cache), calls);
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
	fake_put(cache, "/f", 100, 8, FOREVER_MS);
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
	fake_put(cache, "/f", 100, 7, 0); /* believed for no time */
	assert_int_equal(stat(path_of("f"), &before), 0);
	fake_put(cache, "/f", 200, 8, 0);
	assert_int_equal(stat(path_of("f"), &after), 0);
	assert_int_equal(after.st_size, 200);
	assert_true(after.st_ino != before.st_ino);
	fake_put(cache, "/f", -1, 9, 0);
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
	stop(state);
	start(state);
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
	fake_hold(cache, true);
	(void)kill(reader, SIGCONT);
	fake_await_held(cache, 1);
	(void)kill(reader, SIGKILL);
	for (unsigned i = 0; waitpid(reader, &status, WNOHANG) == 0; i++) {
		assert_true(i < 20000);
		(void)nanosleep(&pause, NULL);
	}
	assert_true(WIFSIGNALED(status));
	/* The READ is still on its way. Only its pages are waited for. */
	fake_hold(cache, false);
	(void)close(open_file("f"));
	while (fake_held(cache) > 0)
		fake_answer_oldest(cache, 0);
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
	(void)snprintf(first, sizeof(first), "%s/d/slow1", where);
	(void)snprintf(second, sizeof(second), "%s/d/slow2", where);
	(void)close(open_file("d")); /* its own look-up is over */
	fake_hold(cache, true);
	assert_int_equal(
	    pthread_create(&threads[0], NULL, stat_in_background, first), 0);
	assert_int_equal(
	    pthread_create(&threads[1], NULL, stat_in_background, second), 0);
	fake_await_held(cache, 2);
	fake_hold(cache, false);
	fake_answer_oldest(cache, 0);
	fake_answer_oldest(cache, 0);
	assert_int_equal(pthread_join(threads[0], NULL), 0);
	assert_int_equal(pthread_join(threads[1], NULL), 0);
}

static void an_unmount_from_outside_ends_the_loop(void **state)
{
	void *result;

	NEEDS_MOUNT();
	(void)close(open_file("f"));
	assert_int_equal(umount2(where, 0), 0);
	assert_int_equal(pthread_join(thread, &result), 0);
	assert_int_equal(*(int *)result, 0);
	/* As stop(), which joins the thread, finds it. */
	assert_int_equal(pthread_create(&thread, NULL, serve, fs), 0);
}

/* As an administrator ends a mount that hangs. */
static void an_aborted_mount_leaves_no_dead_mount_behind(void **state)
{
	struct mountpoint found;
	struct stat stat_buf;
	char path[128];
	void *result;
	int fd;

	NEEDS_MOUNT();
	(void)mount("fusectl", "/sys/fs/fuse/connections", "fusectl", 0, NULL);
	assert_int_equal(mountpoint_find(&found, where), 0);
	(void)snprintf(path, sizeof(path), "/sys/fs/fuse/connections/%s/abort",
	    strchr(found.device, ':') + 1);
	fd = open(path, O_WRONLY | O_CLOEXEC);
	if (fd < 0)
		skip(); /* no fusectl here */
	assert_int_equal(write(fd, "1", 1), 1);
	(void)close(fd);
	assert_int_equal(pthread_join(thread, &result), 0);
	assert_int_equal(stat(where, &stat_buf), -1);
	assert_int_equal(errno, ENOTCONN);
	cache_stop(cache);
	fs_free(fs);
	fake_free(cache);
	assert_int_equal(stat(where, &stat_buf), 0);
	assert_int_equal(mountpoint_find(&found, where), -ENOENT);
	start_mount();
}

static void write_text(const char *path, const char *text)
{
	int fd = open(path, O_WRONLY | O_CLOEXEC);

	if (fd < 0 || write(fd, text, strlen(text)) < 0)
		_exit(SKIPPED);
	(void)close(fd);
}

/* Root in a user namespace of one's own, as `bearerfs exec` is. */
static void enter_user_namespace(void)
{
	if (unshare(CLONE_NEWUSER | CLONE_NEWNS) < 0)
		_exit(SKIPPED);
	write_text("/proc/self/setgroups", "deny");
	write_text("/proc/self/uid_map", "0 65534 1");
	write_text("/proc/self/gid_map", "0 65534 1");
}

/* In a process of its own: become nobody, mount, use, free. */
static void mount_as_nobody(bool in_user_namespace)
{
	struct err err = ERR_INIT;
	struct fs_config config;
	struct stat stat_buf;
	struct mountpoint found;

	if (chown(where, 65534, 65534) < 0 || setgid(65534) < 0 ||
	    setuid(65534) < 0)
		_exit(SKIPPED);
	/* Who changed its ids may not write to its own /proc. */
	(void)prctl(PR_SET_DUMPABLE, 1);
	if (in_user_namespace)
		enter_user_namespace();
	cache = fake_new(clock_system());
	config = config_of(cache);
	config.source = "https://origin.example.org/";
	if (fs_new(&fs, &config, &err) < 0) {
		(void)fprintf(stderr, "%s\n", err.text);
		_exit(2);
	}
	if (pthread_create(&thread, NULL, serve, fs) != 0)
		_exit(3);
	if (stat(where, &stat_buf) < 0 || stat_buf.st_ino != 1)
		_exit(4);
	fs_stop(fs);
	(void)pthread_join(thread, NULL);
	cache_stop(cache);
	fs_free(fs);
	fake_free(cache);
	if (mountpoint_find(&found, where) != -ENOENT)
		_exit(5);
	(void)raise(SIGKILL); /* sanitizers need not look at a fork's end */
}

/* A device node that everybody may open, as on most systems. */
static void open_device_to_all(void)
{
	char node[] = "/tmp/fs-test-fuse-XXXXXX";
	int fd = mkstemp(node);

	if (fd < 0 || unshare(CLONE_NEWNS) < 0)
		_exit(SKIPPED);
	(void)close(fd);
	(void)unlink(node);
	if (mknod(node, S_IFCHR, makedev(10, 229)) < 0 ||
	    chmod(node, 0666) < 0 ||
	    mount(node, "/dev/fuse", NULL, MS_BIND, NULL) < 0)
		_exit(SKIPPED);
	(void)unlink(node);
}

static void run_as_nobody(bool in_user_namespace)
{
	int status;
	pid_t child;

	(void)strcpy(where, "/tmp/fs-test-XXXXXX");
	assert_non_null(mkdtemp(where));
	child = fork();
	assert_true(child >= 0);
	if (child == 0) {
		open_device_to_all();
		mount_as_nobody(in_user_namespace);
	}
	assert_int_equal(waitpid(child, &status, 0), child);
	assert_int_equal(rmdir(where), 0);
	if (WIFEXITED(status) && WEXITSTATUS(status) == SKIPPED)
		skip();
	assert_true(WIFSIGNALED(status));
}

static void without_root_a_user_namespace_is_enough(void **state)
{
	NEEDS_MOUNT();
	if (geteuid() != 0)
		skip();
	run_as_nobody(true);
}

static void without_root_fusermount3_mounts_and_unmounts(void **state)
{
	struct stat stat_buf;

	NEEDS_MOUNT();
	if (geteuid() != 0 || stat("/usr/bin/fusermount3", &stat_buf) < 0 ||
	    !(stat_buf.st_mode & S_ISUID))
		skip();
	run_as_nobody(false);
}

static void a_mount_point_that_cannot_be_used_is_refused(void **state)
{
	struct fs_config config = config_of(cache);
	struct fs *second = NULL;
	struct err err = ERR_INIT;

	NEEDS_MOUNT();
	assert_int_equal(fs_new(&second, &config, &err), -EBUSY);
	assert_non_null(strstr(err.text, "bearerfs umount"));
	config.mountpoint = "/tmp/no-such-directory/of-any-kind";
	assert_int_equal(fs_new(&second, &config, &err), -ENOENT);
	assert_non_null(strstr(err.text, "mkdir"));
	config.mountpoint = "/proc/self/status";
	assert_int_equal(fs_new(&second, &config, &err), -ENOTDIR);
	assert_null(second);
}

/* A mount whose process was killed. */
static void leave_dead_mount(void)
{
	int status;
	pid_t child = fork();

	assert_true(child >= 0);
	if (child == 0) {
		struct err err = ERR_INIT;
		struct cache *own = fake_new(clock_system());
		struct fs_config config = config_of(own);
		struct fs *dead;

		if (fs_new(&dead, &config, &err) == 0)
			(void)raise(SIGKILL);
		_exit(1);
	}
	assert_int_equal(waitpid(child, &status, 0), child);
	assert_true(WIFSIGNALED(status));
}

static void dead_mounts_of_ours_are_detached_first(void **state)
{
	struct mountpoint found;
	struct err err = ERR_INIT;
	struct stat stat_buf;

	NEEDS_MOUNT();
	assert_int_equal(umount2(where, MNT_DETACH), 0);
	leave_dead_mount();
	assert_int_equal(stat(where, &stat_buf), -1);
	assert_int_equal(errno, ENOTCONN);
	assert_int_equal(mountpoint_prepare(where, &err), 0);
	assert_int_equal(mountpoint_find(&found, where), -ENOENT);
	assert_int_equal(stat(where, &stat_buf), 0);
}

#define CASE(name) cmocka_unit_test_setup_teardown(name, start, stop)

static bool enter_namespace(void)
{
	int fd;

	if (unshare(CLONE_NEWNS) < 0 &&
	    unshare(CLONE_NEWNS | CLONE_NEWUSER) < 0)
		return false;
	if (mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL) < 0)
		return false;
	fd = open("/dev/fuse", O_RDWR | O_CLOEXEC);
	if (fd < 0)
		return false;
	(void)close(fd);
	return true;
}

/* Whoever ends has given its memory back, and its command line with it,
 * before it comes to its files. */
static bool has_ended(pid_t process)
{
	char path[64];
	char byte;
	ssize_t n;
	int fd;

	(void)snprintf(path, sizeof(path), "/proc/%d/cmdline", process);
	fd = open(path, O_RDONLY | O_CLOEXEC);
	if (fd < 0)
		return true;
	n = read(fd, &byte, 1);
	(void)close(fd);
	return n <= 0;
}

static void abort_mounts(void)
{
	char line[1024];
	char path[256];
	FILE *mounts = fopen("/proc/self/mounts", "re");

	while (mounts && fgets(line, sizeof(line), mounts))
		if (strstr(line, " fuse.bearerfs ") &&
		    sscanf(line, "%*s %255s", path) == 1)
			(void)umount2(path, MNT_FORCE | MNT_DETACH);
	if (mounts)
		(void)fclose(mounts);
}

/*
 * The mount and its users are one process here. When it is killed while one
 * of its threads waits for the mount, that thread closes its files, waits for
 * the answer of the thread that is gone, and stays for ever, unkillably: so
 * somebody else aborts what it leaves, or what takes too long.
 */
static pid_t start_watchdog(void)
{
	struct timespec pause = {.tv_nsec = 100 * 1000 * 1000};
	pid_t tested = getpid();
	pid_t child = fork();

	if (child != 0)
		return child;
	for (unsigned i = 0; i < WATCH_S * 10 && !has_ended(tested); i++)
		(void)nanosleep(&pause, NULL);
	abort_mounts();
	_exit(0);
}

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
	    CASE(an_unmount_from_outside_ends_the_loop),
	    CASE(an_aborted_mount_leaves_no_dead_mount_behind),
	    cmocka_unit_test(without_root_a_user_namespace_is_enough),
	    cmocka_unit_test(without_root_fusermount3_mounts_and_unmounts),
	    CASE(a_mount_point_that_cannot_be_used_is_refused),
	    CASE(dead_mounts_of_ours_are_detached_first),
	};

	pid_t watchdog = -1;
	int failed;

	may_mount = enter_namespace();
	if (!may_mount)
		print_message("may not mount here: %s\n", strerror(errno));
	if (may_mount)
		watchdog = start_watchdog();
	failed = cmocka_run_group_tests(tests, NULL, NULL);
	if (watchdog > 0) {
		(void)kill(watchdog, SIGKILL);
		(void)waitpid(watchdog, NULL, 0);
	}
	return failed;
}
