/* SPDX-License-Identifier: Apache-2.0 */
/* tests/unit/fs/mounted.c - see mounted.h. */
#include "tests/unit/fs/mounted.h"

#include "base/clock.h"
#include "base/stats.h"
#include "tests/unit/fs/fake_cache.h"

#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

enum { WATCH_S = 90 /* less than ctest's limit */ };

struct mounted mounted;

struct fs_config mounted_config(struct cache *cache)
{
	return (struct fs_config){
	    .clock = clock_system(),
	    .cache = cache,
	    .source = "https://origin.example.org/with,comma\\and more",
	    .mountpoint = mounted.where,
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

int mounted_serve(void)
{
	return pthread_create(&mounted.thread, NULL, serve, mounted.fs);
}

void mounted_start(void)
{
	struct err err = ERR_INIT;
	struct cache *cache = fake_new(clock_system());
	const struct fs_config config = mounted_config(cache);

	fake_put(cache, "/", -1, 1, FOREVER_MS);
	fake_put(cache, "/f", FILE_BYTES, 7, FOREVER_MS);
	fake_put(cache, "/d", -1, 1, FOREVER_MS);
	fake_put(cache, "/d/x", 10, 1, FOREVER_MS);
	fake_put(cache, "/d/y", 20, 1, FOREVER_MS);
	if (fs_new(&mounted.fs, &config, &err) < 0)
		fail_msg("%s", err.text);
	mounted.cache = cache;
	assert_int_equal(mounted_serve(), 0);
}

int mounted_setup(void **state)
{
	(void)state;
	if (!mounted.possible)
		return 0;
	(void)strcpy(mounted.where, "/tmp/fs-test-XXXXXX");
	assert_non_null(mkdtemp(mounted.where));
	mounted_start();
	return 0;
}

int mounted_teardown(void **state)
{
	void *result;

	(void)state;
	if (!mounted.possible)
		return 0;
	fs_stop(mounted.fs);
	assert_int_equal(pthread_join(mounted.thread, &result), 0);
	assert_int_equal(*(int *)result, 0);
	cache_stop(mounted.cache);
	fs_free(mounted.fs);
	fake_free(mounted.cache);
	assert_int_equal(rmdir(mounted.where), 0);
	assert_int_equal(stats_get(STATS_fs_nodes), 0);
	assert_int_equal(stats_get(STATS_fs_waiting), 0);
	return 0;
}

const char *path_of(const char *name)
{
	static char path[4][256];
	static unsigned turn;
	char *out = path[turn++ % 4];

	(void)snprintf(out, sizeof(path[0]), "%s/%s", mounted.where, name);
	return out;
}

int open_file(const char *name)
{
	int fd = open(path_of(name), O_RDONLY | O_CLOEXEC);

	if (fd < 0)
		fail_msg("open %s: %s", name, strerror(errno));
	return fd;
}

void assert_bytes(int fd, uint64_t version, off_t offset, size_t size_bytes)
{
	unsigned char *bytes = malloc(size_bytes);

	assert_non_null(bytes);
	assert_int_equal(pread(fd, bytes, size_bytes, offset), size_bytes);
	for (size_t i = 0; i < size_bytes; i++)
		if (bytes[i] != fake_byte(version, (uint64_t)offset + i))
			fail_msg("byte %zu of %zu at %lld is wrong", i,
			    size_bytes, (long long)offset);
	free(bytes);
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

static bool enter_namespace(void)
{
	int fd;

	if (unshare(CLONE_NEWNS) < 0 ||
	    mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL) < 0)
		return false;
	fd = open("/dev/fuse", O_RDWR | O_CLOEXEC);
	if (fd < 0)
		return false;
	(void)close(fd);
	return true;
}

int mounted_run(const struct CMUnitTest tests[], size_t count)
{
	pid_t watchdog = -1;
	int failed;

	mounted.possible = enter_namespace();
	if (!mounted.possible)
		print_message("may not mount here: %s\n", strerror(errno));
	else
		watchdog = start_watchdog();
	failed = _cmocka_run_group_tests("mount", tests, count, NULL, NULL);
	if (watchdog > 0) {
		(void)kill(watchdog, SIGKILL);
		(void)waitpid(watchdog, NULL, 0);
	}
	return failed;
}
