/* SPDX-License-Identifier: Apache-2.0 */
/* Where a mount may lie and where its cache goes. */
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

static char dir[] = "/tmp/test_places.XXXXXX";
static char out[PATH_MAX];
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
	err = (struct err)ERR_INIT;
	warning = (struct err)ERR_INIT;
	env = (struct places_env){.uid = 1234};
	return 0;
}

static int done(void **state)
{
	static const char *const names[] = {"mnt/sub", "mnt", "file", "link",
	    "round", "a/b/c", "a/b", "a", "home/.cache/bearerfs", "home/.cache",
	    "home", "xdg/bearerfs", "xdg", "tmp/bearerfs-cache-1234", "tmp",
	    "closed"};

	(void)state;
	for (size_t i = 0; i < ARRAY_COUNT(names); i++) {
		if (rmdir(below(names[i])) < 0)
			(void)unlink(below(names[i]));
	}
	return rmdir(dir);
}

static void a_directory_is_fit_by_its_real_path(void **state)
{
	(void)state;
	assert_int_equal(places_mountpoint(out, below("mnt"), &err), 0);
	assert_string_equal(out, below("mnt"));
	assert_int_equal(symlink("mnt", below("link")), 0);
	assert_int_equal(places_mountpoint(out, below("link"), &err), 0);
	assert_string_equal(out, below("mnt"));
}

static void what_is_no_directory_is_refused(void **state)
{
	(void)state;
	assert_int_equal(places_mountpoint(out, below("none"), &err), -ENOENT);
	assert_non_null(strstr(err.text, "make the directory"));
	(void)close(open(below("file"), O_CREAT | O_WRONLY, 0600));
	assert_int_equal(places_mountpoint(out, below("file"), &err), -ENOTDIR);
	assert_int_equal(
	    places_mountpoint(out, below("file/x"), &err), -ENOTDIR);
}

static void nothing_may_lie_below_the_mount_point(void **state)
{
	char mountpoint[PATH_MAX];

	(void)state;
	(void)snprintf(mountpoint, sizeof(mountpoint), "%s", below("mnt"));
	assert_int_equal(
	    places_refuse_own("log file", below("mnt/log"), mountpoint, &err),
	    -EDEADLK);
	assert_int_equal(places_refuse_own("log file", below("mnt/no/such"),
	                     mountpoint, &err),
	    -EDEADLK);
	assert_int_equal(symlink("mnt", below("link")), 0);
	assert_int_equal(
	    places_refuse_own("log file", below("link/log"), mountpoint, &err),
	    -EDEADLK);
	assert_int_equal(
	    places_refuse_own("log file", below("mnt2/log"), mountpoint, &err),
	    0);
	assert_int_equal(
	    places_refuse_own("log file", "/", mountpoint, &err), 0);
	/* What goes round in a circle may be put right while it is mounted. */
	assert_int_equal(symlink("round", below("round")), 0);
	assert_int_equal(
	    places_refuse_own("token file", below("round"), mountpoint, &err),
	    0);
	assert_int_equal(symlink("../round", below("mnt/round")), 0);
	assert_int_equal(places_refuse_own("token file",
	                     below("mnt/round/token"), mountpoint, &err),
	    -EDEADLK);
	assert_int_equal(unlink(below("mnt/round")), 0);
	assert_int_equal(places_cache(out, below("mnt/sub"), &env, mountpoint,
	                     &warning, &err),
	    -EDEADLK);
}

static void a_wanted_cache_is_made_closed_to_others(void **state)
{
	struct stat about;

	(void)state;
	assert_int_equal(
	    places_cache(out, below("a/b/c"), &env, "/x", &warning, &err), 0);
	assert_string_equal(out, below("a/b/c"));
	assert_string_equal(warning.text, "");
	assert_int_equal(stat(out, &about), 0);
	assert_int_equal(about.st_mode & 0777, 0700);
}

static void a_wanted_cache_that_cannot_be_is_an_error(void **state)
{
	(void)state;
	(void)close(open(below("file"), O_CREAT | O_WRONLY, 0600));
	assert_true(
	    places_cache(out, below("file"), &env, "/x", &warning, &err) < 0);
	assert_non_null(strstr(err.text, "cache directory"));
	assert_true(
	    places_cache(out, below("file/c"), &env, "/x", &warning, &err) < 0);
	assert_true(
	    places_cache(out, "/proc/no", &env, "/x", &warning, &err) < 0);
}

static void the_default_follows_the_environment(void **state)
{
	char home[PATH_MAX], cache[PATH_MAX];

	(void)state;
	(void)snprintf(home, sizeof(home), "%s", below("home"));
	(void)snprintf(cache, sizeof(cache), "%s", below("xdg"));
	env.home = home;
	assert_int_equal(
	    places_cache(out, NULL, &env, "/x", &warning, &err), 0);
	assert_string_equal(out, below("home/.cache/bearerfs"));
	env.cache_home = cache;
	assert_int_equal(
	    places_cache(out, NULL, &env, "/x", &warning, &err), 0);
	assert_string_equal(out, below("xdg/bearerfs"));
	assert_string_equal(warning.text, "");
}

static void without_a_home_the_scratch_directory_serves(void **state)
{
	char tmp[PATH_MAX];

	(void)state;
	(void)snprintf(tmp, sizeof(tmp), "%s", below("tmp"));
	env.condor_scratch = "relative";
	env.tmp = tmp;
	assert_int_equal(
	    places_cache(out, NULL, &env, "/x", &warning, &err), 0);
	assert_string_equal(out, below("tmp/bearerfs-cache-1234"));
	assert_non_null(strstr(warning.text, "using"));
}

static void with_nowhere_to_go_nothing_is_cached_and_that_is_said(void **state)
{
	(void)state;
	env.home = "/proc/no";
	assert_int_equal(
	    places_cache(out, NULL, &env, "/x", &warning, &err), 0);
	assert_string_equal(out, "");
	assert_non_null(strstr(warning.text, "nothing is cached"));
}

#define CASE(name) cmocka_unit_test_setup_teardown(name, fresh, done)

int main(void)
{
	const struct CMUnitTest tests[] = {
	    CASE(a_directory_is_fit_by_its_real_path),
	    CASE(what_is_no_directory_is_refused),
	    CASE(nothing_may_lie_below_the_mount_point),
	    CASE(a_wanted_cache_is_made_closed_to_others),
	    CASE(a_wanted_cache_that_cannot_be_is_an_error),
	    CASE(the_default_follows_the_environment),
	    CASE(without_a_home_the_scratch_directory_serves),
	    CASE(with_nowhere_to_go_nothing_is_cached_and_that_is_said),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
