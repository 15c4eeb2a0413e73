/* SPDX-License-Identifier: Apache-2.0 */
/* Which mount a path lies in. The mount of this test is one of the kernel's
 * whose requests nobody answers: who touches it hangs. Needs root. */
#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

#include "cli/mounts.h"

static struct mount_entry entry;
static struct err err;
static char inside[PATH_BYTES_MAX];
static bool mounted;

static int holding(const char *path)
{
	err = (struct err)ERR_INIT;
	inside[0] = '\0';
	return mounts_holding(&entry, inside, path, &err);
}

static void lies_at(const char *path, const char *wanted)
{
	int code = holding(path);

	if (code != 1 || strcmp(inside, wanted) != 0)
		fail_msg("'%s': %d, '%s' %s", path, code, inside, err.text);
	assert_string_equal(entry.source, "https://h.example/x");
}

static void by_name(void **state)
{
	(void)state;
	if (!mounted)
		skip();
	lies_at("/run/m", "/");
	lies_at("/run/m/", "/");
	lies_at("/run//./m/a", "/a");
	lies_at("/run/m/a//b/.", "/a/b");
	lies_at("/run/m/a/../b", "/b");
	lies_at("/run/m/../m/a", "/a");
	lies_at("/run/m/a/../../other/../m/c\n\xff", "/c\n\xff");
	lies_at("/no/such/../../run/m/x", "/x");
	assert_int_equal(entry.owner, 0);
	assert_int_equal(mounts_holding(&entry, NULL, "/run/m/a", &err), 1);
	assert_int_equal(holding("/run/mm"), 0);
	assert_int_equal(holding("/run/m/.."), 0);
	assert_int_equal(holding("/run/m/../../etc/passwd"), 0);
}

static void from_the_working_directory(void **state)
{
	(void)state;
	if (!mounted)
		skip();
	assert_int_equal(chdir("/run/d"), 0);
	lies_at("../m/a", "/a");
	lies_at("link", "/");
	assert_int_equal(holding("."), 0);
	assert_int_equal(holding("m"), 0);
	assert_int_equal(chdir("/"), 0);
	assert_int_equal(mkdir("/run/gone", 0700), 0);
	assert_int_equal(chdir("/run/gone"), 0);
	assert_int_equal(rmdir("/run/gone"), 0);
	assert_int_equal(holding("x"), -ENOENT);
	assert_non_null(strstr(err.text, "absolute path"));
	lies_at("/run/m/y", "/y");
	assert_int_equal(chdir("/"), 0);
}

static void by_links(void **state)
{
	(void)state;
	if (!mounted)
		skip();
	lies_at("/run/d/link/a/b", "/a/b");
	lies_at("/run/d/relative/b", "/a/b");
	lies_at("/run/d/chain/b", "/a/b");
	/* As the kernel goes: up from where the link leads to. */
	lies_at("/run/d/up/../run/m/z", "/z");
	assert_int_equal(holding("/run/d/up/../m/z"), 0);
	assert_int_equal(holding("/run/d/link/../d"), 0);
	/* A link to itself ends. */
	assert_int_equal(holding("/run/d/loop"), -ELOOP);
	assert_int_equal(holding("/run/d/loop/x"), -ELOOP);
}

static void by_bind_mounts_and_not_by_what_lies_on_top(void **state)
{
	(void)state;
	if (!mounted)
		skip();
	lies_at("/run/bound/a", "/a");
	/* A directory of a mount that hangs cannot be bound; that of a file
	 * system that answers can, and its root is told. */
	assert_int_equal(mounts_at(&entry, "/run/part", &err), 1);
	assert_string_equal(entry.root, "/d");
	assert_int_equal(mount("none", "/run/m", "tmpfs", 0, "mode=700"), 0);
	assert_int_equal(holding("/run/m/a"), 0);
	assert_int_equal(umount2("/run/m", MNT_DETACH), 0);
	lies_at("/run/m/a", "/a");
}

static void what_is_too_long_is_told(void **state)
{
	static char path[3 * PATH_BYTES_MAX];

	(void)state;
	if (!mounted)
		skip();
	assert_int_equal(holding(""), -ENOENT);
	memcpy(path, "/run/m/", 7);
	memset(path + 7, 'a', PATH_BYTES_MAX - 8);
	path[PATH_BYTES_MAX - 1] = '\0';
	assert_int_equal(holding(path), 1);
	assert_int_equal(strlen(inside), PATH_BYTES_MAX - 1 - 6);
	path[PATH_BYTES_MAX - 1] = 'a';
	assert_int_equal(holding(path), -ENAMETOOLONG);
	memset(path + 7, 'a', sizeof(path) - 8);
	assert_int_equal(holding(path), -ENAMETOOLONG);
	assert_non_null(strstr(err.text, "longer than a path can be"));
}

/* /run/m hangs; /run/d is full of links. */
static bool prepare(void)
{
	char options[100];
	int fd = open("/dev/fuse", O_RDWR);

	(void)snprintf(options, sizeof(options),
	    "fd=%d,rootmode=40000,user_id=0,group_id=0", fd);
	return geteuid() == 0 && fd >= 0 && unshare(CLONE_NEWNS) == 0 &&
	    mount("none", "/", NULL, MS_REC | MS_PRIVATE, NULL) == 0 &&
	    mount("none", "/run", "tmpfs", 0, "mode=755") == 0 &&
	    mkdir("/run/m", 0700) == 0 && mkdir("/run/d", 0700) == 0 &&
	    mkdir("/run/bound", 0700) == 0 && mkdir("/run/part", 0700) == 0 &&
	    symlink("/run/m", "/run/d/link") == 0 &&
	    symlink("../m//a", "/run/d/relative") == 0 &&
	    symlink("./relative/.", "/run/d/chain") == 0 &&
	    symlink("..", "/run/d/up") == 0 &&
	    symlink("loop", "/run/d/loop") == 0 &&
	    mount("https://h.example/x", "/run/m", "fuse.bearerfs", 0,
	        options) == 0 &&
	    mount("/run/m", "/run/bound", NULL, MS_BIND, NULL) == 0 &&
	    mount("/run/d", "/run/part", NULL, MS_BIND, NULL) == 0;
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(by_name),
	    cmocka_unit_test(from_the_working_directory),
	    cmocka_unit_test(by_links),
	    cmocka_unit_test(by_bind_mounts_and_not_by_what_lies_on_top),
	    cmocka_unit_test(what_is_too_long_is_told),
	};

	(void)alarm(60);
	mounted = prepare();
	return cmocka_run_group_tests(tests, NULL, NULL);
}
