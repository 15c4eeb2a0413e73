/* SPDX-License-Identifier: Apache-2.0 */
/* Where unsent writes may lie. */
#include <errno.h>
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

#include "cli/plan/places.h"
#include "cli/plan/spool_place.h"

static char dir[] = "/tmp/test_spool_place.XXXXXX";
static char out[PATH_MAX];
static char mountpoint[PATH_MAX];
static struct spool_place_not not_in;
static struct err err, warning;
static struct places_env env;

static const char *below(const char *name)
{
	static char path[PATH_MAX];

	(void)snprintf(path, sizeof(path), "%s/%s", dir, name);
	return path;
}

static int fresh(void **state)
{
	(void)state;
	memcpy(dir + strlen(dir) - 6, "XXXXXX", 6);
	if (mkdtemp(dir) == NULL || mkdir(below("mnt"), 0700) < 0)
		return -1;
	(void)snprintf(mountpoint, sizeof(mountpoint), "%s", below("mnt"));
	not_in =
	    (struct spool_place_not){.mountpoint = mountpoint, .cache_dir = ""};
	err = (struct err)ERR_INIT;
	env = (struct places_env){.uid = 1234};
	return 0;
}

static int done(void **state)
{
	static const char *const names[] = {"mnt", "file", "link", "a/b/c",
	    "a/b", "a", "xdg/bearerfs/spool", "xdg/bearerfs", "xdg"};

	(void)state;
	for (size_t i = 0; i < ARRAY_COUNT(names); i++) {
		if (rmdir(below(names[i])) < 0)
			(void)unlink(below(names[i]));
	}
	return rmdir(dir);
}

static int make(const char *wanted)
{
	return spool_place_make(out, wanted, &env, &not_in, &warning, &err);
}

static void the_default_has_an_order(void **state)
{
	(void)state;
	env.state_home = "/state";
	env.home = "/home/ada";
	assert_int_equal(spool_place(out, NULL, &env, &err), 0);
	assert_string_equal(out, "/state/bearerfs/spool");
	/* A relative one does not count. */
	env.state_home = "state";
	assert_int_equal(spool_place(out, NULL, &env, &err), 0);
	assert_string_equal(out, "/home/ada/.local/state/bearerfs/spool");
	env.uid = 0;
	assert_int_equal(spool_place(out, NULL, &env, &err), 0);
	assert_string_equal(out, "/var/lib/bearerfs/spool");
	assert_int_equal(spool_place(out, "/mine", &env, &err), 0);
	assert_string_equal(out, "/mine");
}

static void without_a_home_one_has_to_be_named(void **state)
{
	(void)state;
	assert_int_equal(spool_place(out, NULL, &env, &err), -ENOENT);
	assert_non_null(strstr(err.text, "spool_dir"));
	assert_int_equal(make(NULL), -ENOENT);
}

static void it_is_made_closed_to_others(void **state)
{
	char xdg[PATH_MAX];
	struct stat about;

	(void)state;
	(void)snprintf(xdg, sizeof(xdg), "%s", below("xdg"));
	env.state_home = xdg;
	assert_int_equal(make(NULL), 0);
	assert_string_equal(out, below("xdg/bearerfs/spool"));
	assert_string_equal(warning.text, "");
	assert_int_equal(stat(out, &about), 0);
	assert_int_equal(about.st_mode & 07777, 0700);
	/* Again, and by a link. */
	assert_int_equal(symlink("xdg", below("link")), 0);
	assert_int_equal(make(below("link/bearerfs/spool")), 0);
	assert_string_equal(out, below("xdg/bearerfs/spool"));
}

static void it_lies_neither_in_the_cache_nor_below_the_mount_point(void **state)
{
	char cache[PATH_MAX];

	(void)state;
	(void)snprintf(cache, sizeof(cache), "%s", below("a"));
	not_in.cache_dir = cache;
	assert_int_equal(make(below("a/b/c")), -EINVAL);
	assert_non_null(strstr(err.text, "cache directory"));
	assert_non_null(strstr(err.text, "spool_dir=DIR"));
	assert_int_equal(make(below("a")), -EINVAL);
	assert_int_equal(make(below("mnt/spool")), -EDEADLK);
	/* Nothing was made there. */
	assert_int_equal(access(below("mnt/spool"), F_OK), -1);
	not_in.cache_dir = "";
	assert_int_equal(make(below("a/b/c")), 0);
}

static void what_is_no_directory_of_ours_is_refused_with_the_cure(void **state)
{
	(void)state;
	(void)close(open(below("file"), O_CREAT | O_WRONLY, 0600));
	assert_int_equal(make(below("file")), -ENOTDIR);
	assert_non_null(strstr(err.text, "spool_dir=DIR"));
	assert_int_equal(make(below("file/x")), -ENOTDIR);
	if (geteuid() == 0) {
		assert_int_equal(mkdir(below("a"), 0700), 0);
		assert_int_equal(chown(below("a"), 1234, 1234), 0);
		assert_int_equal(make(below("a")), -EACCES);
		assert_non_null(strstr(err.text, "1234"));
	} else {
		assert_int_equal(make("/"), -EACCES);
	}
	assert_non_null(strstr(err.text, "spool_dir=DIR"));
}

int main(void)
{
#define CASE(name) cmocka_unit_test_setup_teardown(name, fresh, done)
	static const struct CMUnitTest tests[] = {
	    CASE(the_default_has_an_order),
	    CASE(without_a_home_one_has_to_be_named),
	    CASE(it_is_made_closed_to_others),
	    CASE(it_lies_neither_in_the_cache_nor_below_the_mount_point),
	    CASE(what_is_no_directory_of_ours_is_refused_with_the_cure),
	};
#undef CASE

	return cmocka_run_group_tests(tests, NULL, NULL);
}
