/* SPDX-License-Identifier: Apache-2.0 */
/* tokens/callers/looker.h, with real processes of several users: who looks,
 * with which rights, and what a stalled look costs whom. Needs root. */
#include "tokens/callers/looker.h"

#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <poll.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

enum { ALICE = 1001, BOB = 1002, CAROL = 1003, STALLED = ALICE };

static struct looker *looker;

/* What the callback does for a caller of this group. */
enum act {
	ACT_IDS = 2001,
	ACT_STALL,
	ACT_ROOT_ONLY,
	ACT_HUGE,
	ACT_KILLED,
	ACT_EXEC,
};

static int say(const struct looker_scene *scene, const void *text, size_t size)
{
	return write(scene->answer_fd, text, size) == (ssize_t)size ? 0 : -EIO;
}

static int say_ids(const struct looker_scene *scene)
{
	char status[4096];
	char text[256];
	int fd = open("/proc/self/status", O_RDONLY);
	ssize_t n = fd < 0 ? -1 : read(fd, status, sizeof(status) - 1);
	gid_t groups[8];
	int fds = 0;

	if (n < 0)
		return -EIO;
	status[n] = '\0';
	(void)close(fd);
	for (int i = 0; i < 1024; i++)
		fds += fcntl(i, F_GETFD) >= 0;
	n = snprintf(text, sizeof(text),
	    "%u %u %u %u groups=%d caps=%d nnp=%d "
	    "dump=%d fds=%d one=%d",
	    getuid(), geteuid(), getgid(), getegid(), getgroups(8, groups),
	    strstr(status, "CapEff:\t0000000000000000\nCapBnd") == NULL ||
	        strstr(status, "CapPrm:\t0000000000000000") == NULL,
	    prctl(PR_GET_NO_NEW_PRIVS, 0, 0, 0, 0), prctl(PR_GET_DUMPABLE), fds,
	    (int)scene->one_identity);
	return say(scene, text, (size_t)n);
}

/* Have the caller run another program in the middle of the look. */
static int make_exec(const struct looker_scene *scene)
{
	struct ident ident = {.pid = scene->caller->tgid};
	struct caller now = *scene->caller;

	if (kill(ident.pid, SIGUSR1) < 0)
		return -EIO;
	while (
	    now.env_start == scene->caller->env_start || now.env_start == 0) {
		if (caller_of(&now, &ident) < 0)
			return -EIO;
		(void)usleep(1000);
	}
	return say(scene, "x", 1);
}

static int act(void *arg, const struct looker_scene *scene)
{
	static char huge[LOOKER_ANSWER_BYTES_MAX + 1];

	(void)arg;
	switch ((enum act)scene->caller->gid) {
	case ACT_IDS:
		return say_ids(scene);
	case ACT_STALL:
		for (;;)
			(void)pause();
	case ACT_ROOT_ONLY:
		return openat(scene->root_fd, "etc/shadow", O_RDONLY) < 0
		    ? -errno
		    : 0;
	case ACT_HUGE:
		return say(scene, huge, sizeof(huge));
	case ACT_KILLED:
		(void)kill(getpid(), SIGKILL);
		return 0;
	case ACT_EXEC:
		return make_exec(scene);
	default:
		return -EINVAL;
	}
}

static int set_up(void **state)
{
	static const gid_t groups[] = {0, 4242};
	struct err err = ERR_INIT;

	(void)state;
	/* A look must not have them. */
	assert_int_equal(setgroups(ARRAY_COUNT(groups), groups), 0);
	return looker_start(&looker, act, NULL, &err);
}

static int tear_down(void **state)
{
	(void)state;
	looker_free(looker);
	looker = NULL;
	return 0;
}

static void run_another(int number)
{
	(void)number;
	(void)execl("/bin/sleep", "sleep", "600", (char *)NULL);
}

/* A process of a user's that lives until it is killed. */
static pid_t process_with(uid_t uid, gid_t gid, uid_t real_uid, gid_t real_gid)
{
	int ready[2];
	char byte;
	pid_t pid;

	assert_int_equal(pipe(ready), 0);
	pid = fork();
	assert_true(pid >= 0);
	if (pid == 0) {
		(void)prctl(PR_SET_PDEATHSIG, SIGKILL);
		(void)signal(SIGUSR1, run_another);
		if (setresgid(real_gid, gid, gid) < 0 ||
		    setresuid(real_uid, uid, uid) < 0 ||
		    write(ready[1], "x", 1) != 1)
			_exit(1);
		for (;;)
			(void)pause();
	}
	assert_int_equal(read(ready[0], &byte, 1), 1);
	(void)close(ready[0]);
	(void)close(ready[1]);
	return pid;
}

