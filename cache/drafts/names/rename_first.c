/* SPDX-License-Identifier: Apache-2.0 */
/*
 * cache/drafts/names/rename_first.c - what has to be sent before a rename. See
 * names.h.
 *
 * The server gets first what is finished and unsent. Of what is still being
 * written nothing that is half done is published: it follows to its new name,
 * and is sent there.
 */
#include "cache/drafts/names/names.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

bool rename_touches(const struct names *names, const struct draft *draft)
{
	return strcmp(draft->path, names->from) != 0 ||
	    names_owns(names, draft) || !draft_is_here_alone(draft);
}

/* A draft whose sending is waited for. */
struct hearing {
	struct waiter waiter;
	struct list in;
	struct names *names;
	struct draft *draft; /* one reference */
	bool must;           /* it has to be sent; else only to end */
};

static void heard(struct waiter *waiter, int code)
{
	struct hearing *hearing = CONTAINER_OF(waiter, struct hearing, waiter);
	struct draft *draft = hearing->draft;
	struct names *names = hearing->names;
	bool parted;

	drafts_lock_enter(draft->drafts);
	parted = draft->parted;
	draft_let_go(draft);
	drafts_lock_leave(draft->drafts);
	/* What is renamed here alone may be unsent, but not another's now. */
	if (!hearing->must && !parted)
		code = 0;
	free(hearing);
	names_came(names, code);
}

/* Whether its sending has begun. */
static bool is_flying(const struct draft *draft) REQUIRES(drafts_lock);
static bool is_flying(const struct draft *draft)
{
	return draft->sending != DRAFT_AT_REST &&
	    draft->sending != DRAFT_QUEUED;
}

/* Whether it is to be sent before, or its sending is to end. */
static bool is_to_wait(const struct names *names, const struct draft *draft,
    bool *must) REQUIRES(drafts_lock);
static bool is_to_wait(
    const struct names *names, const struct draft *draft, bool *must)
{
	enum spool_state state;

	*must = strcmp(draft->path, names->from) != 0 ||
	    !draft_is_here_alone(draft);
	if (!draft->changed || draft->entry == NULL)
		return false;
	if (!*must || is_flying(draft))
		return is_flying(draft);
	state = spool_attr(draft->entry).state;
	return state == SPOOL_CLOSED || state == SPOOL_FAILED;
}

struct hearings {
	struct names *names;
	struct list list;
};

static int gather(void *arg, struct draft *draft) REQUIRES(drafts_lock);
static int gather(void *arg, struct draft *draft)
{
	struct hearings *hearings = arg;
	struct hearing *hearing;
	bool must;

	if (!rename_touches(hearings->names, draft) ||
	    !is_to_wait(hearings->names, draft, &must))
		return 0;
	hearing = malloc(sizeof(*hearing));
	if (hearing == NULL)
		return -ENOMEM;
	*hearing = (struct hearing){.waiter = {.sent = heard},
	    .names = hearings->names,
	    .draft = draft,
	    .must = must};
	list_init(&hearing->waiter.in);
	list_push(&hearings->list, &hearing->in);
	draft_hold(draft);
	names_expect(hearings->names);
	return 0;
}

void rename_send_first(struct names *names, void (*next)(struct names *names))
{
	struct drafts *drafts = names->drafts;
	struct hearings hearings = {.names = names};
	struct list *in;
	int code;

	list_init(&hearings.list);
	drafts_lock_enter(drafts);
	names->next = next;
	names_expect(names);
	code = drafts_below(drafts, names->from, gather, &hearings);
	drafts_lock_leave(drafts);
	while ((in = list_pop(&hearings.list)) != NULL) {
		struct hearing *hearing = CONTAINER_OF(in, struct hearing, in);
		int sent = draft_send(hearing->draft, &hearing->waiter);

		if (sent < 0) {
			hearing->must = true;
			heard(&hearing->waiter, sent);
		}
	}
	names_came(names, code);
}
