/* SPDX-License-Identifier: Apache-2.0 */
/*
 * tokens/store/purse.h - what one asker holds: the tokens that were found, when to
 * look again, and who waits for one.
 *
 * A mount of one user has a purse for all that is asked, and one for writing
 * when that has a token of its own. A mount of many users has one for each
 * process (purses.h).
 *
 * Threads: under the store's lock.
 */
#ifndef TOKENS_PURSE_H
#define TOKENS_PURSE_H

#include "base/attr.h"
#include "base/sync.h"
#include "tokens/callers/caller.h"
#include "tokens/find/finding.h"
#include "tokens/store/wait.h"
#include "tokens/tokens.h"

#include <stdbool.h>
#include <stdint.h>

/** Where tokens come from; called by the reader alone. */
struct purse_source {
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
	/* The answer, when it is decided. */
	int code;
	struct token *token;
	struct err why;
	enum tokens_right right;
	char path[]; /* "" for none */
};

struct narrow;

struct purse {
	struct purse *next;        /* of the store's */
	struct purse *same_bucket; /* of a table's (purses.c) */
	/* Set once. */
	struct caller owner;        /* of a mount of many users; else silent */
	struct purse_source source; /* of a mount of one user; else silent */
	struct narrow *narrow; /* of one scope of an agent's (narrow.h); NULL:
				  of none */
	unsigned fresh_ms;     /* a look as old as this is as good as new */
	unsigned stall_ms;     /* a look that takes longer hangs */
	unsigned again_ms;     /* between looks while somebody asks */

	struct finding now GUARDED_BY(tokens_lock); /* what is in use */
	uint64_t used_ms GUARDED_BY(tokens_lock);
	uint64_t looks_begun GUARDED_BY(tokens_lock);
	uint64_t looks_ended GUARDED_BY(tokens_lock);
	uint64_t look_begun_ms GUARDED_BY(tokens_lock);
	uint64_t renew_due_s GUARDED_BY(tokens_lock); /* wall clock */
	uint64_t put_off_ms GUARDED_BY(tokens_lock);  /* no look before */
	bool nudged GUARDED_BY(tokens_lock);   /* a look is wanted soon */
	bool looking GUARDED_BY(tokens_lock);  /* one is under way */
	int told_code GUARDED_BY(tokens_lock); /* what the log was told; 1: no
						  look has ended yet */
	struct store_query *queries GUARDED_BY(tokens_lock);
};

/** An empty purse; NULL when out of memory. */
struct purse *purse_new(void);

/** Free; nobody waits any more. NULL is allowed. */
void purse_free(struct purse *purse);

/** 0 when a good token is at hand, else -ENOKEY or -EKEYEXPIRED. */
int purse_code(const struct purse *purse, uint64_t now_s) REQUIRES(tokens_lock);

/** How things stand for one who asks after `refused_id` was refused (0:
 *  none was), for the rules of waiting. */
struct wait_view purse_view(const struct purse *purse, uint64_t refused_id,
    uint64_t now_s) REQUIRES(tokens_lock);

/** When its next look is due (monotonic; 0: at once; UINT64_MAX: when
 *  somebody asks). `force` is set when files are to be read whatever their
 *  stamps say. */
uint64_t purse_look_due_ms(const struct purse *purse, uint64_t now_ms,
    uint64_t now_s, bool *force) REQUIRES(tokens_lock);

/** How long the token lives that a look is to bring a newer one for; 0: any
 *  will do. */
uint32_t purse_held_s(const struct purse *purse, uint64_t now_s)
    REQUIRES(tokens_lock);

/** A look begins. */
void purse_look_begins(struct purse *purse, uint64_t now_ms)
    REQUIRES(tokens_lock);

/** A look that was to begin cannot yet: as if it had not, and not before. */
void purse_look_put_off(struct purse *purse, uint64_t until_ms)
    REQUIRES(tokens_lock);

/** What the log is to be told of a look. */
struct purse_change {
	struct caller owner;
	struct finding before; /* references of its own */
	struct finding after;
	int code;
	bool tell_code;
};

/** The look has ended; the finding's references are taken over. `change` is
 *  for purse_change_tell(). */
void purse_look_ends(struct purse *purse, const struct finding *found,
    uint64_t now_s, struct purse_change *change) REQUIRES(tokens_lock);

/** Tell the log, without the lock, and release. */
void purse_change_tell(struct purse_change *change, uint64_t now_s);

/** Say of a state why it gives `code`, with the remedy. */
void purse_explain(
    const struct finding *now, int code, uint64_t now_s, struct err *out);

#endif