static pid_t process_of(uid_t uid, gid_t gid, uid_t real_uid)
{
	return process_with(uid, gid, real_uid, gid);
}

static void end(pid_t pid)
{
	assert_int_equal(kill(pid, SIGKILL), 0);
	assert_int_equal(waitpid(pid, NULL, 0), pid);
}

static struct caller caller_with(pid_t pid, uid_t uid, gid_t gid)
{
	struct ident ident = {.uid = uid, .gid = gid, .pid = pid};
	struct caller out;

	assert_int_equal(caller_of(&out, &ident), 0);
	return out;
}

static struct looker_answer take(void)
{
	struct looker_answer out;
	struct pollfd polled = {looker_fd(looker), POLLIN, 0};

	while (looker_take(looker, &out) == 0)
		assert_int_equal(poll(&polled, 1, 60000), 1);
	return out;
}

static struct looker_answer look(uid_t uid, enum act act, uid_t real_uid)
{
	pid_t pid = process_of(uid, act, real_uid);
	struct caller caller = caller_with(pid, uid, act);
	struct looker_answer out;

	assert_int_equal(looker_ask(looker, 42, &caller), 0);
	out = take();
	assert_int_equal(out.number, 42);
	end(pid);
	return out;
}

static void it_has_the_callers_ids_and_nothing_else(void **state)
{
	struct looker_answer got = look(ALICE, ACT_IDS, ALICE);

	(void)state;
	assert_int_equal(got.code, 0);
	/* Descriptors: /dev/null three times, answer, /proc, root. */
	assert_int_equal(got.size_bytes,
	    strlen("1001 1001 2001 2001 groups=0 caps=0 nnp=1 dump=0 fds=6 "
	           "one=1"));
	assert_memory_equal(got.bytes,
	    "1001 1001 2001 2001 groups=0 caps=0 nnp=1 dump=0 fds=6 one=1",
	    got.size_bytes);
	looker_answer_fini(&got);
}

static void it_has_no_capability_for_root_either(void **state)
{
	struct looker_answer got = look(0, ACT_IDS, 0);

	(void)state;
	assert_int_equal(got.code, 0);
	assert_memory_equal(got.bytes, "0 0 2001 2001 groups=0 caps=0", 29);
	looker_answer_fini(&got);
}

static void two_identities_are_told(void **state)
{
	struct looker_answer got = look(ALICE, ACT_IDS, BOB);

	(void)state;
	assert_int_equal(got.code, 0);
	assert_memory_equal(got.bytes + got.size_bytes - 5, "one=0", 5);
	looker_answer_fini(&got);
}

static void two_groups_are_two_identities(void **state)
{
	pid_t pid = process_with(ALICE, ACT_IDS, ALICE, 77);
	struct caller caller = caller_with(pid, ALICE, ACT_IDS);
	struct looker_answer got;

	(void)state;
	assert_int_equal(looker_ask(looker, 1, &caller), 0);
	got = take();
	assert_int_equal(got.code, 0);
	assert_memory_equal(got.bytes + got.size_bytes - 5, "one=0", 5);
	looker_answer_fini(&got);
	end(pid);
}

static void an_exec_in_the_middle_throws_the_answer_away(void **state)
{
	struct looker_answer got = look(ALICE, ACT_EXEC, ALICE);

	(void)state;
	assert_int_equal(got.code, -ESRCH);
	assert_null(got.bytes);
}

static void a_file_for_root_alone_is_not_opened(void **state)
{
	(void)state;
	assert_int_equal(look(ALICE, ACT_ROOT_ONLY, ALICE).code, -EACCES);
}

static void an_answer_has_a_limit(void **state)
{
	(void)state;
	assert_true(look(ALICE, ACT_HUGE, ALICE).code < 0);
}

static void a_look_may_be_killed_by_its_user(void **state)
{
	(void)state;
	assert_int_equal(look(ALICE, ACT_KILLED, ALICE).code, -EIO);
}

static void another_program_by_now_is_not_looked_at(void **state)
{
	pid_t pid = process_of(ALICE, ACT_IDS, ALICE);
	struct caller caller = caller_with(pid, ALICE, ACT_IDS);
	struct looker_answer got;

	(void)state;
	caller.start_ticks--;
	assert_int_equal(looker_ask(looker, 1, &caller), 0);
	got = take();
	assert_int_equal(got.code, -ESRCH);
	caller.start_ticks++;
	caller.env_start++;
	assert_int_equal(looker_ask(looker, 2, &caller), 0);
	got = take();
	assert_int_equal(got.code, -ESRCH);
	assert_null(got.bytes);
	end(pid);
}

