/* SPDX-License-Identifier: Apache-2.0 */
/* The fork of the start: the parent ends with what the child reports, or
 * with what became of it. Each test forks a caller, so that the caller's
 * exit status can be looked at. */
#include <errno.h>
#include <fcntl.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#include "cli/mount/daemon.h"

enum { MARK = 'd' };

/* Run a caller of daemon_fork(), whose child does `child`; the exit status
 * of the caller. `out` is a pipe for the child. */
static int status_of(void (*child)(struct daemon *daemon, int out), int out)
{
	pid_t caller = fork();
	int how = 0;

	assert_true(caller >= 0);
	if (caller == 0) {
		struct daemon daemon;
		struct err err = ERR_INIT;
		int status = 99;
		int code = daemon_fork(&daemon, &status, &err);

		if (code == 1)
			child(&daemon, out);
		_exit(code == 0 ? status : 98);
	}
	while (waitpid(caller, &how, 0) < 0 && errno == EINTR)
		continue;
	assert_true(WIFEXITED(how));
	return WEXITSTATUS(how);
}

static void report_zero(struct daemon *daemon, int out)
{
	struct err err = ERR_INIT;
	char cwd[64] = "";
	char mark = MARK;

	if (daemon_detach(daemon, &err) < 0 || daemon_report(daemon, 0) < 0)
		_exit(1);
	/* After the report: a session of its own, in /, without terminal. */
	if (getsid(0) == getpid() && getcwd(cwd, sizeof(cwd)) != NULL &&
	    strcmp(cwd, "/") == 0 && lseek(2, 0, SEEK_CUR) == 0 &&
	    isatty(0) == 0)
		(void)!write(out, &mark, 1);
	_exit(0);
}

static void report_one(struct daemon *daemon, int out)
{
	(void)out;
	if (daemon_report(daemon, 1) < 0)
		_exit(7);
	_exit(0);
}

static void end_without_report(struct daemon *daemon, int out)
{
	(void)daemon;
	(void)out;
	_exit(0);
}

static void end_with_three(struct daemon *daemon, int out)
{
	(void)daemon;
	(void)out;
	_exit(3);
}

static void die(struct daemon *daemon, int out)
{
	int null_fd = open("/dev/null", O_WRONLY);

	(void)daemon;
	(void)out;
	(void)dup2(null_fd, 2);
	(void)signal(SIGKILL, SIG_DFL);
	(void)kill(getpid(), SIGKILL);
	_exit(5);
}

static void the_caller_ends_with_the_report_and_the_child_lives_on(void **state)
{
	int fds[2];
	char mark = 0;

	(void)state;
	assert_int_equal(pipe2(fds, O_CLOEXEC), 0);
	assert_int_equal(status_of(report_zero, fds[1]), 0);
	(void)close(fds[1]);
	assert_int_equal(read(fds[0], &mark, 1), 1);
	assert_int_equal(mark, MARK);
	(void)close(fds[0]);
	assert_int_equal(status_of(report_one, -1), 1);
}

static void a_child_that_ends_silently_is_a_failure(void **state)
{
	(void)state;
	assert_int_equal(status_of(end_without_report, -1), 1);
	assert_int_equal(status_of(end_with_three, -1), 3);
	assert_int_equal(status_of(die, -1), 1);
}

static void a_killed_caller_is_noticed(void **state)
{
	struct daemon daemon;
	int fds[2];

	(void)state;
	(void)signal(SIGPIPE, SIG_IGN);
	assert_int_equal(pipe2(fds, O_CLOEXEC), 0);
	(void)close(fds[0]);
	daemon.report_fd = fds[1];
	assert_int_equal(daemon_report(&daemon, 0), -EPIPE);
	assert_int_equal(daemon.report_fd, -1);
}

static void the_foreground_has_nobody_to_tell(void **state)
{
	struct daemon daemon;
	struct err err = ERR_INIT;
	pid_t session = getsid(0);

	(void)state;
	daemon_stay(&daemon);
	assert_int_equal(daemon_detach(&daemon, &err), 0);
	assert_int_equal(daemon_report(&daemon, 0), 0);
	assert_int_equal(getsid(0), session);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(
	        the_caller_ends_with_the_report_and_the_child_lives_on),
	    cmocka_unit_test(a_child_that_ends_silently_is_a_failure),
	    cmocka_unit_test(a_killed_caller_is_noticed),
	    cmocka_unit_test(the_foreground_has_nobody_to_tell),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
