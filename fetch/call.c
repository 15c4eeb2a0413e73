/* SPDX-License-Identifier: Apache-2.0 */
/*
 * fetch/call.c - see call.h: making, queueing, sending, ending a call.
 * call_judge.c has what follows from an answer, call_tick.c what time does.
 *
 * Calls are answered outside of libcurl's callbacks only, so that an answer
 * may free everything that belongs to it.
 *
 * Threads: the fetch thread, but call_new() and call_post().
 */
#include "fetch/call.h"

#include "base/clock.h"
#include "base/secret.h"
#include "base/stats.h"
#include "fetch/confirm.h"
#include "fetch/engine.h"
#include "fetch/request.h"
#include "fetch/response.h"
#include "fetch/source.h"
#include "tokens/tokens.h"

#include <assert.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

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
	call->is_long = ask->is_long;
	call->bare = ask->bare;
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

	call->share = share_join(&fetch->shares, call->ident.uid);
	if (call->share == NULL)
		return err_set(&call->err, -ENOMEM, "out of memory");
	if (fetch->call_count > FETCH_CALLS_MAX)
		return err_set(&call->err, -EIO,
		    "more than %d questions wait for the server",
		    (int)FETCH_CALLS_MAX);
	if (fetch->shares.apart && call->share->calls > SHARE_CALLS_MAX)
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
	code = join(call);
	if (code < 0) {
		call_answer(call, code);
		return;
	}
	if (profile_name_ok(&fetch->profile, call->path) < 0) {
		(void)err_set(&call->err, -EINVAL,
		    "this server cannot carry a '?' in a name");
		call_answer(call, -EINVAL);
		return;
	}
	call_queue(call, false);
}

void call_queue(struct call *call, bool first)
{
	call->state = CALL_QUEUED;
	share_put(&call->fetch->shares, call, first);
}

static void unqueue(struct call *call) REQUIRES(fetch_thread);

static void unqueue(struct call *call)
{
	share_remove(&call->fetch->shares, call);
	call->state = CALL_NEW;
}

static enum origin_rank call_rank(const struct call *call)
{
	if (call->demand)
		return ORIGIN_DEMAND;
	return call->is_long ? ORIGIN_AHEAD_LONG : ORIGIN_AHEAD;
}

void call_drop_request(struct call *call)
{
	struct fetch *fetch = call->fetch;

	loop_remove(fetch, call->request);
	request_give_back(STEAL(call->request));
	origin_ended(&fetch->origin, call_rank(call));
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
	const char *why = call->err.text;

	if (call->bare || call->kind->aside) /* of nobody in particular */
		return;
	if (code == 0 || status >= 300)
		why = response_verdict_of(status).why;
	(void)snprintf(
	    what.why, sizeof(what.why), "%.*s", (int)sizeof(what.why) - 1, why);
	said_note(&call->fetch->said, call->ident.uid, call->path, &what);
}

void call_answer(struct call *call, int code)
{
	struct fetch *fetch = call->fetch;

	assert(code <= 0);
	switch (call->state) {
	case CALL_NEW:
		break;
	case CALL_QUEUED:
		unqueue(call);
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
	if (call->attempts > 0 && !call->kind->aside)
		origin_unasked(&fetch->origin);
	if (code == 0)
		call->err = (struct err)ERR_INIT;
	call->err.code = code;
	call->kind->answer(call, code, &call->err);
	if (call->share != NULL)
		share_leave(&fetch->shares, call->share);
	call_free(call);
}

/* Whether the next attempt carries a token. */
static bool needs_token(const struct call *call)
{
	return !call->bare && call->fetch->source.tls &&
	    (call->target.size_bytes == 0 || call->target_may);
}

static int fill_url(
    struct call *call, struct request *request, const struct request_plan *plan)
{
	int code;

	if (call->target.size_bytes > 0)
		return buf_append(
		    &request->url, call->target.bytes, call->target.size_bytes);
	code = source_url(
	    &request->url, &call->fetch->source, call->path, call->slash);
	if (code == 0 && plan->tried != NULL)
		code = buf_printf(&request->url, "?tried=%s", plan->tried);
	return code;
}

/* Everything the attempt needs is at hand. */
static void send_request(struct call *call) REQUIRES(fetch_thread);

static void send_request(struct call *call)
{
	struct fetch *fetch = call->fetch;
	struct request *request = request_take(fetch);
	struct request_plan plan = {.method = REQUEST_GET};
	int code;

	if (request == NULL)
		goto no_memory;
	code = call->kind->ask(call, &plan);
	if (code != 0) {
		request_give_back(request);
		call_answer(call, code);
		return;
	}
	if (needs_token(call)) {
		request->authorization = call_authorization(call);
		if (request->authorization == NULL)
			goto no_memory;
	}
	request->call = call;
	if (fill_url(call, request, &plan) < 0 ||
	    request_fill(request, &plan) < 0 || loop_add(fetch, request) < 0)
		goto no_memory;
	call->request = request;
	call->state = CALL_ACTIVE;
	if (call->attempts++ == 0 && !call->kind->aside)
		origin_asked(&fetch->origin, fetch->now_ms);
	origin_began(&fetch->origin, call_rank(call));
	call->share->active++;
	return;

no_memory:
	if (request != NULL)
		request_give_back(request);
	(void)err_set(&call->err, -ENOMEM, "out of memory");
	call_answer(call, -ENOMEM);
}

static struct call *next_call(const struct fetch *fetch) REQUIRES(fetch_thread);

static struct call *next_call(const struct fetch *fetch)
{
	struct call *call = share_next(&fetch->shares, &fetch->origin);

	/* The analyzer does not see that a call that is sent is taken out. */
	if (call == NULL ||
	    /* NOLINTNEXTLINE(clang-analyzer-unix.Malloc): not freed yet */
	    !origin_may_start(&fetch->origin, call_rank(call), fetch->now_ms))
		return NULL;
	return call;
}

void call_dispatch(struct fetch *fetch)
{
	struct call *call;

	while ((call = next_call(fetch)) != NULL) {
		unqueue(call);
		if (needs_token(call) && call->token == NULL)
			call_want_token(call);
		else
			send_request(call);
	}
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
	struct shares *shares = &call->fetch->shares;
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
		unqueue(call);
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
		unqueue(call);
		call->demand = true;
		call_queue(call, false);
	} else if (call->state == CALL_ACTIVE) {
		origin_hurried(&fetch->origin, call_rank(call));
	}
	call->demand = true;
}

void call_cancel(struct fetch *fetch, uint64_t number)
{
	struct call *call = find_call(fetch, number);

	if (call == NULL)
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
