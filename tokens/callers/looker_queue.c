/* SPDX-License-Identifier: Apache-2.0 */
/* tokens/callers/looker_queue.c - see looker_queue.h. */
#include "tokens/callers/looker_queue.h"

#include "base/secret.h"

#include <errno.h>
#include <stdlib.h>
#include <unistd.h>

void looker_queue_init(struct looker_queue *queue)
{
	*queue = (struct looker_queue){.next_order = 0};
	for (unsigned i = 0; i < LOOKER_LOOKS_MAX; i++)
		queue->looks[i].answer_fd = -1;
}

static void drop_bytes(struct look *look)
{
	if (look->bytes != NULL)
		secret_wipe(look->bytes, look->size_bytes);
	free(look->bytes);
	look->bytes = NULL;
	look->size_bytes = 0;
}

void look_close_answer(struct look *look)
{
	if (look->answer_fd >= 0)
		(void)close(look->answer_fd);
	look->answer_fd = -1;
}

void looker_queue_fini(struct looker_queue *queue)
{
	for (unsigned i = 0; i < LOOKER_LOOKS_MAX; i++) {
		look_close_answer(&queue->looks[i]);
		drop_bytes(&queue->looks[i]);
	}
}

int looker_queue_add(struct looker_queue *queue, uint64_t number,
    const struct caller *caller, uint32_t held_s)
{
	struct look *free_look = NULL;
	unsigned waiting = 0;

	for (unsigned i = 0; i < LOOKER_LOOKS_MAX; i++) {
		struct look *look = &queue->looks[i];

		/* The first one: looks lie about in their order then. */
		if (free_look == NULL && look->phase == LOOK_FREE)
			free_look = look;
		waiting += look->phase == LOOK_WAITING &&
		    look->caller.uid == caller->uid;
	}
	if (waiting == LOOKER_USER_WAITING_MAX)
		return -EDQUOT;
	if (free_look == NULL)
		return -EAGAIN;
	*free_look = (struct look){.phase = LOOK_WAITING,
	    .order = queue->next_order++,
	    .number = number,
	    .caller = *caller,
	    .held_s = held_s,
	    .answer_fd = -1};
	return 0;
}

/* Whether a look's process counts against shares: not gone. */
static bool has_process(const struct look *look)
{
	return look->phase == LOOK_RUNNING || look->phase == LOOK_STUCK ||
	    (look->phase == LOOK_ANSWERED && !look->gone);
}

static bool has_share(const struct looker_queue *queue, uid_t uid)
{
	unsigned count = 0;

	for (unsigned i = 0; i < LOOKER_LOOKS_MAX; i++)
		count += queue->looks[i].caller.uid == uid &&
		    has_process(&queue->looks[i]);
	return count < LOOKER_USER_RUNNING_MAX;
}

struct look *looker_queue_next(struct looker_queue *queue)
{
	struct look *best = NULL;
	unsigned running = 0;

	for (unsigned i = 0; i < LOOKER_LOOKS_MAX; i++)
		running += queue->looks[i].phase == LOOK_RUNNING;
	if (running >= LOOKER_RUNNING_MAX)
		return NULL;
	for (unsigned i = 0; i < LOOKER_LOOKS_MAX; i++) {
		struct look *look = &queue->looks[i];

		if (look->phase == LOOK_WAITING &&
		    (best == NULL || look->order < best->order) &&
		    has_share(queue, look->caller.uid))
			best = look;
	}
	return best;
}

void look_answer(struct look *look, int code)
{
	look_close_answer(look);
	if (code < 0)
		drop_bytes(look);
	look->code = code;
	look->phase = LOOK_ANSWERED;
}

void look_end(struct look *look)
{
	look->gone = true;
	if (look->phase == LOOK_STUCK)
		look->phase = LOOK_FREE;
}

void looker_queue_lose(struct looker_queue *queue, int code)
{
	for (unsigned i = 0; i < LOOKER_LOOKS_MAX; i++) {
		struct look *look = &queue->looks[i];

		if (look->phase == LOOK_RUNNING)
			look_answer(look, code);
		if (look->phase == LOOK_ANSWERED || look->phase == LOOK_STUCK)
			look_end(look);
	}
}

void looker_queue_refuse(struct looker_queue *queue, int code)
{
	for (unsigned i = 0; i < LOOKER_LOOKS_MAX; i++) {
		struct look *look = &queue->looks[i];

		if (look->phase == LOOK_WAITING) {
			look->gone = true;
			look_answer(look, code);
		}
	}
}

struct look *looker_queue_answered(struct looker_queue *queue)
{
	for (unsigned i = 0; i < LOOKER_LOOKS_MAX; i++) {
		if (queue->looks[i].phase == LOOK_ANSWERED)
			return &queue->looks[i];
	}
	return NULL;
}

void look_take(struct look *look, struct looker_answer *out)
{
	*out = (struct looker_answer){.number = look->number,
	    .code = look->code,
	    .bytes = STEAL(look->bytes),
	    .size_bytes = look->size_bytes};
	look->phase = look->gone ? LOOK_FREE : LOOK_STUCK;
}
