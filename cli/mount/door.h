/* SPDX-License-Identifier: Apache-2.0 */
/*
 * cli/mount/door.h - the questions of the cache and of the drafts about who may
 * have or change what, answered by tokens: neither layer knows the other.
 *
 * Threads: every function may be called from any thread.
 */
#ifndef CLI_MOUNT_DOOR_H
#define CLI_MOUNT_DOOR_H

#include "base/ident.h"
#include "cache/cache.h"
#include "cache/drafts/drafts.h"

#include <stdbool.h>
#include <stdint.h>

struct tokens;

/** What the functions below are given as `arg`; outlives the cache. */
struct door {
	struct tokens *tokens;  /* borrowed */
	uint64_t grace_s;       /* past a token's end, while offline */
	bool tokenless;         /* the source never gets one (http://) */
	const char *write_file; /* where an option says that the token for
	                           writing is; NULL: none does */
};

/** As cache_may_fn: `may` of struct cache_config. */
int door_may(void *arg, const struct ident *ident, const char *path,
    enum cache_want want, bool *ask);

/** The same with a token that has ended, while no server can be reached:
 *  `ended`. */
int door_ended(void *arg, const struct ident *ident, const char *path,
    enum cache_want want, bool *ask);

/** As cache_await_fn: `await`. */
void door_await(void *arg, const struct ident *ident, const char *path,
    uint64_t deadline_ms, void (*answer)(void *answer_arg, int code),
    void *answer_arg);

/** As cache_reach_fn: `reach`. */
unsigned door_reach(void *arg, const struct ident *ident, const char *path,
    void (*name)(void *name_arg, const char *name), void *name_arg);

/** As cache_refused_fn: `refused`. */
void door_refused(void *arg, const struct ident *ident, const char *path,
    enum cache_want want, int code);

/** As drafts_may_fn: `may` of struct drafts_config. */
int door_may_change(void *arg, const struct ident *ident, const char *path,
    enum drafts_need need);

/** As drafts_credential_fn: `credential`. */
void door_credential(void *arg, const struct ident *ident, const char *path,
    int *from, char name[DRAFTS_CREDENTIAL_BYTES]);

#endif
