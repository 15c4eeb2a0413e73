/* SPDX-License-Identifier: Apache-2.0 */
/*
 * fetch/reads/confirm.c - see confirm.h.
 */
#include "fetch/reads/confirm.h"

#include "fetch/calls/call.h"
#include "fetch/engine.h"
#include "fetch/reads/stat.h"

#include <assert.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

/* One path, and where many users share the fetch one caller. `waiting` gets the answer that is on its way, `late` came after
 * that question had been sent. */
struct confirm {
	LIST_ENTRY(confirm) link;
	struct fetch *fetch;
	struct call *question; /* NULL: being answered */
	struct call_list waiting;
	struct call_list late;
};

static void on_answer(
    void *arg, int code, const struct fetch_stat *stat, const struct err *err);

/* What one is told of their token is not another's. */
static bool may_share(const struct fetch *fetch, const struct call *first,
    const struct call *call)
{
	return strcmp(first->path, call->path) == 0 &&
	    (!fetch->shared || ident_same(&first->ident, &call->ident));
}

static struct confirm *find(const struct fetch *fetch, const struct call *call)
{
	struct confirm *confirm;

	LIST_FOREACH(confirm, &fetch->confirms, link)
	{
		const struct call *first = TAILQ_FIRST(&confirm->waiting);

		if (first == NULL)
			first = TAILQ_FIRST(&confirm->late);
		if (first != NULL && may_share(fetch, first, call))
			return confirm;
	}
	return NULL;
}

static void confirm_free(struct confirm *confirm)
{
	LIST_REMOVE(confirm, link);
	free(confirm);
}

/* Ask for all that wait. The question has the latest of their deadlines;
 * each of them still keeps its own. */
NODISCARD static int send_question(struct confirm *confirm)
    REQUIRES(fetch_thread);

NODISCARD static int send_question(struct confirm *confirm)
{
	const struct call *first = TAILQ_FIRST(&confirm->waiting);
	const struct call *call;
	struct call_ask ask = {
	    .ident = &first->ident,
	    .path = first->path,
	    .demand = true,
	};

	TAILQ_FOREACH(call, &confirm->waiting, confirm_link)
	{
		if (call->deadline_ms > ask.deadline_ms)
			ask.deadline_ms = call->deadline_ms;
	}
	confirm->question =
	    stat_call_new(confirm->fetch, &ask, on_answer, confirm);
	if (confirm->question == NULL)
		return -ENOMEM;
	/* May be answered, and the confirm be gone, before this returns. */
	call_start(confirm->question);
	return 0;
}

/* Give one answer to all that wait for it, and forget them. */
static void settle(struct call_list *ended, int code,
    const struct fetch_stat *stat, const struct err *err)
    REQUIRES(fetch_thread);

static void settle(struct call_list *ended, int code,
    const struct fetch_stat *stat, const struct err *err)
{
	struct call *call;

	while ((call = TAILQ_FIRST(ended)) != NULL) {
		TAILQ_REMOVE(ended, call, confirm_link);
		if (code != 0)
			call->err = *err;
		range_confirmed(call, code, stat);
	}
}

/* The list's calls no longer belong to the confirm: if one of them ends
 * otherwise meanwhile it looks for itself in vain. */
static void detach(struct call_list *to, struct call_list *from)
{
	struct call *call;

	TAILQ_FOREACH(call, from, confirm_link)
	call->confirm = NULL;
	TAILQ_CONCAT(to, from, confirm_link);
}

static void on_answer(
    void *arg, int code, const struct fetch_stat *stat, const struct err *err)
{
	struct confirm *confirm = arg;
	struct call_list ended = TAILQ_HEAD_INITIALIZER(ended);
	struct call_list failed = TAILQ_HEAD_INITIALIZER(failed);
	struct err no_memory;

	fetch_assert_thread(confirm->fetch);
	confirm->question = NULL;
	detach(&ended, &confirm->waiting);
	TAILQ_CONCAT(&confirm->waiting, &confirm->late, confirm_link);
	if (TAILQ_EMPTY(&confirm->waiting)) {
		confirm_free(confirm);
	} else if (code == -ECANCELED) {
		/* Stopping: the others are answered with all that is left. */
		detach(&failed, &confirm->waiting);
		TAILQ_INIT(&failed);
		confirm_free(confirm);
	} else if (send_question(confirm) < 0) {
		detach(&failed, &confirm->waiting);
		confirm_free(confirm);
	}
	settle(&ended, code, stat, err);
	(void)err_set(&no_memory, -ENOMEM, "out of memory");
	settle(&failed, -ENOMEM, NULL, &no_memory);
}

void confirm_ask(struct call *call)
{
	struct fetch *fetch = call->fetch;
	struct confirm *confirm = find(fetch, call);

	call->state = CALL_CONFIRMING;
	if (confirm != NULL) {
		bool sent = confirm->question->attempts > 0;

		call->confirm = confirm;
		if (sent)
			TAILQ_INSERT_TAIL(&confirm->late, call, confirm_link);
		else
			TAILQ_INSERT_TAIL(
			    &confirm->waiting, call, confirm_link);
		return;
	}
	confirm = calloc(1, sizeof(*confirm));
	if (confirm == NULL) {
		(void)err_set(&call->err, -ENOMEM, "out of memory");
		range_confirmed(call, -ENOMEM, NULL);
		return;
	}
	confirm->fetch = fetch;
	TAILQ_INIT(&confirm->waiting);
	TAILQ_INIT(&confirm->late);
	LIST_INSERT_HEAD(&fetch->confirms, confirm, link);
	TAILQ_INSERT_TAIL(&confirm->waiting, call, confirm_link);
	call->confirm = confirm;
	if (send_question(confirm) < 0) {
		call->confirm = NULL;
		confirm_free(confirm);
		(void)err_set(&call->err, -ENOMEM, "out of memory");
		range_confirmed(call, -ENOMEM, NULL);
	}
}

void confirm_forget(struct call *call)
{
	struct confirm *confirm = call->confirm;
	struct call *other;

	if (confirm == NULL)
		return;
	call->confirm = NULL;
	TAILQ_FOREACH(other, &confirm->waiting, confirm_link)
	{
		if (other == call) {
			TAILQ_REMOVE(&confirm->waiting, call, confirm_link);
			return;
		}
	}
	TAILQ_REMOVE(&confirm->late, call, confirm_link);
}
