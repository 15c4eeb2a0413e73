/* SPDX-License-Identifier: Apache-2.0 */
/*
 * cli/exec/attend.h - what the process that was started as `bearerfs exec` does
 * while COMMAND runs: waits for it and for the mount's process, and passes
 * signals on.
 *
 * It catches every signal that can be caught. One that was sent to it goes on
 * to COMMAND; what the terminal sends (Ctrl-C, Ctrl-Z) COMMAND has got itself,
 * being in the same process group. When COMMAND is stopped by the terminal this
 * process stops too, so that the shell sees a stopped job. It adopts what
 * COMMAND leaves running.
 *
 * To the mount's process it speaks over a pipe, the word: a byte says that
 * COMMAND has ended, the pipe's end that nobody waits any longer.
 *
 * Threads: a process that has one.
 */
#ifndef CLI_EXEC_ATTEND_H
#define CLI_EXEC_ATTEND_H

#include "base/attr.h"
#include "base/err.h"

#include <signal.h>
#include <stdbool.h>
#include <sys/types.h>

struct child;

struct attend {
	int signal_fd;
	sigset_t before;   /* signals that were blocked at first */
	bool ignored_ends; /* SIGCHLD was ignored: COMMAND is to have it so */
	struct child *child;
	pid_t server;
	int report_fd; /* of the server: a byte when the mount answers */
	int word_fd;   /* to it */
	enum { ATTEND_START, ATTEND_COMMAND, ATTEND_SERVER } phase;
	int given_up;       /* a signal that ended the start; 0 */
	bool began;         /* COMMAND was let go */
	bool command_ended; /* how: command_how, of waitpid(2) */
	int command_how;
	bool told;    /* the mount, of that */
	bool mourned; /* it has been said that the mount ended too early */
	bool server_ended;
	int server_how;
	/* Called when COMMAND, which had begun, has ended, and the mount serves
	 * until it returns: time for what is unsent. NULL: nothing is. */
	void (*ended)(void *arg);
	void *arg;
	pid_t left; /* one of those that COMMAND left running; 0 */
};

/** Block the signals, before the first fork. @retval 0 or -errno. */
NODISCARD int attend_begin(struct attend *attend, struct err *err);

/** Wait until both have ended; COMMAND is let go when the mount answers. */
void attend_run(struct attend *attend);

/** What a shell makes of an end: the exit status, or 128 + the signal. */
int attend_status(int how);

#endif
