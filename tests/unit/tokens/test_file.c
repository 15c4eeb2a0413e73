/* SPDX-License-Identifier: Apache-2.0 */
/* tokens/find/file.h: whatever a path may name, it costs a sentence at most. */
#include "base/stats.h"
#include "tests/unit/tokens/make.h"
#include "tokens/find/file.h"

#include <errno.h>
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <time.h>
#include <unistd.h>

#include <cmocka.h>

static char dir[256];
static struct file_look look;

static char *in_dir(const char *name)
{
	static char paths[4][512];
	static unsigned next;
	char *path = paths[next++ % 4];

	(void)snprintf(path, sizeof(paths[0]), "%s/%s", dir, name);
	return path;
}

static int set_up(void **state)
{
	(void)state;
	make_directory(dir);
	look = (struct file_look){.now_s = (uint64_t)time(NULL)};
	return 0;
}

static int tear_down(void **state)
{
	(void)state;
	make_remove(dir);
	return 0;
}

static struct file_rules rules(void)
{
	return (struct file_rules){.uid = geteuid()};
}

/* Look afresh; a refusal comes with a sentence. */
static int look_at(const char *path, const struct file_rules *how, char *text)
{
	struct err err = ERR_INIT;
	int code;

	look.stamp.settled = false;
	code = token_file_look(&look, path, how, &err);
	if (code < 0)
		assert_true(err.text[0] != '\0');
	(void)snprintf(text, ERR_TEXT_BYTES, "%s", err.text);
	return code;
}

static void assert_refused(
    const char *path, const struct file_rules *how, int code, const char *why)
{
	char text[ERR_TEXT_BYTES];
	uint64_t reads = stats_get(STATS_tokens_reads);

	assert_int_equal(look_at(path, how, text), code);
	if (strstr(text, why) == NULL)
		fail_msg("'%s' does not say '%s'", text, why);
	assert_int_equal(look.size_bytes, 0);
	assert_int_equal(stats_get(STATS_tokens_reads), reads);
}

static void assert_reads(
    const char *path, const struct file_rules *how, const char *content)
{
	char text[ERR_TEXT_BYTES];

	assert_int_equal(look_at(path, how, text), 0);
	assert_false(look.unchanged);
	assert_int_equal(look.size_bytes, strlen(content));
	assert_memory_equal(look.bytes, content, look.size_bytes);
}

static void only_a_private_file_is_read(void **state)
{
	const struct file_rules how = rules();
	const char *path = in_dir("token");

	(void)state;
	for (mode_t mode = 0; mode <= 0777; mode++) {
		char cure[600];

		(void)unlink(path);
		make_file(path, "abc", mode);
		if ((mode & 077) == 0) {
			/* Root reads it whatever its mode. */
			if ((mode & 0400) != 0)
				assert_reads(path, &how, "abc");
			continue;
		}
		(void)snprintf(cure, sizeof(cure), "run: chmod 600 %s", path);
		assert_refused(path, &how, -EPERM, cure);
	}
}

static void what_is_no_regular_file_is_never_opened(void **state)
{
	const struct file_rules how = rules();
	struct sockaddr_un address = {.sun_family = AF_UNIX};
	int fd;

	(void)state;
	/* A FIFO without a writer would hang whoever opens it. */
	assert_int_equal(mkfifo(in_dir("fifo"), 0600), 0);
	assert_refused(in_dir("fifo"), &how, -EPERM, "is a FIFO");
	assert_int_equal(mkdir(in_dir("sub"), 0700), 0);
	assert_refused(in_dir("sub"), &how, -EPERM, "is a directory");
	assert_refused("/", &how, -EPERM, "is a directory");
	assert_refused("/dev/null", &how, -EPERM, "is a device");
	assert_refused("/dev/zero", &how, -EPERM, "is a device");
	fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
	assert_true(fd >= 0);
	(void)snprintf(
	    address.sun_path, sizeof(address.sun_path), "%.90s/socket", dir);
	assert_int_equal(
	    bind(fd, (struct sockaddr *)&address, sizeof(address)), 0);
	assert_refused(in_dir("socket"), &how, -EPERM, "is a socket");
	(void)close(fd);
}