/* 200 looks of three users at once; all of one's stall. The others' 132 are
 * answered before the first of the stalled. */
static void a_user_who_stalls_delays_nobody_else(void **state)
{
	pid_t pids[3] = {process_of(STALLED, ACT_STALL, STALLED),
	    process_of(BOB, ACT_IDS, BOB), process_of(CAROL, ACT_IDS, CAROL)};
	struct caller callers[3] = {caller_with(pids[0], STALLED, ACT_STALL),
	    caller_with(pids[1], BOB, ACT_IDS),
	    caller_with(pids[2], CAROL, ACT_IDS)};
	unsigned refused = 0;
	unsigned late = 0;
	unsigned good = 0;

	(void)state;
	for (unsigned i = 0; i < 200; i++) {
		int code = looker_ask(looker, i, &callers[i % 3]);

		if (code == -EDQUOT)
			refused++;
		else
			assert_int_equal(code, 0);
	}
	assert_int_equal(refused, 0); /* 67 = 4 that run, 63 that wait */
	for (unsigned i = 0; i < 133 + 4; i++) {
		struct looker_answer got = take();

		if (got.number % 3 == 0) {
			assert_int_equal(got.code, -ETIMEDOUT);
			late++;
			assert_int_equal(good, 133);
		} else {
			assert_int_equal(got.code, 0);
			good++;
		}
		looker_answer_fini(&got);
	}
	assert_int_equal(good, 133);
	assert_int_equal(late, 4);
	for (unsigned i = 0; i < 3; i++)
		end(pids[i]);
}

static void one_user_has_a_limit_that_is_not_the_others(void **state)
{
	pid_t pid = process_of(STALLED, ACT_STALL, STALLED);
	pid_t other = process_of(BOB, ACT_IDS, BOB);
	struct caller caller = caller_with(pid, STALLED, ACT_STALL);
	struct caller bob = caller_with(other, BOB, ACT_IDS);
	struct looker_answer got;

	(void)state;
	for (unsigned i = 0;
	     i < LOOKER_USER_RUNNING_MAX + LOOKER_USER_WAITING_MAX; i++)
		assert_int_equal(looker_ask(looker, 7, &caller), 0);
	assert_int_equal(looker_ask(looker, 7, &caller), -EDQUOT);
	assert_int_equal(looker_ask(looker, 8, &bob), 0);
	got = take();
	assert_int_equal(got.number, 8);
	looker_answer_fini(&got);
	end(pid);
	end(other);
}

/* The only child of this process beside the caller's is the forker. */
static pid_t forker_pid(void)
{
	char path[64];
	char text[64] = "";
	int fd;

	(void)snprintf(
	    path, sizeof(path), "/proc/self/task/%d/children", (int)getpid());
	fd = open(path, O_RDONLY);
	assert_true(fd >= 0);
	assert_true(read(fd, text, sizeof(text) - 1) > 0);
	(void)close(fd);
	return (pid_t)strtol(text, NULL, 10);
}

static void a_killed_forker_answers_everybody(void **state)
{
	pid_t forker = forker_pid();
	pid_t pid = process_of(STALLED, ACT_STALL, STALLED);
	struct caller caller = caller_with(pid, STALLED, ACT_STALL);

	(void)state;
	for (unsigned i = 0; i < 6; i++)
		assert_int_equal(looker_ask(looker, i, &caller), 0);
	assert_int_equal(kill(forker, SIGKILL), 0);
	for (unsigned i = 0; i < 6; i++)
		assert_int_equal(take().code, -EIO);
	assert_int_equal(looker_ask(looker, 9, &caller), -EPIPE);
	end(pid);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void)
{
	const struct CMUnitTest tests[] = {
	    TEST(it_has_the_callers_ids_and_nothing_else),
	    TEST(it_has_no_capability_for_root_either),
	    TEST(two_identities_are_told),
	    TEST(two_groups_are_two_identities),
	    TEST(an_exec_in_the_middle_throws_the_answer_away),
	    TEST(a_file_for_root_alone_is_not_opened),
	    TEST(an_answer_has_a_limit),
	    TEST(a_look_may_be_killed_by_its_user),
	    TEST(another_program_by_now_is_not_looked_at),
	    TEST(a_user_who_stalls_delays_nobody_else),
	    TEST(one_user_has_a_limit_that_is_not_the_others),
	    TEST(a_killed_forker_answers_everybody),
	};

	if (geteuid() != 0) {
		(void)puts("not root: cannot take on the ids of users");
		return 0;
	}
	return cmocka_run_group_tests(tests, NULL, NULL);
}
