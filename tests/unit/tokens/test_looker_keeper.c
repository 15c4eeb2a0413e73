/* SPDX-License-Identifier: Apache-2.0 */
/* tokens/callers/looker.h, when its processes or the mount are killed. Needs
 * root. */
#include "base/clock.h"
#include "tests/unit/tokens/caller_bed.h"

#include <errno.h>
#include <fcntl.h>
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

enum { ALICE = 1001, BOB = 1002, PATIENT_MS = 10000 };

/* What the look does for a caller of this group. */
enum act { ACT_SAY = 2001, ACT_STALL };

static struct looker *looker;
static pid_t keeper;
static struct bed_process alice; /* her looks stall */
static struct bed_process bob;

static int act(void *arg, const struct looker_scene *scene)
{
	(void)arg;
	while (scene->caller->gid == ACT_STALL)
		(void)pause();
	return write(scene->answer_fd, "x", 1) == 1 ? 0 : -EIO;
}

/* The first child of a process; 0: none. */
static pid_t child_of(pid_t pid)
{
	char path[64];
	char text[512] = "";
	int fd;

	(void)snprintf(path, sizeof(path), "/proc/%d/task/%d/children",
	    (int)pid, (int)pid);
	fd = open(path, O_RDONLY | O_CLOEXEC);
	if (fd < 0)
		return 0;
	(void)!read(fd, text, sizeof(text) - 1);
	(void)close(fd);
	return (pid_t)strtol(text, NULL, 10);
}

static uint64_t now_ms(void)
{
	return clock_now_ms(clock_system());
}

/* Waits until there is one, another one than before. */
static pid_t next_child(pid_t pid, pid_t before)
{
	uint64_t until_ms = now_ms() + PATIENT_MS;
	pid_t child = child_of(pid);

	while ((child == 0 || child == before) && now_ms() < until_ms) {
		(void)usleep(1000);
		child = child_of(pid);
	}
	assert_int_not_equal(child, 0);
	assert_int_not_equal(child, before);
	return child;
}

static pid_t forker_of(pid_t pid)
{
	return next_child(pid, 0);
}

/* Not ended, or ended and not reaped. */
static bool lives(pid_t pid)
{
	char path[64];
	char text[512] = "";
	const char *state;
	int fd;

	(void)snprintf(path, sizeof(path), "/proc/%d/stat", (int)pid);
	fd = open(path, O_RDONLY | O_CLOEXEC);
	if (fd < 0)
		return false;
	(void)!read(fd, text, sizeof(text) - 1);
	(void)close(fd);
	state = strrchr(text, ')');
	return state != NULL && state[2] != 'Z' && state[2] != 'X';
}

static void assert_ends(pid_t pid)
{
	uint64_t until_ms = now_ms() + PATIENT_MS;

	while (lives(pid) && now_ms() < until_ms)
		(void)usleep(1000);
	assert_false(lives(pid));
}

static int set_up(void **state)
{
	struct bed_who who = bed_user(ALICE, ACT_STALL);
	struct err err = ERR_INIT;

	(void)state;
	assert_int_equal(looker_start(&looker, act, NULL, &err), 0);
	keeper = child_of(getpid());
	alice = bed_start(&who);
	who = bed_user(BOB, ACT_SAY);
	bob = bed_start(&who);
	return 0;
}

static int tear_down(void **state)
{
	(void)state;
	looker_free(looker);
	looker = NULL;
	bed_end(&alice);
	bed_end(&bob);
	return 0;
}

static void assert_bob_is_looked_at(void)
{
	struct looker_answer got = bed_look(looker, &bob);

	assert_int_equal(got.code, 0);
	assert_int_equal(got.size_bytes, 1);
	looker_answer_fini(&got);
}

/* Looks that are under way, and others that wait. */
static void ask_for_alice(unsigned count)
{
	for (unsigned i = 0; i < count; i++)
		assert_int_equal(looker_ask(looker, i, &alice.caller, 0), 0);
}

static void a_killed_forker_is_followed_by_another(void **state)
{
	enum { WAITING = 2 };
	pid_t forker = forker_of(keeper);
	pid_t look;

	(void)state;
	(void)prctl(PR_SET_CHILD_SUBREAPER, 1);
	ask_for_alice(LOOKER_USER_RUNNING_MAX + WAITING);
	look = forker_of(forker);
	assert_int_equal(kill(forker, SIGKILL), 0);
	for (unsigned i = 0; i < LOOKER_USER_RUNNING_MAX; i++)
		assert_int_equal(bed_take(looker).code, -EIO);
	assert_ends(look);
	/* It was the keeper's to reap: it did not come to us. */
	assert_int_equal(waitpid(look, NULL, WNOHANG), -1);
	(void)prctl(PR_SET_CHILD_SUBREAPER, 0);
	assert_int_not_equal(forker_of(keeper), forker);
	/* Those that waited are looked at now, as are others. */
	assert_int_equal(looker_ask(looker, 42, &bob.caller, 0), 0);
	for (unsigned i = 0; i < WAITING + 1; i++) {
		struct looker_answer got = bed_take(looker);

		assert_int_equal(got.code, got.number == 42 ? 0 : -ETIMEDOUT);
		looker_answer_fini(&got);
	}
	/* Shares are free again. */
	assert_bob_is_looked_at();
}

