/* SPDX-License-Identifier: Apache-2.0 */
/*
 * tokens/store/store.h - the store as the files of this folder share it: the purses
 * of those who ask, and what servers said.
 *
 * Two threads. The *reader* looks for tokens: at the places of one user,
 * where it may stall in a look (reader.c), or, on a mount of many users, by
 * way of processes that look at each caller (looks.c). The *clerk* answers
 * those who wait, at their deadlines too, whatever the reader does. A reader
 * that has not come back two seconds after the store was closed is left to
 * itself and frees what it holds when it does.
 *
 * Not here: the rules of waiting (wait.h), of renewing (renew.h), of finding
 * (find/), of a purse (purse.h), of the door (door.c).
 */
#ifndef TOKENS_STORE_H
#define TOKENS_STORE_H

#include "base/attr.h"
#include "base/sync.h"
#include "tokens/claims/reach.h"
#include "tokens/door/proof.h"
#include "tokens/door/refusals.h"
#include "tokens/store/purse.h"
#include "tokens/store/purses.h"
#include "tokens/tokens.h"

#include <pthread.h>
#include <stdbool.h>

enum {
	/* More askers than requests the kernel keeps; those beyond it are
	 * answered with what there is. */
	STORE_QUERIES_MAX = 16384,
	STORE_USER_QUERIES_MAX = 4096, /* where many users share the mount */
};

struct looker;
struct narrows;

struct tokens {
	/* Set once, before any thread starts. */
	const struct clock *clock;
	struct reach_root root; /* its texts are the store's */
	struct trust *trust;
	bool shared;             /* one mount for many users */
	struct looker *looker;   /* of a shared mount: the reader's alone */
	int wake_fd;             /* the same: wakes the reader; -1: none */
	struct purse *writing;   /* for writing alone; NULL: none apart */
	struct narrows *narrows; /* of an agent, for changes; NULL: none */
	pthread_t reader;
	pthread_t clerk;
	_Atomic int64_t skew_s; /* this machine's clock less the server's; 0:
				   as far as is known */

	pthread_mutex_t mutex;
	pthread_cond_t reader_wakes;
	pthread_cond_t clerk_wakes;
	pthread_cond_t changed; /* a look has ended, or the reader */
	bool stopping GUARDED_BY(tokens_lock);
	bool reader_gone GUARDED_BY(tokens_lock);
	bool abandoned GUARDED_BY(tokens_lock);    /* the reader frees */
	struct purse *own GUARDED_BY(tokens_lock); /* the mount's user's, and
				its `next` for writing; NULL: shared */
	struct purses *purses GUARDED_BY(tokens_lock); /* of a shared mount */
	struct proof_table *proofs GUARDED_BY(tokens_lock);
	struct refusals refusals GUARDED_BY(tokens_lock);
	unsigned query_count GUARDED_BY(tokens_lock);
};

/** As tokens_new(), of one user, with sources of the caller's choice, consumed
 *  also on failure.
 *  @param writing  where tokens for writing are from; NULL: the same. */
NODISCARD int token_store_new(struct tokens **out,
    const struct tokens_config *config, const struct purse_source *source,
    const struct purse_source *writing, struct err *err);

/** A store without purses and threads.
 *  @retval  as tokens_new() */
NODISCARD int token_store_make(
    struct tokens **out, const struct tokens_config *config, struct err *err);

/** Start its threads. On failure the store is gone. */
NODISCARD int token_store_start(
    struct tokens *tokens, void *(*reader)(void *), struct err *err);

/** As token_store_new(), of many users, whose processes `looker` looks at; it is consumed
 *  also on failure. */
NODISCARD int token_store_new_shared(struct tokens **out,
    const struct tokens_config *config, struct looker *looker, struct err *err);

void token_store_enter(struct tokens *tokens) ACQUIRES(tokens_lock);
void token_store_leave(struct tokens *tokens) RELEASES(tokens_lock);

/** The purse of one who asks; NULL: they have none.
 *  @param why  NULL is allowed; says why there is none and none is made. */
struct purse *token_store_purse(struct tokens *tokens,
    const struct ident *ident, enum tokens_right right) REQUIRES(tokens_lock);
/** The same, made when there is none; NULL with a sentence. */
struct purse *token_store_open_purse(struct tokens *tokens,
    const struct ident *ident, enum tokens_right right, struct err *why)
    REQUIRES(tokens_lock);

/** Under what it is remembered what servers said; the path is borrowed. */
struct proof_key token_store_key(const struct tokens *tokens,
    const struct token *token, const char *path, enum tokens_right right);

/** The first of all purses, in a list by their `next`. */
struct purse *token_store_purses(struct tokens *tokens) REQUIRES(tokens_lock);

/** Sleep until something is said or `wake_ms` (monotonic, of the store's
 *  clock) has come; UINT64_MAX: until something is said. */
void token_store_sleep(struct tokens *tokens, pthread_cond_t *condition,
    uint64_t wake_ms) REQUIRES(tokens_lock);

/** Start a thread of the store's, which takes no signals: those are the main
 *  thread's. @return 0 or a negative errno. */
NODISCARD int token_store_thread(pthread_t *out, const char *name,
    void *(*run)(void *), struct tokens *tokens);

/** The threads; `arg` is the store. */
void *token_store_reader_main(void *arg);
void *token_store_looks_main(void *arg);
void *token_store_clerk_main(void *arg);

/** Free everything: for the last one who knows the store. */
void token_store_destroy(struct tokens *tokens);

/** Somebody asks of this purse: have the reader look when the last look is
 *  not fresh any more. */
void token_store_use(struct tokens *tokens, struct purse *purse)
    REQUIRES(tokens_lock);

/** Have the reader see what has changed. */
void token_store_wake_reader(struct tokens *tokens) REQUIRES(tokens_lock);

/** What one who asks holds; references of the caller's. */
void token_store_copy(
    struct tokens *tokens, const struct ident *ident, struct finding *out);

/** Whether one of the caller's several tokens is refused with `code`, and why:
 *  the one that goes with the next request may be another by now (pick.h). */
bool door_gave(struct tokens *tokens, const struct ident *ident,
    const char *path, enum tokens_right right, int code, struct err *why);

/** Let both threads see that time has passed, when the clock is driven by
 *  hand. */
void token_store_wake(struct tokens *tokens);

#endif
