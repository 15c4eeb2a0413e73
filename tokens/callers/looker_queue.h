/* SPDX-License-Identifier: Apache-2.0 */
/*
 * tokens/callers/looker_queue.h - the looks that a looker has: those that
 * wait, those that run, those that are answered; and the users' shares.
 *
 * A look is free, waiting, running, answered, and free again when it was
 * taken and its process is no more; until then it is stuck.
 *
 * Threads: one at a time.
 */
#ifndef TOKENS_LOOKER_QUEUE_H
#define TOKENS_LOOKER_QUEUE_H

#include "tokens/callers/looker.h"

#include <stdbool.h>

enum look_phase {
	LOOK_FREE,
	LOOK_WAITING,
	LOOK_RUNNING,
	LOOK_ANSWERED, /* not taken yet; its process may live */
	LOOK_STUCK,    /* taken; its process lives */
};

struct look {
	enum look_phase phase;
	bool gone; /* its process is no more */
	uint64_t order;
	uint64_t number;
	struct caller caller;
	uint32_t held_s;
	int answer_fd; /* -1: none */
	int code;
	char *bytes;
	size_t size_bytes;
};

struct looker_queue {
	uint64_t next_order;
	struct look looks[LOOKER_LOOKS_MAX];
};

void looker_queue_init(struct looker_queue *queue);

/** Close and wipe what there is. */
void looker_queue_fini(struct looker_queue *queue);

/** A look that waits.
 *  @retval 0, -EDQUOT, -EAGAIN  as looker_ask(). */
NODISCARD int looker_queue_add(struct looker_queue *queue, uint64_t number,
    const struct caller *caller, uint32_t held_s);

/** The one that is to run next: the first whose user's share is not used up.
 *  NULL: none, or as many run as may. */
struct look *looker_queue_next(struct looker_queue *queue);

/** It has its answer: what it holds if `code` is 0. */
void look_answer(struct look *look, int code);

/** Its process is no more. */
void look_end(struct look *look);

/** No process of any look is left: whatever runs is answered. */
void looker_queue_lose(struct looker_queue *queue, int code);

/** Answer what waits. */
void looker_queue_refuse(struct looker_queue *queue, int code);

/** One that is answered; NULL: none. */
struct look *looker_queue_answered(struct looker_queue *queue);

/** Hand its answer over. */
void look_take(struct look *look, struct looker_answer *out);

/** Close the way on which its answer comes. */
void look_close_answer(struct look *look);

#endif
