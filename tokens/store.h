/* SPDX-License-Identifier: Apache-2.0 */
/*
 * tokens/store.h - the store as the files of this folder share it: the token
 * in use, who waits for one, and what servers said.
 *
 * Two threads. The *reader* looks for tokens and may stall in a look. The
 * *clerk* answers those who wait, at their deadlines too, whatever the
 * reader does. A reader that has not come back two seconds after the store
 * was closed is left to itself and frees what it holds when it does.
 *
 * Not here: the rules of waiting (wait.h), of renewing (renew.h), of finding
 * (discover.h).
 */
#ifndef TOKENS_STORE_H
#define TOKENS_STORE_H

#include "base/attr.h"
#include "base/sync.h"
#include "tokens/find/finding.h"
#include "tokens/proof.h"
#include "tokens/refusals.h"
#include "tokens/scope.h"
#include "tokens/tokens.h"
#include "tokens/wait.h"

#include <pthread.h>
#include <stdbool.h>

enum {
	/* More askers than requests the kernel keeps; those beyond it are
	 * answered with what there is. */
	STORE_QUERIES_MAX = 16384,
};

/** Where tokens come from; called by the reader alone. */
struct store_source {
	/** Fill `out`; may stall. */
	void (*look)(
	    void *arg, bool force, uint64_t now_s, struct finding *out);
	void (*free)(void *arg);
	void *arg;
};

/** Somebody who waits. */
struct store_query {
	struct store_query *next;
	struct wait wait;
	tokens_fn answer;
	void *arg;
};

struct tokens {
	/* Set once, before any thread starts. */
	const struct clock *clock;
	char *base_path;   /* NULL: not configured */
	char *source_path; /* the mount's root */
	struct store_source source;
	struct trust *trust;
	bool shared; /* one mount for many users */
	pthread_t reader;
	pthread_t clerk;

	pthread_mutex_t mutex;
	pthread_cond_t reader_wakes;
	pthread_cond_t clerk_wakes;
	pthread_cond_t changed; /* a look has ended, or the reader */
	bool stopping GUARDED_BY(tokens_lock);
	bool reader_gone GUARDED_BY(tokens_lock);
	bool abandoned GUARDED_BY(tokens_lock); /* the reader frees */
	bool nudged GUARDED_BY(tokens_lock);    /* a look is wanted soon */
	uint64_t looks_begun GUARDED_BY(tokens_lock);
	uint64_t looks_ended GUARDED_BY(tokens_lock);
	uint64_t look_begun_ms GUARDED_BY(tokens_lock);
	uint64_t renew_due_s GUARDED_BY(tokens_lock); /* wall clock */
	int told_code GUARDED_BY(tokens_lock); /* what the log was told; 1: no
						  look has ended yet */
	struct finding now GUARDED_BY(tokens_lock); /* what is in use */
	struct proof_table *proofs GUARDED_BY(tokens_lock);
	struct refusals refusals GUARDED_BY(tokens_lock);
	struct store_query *queries GUARDED_BY(tokens_lock);
	unsigned query_count GUARDED_BY(tokens_lock);
};

/** As tokens_new(), with a source of the caller's choice, consumed also on
 *  failure. */
NODISCARD int token_store_new(struct tokens **out,
    const struct tokens_config *config, const struct store_source *source,
    struct err *err);

void token_store_enter(struct tokens *tokens) ACQUIRES(tokens_lock);
void token_store_leave(struct tokens *tokens) RELEASES(tokens_lock);

/** 0 when a good token is at hand, else -ENOKEY or -EKEYEXPIRED. */
int token_store_code(const struct tokens *tokens) REQUIRES(tokens_lock);

/** How things stand, for the rules of waiting. */
struct wait_view token_store_view(const struct tokens *tokens)
    REQUIRES(tokens_lock);

/** Sleep until something is said or `wake_ms` (monotonic, of the store's
 *  clock) has come; UINT64_MAX: until something is said. */
void token_store_sleep(struct tokens *tokens, pthread_cond_t *condition,
    uint64_t wake_ms) REQUIRES(tokens_lock);

/** The threads; `arg` is the store. */
void *token_store_reader_main(void *arg);
void *token_store_clerk_main(void *arg);

/** Free everything: for the last one who knows the store. */
void token_store_destroy(struct tokens *tokens);

/** Have the reader look when the last look is not fresh any more. */
void token_store_nudge(struct tokens *tokens) REQUIRES(tokens_lock);

/** What is in use; out->token is a reference of the caller's. */
void token_store_copy(struct tokens *tokens, struct finding *out);

/** Say of a state why it gives `code`, with the remedy. */
void token_store_explain(
    const struct finding *now, int code, uint64_t now_s, struct err *out);

/** Let both threads see that time has passed, when the clock is driven by
 *  hand. */
void token_store_wake(struct tokens *tokens);

#endif
