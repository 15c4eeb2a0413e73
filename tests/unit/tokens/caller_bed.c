/* SPDX-License-Identifier: Apache-2.0 */
/* tests/unit/tokens/caller_bed.c - see caller_bed.h. */
#include "tests/unit/tokens/caller_bed.h"

#include <fcntl.h>
#include <poll.h>
#include <sched.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

struct bed_who bed_user(uid_t uid, gid_t gid)
{
	return (struct bed_who){
	    .uid = uid, .gid = gid, .real_uid = uid, .real_gid = gid};
}

static void run_another(int number)
{
	(void)number;
	(void)execl("/bin/sleep", "sleep", "600", (char *)NULL);
}

/* The caller itself. The end of `ready` tells that all is done: it closes
 * when another program is run. */
static _Noreturn void live(const struct bed_who *who, int ready)
{
	(void)prctl(PR_SET_PDEATHSIG, SIGKILL);
	/* A looker's too: the end of all copies tells that it has gone. */
	(void)close_range(3, (unsigned)ready - 1, 0);
	(void)close_range((unsigned)ready + 1, ~0U, 0);
	(void)signal(SIGUSR1, run_another);
	if (who->prepare != NULL && !who->prepare(who->arg))
		_exit(1);
	if (setresgid(who->real_gid, who->gid, who->gid) < 0 ||
	    setresuid(who->real_uid, who->uid, who->uid) < 0)
		_exit(1);
	(void)prctl(PR_SET_PDEATHSIG, SIGKILL);
	/* As a program that was run by its user. */
	if (who->real_uid == who->uid && who->real_gid == who->gid)
		(void)prctl(PR_SET_DUMPABLE, 1, 0, 0, 0);
	if ((who->settle != NULL && !who->settle(who->arg)) ||
	    write(ready, "x", 1) != 1)
		_exit(1);
	if (who->environment != NULL)
		(void)execle("/bin/sleep", "sleep", "600", (char *)NULL,
		    who->environment);
	(void)close(ready);
	for (;;)
		(void)pause();
}

/* Its number is told in `numbers`; this one ends with it. */
static _Noreturn void stand_between(
    const struct bed_who *who, int ready, int numbers)
{
	pid_t pid;

	(void)prctl(PR_SET_PDEATHSIG, SIGKILL);
	if (unshare(CLONE_NEWPID) < 0)
		_exit(1);
	pid = fork();
	if (pid == 0)
		live(who, ready);
	(void)close(ready);
	if (write(numbers, &pid, sizeof(pid)) != sizeof(pid))
		_exit(1);
	(void)waitpid(pid, NULL, 0);
	_exit(0);
}

/* Until the other program runs: where its environment lies is known late. */
static void await_program(pid_t pid)
{
	char path[64];
	char text[512];

	(void)snprintf(path, sizeof(path), "/proc/%d/stat", (int)pid);
	do {
		int fd = open(path, O_RDONLY | O_CLOEXEC);

		assert_true(fd >= 0);
		memset(text, 0, sizeof(text));
		assert_true(read(fd, text, sizeof(text) - 1) > 0);
		(void)close(fd);
		(void)usleep(1000);
	} while (strstr(text, "(sleep) S") == NULL);
}

static struct caller caller_with(pid_t pid, const struct bed_who *who)
{
	struct ident ident = {.uid = who->uid, .gid = who->gid, .pid = pid};
	struct caller out;

	assert_int_equal(caller_of(&out, &ident), 0);
	return out;
}

struct bed_process bed_start(const struct bed_who *who)
{
	struct bed_process process = {0};
	int ready[2];
	int numbers[2];
	char byte;

	assert_int_equal(pipe2(ready, O_CLOEXEC), 0);
	assert_int_equal(pipe2(numbers, O_CLOEXEC), 0);
	process.pid = fork();
	assert_true(process.pid >= 0);
	if (process.pid == 0 && who->own_pids)
		stand_between(who, ready[1], numbers[1]);
	if (process.pid == 0)
		live(who, ready[1]);
	(void)close(ready[1]);
	(void)close(numbers[1]);
	if (who->own_pids) {
		process.parent = process.pid;
		assert_int_equal(
		    read(numbers[0], &process.pid, sizeof(process.pid)),
		    sizeof(process.pid));
	}
	if (read(ready[0], &byte, 1) == 1) {
		/* Until it is closed. */
		assert_int_equal(read(ready[0], &byte, 1), 0);
		if (who->environment != NULL)
			await_program(process.pid);
		process.caller = caller_with(process.pid, who);
	} else {
		bed_end(&process);
		process = (struct bed_process){0};
	}
	(void)close(ready[0]);
	(void)close(numbers[0]);
	return process;
}

void bed_end(const struct bed_process *process)
{
	pid_t ours = process->parent != 0 ? process->parent : process->pid;

	assert_true(process->pid > 0); /* 0 would be all of this group */
	(void)kill(process->pid, SIGKILL);
	assert_int_equal(waitpid(ours, NULL, 0), ours);
}

struct looker_answer bed_take(struct looker *looker)
{
	struct looker_answer out;
	struct pollfd polled = {looker_fd(looker), POLLIN, 0};

	while (looker_take(looker, &out) == 0)
		assert_int_equal(poll(&polled, 1, 60000), 1);
	return out;
}

struct looker_answer bed_look(
    struct looker *looker, const struct bed_process *process)
{
	struct looker_answer out;

	assert_int_equal(looker_ask(looker, 42, &process->caller, 0), 0);
	out = bed_take(looker);
	assert_int_equal(out.number, 42);
	return out;
}
