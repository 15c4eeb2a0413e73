/* SPDX-License-Identifier: Apache-2.0 */
/*
 * fetch/calls/call_hedge.c - a second server is asked for what the first is late
 * with (hedge.h says when); the first right answer is the call's.
 *
 * The second request has a call of its own, with a request, a server and a
 * place among its user's there as any. When its headers come and fit, the two
 * calls exchange these three, and the first goes on with the answer as after
 * failing over. Nothing of the other answer is used, so that two of them are
 * never mixed.
 *
 * The other is not cut off at once: a short answer is read to its end so that
 * its connection can be used again, and a server that stalls is found out. It
 * keeps its place at its server until then.
 *
 * Threads: the fetch thread.
 */
#include "fetch/calls/call_hedge.h"

#include "base/stats.h"
#include "fetch/calls/request.h"
#include "fetch/engine.h"

#include <assert.h>
#include <errno.h>

enum {
	/* A call is late that often at most. */
	SECONDS_MAX = 3,
};

/* Nobody wants the answer any more. */
static struct verdict second_head(
    struct call *call, const struct response *response)
{
	(void)call;
	return (struct verdict){.kind = VERDICT_DONE,
	    .code = response->status / 100 == 2 ? 0 : -EIO};
}

static struct verdict second_body(
    struct call *call, const void *bytes, size_t size_bytes)
{
	(void)call;
	(void)bytes;
	(void)size_bytes;
	return (struct verdict){.kind = VERDICT_DONE};
}

static struct verdict second_end(struct call *call, bool whole)
{
	(void)call;
	return (struct verdict){.kind = VERDICT_DONE, .code = whole ? 0 : -EIO};
}

static void second_answered(struct call *call, int code, const struct err *err)
{
	(void)call;
	(void)code;
	(void)err;
}

static const struct call_kind second_kind = {
    .name = "range",
    .size_bytes = sizeof(struct call),
    .silent_ms = FETCH_SILENT_MS,
    .right = TOKENS_READ,
    .cached = true,
    .head = second_head,
    .body = second_body,
    .end = second_end,
    .answer = second_answered,
};

bool call_is_second(const struct call *call)
{
	return call->kind == &second_kind;
}

static bool is_watched(const struct call *call)
{
	return call->kind->ask_second != NULL && call->state == CALL_ACTIVE &&
	    call->demand && call->second == NULL && call->only == 0 &&
	    call->seconds < SECONDS_MAX && call->target.size_bytes == 0;
}

static uint64_t after_ms(const struct call *call)
{
	return hedge_after_ms(
	    &call->server->choice, call->request->body_bytes > 0);
}

/* When it is late; UINT64_MAX: that is not known. */
static uint64_t late_ms(const struct call *call)
{
	const struct request *request = call->request;
	uint64_t after = after_ms(call);
	uint64_t since_ms = call_connected_ms(request);

	if (after == 0)
		return UINT64_MAX;
	if (since_ms < request->heard_ms)
		since_ms = request->heard_ms;
	return since_ms + after;
}

static void look_again(struct fetch *fetch, uint64_t at_ms)
{
	if (at_ms != UINT64_MAX &&
	    (fetch->hedge_ms == 0 || at_ms < fetch->hedge_ms))
		fetch->hedge_ms = at_ms;
}

void call_watch(const struct call *call)
{
	if (call->fetch->order_count > 1 && is_watched(call))
		look_again(call->fetch, late_ms(call));
}

/* A call of its own for the second request; NULL: there is no room. */
static struct call *second_new(struct call *first, struct fetch_server *server,
    uint64_t bytes) REQUIRES(fetch_thread);

static struct call *second_new(
    struct call *first, struct fetch_server *server, uint64_t bytes)
{
	struct fetch *fetch = first->fetch;
	const struct call_ask ask = {
	    .ident = &first->ident,
	    .path = first->path,
	    .deadline_ms = first->deadline_ms,
	    .demand = true,
	    .bytes = bytes,
	    .bare = first->bare,
	};
	struct call *second = call_new(fetch, &second_kind, &ask);

	if (second == NULL)
		return NULL;
	TAILQ_INSERT_TAIL(&fetch->calls, second, all_link);
	fetch->call_count++;
	second->number = atomic_fetch_add(&fetch->last_number, 1) + 1;
	second->slash = first->slash;
	second->server = server;
	second->share = share_join(&server->shares, first->share->uid);
	if (first->token != NULL)
		second->token = token_get(first->token);
	/* What the server says of the token is said to the first. */
	second->proven = true;
	if (second->share == NULL ||
	    !share_may_start(&server->shares, second->share, server) ||
	    (call_needs_token(second) && second->token == NULL)) {
		call_answer(second, -EBUSY);
		return NULL;
	}
	return second;
}

