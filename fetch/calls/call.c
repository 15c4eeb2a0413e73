/* SPDX-License-Identifier: Apache-2.0 */
/*
 * fetch/calls/call.c - see call.h: making, queueing, ending a call.
 * call_send.c has how it is sent, call_verdict.c what an answer means, call_judge.c what follows from it,
 * call_tick.c what time does, call_choose.c who is asked, call_hedge.c what is
 * asked twice.
 *
 * Calls are answered outside of libcurl's callbacks only, so that an answer
 * may free everything that belongs to it.
 *
 * Threads: the fetch thread, but call_new() and call_post().
 */
#include "fetch/calls/call.h"

#include "base/clock.h"
#include "base/secret.h"
#include "base/stats.h"
#include "fetch/answers/response.h"
#include "fetch/calls/call_hedge.h"
#include "fetch/calls/request.h"
#include "fetch/engine.h"
#include "fetch/reads/confirm.h"
#include "tokens/tokens.h"

#include <assert.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum {
	/* More takes longer than its round trip, on most lines. */
	CALL_LONG_BYTES = 256 * 1024,
};

static void deliver(struct post *post, struct fetch *fetch)
{
	fetch_assert_thread(fetch);
	call_start(CONTAINER_OF(post, struct call, post));
}

struct call *call_new(struct fetch *fetch, const struct call_kind *kind,
    const struct call_ask *ask)
{
	size_t path_bytes = strlen(ask->path) + 1;
	uint64_t now_ms = clock_now_ms(fetch->clock);
	uint64_t longest_ms = now_ms + fetch->timeout_ms;
	struct call *call = calloc(1, kind->size_bytes + path_bytes);
	char *path;

	if (call == NULL)
		return NULL;
	path = (char *)call + kind->size_bytes;
	memcpy(path, ask->path, path_bytes);
	call->post.deliver = deliver;
	call->fetch = fetch;
	call->kind = kind;
	call->path = path;
	if (ask->ident != NULL)
		call->ident = *ask->ident;
	call->demand = ask->demand;
	call->change = ask->change;
	call->bytes = ask->bytes;
	call->bare = ask->bare;
	call->silent_ms = kind->silent_ms;
	call->deadline_ms = ask->deadline_ms;
	if (call->deadline_ms == 0 || call->deadline_ms > longest_ms)
		call->deadline_ms = longest_ms;
	buf_init(&call->target, FETCH_URL_BYTES_MAX);
	return call;
}

static void call_free(struct call *call)
{
	if (call->kind->fini != NULL)
		call->kind->fini(call);
	token_put(call->token);
	buf_fini(&call->target);
	free(call);
}

uint64_t call_post(struct call *call)
{
	struct fetch *fetch = call->fetch;
	uint64_t number = atomic_fetch_add(&fetch->last_number, 1) + 1;

	call->number = number;
	if (!mailbox_send(fetch->mailbox, &call->post)) {
		(void)err_set(&call->err, -ECANCELED, "unmounting");
		call->kind->answer(call, -ECANCELED, &call->err);
		call_free(call);
	}
	return number;
}

/* A place among those of its user. */
NODISCARD static int join(struct call *call) REQUIRES(fetch_thread);

static int join(struct call *call)
{
	struct fetch *fetch = call->fetch;

	call->share = share_join(&call->server->shares, call->ident.uid);
	if (call->share == NULL)
		return err_set(&call->err, -ENOMEM, "out of memory");
	if (fetch->call_count > FETCH_CALLS_MAX)
		return err_set(&call->err, -EIO,
		    "more than %d questions wait for the server",
		    (int)FETCH_CALLS_MAX);
	if (fetch->shared && call->share->calls > SHARE_CALLS_MAX)
		return err_set(&call->err, -EIO,
		    "more than %d questions of this user wait for the server",
		    (int)SHARE_CALLS_MAX);
	return 0;
}

void call_start(struct call *call)
{
	struct fetch *fetch = call->fetch;
	int code;

	TAILQ_INSERT_TAIL(&fetch->calls, call, all_link);
	fetch->call_count++;
	call_choose(call);
	code = join(call);
	if (code < 0) {
		call_answer(call, code);
		return;
	}
	if (profile_name_ok(&call->server->profile, call->path) < 0) {
		(void)err_set(&call->err, -EINVAL,
		    "this server cannot carry a '?' in a name");
		call_answer(call, -EINVAL);
		return;
	}
	call_queue(call, false);
}

void call_queue(struct call *call, bool first)
{
	/* While it had no place in a queue, its server may have gone. */
	if (server_is_gone(call->server)) {
		call->state = CALL_NEW;
		call_forget_target(call);
		call_choose(call);
	}
	call->state = CALL_QUEUED;
	share_put(&call->server->shares, call, first);
}

void call_unqueue(struct call *call)
{
	share_remove(&call->server->shares, call);
	call->state = CALL_NEW;
}