static void links_lead_to_regular_files_only(void **state)
{
	const struct file_rules how = rules();

	(void)state;
	make_file(in_dir("token"), "abc", 0600);
	assert_int_equal(symlink("token", in_dir("relative")), 0);
	assert_reads(in_dir("relative"), &how, "abc");
	assert_int_equal(symlink(in_dir("token"), in_dir("absolute")), 0);
	assert_reads(in_dir("absolute"), &how, "abc");
	assert_int_equal(mkdir(in_dir("sub"), 0700), 0);
	assert_int_equal(symlink("../relative", in_dir("sub/up")), 0);
	assert_reads(in_dir("sub/up"), &how, "abc");
	assert_int_equal(symlink("sub/..", in_dir("through")), 0);
	assert_reads(in_dir("through/token"), &how, "abc");
	assert_reads(in_dir("./sub//../token"), &how, "abc");

	assert_int_equal(symlink("nowhere", in_dir("dangling")), 0);
	assert_refused(in_dir("dangling"), &how, -ENOENT, "No such file");
	assert_int_equal(symlink("loop", in_dir("loop")), 0);
	assert_refused(in_dir("loop"), &how, -ELOOP, "symbolic links");
	assert_int_equal(symlink("/dev/zero", in_dir("device")), 0);
	assert_refused(in_dir("device"), &how, -EPERM, "is a device");
	assert_int_equal(mkfifo(in_dir("fifo"), 0600), 0);
	assert_int_equal(symlink("fifo", in_dir("to-fifo")), 0);
	assert_refused(in_dir("to-fifo"), &how, -EPERM, "is a FIFO");
}

static void chains_of_links_have_the_kernels_length(void **state)
{
	const struct file_rules how = rules();
	char from[600];
	char to[32] = "token";

	(void)state;
	make_file(in_dir("token"), "abc", 0600);
	for (int i = 1; i <= FILE_LINKS_MAX + 1; i++) {
		(void)snprintf(from, sizeof(from), "%s/link%d", dir, i);
		assert_int_equal(symlink(to, from), 0);
		(void)snprintf(to, sizeof(to), "link%d", i);
	}
	(void)snprintf(from, sizeof(from), "%s/link%d", dir, FILE_LINKS_MAX);
	assert_reads(from, &how, "abc");
	(void)snprintf(
	    from, sizeof(from), "%s/link%d", dir, FILE_LINKS_MAX + 1);
	assert_refused(from, &how, -ELOOP, "symbolic links");
}

static void what_is_missing_is_no_refusal(void **state)
{
	const struct file_rules how = rules();

	(void)state;
	assert_refused(in_dir("none"), &how, -ENOENT, "No such file");
	assert_refused(in_dir("none/below"), &how, -ENOENT, "No such file");
	make_file(in_dir("token"), "abc", 0600);
	assert_refused(in_dir("token/below"), &how, -ENOENT, "No such file");
}

static void a_huge_file_is_not_read(void **state)
{
	const struct file_rules how = rules();
	char text[ERR_TEXT_BYTES];
	const char *path = in_dir("token");

	(void)state;
	make_file(path, "", 0600);
	assert_int_equal(truncate(path, (off_t)2 << 30), 0);
	assert_refused(path, &how, -EMSGSIZE, "64 KiB");
	assert_int_equal(truncate(path, FILE_BYTES_MAX + 1), 0);
	assert_refused(path, &how, -EMSGSIZE, "64 KiB");
	assert_int_equal(truncate(path, FILE_BYTES_MAX), 0);
	assert_int_equal(look_at(path, &how, text), 0);
	assert_int_equal(look.size_bytes, FILE_BYTES_MAX);
}

/* It could be any private file of ours, by the name of our token. */
static void a_hard_link_in_a_directory_for_all_is_refused(void **state)
{
	const struct file_rules how = rules();

	(void)state;
	make_file(in_dir("token"), "abc", 0600);
	assert_int_equal(mkdir(in_dir("open"), 0700), 0);
	assert_int_equal(link(in_dir("token"), in_dir("open/again")), 0);
	assert_reads(in_dir("open/again"), &how, "abc");
	assert_int_equal(chmod(in_dir("open"), 01777), 0);
	assert_refused(in_dir("open/again"), &how, -EPERM, "a hard link");
	assert_reads(in_dir("token"), &how, "abc");
	make_replaced(in_dir("open/again"), "def", 0600);
	assert_reads(in_dir("open/again"), &how, "def");
	assert_int_equal(chmod(in_dir("open"), 0700), 0);
}

