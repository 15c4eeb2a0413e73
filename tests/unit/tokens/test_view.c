/* SPDX-License-Identifier: Apache-2.0 */
/* tokens/callers/view.h, with callers in containers of several kinds: a look
 * sees what its caller sees, and nothing else. Needs root. */
#include "tests/unit/tokens/caller_bed.h"
#include "tests/unit/tokens/make.h"
#include "tests/unit/tokens/mount_bed.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/capability.h>
#include <sched.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

enum { ALICE = 1001, BOB = 1002 };

/* What the look does for a caller of this group. */
enum act { ACT_FILE = 2001, ACT_TOP, ACT_ENVIRON, ACT_OWN_ENVIRON, ACT_STAND };

static struct looker *looker;
static char dir[256];  /* callers mount something over it */
static char file[300]; /* in it */

static int say(const struct looker_scene *scene, int fd)
{
	char text[4096];
	ssize_t n = fd < 0 ? -errno : read(fd, text, sizeof(text));

	if (n < 0)
		return (int)n;
	return write(scene->answer_fd, text, (size_t)n) == n ? 0 : -EIO;
}

static int act(void *arg, const struct looker_scene *scene)
{
	(void)arg;
	switch ((enum act)scene->caller->gid) {
	case ACT_FILE:
		return say(scene, open(file, O_RDONLY));
	case ACT_TOP:
		return say(scene, open("/token", O_RDONLY));
	case ACT_ENVIRON:
		return scene->environ_fd < 0 ? -ENODATA
		                             : say(scene, scene->environ_fd);
	case ACT_OWN_ENVIRON:
		return say(scene, open("/proc/self/environ", O_RDONLY));
	case ACT_STAND:
		return faccessat(AT_FDCWD, "3", F_OK, 0) < 0 ? -errno : 0;
	default:
		return -EINVAL;
	}
}

static void start(void)
{
	struct err err = ERR_INIT;

	assert_int_equal(looker_start(&looker, act, NULL, &err), 0);
}

static int set_up(void **state)
{
	(void)state;
	make_directory(dir);
	assert_int_equal(chmod(dir, 0755), 0);
	(void)snprintf(file, sizeof(file), "%s/token", dir);
	start();
	return 0;
}

static int tear_down(void **state)
{
	(void)state;
	looker_free(looker);
	looker = NULL;
	make_remove(dir);
	return 0;
}

static bool write_file(const char *path, uid_t uid, const char *text)
{
	int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
	bool good = fd >= 0 &&
	    write(fd, text, strlen(text)) == (ssize_t)strlen(text) &&
	    fchown(fd, uid, (gid_t)-1) == 0;

	if (fd >= 0)
		(void)close(fd);
	return good;
}

static bool mount_private(void)
{
	return unshare(CLONE_NEWNS) == 0 &&
	    mount("none", "/", NULL, MS_REC | MS_PRIVATE, NULL) == 0 &&
	    mount("none", dir, "tmpfs", 0, "mode=755") == 0;
}

/* The kinds of containers. */

static bool have_a_namespace(void *arg)
{
	return mount_private() && write_file(file, ALICE, arg);
}

static bool have_a_root(void *arg)
{
	return write_file(file, ALICE, arg) && chroot(dir) == 0 &&
	    chdir("/") == 0;
}

static bool have_both(void *arg)
{
	return mount_private() && have_a_root(arg);
}

/* As a container whose own /proc hides all others. */
static bool have_own_pids(void *arg)
{
	char path[300];

	(void)snprintf(path, sizeof(path), "%s/proc", dir);
	return mount_private() && mkdir(path, 0755) == 0 &&
	    mount("proc", path, "proc", 0, NULL) == 0 && have_a_root(arg);
}

static bool write_text(const char *path, const char *text)
{
	int fd = open(path, O_WRONLY | O_CLOEXEC);
	bool good =
	    fd >= 0 && write(fd, text, strlen(text)) == (ssize_t)strlen(text);

	if (fd >= 0)
		(void)close(fd);
	return good;
}

/* By its user, who has no right of root's; it is user 0 in there. */
static bool have_a_user_namespace(void *arg)
{
	char gids[32];

	(void)snprintf(gids, sizeof(gids), "0 %d 1", (int)getegid());
	return unshare(CLONE_NEWUSER) == 0 &&
	    write_text("/proc/self/setgroups", "deny") &&
	    write_text("/proc/self/uid_map", "0 1001 1") &&
	    write_text("/proc/self/gid_map", gids) && mount_private() &&
	    write_file(file, 0, arg);
}

static struct looker_answer look(const struct bed_who *who)
{
	struct bed_process process = bed_start(who);
	struct looker_answer out = {.code = -ENOSYS};

	if (process.pid != 0) {
		out = bed_look(looker, &process);
		bed_end(&process);
	}
	return out;
}

