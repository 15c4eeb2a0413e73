/* SPDX-License-Identifier: Apache-2.0 */
/*
 * tests/unit/tokens/caller_bed.h - callers for tests: processes of other
 * users, in namespaces and environments of their own. Needs root.
 */
#ifndef TESTS_UNIT_TOKENS_CALLER_BED_H
#define TESTS_UNIT_TOKENS_CALLER_BED_H

#include "tokens/callers/looker.h"

#include <stdbool.h>
#include <sys/types.h>

/** Who it is; ids that are 0 are root's. */
struct bed_who {
	uid_t uid;
	gid_t gid;
	uid_t real_uid;
	gid_t real_gid;
	/* Run before it takes on its ids; false: not possible here. */
	bool (*prepare)(void *arg);
	/* Run with its ids. */
	bool (*settle)(void *arg);
	void *arg;
	bool own_pids; /* in a pid namespace of its own */
	/* Run another program with this environment; NULL: only fork. */
	const char *const *environment;
};

/** A process that lives until bed_end(). */
struct bed_process {
	pid_t pid;    /* 0: not possible here */
	pid_t parent; /* of its own, in between; 0: none */
	struct caller caller;
};

/** Ids all alike. */
struct bed_who bed_user(uid_t uid, gid_t gid);

struct bed_process bed_start(const struct bed_who *who);
void bed_end(const struct bed_process *process);

/** The next answer, waited for at most a minute. */
struct looker_answer bed_take(struct looker *looker);

/** Have the look made and wait for its answer. */
struct looker_answer bed_look(
    struct looker *looker, const struct bed_process *process);

#endif
