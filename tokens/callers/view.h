/* SPDX-License-Identifier: Apache-2.0 */
/*
 * tokens/callers/view.h - see the file system as a caller sees it.
 *
 * A caller in a container or below a root of its own names files that lie
 * there. A process that has entered its view opens plain paths and follows
 * links just as the caller would. It must then have loaded all that it needs:
 * what lies in the view is the caller's choice.
 *
 * Threads: the process of one look, which has one.
 * Sources: setns(2), chroot(2), proc(5) (/proc/PID/root, ns/mnt).
 */
#ifndef TOKENS_VIEW_H
#define TOKENS_VIEW_H

#include "base/attr.h"

struct mounts;

/** Where a caller stands; descriptors, -1: this process stands there too. */
struct view {
	int namespace_fd; /* its mount namespace */
	int root_fd;      /* its root directory */
};

/**
 * Find out where a caller stands. Needs its ids, or CAP_SYS_PTRACE.
 *
 * @param proc_fd  /proc/PID.
 * @retval 0       both descriptors are the view's, to be used up by
 *                 view_enter().
 * @retval -ESRCH  it has ended.
 * @retval -EPERM  that is not for this process to know.
 * @retval -errno  of the system call that failed.
 */
NODISCARD int view_open(struct view *out, int proc_fd);

/**
 * Go there, for good; closes what view_open() has opened.
 *
 * @param mounts   of that view: none of them is touched.
 * @retval 0       the root directory is the caller's.
 * @retval -EXDEV  not possible: CAP_SYS_ADMIN and CAP_SYS_CHROOT are needed,
 *                 over the caller's namespace too; or the directory lies on
 *                 one of the mounts.
 */
NODISCARD int view_enter(struct view *view, const struct mounts *mounts);

#endif
