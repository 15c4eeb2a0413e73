/* SPDX-License-Identifier: Apache-2.0 */
/*
 * tokens/store/wait.h - what becomes of somebody who asks for a token: an answer
 * now, or a wait for a look or for a newer token. Pure: every function takes
 * the time, so the rules are tested without threads.
 *
 *   a good token        answered at once; after a refusal, once the source
 *                       has been read again
 *   no token            answered once there was a fresh look (one look each
 *                       view.fresh_ms serves any number of askers)
 *   ended or too early  answered at the asker's deadline, unless a good one
 *                       comes before
 *
 * A look that does not end within view.stall_ms is not waited for.
 *
 * Threads: the caller's lock.
 */
#ifndef TOKENS_WAIT_H
#define TOKENS_WAIT_H

#include <stdbool.h>
#include <stdint.h>

enum {
	WAIT_FRESH_MS = 500,  /* a look as old as this is as good as new */
	WAIT_AGAIN_MS = 1000, /* between looks at a place of our own */
	/* The same for looks at another process: each costs a fork. */
	WAIT_FRESH_CALLER_MS = 2000,
	WAIT_AGAIN_CALLER_MS = 10000,
	WAIT_STALL_MS = 2000, /* a look that takes longer hangs */
	/* Those are ended after 2 s, and say what hung. */
	WAIT_STALL_CALLER_MS = 3000,
};

/** How things stand. Looks are numbered from 1. */
struct wait_view {
	int code;          /* 0: a good token; -ENOKEY; -EKEYEXPIRED */
	uint64_t token_id; /* the one in use; of several the one that was
			      refused, if it is among them; 0: none */
	uint64_t begun;    /* number of the last look that has begun */
	uint64_t ended;    /* number of the last look that has ended */
	uint64_t begun_ms; /* when the last one began */
	unsigned fresh_ms; /* a look as old as this is as good as new */
	unsigned stall_ms; /* a look that takes longer hangs */
	unsigned again_ms; /* between looks while somebody asks */
};

/** One who asks. */
struct wait {
	uint64_t asked_ms;
	uint64_t deadline_ms;
	uint64_t refused_id; /* 0: none */
	unsigned stall_ms;   /* and how long it is waited for */
	uint64_t look;       /* the look that has to have ended */
};

/** Begin to wait: sets wait->look and stall_ms; the other members are set. */
void token_wait_enqueue(
    struct wait *wait, const struct wait_view *view, uint64_t now_ms);

/** Whether the asker is to be answered now, with what the view has. */
bool token_wait_over(
    const struct wait *wait, const struct wait_view *view, uint64_t now_ms);

/** When time alone may end this wait; later than now_ms, UINT64_MAX: never. */
uint64_t token_wait_wake_ms(const struct wait *wait, uint64_t now_ms);

/** Whether this asker needs another look, and one that reads the file
 *  whatever its stamp says. */
bool token_wait_needs_look(
    const struct wait *wait, const struct wait_view *view);

/** When a look is due because people ask (any number of them) though
 *  none of them needs one at once. */
uint64_t token_wait_look_due_ms(const struct wait_view *view);

#endif
