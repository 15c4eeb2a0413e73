/* SPDX-License-Identifier: Apache-2.0 */
/*
 * tokens/store/purses.h - the purses of a mount that many users share: one for each
 * process that asks.
 *
 * Bounded, by their number and by what they hold: whoever was idle longest
 * makes room, of the user who has used up their own share first. What makes
 * room is looked for again when it asks. While somebody waits for a purse, or a
 * look at it is under way, it stays.
 *
 * Threads: under the store's lock.
 */
#ifndef TOKENS_PURSES_H
#define TOKENS_PURSES_H

#include "base/attr.h"
#include "tokens/store/purse.h"

enum {
	PURSES_MAX = 2048,
	PURSES_USER_MAX = 512,
	/* Texts of tokens. What is known of them takes as much again, and
	 * twice that of those that say much. */
	PURSES_USER_BYTES_MAX = 4 * 1024 * 1024,
	PURSES_BYTES_MAX = 32 * 1024 * 1024,
	PURSES_IDLE_MS = 10 * 60 * 1000, /* then it is dropped */
	/* One that was used since is renewed ahead. */
	PURSES_ACTIVE_MS = 60 * 1000,
};

struct purses;

/** None; NULL when out of memory. */
struct purses *purses_new(void);

/** Free them all; nobody waits any more. NULL is allowed. */
void purses_free(struct purses *purses);

/** That of a process, borrowed; NULL: it has none. */
struct purse *purses_find(const struct purses *purses,
    const struct caller *owner) REQUIRES(tokens_lock);

/** As purses_find(), made when there is none.
 *  @return NULL: out of memory, or all are in use. */
struct purse *purses_make(struct purses *purses, const struct caller *owner,
    uint64_t now_ms) REQUIRES(tokens_lock);

/** Drop those that were idle for PURSES_IDLE_MS. */
void purses_tidy(struct purses *purses, uint64_t now_ms) REQUIRES(tokens_lock);

/** The first of them all, in a list by their `next`. */
struct purse *purses_first(const struct purses *purses) REQUIRES(tokens_lock);

/** Put the token that a user has already in the place of each with its very
 *  text: what servers said of it holds for all processes of the user. */
void purses_know_again(struct purses *purses, uid_t uid, struct finding *found)
    REQUIRES(tokens_lock);

/** Make room for what a look has found for this user, whose purse is being
 *  looked at; tokens that they have already take none.
 *  @return false: there is none. */
NODISCARD bool purses_admit(struct purses *purses, uid_t uid,
    struct finding *found) REQUIRES(tokens_lock);

/** How many wait for purses of this user. */
unsigned purses_waiting(const struct purses *purses, uid_t uid)
    REQUIRES(tokens_lock);

#endif
