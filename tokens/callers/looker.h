/* SPDX-License-Identifier: Apache-2.0 */
/*
 * tokens/callers/looker.h - looks at callers in processes of their own.
 *
 * What a caller names as its token may be a FIFO, a file system that is dead,
 * this very mount; its /proc may fault on memory that it serves itself. So
 * one small process is forked before there is any thread, and it forks one
 * more for each look. That one has the caller's ids, its view of files
 * (view.h) and nothing else, and 2 s. One that cannot be killed (it waits in
 * the kernel) counts against its user's share until it is gone, and costs
 * nobody else anything.
 *
 *   this process   queue, shares, answers (looker.c, looker_queue.c)
 *   the keeper     has a forker: another one when it was killed, for want of
 *                  memory or by hand (looker_keeper.c)
 *   the forker     forks, kills at the deadline, tells (looker_forker.c)
 *   a look         the callback; its answer comes here by a pipe of its own,
 *                  never through the forker (looker_child.c)
 *
 * Lifecycle: looker_start() while there is one thread; all else on one thread
 * at a time; looker_free() ends all of them, as does this process's end.
 * Sources: proc(5), ptrace(2) (access mode checking).
 */
#ifndef TOKENS_LOOKER_H
#define TOKENS_LOOKER_H

#include "base/attr.h"
#include "base/err.h"
#include "tokens/callers/caller.h"

#include <stddef.h>
#include <stdint.h>

enum {
	LOOKER_RUNNING_MAX = 64, /* those that have not passed their deadline */
	LOOKER_USER_RUNNING_MAX = 4,
	LOOKER_USER_WAITING_MAX = 64,
	LOOKER_LOOKS_MAX = 1024,
	LOOKER_DEADLINE_MS = 2000,
	/* 16 tokens of 64 KiB, their places and a sentence. */
	LOOKER_ANSWER_BYTES_MAX = 1024 * 1024 + 128 * 1024,
};

struct looker;
struct mounts;

/** What a look has to go by, in its own process: that sees the file system
 *  as the caller does, and stands in the directory where its descriptors have
 *  names (/proc/self/fd, wherever that is in this view, if at all). */
struct looker_scene {
	const struct caller *caller;
	/* Its real, effective, saved and file system ids are one, and it was
	 * started by somebody with the same rights: only then may its
	 * environment be believed to be its user's. */
	bool one_identity;
	int environ_fd; /* -1: another's word, or it is not to be read */
	const struct mounts *mounts; /* in this view */
	uint32_t held_s;             /* as looker_ask() was told */
	int answer_fd; /* write here, at most LOOKER_ANSWER_BYTES_MAX */
};

/**
 * One look: in a process of its own, with the caller's ids and view, no
 * threads and no other descriptors. May block for ever. Paths are absolute,
 * and nothing of the program's own may be loaded: what is found under such
 * names is the caller's.
 *
 * @return 0 when the answer is written, or a negative errno.
 */
typedef int (*looker_look_fn)(void *arg, const struct looker_scene *scene);

/**
 * Fork the keeper.
 *
 * @param look, arg  as they are in memory at this time.
 * @retval -errno  of fork(2), socketpair(2), ...
 */
NODISCARD int looker_start(
    struct looker **out, looker_look_fn look, void *arg, struct err *err);

/** NULL is allowed. What was not taken is lost. */
void looker_free(struct looker *looker);
DEFINE_FREEP(looker, looker_free)

/**
 * Have a look made; never waits.
 *
 * @param number  comes back with the answer.
 * @param held_s  so long lives the token that the caller has, and a newer one
 *                is wanted: an agent is not to give that again. 0: any will
 *                do.
 * @retval 0        its answer will come, whatever happens.
 * @retval -EDQUOT  as many of this user's wait as may.
 * @retval -EAGAIN  as many wait as may.
 * @retval -EPIPE   keeper and forker have ended; see looker_take().
 */
NODISCARD int looker_ask(struct looker *looker, uint64_t number,
    const struct caller *caller, uint32_t held_s);

/** Readable when looker_take() has something to do. Borrowed. */
int looker_fd(const struct looker *looker);

struct looker_answer {
	uint64_t number;
	int code;    /* 0; -ETIMEDOUT; -ESRCH: another program by now; -EPERM:
		       its ids cannot be taken on; -EXDEV: its view cannot be
		       entered; -EIO: it was killed, or the forker was;
		       -EPIPE: nobody is left to make it; -EMSGSIZE; else what
		       the look returned */
	char *bytes; /* the receiver's to wipe; NULL unless code is 0 */
	size_t size_bytes;
};

/** The next answer.
 *  @retval 1  one; release it with looker_answer_fini().
 *  @retval 0  none at present. */
NODISCARD int looker_take(struct looker *looker, struct looker_answer *out);

/** Wipe and free. */
void looker_answer_fini(struct looker_answer *answer);

#endif