void call_forget_target(struct call *call)
{
	buf_clear(&call->target);
	call->redirects = 0;
}

enum server_rank call_rank(const struct call *call)
{
	if (call->demand)
		return call->change ? SERVER_CHANGE : SERVER_DEMAND;
	return call->bytes > CALL_LONG_BYTES ? SERVER_AHEAD_LONG : SERVER_AHEAD;
}

void call_drop_request(struct call *call)
{
	struct fetch *fetch = call->fetch;

	loop_remove(fetch, call->request);
	request_give_back(STEAL(call->request));
	server_ended(call->server, call_rank(call));
	call->share->active--;
	call->state = CALL_NEW;
}

void call_note(const struct call *call, int status, int code)
{
	struct fetch_said what = {
	    .status = status,
	    .code = code,
	    .redirected = call->target.size_bytes > 0,
	    .at_s = clock_wall_s(call->fetch->clock),
	};
	const struct said_by by = {
	    .uid = call->ident.uid,
	    .server = server_said_as(call->server),
	};
	const char *why = call->err.text;

	if (call->bare || call->kind->aside) /* of nobody in particular */
		return;
	if (code == 0 || status >= 300)
		why = response_verdict_of(status).why;
	(void)snprintf(
	    what.why, sizeof(what.why), "%.*s", (int)sizeof(what.why) - 1, why);
	said_note(&call->fetch->said, &by, call->path, &what);
}

void call_answer(struct call *call, int code)
{
	struct fetch *fetch = call->fetch;

	assert(code <= 0);
	call_end_second(call);
	switch (call->state) {
	case CALL_NEW:
		break;
	case CALL_QUEUED:
		call_unqueue(call);
		break;
	case CALL_TOKEN:
		call_forget_token(call);
		break;
	case CALL_ACTIVE:
		call_drop_request(call);
		break;
	case CALL_DELAYED:
		fetch->delayed_count--;
		break;
	case CALL_CONFIRMING:
		confirm_forget(call);
		break;
	}
	if (fetch->tick_next == call)
		fetch->tick_next = TAILQ_NEXT(call, all_link);
	TAILQ_REMOVE(&fetch->calls, call, all_link);
	fetch->call_count--;
	if (call->waited != NULL)
		server_unasked(call->waited);
	if (code == 0)
		call->err = (struct err)ERR_INIT;
	call->err.code = code;
	call->kind->answer(call, code, &call->err);
	if (call->share != NULL)
		share_leave(&call->server->shares, call->share);
	call_free(call);
}

static struct call *find_call(const struct fetch *fetch, uint64_t number)
{
	struct call *call;

	TAILQ_FOREACH(call, &fetch->calls, all_link)
	{
		if (call->number == number)
			return call;
	}
	return NULL;
}

/* Another user waits for it, who may have their turn sooner. */
static void adopt(struct call *call, uid_t uid) REQUIRES(fetch_thread);

static void adopt(struct call *call, uid_t uid)
{
	struct shares *shares = &call->server->shares;
	struct share *before = call->share;
	struct share *share;

	if (!shares->apart || before->uid == uid || call->state == CALL_ACTIVE)
		return;
	share = share_join(shares, uid);
	if (share == NULL)
		return;
	if (share->active >= before->active) {
		share_leave(shares, share);
		return;
	}
	if (call->state == CALL_QUEUED) {
		call_unqueue(call);
		call->share = share;
		call_queue(call, false);
	} else {
		call->share = share;
	}
	share_leave(shares, before);
}

void call_hurry(struct fetch *fetch, uint64_t number, uid_t uid)
{
	struct call *call = find_call(fetch, number);

	if (call == NULL)
		return;
	adopt(call, uid);
	if (call->demand)
		return;
	if (call->state == CALL_QUEUED) {
		call_unqueue(call);
		call->demand = true;
		call_queue(call, false);
	} else if (call->state == CALL_ACTIVE) {
		server_hurried(call->server, call_rank(call));
	}
	call->demand = true;
	call_watch(call);
}

void call_cancel(struct fetch *fetch, uint64_t number)
{
	struct call *call = find_call(fetch, number);

	if (call == NULL ||
	    (call->kind->keeps != NULL && call->kind->keeps(call)))
		return;
	(void)err_set(&call->err, -ECANCELED, "no longer wanted");
	call_answer(call, -ECANCELED);
}

void call_cancel_all(struct fetch *fetch)
{
	struct call *call;

	while ((call = TAILQ_FIRST(&fetch->calls)) != NULL) {
		(void)err_set(&call->err, -ECANCELED, "unmounting");
		/* The analyzer does not see that an answer takes it out. */
		/* NOLINTNEXTLINE(clang-analyzer-unix.Malloc): not freed yet */
		call_answer(call, -ECANCELED);
	}
}
