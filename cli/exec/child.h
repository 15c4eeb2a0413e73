/* SPDX-License-Identifier: Apache-2.0 */
/*
 * cli/exec/child.h - the process that becomes COMMAND: it enters the
 * namespaces, mounts, hands the mount's descriptor to its parent, and waits to
 * be let go.
 *
 * Threads: a process that has one; child_fork() before any other.
 */
#ifndef CLI_EXEC_CHILD_H
#define CLI_EXEC_CHILD_H

#include "base/attr.h"
#include "base/err.h"
#include "fs/fs.h"

#include <signal.h>
#include <stdbool.h>
#include <sys/types.h>

/* What a shell says of a program that it could not start; and of one that a
 * signal ended, with the signal's number added. */
enum { CHILD_NOT_RUN = 126, CHILD_NOT_FOUND = 127, CHILD_SIGNALLED = 128 };

struct plan;

struct child_config {
	const struct plan *plan;
	bool private;         /* in namespaces; false: only COMMAND is run */
	const sigset_t *mask; /* of signals, that COMMAND gets */
	bool ignores_ends;    /* and SIGCHLD is ignored by it */
	char **command;       /* NULL at its end */
};

struct child {
	pid_t pid;
	int go_fd; /* one byte lets it go, its end ends it */
	/* Of a private one: */
	struct fs_channel channel; /* owned */
	int root_fd; /* the mount's root (O_PATH): as long as it is open the
	                mount does not end with COMMAND */
};

/**
 * Start it, and wait until it has mounted.
 *
 * @retval 0        it waits; child_close() ends it, or child_go().
 * @retval -errno   there is none; with a sentence. -EPERM, -ENOSPC, ...: a
 *                  private mount is not to be had here.
 */
NODISCARD int child_fork(
    struct child *out, const struct child_config *config, struct err *err);

/** Let it become COMMAND. False: it has ended. */
NODISCARD bool child_go(struct child *child);

/** Close what is open of it, which ends it when it was not let go. */
void child_close(struct child *child);

#endif
