/* SPDX-License-Identifier: Apache-2.0 */
/*
 * cache/drafts/send/send.c - the queue to the server: who wants to be sent, who
 * is next, and who gives way.
 */
#include "cache/drafts/send/send.h"

#include "base/clock.h"

#include <errno.h>
#include <stdlib.h>

/* Nobody else knows it yet. */
struct sender *sender_new(void) UNCHECKED
{
	struct sender *sender = calloc(1, sizeof(*sender));

	if (sender == NULL)
		return NULL;
	for (unsigned i = 0; i < TURN_KINDS; i++)
		list_init(&sender->turns[i]);
	list_init(&sender->leftovers);
	list_init(&sender->aheads);
	list_init(&sender->parked);
	list_init(&sender->yielding);
	return sender;
}

void sender_free(struct sender *sender)
{
	if (sender == NULL)
		return;
	leftover_free(sender);
	adopt_free(sender);
	free(sender);
}

static bool is_large(const struct draft *draft)
{
	return draft->size_bytes > SEND_LARGE_BYTES;
}

void send_leave_turn(struct draft *draft)
{
	list_remove(&draft->turn);
}

static void take_turn(struct draft *draft) REQUIRES(drafts_lock);
static void take_turn(struct draft *draft)
{
	bool waited = !list_is_empty(&draft->waiters);
	enum turn_kind kind = is_large(draft)
	    ? (waited ? TURN_WAITED_LARGE : TURN_LARGE)
	    : (waited ? TURN_WAITED_SMALL : TURN_SMALL);

	send_leave_turn(draft);
	list_push(&draft->drafts->sender->turns[kind], &draft->turn);
}

int send_want(struct draft *draft, struct waiter *waiter)
{
	bool first = list_is_empty(&draft->waiters);

	if (draft->gone || draft->entry == NULL || !draft->changed)
		return 0;
	if (draft->parted)
		return draft->code;
	if (draft->drafts->stopping)
		return -ECANCELED;
	if (waiter != NULL)
		list_push(&draft->waiters, &waiter->in);
	if (draft->sending == DRAFT_AT_REST) {
		draft_hold(draft); /* until it has landed */
		draft->sending = DRAFT_QUEUED;
		draft->giving_way = false;
		draft->again_ms = 0;
		take_turn(draft);
	} else if (draft->sending == DRAFT_QUEUED && first && waiter != NULL) {
		take_turn(draft);
	}
	return 1;
}

/* It wants to be sent no more, and others may go on with it. */
static void give_up_turn(struct draft *draft) REQUIRES(drafts_lock);
static void give_up_turn(struct draft *draft)
{
	send_leave_turn(draft);
	draft->sending = DRAFT_AT_REST;
	work_resume(draft);
	draft_let_go(draft);
}

/* Whether the server cannot have all of it yet. When it can, ending the call
 * would not tell whether it has, or will have it after what is sent next; then
 * its answer is near, or late (late.c). */
static bool is_on_its_way(const struct draft *draft) REQUIRES(drafts_lock);
static bool is_on_its_way(const struct draft *draft)
{
	return draft->sending == DRAFT_SENDING && draft->call != 0 &&
	    draft->sent_bytes < draft->size_bytes;
}

void send_give_way(struct draft *draft)
{
	struct drafts *drafts = draft->drafts;
	uint64_t call = 0;

	drafts_lock_enter(drafts);
	if (!list_is_empty(&draft->waiters)) {
		/* It is sent for somebody. */
	} else if (draft->sending == DRAFT_QUEUED) {
		give_up_turn(draft);
	} else if (draft->sending != DRAFT_AT_REST && !draft->giving_way) {
		draft->giving_way = true;
		draft->giving_way_ms = clock_now_ms(drafts->config.clock);
		if (!draft->flight->lands)
			list_push(&drafts->sender->yielding, &draft->turn);
		if (is_on_its_way(draft))
			call = draft->call;
	}
	drafts_lock_leave(drafts);
	if (call != 0)
		fetch_cancel(drafts->config.fetch, call);
}

/* The first of the kinds that may begin now; NULL: none. */
static struct draft *pick(struct drafts *drafts) REQUIRES(drafts_lock);
static struct draft *pick(struct drafts *drafts)
{
	struct sender *sender = drafts->sender;
	unsigned free_count = DRAFTS_SENDING_MAX - drafts->sending_count;
	bool large = sender->large_count < SEND_LARGE_MAX &&
	    (!list_is_empty(&sender->turns[TURN_WAITED_LARGE]) ||
	        !list_is_empty(&sender->turns[TURN_LARGE]));
	/* What small ones must leave to large ones. */
	bool small = !large || sender->large_count >= SEND_LARGE_LEAST ||
	    free_count > SEND_LARGE_LEAST - sender->large_count;

	for (unsigned i = 0; i < TURN_KINDS && free_count > 0; i++) {
		bool of_large = i == TURN_WAITED_LARGE || i == TURN_LARGE;
		struct list *turn = &sender->turns[i];

		if (list_is_empty(turn) || (of_large ? !large : !small))
			continue;
		if (i >= TURN_SMALL && sender->down &&
		    sender->quiet_count > 0 && list_is_empty(&drafts->flushes))
			continue;
		return CONTAINER_OF(turn->next, struct draft, turn);
	}
	return NULL;
}

void send_next(struct drafts *drafts)
{
	struct draft *draft;

	drafts_lock_enter(drafts);
	/* Without memory the next tick has them begin. */
	while (!drafts->stopping && (draft = pick(drafts)) != NULL &&
	    flight_begin(draft))
		;
	drafts_lock_leave(drafts);
}

/* What stands in line waits for the next mount.
 * @return one whose waiters are to be told, held; NULL: none is left. */
static struct draft *turn_away(struct drafts *drafts, struct list *waiters)
    REQUIRES(drafts_lock);
static struct draft *turn_away(struct drafts *drafts, struct list *waiters)
{
	for (unsigned i = 0; i < TURN_KINDS; i++) {
		struct list *turn = &drafts->sender->turns[i];
		struct draft *draft;

		if (list_is_empty(turn))
			continue;
		draft = CONTAINER_OF(turn->next, struct draft, turn);
		list_move_all(waiters, &draft->waiters);
		draft_hold(draft);
		give_up_turn(draft);
		return draft;
	}
	return NULL;
}

void send_stop(struct drafts *drafts)
{
	struct draft *draft;
	struct list waiters;
	struct list *in;

	list_init(&waiters);
	do {
		drafts_lock_enter(drafts);
		draft = turn_away(drafts, &waiters);
		drafts_lock_leave(drafts);
		while ((in = list_pop(&waiters)) != NULL) {
			struct waiter *waiter =
			    CONTAINER_OF(in, struct waiter, in);

			waiter->sent(waiter, -ECANCELED);
		}
		if (draft != NULL)
			draft_put(draft);
	} while (draft != NULL);
}
