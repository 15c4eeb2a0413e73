/* SPDX-License-Identifier: Apache-2.0 */
/*
 * tests/unit/fs/test_mountpoint.c - finding mounts by their directory, and
 * what the sandbox takes away (in a process of its own).
 */
#include "fs/fs.h"
#include "fs/mountpoint.h"

#include <errno.h>
#include <sched.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

static bool may_mount;

static void the_root_is_a_mount_that_is_not_ours(void **state)
{
	struct mountpoint found = {.ours = true};

	(void)state;
	assert_int_equal(mountpoint_find(&found, "/"), 0);
	assert_false(found.ours);
	assert_non_null(strchr(found.device, ':'));
	assert_int_equal(mountpoint_find(&found, "/proc/self"), -ENOENT);
}

/* mountinfo writes space, tab, newline and backslash in octal. */
static void a_mount_point_with_strange_characters_is_found(void **state)
{
	struct mountpoint found = {.ours = true};
	char path[] = "/tmp/a b\tc\nd\\040-fs-test-XXXXXX";
	struct err err = ERR_INIT;

	(void)state;
	if (!may_mount)
		skip();
	assert_non_null(mkdtemp(path));
	assert_int_equal(mountpoint_find(&found, path), -ENOENT);
	assert_int_equal(mount("x", path, "tmpfs", 0, "size=64k"), 0);
	assert_int_equal(mountpoint_find(&found, path), 0);
	assert_false(found.ours);
	/* Of another kind: mounting over it is the user's business. */
	assert_int_equal(mountpoint_prepare(path, &err), 0);
	assert_int_equal(umount2(path, 0), 0);
	assert_int_equal(rmdir(path), 0);
}

static int run_in_child(void (*run)(void))
{
	int status;
	pid_t child = fork();

	assert_true(child >= 0);
	if (child == 0) {
		run();
		_exit(0);
	}
	assert_int_equal(waitpid(child, &status, 0), child);
	assert_true(WIFEXITED(status));
	return WEXITSTATUS(status);
}

static void sandbox_child(void)
{
	struct rlimit limit = {256, 256};
	bool privileged = mountpoint_is_privileged();

	(void)getrlimit(RLIMIT_NOFILE, &limit);
	limit.rlim_cur = 64;
	if (setrlimit(RLIMIT_NOFILE, &limit) < 0)
		_exit(1);
	fs_sandbox();
	if (prctl(PR_GET_DUMPABLE) != 0)
		_exit(2);
	/* Where fusermount3 is needed, setuid programs still work. */
	if ((prctl(PR_GET_NO_NEW_PRIVS, 0, 0, 0, 0) == 1) != privileged)
		_exit(3);
	if (getrlimit(RLIMIT_CORE, &limit) < 0 || limit.rlim_cur != 0 ||
	    limit.rlim_max != 0)
		_exit(4);
	if (getrlimit(RLIMIT_NOFILE, &limit) < 0 || limit.rlim_cur <= 64)
		_exit(5);
}

static void drop_root(void)
{
	if (geteuid() == 0 && (setgid(65534) < 0 || setuid(65534) < 0))
		_exit(10);
	if (mountpoint_is_privileged())
		_exit(11);
	sandbox_child();
}

static void the_sandbox_takes_what_a_daemon_does_not_need(void **state)
{
	(void)state;
	assert_int_equal(run_in_child(sandbox_child), 0);
	assert_int_equal(run_in_child(drop_root), 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(the_root_is_a_mount_that_is_not_ours),
	    cmocka_unit_test(a_mount_point_with_strange_characters_is_found),
	    cmocka_unit_test(the_sandbox_takes_what_a_daemon_does_not_need),
	};

	may_mount = unshare(CLONE_NEWNS) == 0 &&
	    mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL) == 0;
	return cmocka_run_group_tests(tests, NULL, NULL);
}