/* What was asked of a forker before it was known to be dead is not answered
 * twice. */
static void a_request_on_its_way_is_answered_once(void **state)
{
	pid_t forker = 0;

	(void)state;
	for (unsigned i = 0; i < 4; i++) { /* the back-off grows */
		struct looker_answer got;

		forker = next_child(keeper, forker);
		assert_int_equal(kill(forker, SIGSTOP), 0);
		assert_int_equal(looker_ask(looker, 1, &bob.caller, 0), 0);
		assert_int_equal(kill(forker, SIGKILL), 0);
		got = bed_take(looker);
		assert_int_equal(got.number, 1);
		assert_int_equal(got.code, -EIO);
		assert_bob_is_looked_at();
		assert_int_equal(looker_take(looker, &got), 0);
	}
}

static void forkers_that_are_killed_at_once_come_more_and_more_seldom(
    void **state)
{
	uint64_t begun_ms = now_ms();
	pid_t forker = 0;

	(void)state;
	for (unsigned i = 0; i < 5; i++) {
		forker = next_child(keeper, forker);
		assert_int_equal(kill(forker, SIGKILL), 0);
	}
	/* 100 + 200 + 400 + 800 ms between them. */
	assert_true(now_ms() - begun_ms >= 1500);
	(void)next_child(keeper, forker);
	assert_bob_is_looked_at();
}

static void without_any_of_them_everybody_is_answered(void **state)
{
	pid_t forker = forker_of(keeper);

	(void)state;
	ask_for_alice(LOOKER_USER_RUNNING_MAX + 2);
	assert_int_equal(kill(keeper, SIGKILL), 0);
	/* The forker alone does as well. */
	assert_bob_is_looked_at();
	assert_int_equal(kill(forker, SIGKILL), 0);
	for (unsigned i = 0; i < LOOKER_USER_RUNNING_MAX; i++)
		assert_int_equal(bed_take(looker).code, -EIO);
	for (unsigned i = 0; i < 2; i++)
		assert_int_equal(bed_take(looker).code, -EPIPE);
	assert_int_equal(looker_ask(looker, 9, &bob.caller, 0), -EPIPE);
}

static void they_end_with_the_looker(void **state)
{
	pid_t forker = forker_of(keeper);
	pid_t look;

	(void)state;
	ask_for_alice(1);
	look = forker_of(forker);
	looker_free(looker);
	looker = NULL;
	assert_ends(keeper);
	assert_ends(forker);
	assert_ends(look);
}

/* A mount of its own, which is killed. */
static void they_end_when_the_mount_is_killed(void **state)
{
	pid_t mount = fork();
	pid_t its_keeper;
	pid_t forker;
	pid_t look;

	(void)state;
	assert_true(mount >= 0);
	if (mount == 0) {
		struct looker *own;
		struct err err = ERR_INIT;

		(void)prctl(PR_SET_PDEATHSIG, SIGKILL);
		if (looker_start(&own, act, NULL, &err) < 0 ||
		    looker_ask(own, 1, &alice.caller, 0) < 0)
			_exit(1);
		for (;;)
			(void)pause();
	}
	its_keeper = forker_of(mount);
	forker = forker_of(its_keeper);
	look = forker_of(forker);
	assert_int_equal(kill(mount, SIGKILL), 0);
	assert_int_equal(waitpid(mount, NULL, 0), mount);
	assert_ends(look);
	assert_ends(forker);
	assert_ends(its_keeper);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void)
{
	const struct CMUnitTest tests[] = {
	    TEST(a_killed_forker_is_followed_by_another),
	    TEST(a_request_on_its_way_is_answered_once),
	    TEST(forkers_that_are_killed_at_once_come_more_and_more_seldom),
	    TEST(without_any_of_them_everybody_is_answered),
	    TEST(they_end_with_the_looker),
	    TEST(they_end_when_the_mount_is_killed),
	};

	if (geteuid() != 0) {
		(void)puts("not root: cannot take on the ids of users");
		return 0;
	}
	return cmocka_run_group_tests(tests, NULL, NULL);
}
