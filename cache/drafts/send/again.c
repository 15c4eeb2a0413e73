/* SPDX-License-Identifier: Apache-2.0 */
/*
 * cache/drafts/send/again.c - what failed is tried again: after which pause,
 * and whose pause is over.
 */
#include "base/clock.h"
#include "cache/drafts/send/send.h"

#include <errno.h>

/* Whether waiting may heal it: a token comes, a server answers, somebody makes
 * room. Where a name or a size is wrong, somebody has to do something. */
static bool may_heal(int code)
{
	switch (code) {
	case -ENOENT:
	case -ENOTDIR:
	case -EISDIR:
	case -EINVAL:
	case -ENAMETOOLONG:
	case -EFBIG:
	case -ENOTSUP:
	case -EEXIST:
	case -ESTALE:
		return false;
	default:
		return true;
	}
}

uint32_t again_after_ms(unsigned tries, int code)
{
	uint32_t pause_ms = DRAFTS_AGAIN_FIRST_MS;

	if (!may_heal(code))
		return 0;
	while (tries-- > 0 && pause_ms < DRAFTS_AGAIN_MAX_MS)
		pause_ms *= 2;
	return pause_ms < DRAFTS_AGAIN_MAX_MS ? pause_ms : DRAFTS_AGAIN_MAX_MS;
}

/* Whose pause is over, held. @return how many */
static unsigned collect(struct drafts *drafts, uint64_t now_ms,
    struct draft *due[AGAIN_TICK_MAX]) REQUIRES(drafts_lock);
static unsigned collect(
    struct drafts *drafts, uint64_t now_ms, struct draft *due[AGAIN_TICK_MAX])
{
	struct list *again = &drafts->again;
	struct list *next;
	unsigned count = 0;

	for (struct list *in = again->next;
	     in != again && count < AGAIN_TICK_MAX && !drafts->stopping;
	     in = next) {
		struct draft *draft = CONTAINER_OF(in, struct draft, turn);

		next = in->next;
		if (draft->again_ms > now_ms || draft->sending != DRAFT_AT_REST)
			continue;
		send_leave_turn(draft);
		draft_hold(draft);
		due[count++] = draft;
	}
	return count;
}

void again_soon(struct draft *draft)
{
	struct drafts *drafts = draft->drafts;

	drafts_lock_enter(drafts);
	if (draft->sending == DRAFT_AT_REST && draft->changed && !draft->gone &&
	    !draft->parted) {
		draft->again_ms =
		    clock_now_ms(drafts->config.clock) + DRAFTS_AGAIN_FIRST_MS;
		send_leave_turn(draft);
		list_push(&drafts->again, &draft->turn);
	}
	drafts_lock_leave(drafts);
}

void again_tick(struct drafts *drafts, uint64_t now_ms)
{
	struct draft *due[AGAIN_TICK_MAX];
	unsigned count;

	drafts_lock_enter(drafts);
	count = collect(drafts, now_ms, due);
	drafts_lock_leave(drafts);
	for (unsigned i = 0; i < count; i++) {
		if (draft_send(due[i], NULL) < 0)
			again_soon(due[i]);
		draft_put(due[i]);
	}
	late_tick(drafts, now_ms);
	leftover_tick(drafts, now_ms);
	ahead_tick(drafts, now_ms);
	adopt_tick(drafts);
	send_next(drafts);
	flushes_look(drafts, now_ms);
}
