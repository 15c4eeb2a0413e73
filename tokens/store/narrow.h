/* SPDX-License-Identifier: Apache-2.0 */
/*
 * tokens/store/narrow.h - tokens of an agent for what changes something: each
 * with just the scope of its directory, asked for when it is wanted, and
 * dropped when nobody uses it any more.
 *
 * Each scope has a purse (purse.h), so that any number of uploads to one
 * directory cost one question. A thread of its own asks, since an answer
 * comes from the issuer and may take seconds. Where none is to be had, and
 * when a server refuses one that was, what the account has anyway is used,
 * and the log is told.
 *
 *   wanted --look--> a token, dropped NARROW_IDLE_MS after its last use
 *                or  refused, not asked for again before NARROW_REFUSED_MS
 *
 * An issuer that has refused NARROW_TRIES scopes in a row and given none is
 * not asked for NARROW_OFF_MS.
 *
 * Mounts of one user only: of many users each process has an agent of its
 * own, which is asked by processes that end with the look.
 *
 * Threads: as each says.
 */
#ifndef TOKENS_NARROW_H
#define TOKENS_NARROW_H

#include "base/attr.h"
#include "tokens/store/store.h"

struct agent;

enum {
	NARROW_MAX = 64, /* scopes at a time */
	/* Files that are written one after the other are sent with one. */
	NARROW_IDLE_MS = 5000,
	NARROW_CROWDED_IDLE_MS = 500, /* from half of NARROW_MAX on */
	NARROW_REFUSED_MS = 60 * 1000,
	NARROW_TROUBLE_MS = 5000, /* the agent does not answer, is locked... */
	NARROW_TRIES = 3,
	NARROW_OFF_MS = 600 * 1000,
	NARROW_WAIT_MS = 15 * 1000, /* an upload goes on without it then */
};

/** One scope. */
struct narrow {
	char *scope;
	uint64_t refused_until_ms GUARDED_BY(tokens_lock); /* 0: not refused */
	struct err why GUARDED_BY(tokens_lock);            /* it is */
	bool untold GUARDED_BY(tokens_lock); /* the log does not know */
};

struct narrows {
	struct agent *agent;  /* the thread's */
	const char *audience; /* borrowed from `source` */
	struct source *source;
	pthread_t thread;
	pthread_cond_t wakes;
	struct purse *first GUARDED_BY(tokens_lock);
	unsigned count GUARDED_BY(tokens_lock);
	unsigned refusals GUARDED_BY(tokens_lock); /* before the first one */
	bool gave GUARDED_BY(tokens_lock);
	uint64_t off_until_ms GUARDED_BY(tokens_lock);
};

/** Have narrow tokens from now on, if the configuration or the environment
 *  knows an agent. On failure nothing has begun. */
NODISCARD int narrow_start(
    struct tokens *tokens, const struct tokens_config *config, struct err *err);

/** Wait for the thread, after the store has been told to stop. */
void narrow_join(struct tokens *tokens);

/** The last one who knows them. NULL is allowed. */
void narrows_free(struct narrows *narrows);

/** The purse with the scope for this question; NULL: what is in `own` is to be
 *  used: it is of no agent, or not good now, or no narrow one is to be had. */
struct purse *narrow_open(struct tokens *tokens, const struct purse *own,
    const struct tokens_query *query) REQUIRES(tokens_lock);

/** The first of their purses, in a list by their `next`; NULL: none. */
struct purse *narrow_first(const struct tokens *tokens) REQUIRES(tokens_lock);

/** Have the thread see what has changed. */
void narrow_wake(struct tokens *tokens) REQUIRES(tokens_lock);

/** A scope is not to be had, or not taken, for a while: the thread tells the
 *  log, once. */
void narrow_refuse(struct tokens *tokens, struct narrow *narrow,
    uint64_t for_ms, const char *why) REQUIRES(tokens_lock);

/** Free one scope's. */
void narrow_free(struct purse *purse);

/** The thread that asks; `arg` is the store. */
void *narrow_main(void *arg);

#endif