static void assert_says(struct looker_answer got, const char *text)
{
	assert_int_equal(got.code, 0);
	/* A variable has a NUL behind it. */
	assert_in_range(got.size_bytes, strlen(text), strlen(text) + 1);
	assert_memory_equal(got.bytes, text, got.size_bytes);
	looker_answer_fini(&got);
}

static struct bed_who in(bool (*prepare)(void *), enum act does, char *text)
{
	struct bed_who who = bed_user(ALICE, does);

	who.prepare = prepare;
	who.arg = text;
	return who;
}

static void a_plain_caller_names_plain_files(void **state)
{
	struct bed_who who = in(NULL, ACT_FILE, NULL);

	(void)state;
	assert_true(write_file(file, ALICE, "plain"));
	assert_says(look(&who), "plain");
}

static void each_container_has_its_own_file(void **state)
{
	struct bed_who spaced = in(have_a_namespace, ACT_FILE, "namespace");
	struct bed_who rooted = in(have_a_root, ACT_TOP, "root");
	struct bed_who both = in(have_both, ACT_TOP, "both");
	struct bed_who pids = in(have_own_pids, ACT_TOP, "pids");
	struct bed_who plain = in(NULL, ACT_FILE, NULL);

	(void)state;
	pids.own_pids = true;
	assert_says(look(&spaced), "namespace");
	assert_int_equal(look(&plain).code, -ENOENT);
	assert_says(look(&both), "both");
	assert_says(look(&pids), "pids");
	assert_int_equal(look(&plain).code, -ENOENT);
	assert_says(look(&rooted), "root");
}

static void a_user_namespace_is_entered_as_its_user(void **state)
{
	struct bed_who who = in(NULL, ACT_FILE, "mine");
	struct looker_answer got;

	(void)state;
	who.settle = have_a_user_namespace;
	got = look(&who);
	if (got.code == -ENOSYS)
		skip(); /* not for users, on this machine */
	assert_says(got, "mine");
}

/* Its root directory is the same one, mounted elsewhere. */
static bool have_another_mount_of_the_root(void *arg)
{
	return mount_private() && mount("/", dir, NULL, MS_BIND, NULL) == 0 &&
	    chroot(dir) == 0 && chdir("/") == 0 &&
	    mount("none", "/tmp", "tmpfs", 0, "mode=755") == 0 &&
	    mkdir(dir, 0755) == 0 && write_file(file, ALICE, arg);
}

static void two_mounts_of_one_directory_are_told_apart(void **state)
{
	struct bed_who who =
	    in(have_another_mount_of_the_root, ACT_FILE, "other");

	(void)state;
	assert_says(look(&who), "other");
}

static bool have_a_foreign_file(void *arg)
{
	return mount_private() && write_file(file, BOB, arg);
}

static void a_view_gives_no_right(void **state)
{
	struct bed_who who = in(have_a_foreign_file, ACT_FILE, "bob's");

	(void)state;
	assert_int_equal(look(&who).code, -EACCES);
}

static bool have_a_root_on_a_mount(void *arg)
{
	return arg != NULL && chroot(dir) == 0;
}

static void a_root_on_such_a_mount_is_not_asked(void **state)
{
	struct bed_who who = in(have_a_root_on_a_mount, ACT_TOP, "mount");
	struct mount_bed bed;
	struct bed_process process;
	pid_t letter;
	int status;

	(void)state;
	mount_bed_start(&bed, dir, "fuse.bearerfs");
	letter = mount_bed_let_in(&bed);
	process = bed_start(&who);
	assert_int_not_equal(process.pid, 0);
	assert_int_equal(waitpid(letter, &status, 0), letter);
	assert_int_equal(status, 0);
	assert_int_equal(bed_look(looker, &process).code, -EXDEV);
	assert_int_equal(mount_bed_requests(&bed), 0);
	bed_end(&process);
	mount_bed_end(&bed);
}

/* Without a right of root's while the looker starts. */
static void start_without(unsigned capability)
{
	struct __user_cap_header_struct header = {
	    .version = _LINUX_CAPABILITY_VERSION_3};
	struct __user_cap_data_struct all[2];
	struct __user_cap_data_struct less[2];

	looker_free(looker);
	looker = NULL;
	assert_int_equal(syscall(SYS_capget, &header, all), 0);
	memcpy(less, all, sizeof(less));
	less[0].effective &= ~(1U << capability);
	assert_int_equal(syscall(SYS_capset, &header, less), 0);
	start();
	assert_int_equal(syscall(SYS_capset, &header, all), 0);
}

static void a_view_that_cannot_be_entered_is_told(void **state)
{
	struct bed_who spaced = in(have_a_namespace, ACT_FILE, "namespace");
	struct bed_who rooted = in(have_a_root, ACT_TOP, "root");
	struct bed_who plain = in(NULL, ACT_FILE, NULL);

	(void)state;
	start_without(CAP_SYS_ADMIN);
	assert_int_equal(look(&spaced).code, -EXDEV);
	assert_says(look(&rooted), "root");
	start_without(CAP_SYS_CHROOT);
	assert_int_equal(look(&spaced).code, -EXDEV);
	assert_int_equal(look(&rooted).code, -EXDEV);
	assert_says(look(&plain), "root");
}