static void the_file_of_somebody_else_is_refused(void **state)
{
	struct file_rules how = rules();
	const char *path = in_dir("token");

	(void)state;
	make_file(path, "abc", 0600);
	if (geteuid() == 0) {
		assert_int_equal(chown(path, 12345, 0), 0);
		assert_refused(path, &how, -EPERM, "belongs to user 12345");
		/* Root's are fine for everybody who can read them. */
		assert_int_equal(chown(path, 0, 0), 0);
		how.uid = 12345;
		assert_reads(path, &how, "abc");
	} else {
		how.uid = geteuid() + 1;
		assert_refused(path, &how, -EPERM, "belongs to user");
	}
}

static void a_link_planted_in_a_shared_directory_is_refused(void **state)
{
	struct file_rules how = rules();
	char *link;

	(void)state;
	if (geteuid() != 0)
		skip(); /* only root makes links of others */
	assert_int_equal(mkdir(in_dir("shared"), 0700), 0);
	assert_int_equal(chmod(in_dir("shared"), 01777), 0);
	make_file(in_dir("token"), "abc", 0600);
	link = in_dir("shared/bt_u0");
	assert_int_equal(symlink("../token", link), 0);
	assert_reads(link, &how, "abc");
	assert_int_equal(lchown(link, 12345, 12345), 0);
	assert_refused(link, &how, -EPERM, "user 12345");
	/* In a directory that is nobody else's it was put there by its owner. */
	assert_int_equal(chmod(in_dir("shared"), 0755), 0);
	assert_reads(in_dir("shared/bt_u0"), &how, "abc");
}

static void nothing_below_the_mount_point_is_touched(void **state)
{
	struct file_rules how = rules();
	char mount[512];

	(void)state;
	(void)snprintf(mount, sizeof(mount), "%s/mnt", dir);
	how.forbidden_tree = mount;
	assert_int_equal(mkdir(mount, 0700), 0);
	make_file(in_dir("mnt/token"), "abc", 0600);
	make_file(in_dir("mnt2"), "abc", 0600);
	assert_refused(in_dir("mnt/token"), &how, -EPERM, "on the mount");
	/* Not even looked for: else it would be ENOENT. */
	assert_refused(in_dir("mnt/none"), &how, -EPERM, "on the mount");
	assert_refused(in_dir("mnt"), &how, -EPERM, "on the mount");
	assert_refused(in_dir("mnt/../mnt2"), &how, -EPERM, "on the mount");
	assert_int_equal(symlink("mnt/token", in_dir("link")), 0);
	assert_refused(in_dir("link"), &how, -EPERM, "on the mount");
	assert_int_equal(symlink(mount, in_dir("dirlink")), 0);
	assert_refused(in_dir("dirlink/none"), &how, -EPERM, "on the mount");
	/* A name that begins alike lies elsewhere. */
	assert_reads(in_dir("mnt2"), &how, "abc");
}

static void a_file_is_read_again_when_it_has_changed(void **state)
{
	struct timespec times[2];
	const struct file_rules how = rules();
	const char *path = in_dir("token");
	struct err err = ERR_INIT;

	(void)state;
	make_file(path, "abc", 0600);
	look.now_s += 100; /* long enough after the change */
	look.stamp.settled = false;
	assert_int_equal(token_file_look(&look, path, &how, &err), 0);
	assert_false(look.unchanged);
	for (int i = 0; i < 3; i++) {
		assert_int_equal(token_file_look(&look, path, &how, &err), 0);
		assert_true(look.unchanged);
	}
	/* Whatever the stamp says, when that is asked for. */
	look.force = true;
	assert_int_equal(token_file_look(&look, path, &how, &err), 0);
	assert_false(look.unchanged);
	look.force = false;
	/* In place, same size. */
	make_file(path, "xyz", 0600);
	assert_int_equal(token_file_look(&look, path, &how, &err), 0);
	assert_false(look.unchanged);
	assert_memory_equal(look.bytes, "xyz", 3);
	/* By rename, same size, same mtime. */
	make_file(in_dir("new"), "123", 0600);
	make_old(in_dir("new"));
	make_old(path);
	assert_int_equal(token_file_look(&look, path, &how, &err), 0);
	assert_int_equal(rename(in_dir("new"), path), 0);
	assert_int_equal(token_file_look(&look, path, &how, &err), 0);
	assert_false(look.unchanged);
	assert_memory_equal(look.bytes, "123", 3);
	/* In place, and its mtime set back to what it was. */
	times[0] = times[1] = look.stamp.modified;
	make_file(path, "456", 0600);
	assert_int_equal(utimensat(AT_FDCWD, path, times, 0), 0);
	assert_int_equal(token_file_look(&look, path, &how, &err), 0);
	assert_false(look.unchanged);
	assert_memory_equal(look.bytes, "456", 3);
}

