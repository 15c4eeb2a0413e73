/* SPDX-License-Identifier: Apache-2.0 */
/*
 * cache/drafts/send/late.c - a server that has been given all of a file and
 * says nothing, and somebody who wants to write on.
 *
 * To cancel such a call would not tell what becomes of it: a server that is
 * only slow would put the file there after the one that is sent next. So the
 * answer is waited for as ever, and nothing is sent before it has come; but
 * since no byte is read any more, whoever writes need not wait with it.
 */
#include "cache/drafts/send/send.h"

#include <stdlib.h>

/* Whether nothing is missing but the answer. */
static bool is_answer_all(const struct draft *draft) REQUIRES(drafts_lock);
static bool is_answer_all(const struct draft *draft)
{
	const struct flight *flight = draft->flight;

	return draft->sending == DRAFT_SENDING && flight->asked &&
	    !flight->answered && !flight->reading &&
	    draft->sent_bytes == flight->size_bytes &&
	    list_is_empty(&draft->waiters);
}

void late_tick(struct drafts *drafts, uint64_t now_ms)
{
	struct list *yielding = &drafts->sender->yielding;
	struct list *next;

	drafts_lock_enter(drafts);
	for (struct list *in = yielding->next; in != yielding; in = next) {
		struct draft *draft = CONTAINER_OF(in, struct draft, turn);

		next = in->next;
		if (now_ms - draft->giving_way_ms < SEND_LATE_MS ||
		    !is_answer_all(draft))
			continue;
		send_leave_turn(draft);
		draft->sending = DRAFT_LATE;
		work_resume(draft);
	}
	drafts_lock_leave(drafts);
}

static void land_in_turn(struct work *work)
{
	struct flight *flight = CONTAINER_OF(work, struct flight, landing);

	flight_land(flight);
	work_done(work);
	work_done(&flight->work);
	free(flight);
}

bool late_takes_turn(struct flight *flight)
{
	struct drafts *drafts = flight->drafts;

	if (flight->in_turn)
		return false;
	drafts_lock_enter(drafts);
	flight->lands = true;
	send_leave_turn(flight->draft); /* nobody waits for it any more */
	flight->in_turn = flight->draft->sending == DRAFT_LATE;
	drafts_lock_leave(drafts);
	if (!flight->in_turn)
		return false;
	flight->landing = (struct work){.run = land_in_turn};
	work_add_first(flight->draft, &flight->landing);
	return true;
}
