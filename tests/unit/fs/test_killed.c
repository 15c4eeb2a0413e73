/* SPDX-License-Identifier: Apache-2.0 */
/*
 * tests/unit/fs/test_killed.c - who was killed, and who is only busy.
 */
#include "fs/killed.h"

#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

static void the_living_are_not_killed(void **state)
{
	(void)state;
	assert_false(is_killed(getpid()));
	/* A name may hold whatever looks like a field. */
	assert_int_equal(prctl(PR_SET_NAME, ") Z 1 2 (", 0, 0, 0), 0);
	assert_false(is_killed(getpid()));
}

static void a_pending_signal_that_is_caught_is_not_a_death(void **state)
{
	sigset_t set;

	(void)state;
	(void)sigemptyset(&set);
	(void)sigaddset(&set, SIGUSR1);
	assert_int_equal(sigprocmask(SIG_BLOCK, &set, NULL), 0);
	assert_int_equal(raise(SIGUSR1), 0);
	assert_false(is_killed(getpid()));
	assert_int_equal(sigpending(&set), 0);
	assert_true(sigismember(&set, SIGUSR1));
	(void)signal(SIGUSR1, SIG_IGN);
}

static void the_dead_and_the_buried_are(void **state)
{
	pid_t child = fork();
	siginfo_t info;

	(void)state;
	if (child == 0)
		for (;;)
			(void)pause();
	assert_true(child > 0);
	assert_false(is_killed(child));
	assert_int_equal(kill(child, SIGTERM), 0);
	assert_int_equal(
	    waitid(P_PID, (id_t)child, &info, WEXITED | WNOWAIT), 0);
	assert_true(is_killed(child));
	assert_int_equal(waitpid(child, NULL, 0), child);
	assert_true(is_killed(child));
	/* Of another pid namespace: nobody can tell. */
	assert_true(is_killed(0));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(the_living_are_not_killed),
	    cmocka_unit_test(a_pending_signal_that_is_caught_is_not_a_death),
	    cmocka_unit_test(the_dead_and_the_buried_are),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
