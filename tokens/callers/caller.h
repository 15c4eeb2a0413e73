/* SPDX-License-Identifier: Apache-2.0 */
/*
 * tokens/callers/caller.h - which process asks: told apart from every other
 * that had or will have the same number.
 *
 * FUSE gives the number of a thread. A process is its thread group, the time
 * at which that began (a number that is used again begins later) and where
 * its environment lies (an exec moves it, unless the program has asked for
 * addresses that are not random).
 *
 * It says nothing of whose tokens may be used: that is checked where they are
 * looked for, with the caller's ids, and uid and gid are FUSE's.
 *
 * Not told apart: two threads of one number that began within one clock tick
 * (10 ms); all numbers of the system would have to be used up in between.
 * And what a thread was up to 40 us ago counts as now: an exec takes longer.
 *
 * Threads: every function may be called from any thread.
 * Sources: proc(5), fields 22 and 50 of /proc/PID/stat.
 */
#ifndef TOKENS_CALLER_H
#define TOKENS_CALLER_H

#include "base/attr.h"
#include "base/err.h"
#include "base/ident.h"

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

struct caller {
	pid_t tgid;           /* its process */
	uint64_t start_ticks; /* when that began, in ticks since boot */
	uint64_t env_start;   /* address; 0: not to be known by this process */
	uid_t uid;            /* as FUSE gives them */
	gid_t gid;
};

/** What one line of /proc/PID/stat says. */
struct caller_stat {
	uint64_t start_ticks;
	uint64_t env_start;
};

/**
 * Find the process of a request: one read of /proc when its thread is known.
 *
 * @param out  overwritten on success alone.
 * @retval 0       found.
 * @retval -ENXIO  pid 0: it is in a pid namespace that this one does not see.
 * @retval -ESRCH  it has ended, or its /proc is not to be read (hidepid).
 * @retval -EIO    /proc says what it does not say.
 * @retval -errno  of the system call that failed (no descriptors, ...).
 */
NODISCARD int caller_of(struct caller *out, const struct ident *ident);

/** The sentence, with the remedy, for what caller_of() returned.
 *  @return `code` */
int caller_explain(struct err *err, int code, const struct ident *ident);

/** Whether both are one program in one process, with the same ids. */
bool caller_same(const struct caller *a, const struct caller *b);

/** Read a line of /proc/PID/stat; the program's name in it is its own choice.
 *  @retval -EIO  it is none. */
NODISCARD int caller_stat_parse(
    struct caller_stat *out, const char *text, size_t size_bytes);

#endif