static const char *const variables[] = {"A=secret", NULL};

static void an_environment_is_read_if_it_is_its_users(void **state)
{
	struct bed_who who = in(NULL, ACT_ENVIRON, NULL);

	(void)state;
	who.environment = variables;
	assert_says(look(&who), "A=secret");
	who.real_uid = BOB;
	assert_int_equal(look(&who).code, -ENODATA);
	who.real_uid = ALICE;
	who.real_gid = 77;
	assert_int_equal(look(&who).code, -ENODATA);
}

static bool hide(void *arg)
{
	(void)arg;
	return prctl(PR_SET_DUMPABLE, 0, 0, 0, 0) == 0;
}

/* As a daemon that was root and has taken on a user's ids since: what root
 * put there is not the user's. */
static void what_it_had_before_it_changed_its_ids_is_not_its_users(void **state)
{
	struct bed_who who = in(NULL, ACT_ENVIRON, NULL);

	(void)state;
	who.settle = hide;
	assert_int_equal(look(&who).code, -ENODATA);
}

static void root_has_an_environment_too(void **state)
{
	struct bed_who who = bed_user(0, ACT_ENVIRON);

	(void)state;
	who.environment = variables;
	assert_says(look(&who), "A=secret");
}

/* In a container that mounts, a mount has no more rights than it needs. */
static void no_right_to_trace_is_needed(void **state)
{
	struct bed_who who = in(NULL, ACT_ENVIRON, NULL);
	struct bed_who spaced = in(have_a_namespace, ACT_FILE, "namespace");

	(void)state;
	who.environment = variables;
	start_without(CAP_SYS_PTRACE);
	assert_says(look(&who), "A=secret");
	assert_says(look(&spaced), "namespace");
}

/* A mount of a user's own, in a process of its own; 0: as it has to be. */
static int look_without_root(const struct bed_process *bob)
{
	struct bed_who who = in(NULL, ACT_ENVIRON, NULL);
	struct bed_process alice;
	struct looker_answer got;
	int code;

	if (setresgid(who.gid, who.gid, who.gid) < 0 ||
	    setresuid(who.uid, who.uid, who.uid) < 0)
		return 1;
	start();
	who.environment = variables;
	alice = bed_start(&who);
	got = bed_look(looker, &alice);
	code = got.code == 0 && got.size_bytes == sizeof("A=secret") ? 0 : 2;
	looker_answer_fini(&got);
	if (bed_look(looker, bob).code != -EPERM)
		code = 3;
	bed_end(&alice);
	looker_free(looker);
	return code;
}

static void without_root_its_own_user_is_looked_at_and_nobody_else(void **state)
{
	struct bed_who who = bed_user(BOB, ACT_ENVIRON);
	struct bed_process bob = bed_start(&who);
	int status;
	pid_t pid = fork();

	(void)state;
	assert_true(pid >= 0);
	if (pid == 0)
		_exit(look_without_root(&bob));
	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_int_equal(status, 0);
	bed_end(&bob);
}

static void a_look_has_no_environment_of_its_own(void **state)
{
	struct bed_who who = bed_user(0, ACT_OWN_ENVIRON);
	struct looker_answer got;

	(void)state;
	got = look(&who);
	assert_int_equal(got.code, 0);
	for (size_t i = 0; i < got.size_bytes; i++)
		assert_int_equal(got.bytes[i], '\0');
	looker_answer_fini(&got);
}

static void it_stands_among_its_descriptors(void **state)
{
	struct bed_who plain = in(NULL, ACT_STAND, NULL);
	struct bed_who pids = in(have_own_pids, ACT_STAND, "pids");

	(void)state;
	pids.own_pids = true;
	assert_says(look(&plain), "");
	assert_says(look(&pids), "");
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void)
{
	const struct CMUnitTest tests[] = {
	    TEST(a_plain_caller_names_plain_files),
	    TEST(each_container_has_its_own_file),
	    TEST(a_user_namespace_is_entered_as_its_user),
	    TEST(two_mounts_of_one_directory_are_told_apart),
	    TEST(a_view_gives_no_right),
	    TEST(a_root_on_such_a_mount_is_not_asked),
	    TEST(a_view_that_cannot_be_entered_is_told),
	    TEST(an_environment_is_read_if_it_is_its_users),
	    TEST(what_it_had_before_it_changed_its_ids_is_not_its_users),
	    TEST(root_has_an_environment_too),
	    TEST(no_right_to_trace_is_needed),
	    TEST(without_root_its_own_user_is_looked_at_and_nobody_else),
	    TEST(a_look_has_no_environment_of_its_own),
	    TEST(it_stands_among_its_descriptors),
	};

	if (geteuid() != 0 || !mount_bed_private()) {
		(void)puts("not root: cannot be other users, nor mount");
		return 0;
	}
	return cmocka_run_group_tests(tests, NULL, NULL);
}
