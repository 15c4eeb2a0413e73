/* SPDX-License-Identifier: Apache-2.0 */
/*
 * cli/mount/daemon.h - going to the background without losing what the start
 * has to say.
 *
 * The process forks before it has threads. The child does everything and
 * writes its errors to the terminal itself, as long as it has one; the
 * parent waits for one byte, the exit status, and ends with it. Only then
 * does the child leave the terminal. When the parent is killed meanwhile,
 * the child ends.
 *
 * Threads: daemon_fork() before any thread; the rest on the main thread.
 */
#ifndef CLI_MOUNT_DAEMON_H
#define CLI_MOUNT_DAEMON_H

#include "base/attr.h"
#include "base/err.h"

#include <stdbool.h>

struct daemon {
	int report_fd; /* to the parent; -1: in the foreground, or reported */
	int word_fd;   /* of exec: its parent says the end (cli/exec/attend.h),
	                  and signals do not; the terminal was left already,
	                  but for stderr. -1: a mount by itself */
};

/**
 * Fork.
 *
 * @param status  in the parent: what to exit with, after the child has
 *                reported or died.
 * @retval 1       this is the child: go on, then daemon_report().
 * @retval 0       this is the parent: exit with *status.
 * @retval -errno  no child was made.
 */
NODISCARD int daemon_fork(struct daemon *daemon, int *status, struct err *err);

/** For a mount that stays in the foreground: nobody waits for a report. */
void daemon_stay(struct daemon *daemon);

/** Leave the terminal: a session of its own, / as working directory, stdio
 *  on /dev/null. Nothing when in the foreground. @retval 0 or -errno. */
NODISCARD int daemon_detach(const struct daemon *daemon, struct err *err);

/** Let the parent end with `status`. @retval 0, or -EPIPE when it has gone
 *  (killed): nobody waits for this mount. */
NODISCARD int daemon_report(struct daemon *daemon, int status);

#endif
