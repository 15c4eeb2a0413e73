/* SPDX-License-Identifier: Apache-2.0 */
/*
 * tests/unit/fs/test_mounting.c - how a mount begins and ends under the real
 * kernel: with and without root, over a dead one, by an abort.
 */
#include "base/clock.h"
#include "fs/mountpoint.h"
#include "tests/unit/fs/fake_cache.h"
#include "tests/unit/fs/mounted.h"

#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <sys/wait.h>
#include <unistd.h>

enum { SKIPPED = 77 };

static void an_unmount_from_outside_ends_the_loop(void **state)
{
	void *result;

	NEEDS_MOUNT();
	(void)close(open_file("f"));
	assert_int_equal(umount2(mounted.where, 0), 0);
	assert_int_equal(pthread_join(mounted.thread, &result), 0);
	assert_int_equal(*(int *)result, 0);
	/* As mounted_teardown(), which joins the thread, finds it. */
	assert_int_equal(mounted_serve(), 0);
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
	assert_int_equal(mountpoint_find(&found, mounted.where), 0);
	(void)snprintf(path, sizeof(path), "/sys/fs/fuse/connections/%s/abort",
	    strchr(found.device, ':') + 1);
	fd = open(path, O_WRONLY | O_CLOEXEC);
	if (fd < 0)
		skip(); /* no fusectl here */
	assert_int_equal(write(fd, "1", 1), 1);
	(void)close(fd);
	assert_int_equal(pthread_join(mounted.thread, &result), 0);
	assert_int_equal(stat(mounted.where, &stat_buf), -1);
	assert_int_equal(errno, ENOTCONN);
	cache_stop(mounted.cache);
	fs_free(mounted.fs);
	fake_free(mounted.cache);
	assert_int_equal(stat(mounted.where, &stat_buf), 0);
	assert_int_equal(mountpoint_find(&found, mounted.where), -ENOENT);
	mounted_start();
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

	if (chown(mounted.where, 65534, 65534) < 0 || setgid(65534) < 0 ||
	    setuid(65534) < 0)
		_exit(SKIPPED);
	/* Who changed its ids may not write to its own /proc. */
	(void)prctl(PR_SET_DUMPABLE, 1);
	if (in_user_namespace)
		enter_user_namespace();
	mounted.cache = fake_new(clock_system());
	config = mounted_config(mounted.cache);
	config.source = "https://origin.example.org/";
	if (fs_new(&mounted.fs, &config, &err) < 0) {
		(void)fprintf(stderr, "%s\n", err.text);
		_exit(2);
	}
	if (mounted_serve() != 0)
		_exit(3);
	if (stat(mounted.where, &stat_buf) < 0 || stat_buf.st_ino != 1)
		_exit(4);
	fs_stop(mounted.fs);
	(void)pthread_join(mounted.thread, NULL);
	cache_stop(mounted.cache);
	fs_free(mounted.fs);
	fake_free(mounted.cache);
	if (mountpoint_find(&found, mounted.where) != -ENOENT)
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

	(void)strcpy(mounted.where, "/tmp/fs-test-XXXXXX");
	assert_non_null(mkdtemp(mounted.where));
	child = fork();
	assert_true(child >= 0);
	if (child == 0) {
		open_device_to_all();
		mount_as_nobody(in_user_namespace);
	}
	assert_int_equal(waitpid(child, &status, 0), child);
	assert_int_equal(rmdir(mounted.where), 0);
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
	struct fs_config config = mounted_config(mounted.cache);
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
		struct fs_config config = mounted_config(own);
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
	assert_int_equal(umount2(mounted.where, MNT_DETACH), 0);
	leave_dead_mount();
	assert_int_equal(stat(mounted.where, &stat_buf), -1);
	assert_int_equal(errno, ENOTCONN);
	assert_int_equal(mountpoint_prepare(mounted.where, &err), 0);
	assert_int_equal(mountpoint_find(&found, mounted.where), -ENOENT);
	assert_int_equal(stat(mounted.where, &stat_buf), 0);
}

#define CASE(name) \
	cmocka_unit_test_setup_teardown(name, mounted_setup, mounted_teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
	    CASE(an_unmount_from_outside_ends_the_loop),
	    CASE(an_aborted_mount_leaves_no_dead_mount_behind),
	    cmocka_unit_test(without_root_a_user_namespace_is_enough),
	    cmocka_unit_test(without_root_fusermount3_mounts_and_unmounts),
	    CASE(a_mount_point_that_cannot_be_used_is_refused),
	    CASE(dead_mounts_of_ours_are_detached_first),
	};

	return mounted_run(tests, ARRAY_COUNT(tests));
}