/* Two writes within one tick look alike: a young stamp proves nothing. */
static void a_young_file_is_read_at_each_look(void **state)
{
	const struct file_rules how = rules();
	const char *path = in_dir("token");
	struct err err = ERR_INIT;

	(void)state;
	make_file(path, "abc", 0600);
	for (int i = 0; i < 3; i++) {
		assert_int_equal(token_file_look(&look, path, &how, &err), 0);
		assert_false(look.unchanged);
	}
}

/* Faults of read(2): each byte alone, interrupted before each; or an error. */
static enum { READ_WELL, READ_SLOWLY, READ_FAILS } reading;

static ssize_t faulty_read(int fd, void *bytes, size_t size_bytes,
    ssize_t (*real)(int, void *, size_t))
{
	static bool interrupted;

	if (reading == READ_WELL)
		return real(fd, bytes, size_bytes);
	interrupted = !interrupted;
	if (reading == READ_FAILS || interrupted) {
		errno = reading == READ_FAILS ? EIO : EINTR;
		return -1;
	}
	return real(fd, bytes, 1);
}

ssize_t __real_read(int fd, void *bytes, size_t size_bytes);
ssize_t __wrap_read(int fd, void *bytes, size_t size_bytes);
ssize_t __wrap_read(int fd, void *bytes, size_t size_bytes)
{
	return faulty_read(fd, bytes, size_bytes, __real_read);
}

/* What read(2) is called in fortified builds. */
ssize_t __wrap___read_chk(int fd, void *bytes, size_t size_bytes, size_t room);
ssize_t __wrap___read_chk(int fd, void *bytes, size_t size_bytes, size_t room)
{
	assert_true(size_bytes <= room);
	return faulty_read(fd, bytes, size_bytes, __real_read);
}

static void short_and_interrupted_reads_make_a_whole(void **state)
{
	const struct file_rules how = rules();
	const char *path = in_dir("token");

	(void)state;
	make_file(path, "abcdefgh", 0600);
	reading = READ_SLOWLY;
	assert_reads(path, &how, "abcdefgh");
	reading = READ_WELL;
}

static void a_failing_disk_is_told(void **state)
{
	const struct file_rules how = rules();
	const char *path = in_dir("token");

	(void)state;
	make_file(path, "abc", 0600);
	reading = READ_FAILS;
	assert_refused(path, &how, -EIO, "Input/output error");
	reading = READ_WELL;
}

static void long_paths_are_refused(void **state)
{
	const struct file_rules how = rules();
	char *path = malloc(2 * PATH_BYTES_MAX);
	size_t used = 0;

	(void)state;
	assert_non_null(path);
	while (used < PATH_BYTES_MAX) {
		memcpy(path + used, "/a", 3);
		used += 2;
	}
	assert_refused(path, &how, -ENAMETOOLONG, "too long");
	/* A link that makes it so. */
	path[PATH_BYTES_MAX - 2] = '\0';
	if (symlink(path, in_dir("link")) == 0) {
		char below[600];

		(void)snprintf(below, sizeof(below), "%s/xyz", in_dir("link"));
		assert_refused(below, &how, -ENAMETOOLONG, "too long");
	}
	free(path);
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)
	const struct CMUnitTest tests[] = {
	    TEST(only_a_private_file_is_read),
	    TEST(what_is_no_regular_file_is_never_opened),
	    TEST(links_lead_to_regular_files_only),
	    TEST(chains_of_links_have_the_kernels_length),
	    TEST(what_is_missing_is_no_refusal),
	    TEST(a_huge_file_is_not_read),
	    TEST(a_hard_link_in_a_directory_for_all_is_refused),
	    TEST(the_file_of_somebody_else_is_refused),
	    TEST(a_link_planted_in_a_shared_directory_is_refused),
	    TEST(nothing_below_the_mount_point_is_touched),
	    TEST(a_file_is_read_again_when_it_has_changed),
	    TEST(a_young_file_is_read_at_each_look),
	    TEST(short_and_interrupted_reads_make_a_whole),
	    TEST(a_failing_disk_is_told),
	    TEST(long_paths_are_refused),
	};
#undef TEST

	return cmocka_run_group_tests(tests, NULL, NULL);
}