static void ask_second(struct call *call) REQUIRES(fetch_thread);

static void ask_second(struct call *call)
{
	struct fetch *fetch = call->fetch;
	struct request_plan plan = {.method = REQUEST_GET};
	uint64_t bytes = call->kind->ask_second(call, &plan);
	struct fetch_server *server;
	struct call *second;

	/* The choice may be the one try of a server that has rested: it is
	 * made last. */
	if (bytes == 0 || fetch->hedge_budget.hundredths / 100 < bytes)
		return;
	server = call_choose_second(call);
	if (server == NULL || server->shares.queued > 0 ||
	    !server_may_start(server, SERVER_DEMAND, fetch->now_ms))
		return;
	second = second_new(call, server, bytes);
	if (second == NULL)
		return;
	if (call_send(second, &plan) < 0) {
		call_answer(second, -ENOMEM);
		return;
	}
	(void)hedge_pay(&fetch->hedge_budget, bytes);
	call->seconds++;
	call->second = second;
	second->first = call;
	atomic_fetch_add(&server->hedges, 1);
	atomic_fetch_add(&server->hedge_bytes, bytes);
	stats_add(STATS_fetch_hedges, 1);
	stats_add(STATS_fetch_hedge_bytes, (int64_t)bytes);
}

void call_hedge(struct fetch *fetch)
{
	struct call *call;

	fetch->hedge_ms = 0;
	TAILQ_FOREACH(call, &fetch->calls, all_link)
	{
		uint64_t at_ms;

		if (!is_watched(call))
			continue;
		at_ms = late_ms(call);
		if (at_ms <= fetch->now_ms) {
			ask_second(call);
			/* When it cannot be asked now, perhaps soon. */
			at_ms = fetch->now_ms + after_ms(call);
		}
		if (call->second == NULL)
			look_again(fetch, at_ms);
	}
}

static void unlink_second(struct call *first)
{
	if (first->second == NULL)
		return;
	first->second->first = NULL;
	first->second = NULL;
}

void call_swap(struct call *call)
{
	struct call *first = call->first != NULL ? call->first : call;
	struct call *second = first->second;
	struct request *request = first->request;
	struct fetch_server *server = first->server;
	struct fetch_server *waited = first->waited;
	struct share *share = first->share;

	first->request = second->request;
	first->server = second->server;
	first->waited = second->waited;
	first->share = second->share;
	second->request = request;
	second->server = server;
	second->waited = waited;
	second->share = share;
	if (first->request != NULL)
		first->request->call = first;
	if (second->request != NULL)
		second->request->call = second;
	second->err = first->err;
}

void call_race_over(struct call *first, bool second)
{
	if (first->second == NULL)
		return;
	if (second) {
		atomic_fetch_add(&first->server->hedges_won, 1);
		stats_add(STATS_fetch_hedges_won, 1);
		first->second->late = true;
		first->second->server->choice.late++;
	}
	unlink_second(first);
}

void call_race_off(struct call *first)
{
	unlink_second(first);
}

bool call_take_over(struct call *first, enum retry_reason reason)
{
	struct call *second = first->second;

	if (second == NULL)
		return false;
	assert(first->state == CALL_NEW);
	call_failed(first, reason);
	first->tried |= 1U << first->server->place;
	first->wait_asked = false; /* that was asked for there */
	stats_add(STATS_fetch_failovers, 1);
	call_swap(first);
	first->state = CALL_ACTIVE;
	second->state = CALL_NEW;
	unlink_second(first);
	call_answer(second, -ECANCELED);
	return true;
}

void call_second_judge(struct call *second, const struct verdict *verdict)
{
	if (verdict->kind == VERDICT_AGAIN)
		call_failed(second, verdict->reason);
	if (second->first != NULL)
		unlink_second(second->first);
	call_answer(
	    second, verdict->kind == VERDICT_DONE ? verdict->code : -EIO);
}

void call_end_second(struct call *call)
{
	struct call *second = call->second;

	/* Nothing is known of a server that has taken its place. */
	if (call->late && call->server->choice.late > 0)
		call->server->choice.late--;
	call->late = false;
	if (call->first != NULL)
		unlink_second(call->first);
	if (second == NULL)
		return;
	unlink_second(call);
	call_answer(second, -ECANCELED);
}
