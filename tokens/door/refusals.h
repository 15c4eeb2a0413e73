/* SPDX-License-Identifier: Apache-2.0 */
/*
 * tokens/door/refusals.h - the refusals that programs got lately, for `status` and
 * `explain`, and which of them the log has been told of.
 *
 * The last ones are kept, the same one once with a count. Where many users
 * share a mount each has a part of the room, so that none pushes out what
 * another was refused. The log gets one line for each path and errno of a
 * user, and a bounded number of them: a walk over a forbidden tree does not
 * fill a disk, nor hold back another user's line. Pure: the caller writes the
 * line.
 *
 * Threads: the caller's lock.
 */
#ifndef TOKENS_REFUSALS_H
#define TOKENS_REFUSALS_H

#include "base/err.h"
#include "tokens/tokens.h"

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

enum {
	REFUSALS_KEPT = 64,
	REFUSALS_OF_UID_MAX = 16, /* of them, where many users share */

	REFUSALS_KNOWN = 64,               /* told last */
	REFUSALS_AGAIN_MS = 5 * 60 * 1000, /* the same one is told again */
	REFUSALS_BURST = 20,               /* lines of a user in ... */
	REFUSALS_BURST_MS = 10 * 1000,
	REFUSALS_USERS = 32, /* whose bursts are counted apart */
};

struct refusal_kept {
	struct tokens_refusal what;
	char *path;    /* its path, ours; NULL: a free place */
	uint64_t turn; /* of the last time */
};

struct refusal_told {
	uint64_t hash; /* of user, errno and path; 0: free */
	uint64_t told_ms;
};

struct refusal_burst {
	uid_t uid;
	unsigned lines; /* since ...; 0: a free place */
	uint64_t began_ms;
	uint64_t untold; /* since the last line */
};

/** All zero: none yet. */
struct refusals {
	struct refusal_kept kept[REFUSALS_KEPT];
	uint64_t turn;
	struct refusal_told known[REFUSALS_KNOWN];
	unsigned oldest;
	struct refusal_burst bursts[REFUSALS_USERS];
};

void refusals_fini(struct refusals *refusals);

/** Keep a refusal (its path is copied; its times and count are set here).
 *  Without memory it is not kept. @param shared  by many users. */
void refusals_keep(struct refusals *refusals, const struct tokens_refusal *what,
    bool shared, uint64_t now_s);

/**
 * Whether the log is to be told of this now.
 *
 * @param path    where no path is the cause, what else is.
 * @param untold  set with true: how many of this user's were kept back since
 *                their last line.
 */
bool refusals_tell(struct refusals *refusals, uid_t uid, const char *path,
    int code, uint64_t now_ms, uint64_t *untold);

/** The refusals of a user, the latest first: of `path` and the directories on
 *  the way to it; of whatever is kept when that is NULL. `all`: of every user.
 *  @return how many are in `out`; borrowed until the next call. */
unsigned refusals_of(const struct refusals *refusals, bool all, uid_t uid,
    const char *path, const struct tokens_refusal *out[REFUSALS_KEPT]);

#endif
