/* SPDX-License-Identifier: Apache-2.0 */
/*
 * fetch/calls/call_tick.c - what time does to calls: deadlines, silence, the end
 * of a wait.
 *
 * Threads: the fetch thread.
 */
#include "fetch/calls/call.h"
#include "fetch/calls/call_hedge.h"
#include "fetch/calls/call_stripe.h"
#include "fetch/calls/request.h"
#include "fetch/changes/feed.h"
#include "fetch/engine.h"
#include "fetch/servers/fleet.h"

#include <errno.h>
#include <stdint.h>
#include <string.h>

uint64_t call_connected_ms(const struct request *request)
{
	curl_off_t took_us = 0;

	(void)curl_easy_getinfo(
	    request->easy, CURLINFO_PRETRANSFER_TIME_T, &took_us);
	return took_us > 0 ? request->began_ms + (uint64_t)took_us / 1000 : 0;
}

/* A call whose time is over: why it has no answer. */
static int overdue(struct call *call)
{
	const struct fetch_server *server =
	    call->server != NULL ? call->server : call->fetch->origin;
	const char *name = server->source.origin;
	int code = -ETIMEDOUT;

	if (atomic_load(&server->absent))
		return fleet_missing(call->fetch, &call->err);
	if (call->state == CALL_ACTIVE) {
		if (call_connected_ms(call->request) == 0)
			return err_set(&call->err, -EHOSTUNREACH,
			    "%s cannot be connected to", name);
		return err_set(
		    &call->err, -ETIMEDOUT, "%s does not answer in time", name);
	}
	if (call->failed) {
		code = retry_code(call->reason);
		call->err.code = code;
		return err_wrap(&call->err, "no answer in time");
	}
	if (server->down)
		return err_set(&call->err, -EHOSTUNREACH,
		    "%s cannot be connected to", name);
	return err_set(&call->err, code, "%s does not answer in time", name);
}

/* The last server: it is waited for as long as there is hope. */
static bool is_given_up(const struct call *call)
{
	struct request *request = call->request;
	uint64_t now_ms = call->fetch->now_ms;
	uint64_t limit_ms =
	    request->response.ended ? FETCH_SILENT_MS : call->silent_ms;

	if (now_ms - request->heard_ms >= limit_ms)
		return true;
	if (!request->response.ended ||
	    now_ms - request->window_ms < FETCH_SLOW_WINDOW_MS)
		return false;
	if (request->window_bytes < FETCH_SLOW_BYTES)
		return true;
	request->window_ms = now_ms;
	request->window_bytes = 0;
	return false;
}

/* While another server is good: how slow may this one be? */
static bool is_outwaited(const struct call *call)
{
	struct request *request = call->request;
	const struct fetch_server *server = call->server;
	uint64_t now_ms = call->fetch->now_ms;
	uint64_t since_ms = call_connected_ms(request);
	uint64_t bytes = request->body_bytes - request->mark_bytes;
	unsigned left = (unsigned)__builtin_popcount(call->tried);
	bool slow;

	if (since_ms == 0)
		return now_ms - request->began_ms >=
		    choice_hasten_ms(choice_connect_ms(&server->choice), left);
	if (since_ms < request->heard_ms)
		since_ms = request->heard_ms;
	if (now_ms >= since_ms +
	        choice_hasten_ms(choice_patience_ms(&server->choice), left))
		return true;
	if (!request->response.ended ||
	    now_ms - request->mark_ms <
	        choice_hasten_ms(CHOICE_SLOW_WINDOW_MS, left))
		return false;
	slow = choice_is_slow(
	    &server->choice, bytes, server->active, now_ms - request->mark_ms);
	request->mark_ms = now_ms;
	request->mark_bytes = request->body_bytes;
	return slow;
}

/* A call was in vain. When nothing at all has come for long, nobody is there
 * as far as this machine can tell, although there may be a connection. */
static void note_failure(const struct call *call, bool unreachable)
    REQUIRES(fetch_thread);

static void note_failure(const struct call *call, bool unreachable)
{
	struct fetch *fetch = call->fetch;
	uint64_t limit_ms = fetch->timeout_ms / 2;

	if (limit_ms > FETCH_SILENT_MS)
		limit_ms = FETCH_SILENT_MS;
	server_failed(call->server, &call->err, unreachable);
	if (unreachable ||
	    server_silent_ms(call->server, fetch->now_ms) >= limit_ms)
		server_lost(call->server, fetch->now_ms);
}

/* The request is given up, and the call asks again or elsewhere. */
static void give_up(struct call *call, const char *why) REQUIRES(fetch_thread);

static void give_up(struct call *call, const char *why)
{
	bool connected = call_connected_ms(call->request) != 0;
	struct verdict verdict =
	    call_again(call, connected ? RETRY_SILENT : RETRY_CONNECT, why);

	call_note(call, 0, call->err.code);
	note_failure(call, !connected);
	call_measure(call, false);
	call_drop_request(call);
	call_judge(call, verdict);
}

/* That its bytes are long in coming is not the server's doing. */
static void wait_for_own_bytes(struct call *call) REQUIRES(fetch_thread);

static void wait_for_own_bytes(struct call *call)
{
	const struct fetch *fetch = call->fetch;

	if (call->state == CALL_ACTIVE && call->request->upload != NULL &&
	    feed_is_hungry(call->request->upload))
		call->deadline_ms = fetch->now_ms + fetch->timeout_ms;
}

/* One call at a tick. */
static void look_at(struct call *call) REQUIRES(fetch_thread);

static void look_at(struct call *call)
{
	struct fetch *fetch = call->fetch;

	wait_for_own_bytes(call);
	if (fetch->now_ms >= call->deadline_ms) {
		int code = overdue(call);

		if (call->state == CALL_ACTIVE)
			call_note(call, 0, code);
		if (call->attempts > 0 && !call->kind->aside)
			note_failure(call, code == -EHOSTUNREACH);
		call_answer(call, code);
	} else if (call->state == CALL_DELAYED &&
	    fetch->now_ms >= call->resume_ms) {
		fetch->delayed_count--;
		call->state = CALL_NEW;
		call_choose(call);
		call_queue(call, false);
	} else if (call->state == CALL_ACTIVE && call_has_other(call)) {
		if (is_outwaited(call))
			give_up(call, "the server is too slow");
	} else if (call->state == CALL_ACTIVE && is_given_up(call)) {
		give_up(call, "the server has gone silent");
	}
}

void call_tick(struct fetch *fetch)
{
	struct call *call = TAILQ_FIRST(&fetch->calls);

	call_stripe_tick(fetch);
	/* An answer may end other calls: they then move `tick_next`. */
	while (call != NULL) {
		fetch->tick_next = TAILQ_NEXT(call, all_link);
		look_at(call);
		call = fetch->tick_next;
	}
}

/* What is on its way at a server that is to be asked no more. */
static void move_on(struct call *call) REQUIRES(fetch_thread);

static void move_on(struct call *call)
{
	if (call->state == CALL_QUEUED) {
		call_unqueue(call);
		call_forget_target(call);
		call_choose(call);
		call_queue(call, false);
	} else if (call->state == CALL_ACTIVE) {
		struct verdict verdict = call_again(call, RETRY_ELSEWHERE,
		    "the federation names another server");

		call_drop_request(call);
		call_judge(call, verdict);
	}
}

void call_abandon(struct fetch *fetch, const struct fetch_server *server)
{
	struct call *call = TAILQ_FIRST(&fetch->calls);

	while (call != NULL) {
		fetch->tick_next = TAILQ_NEXT(call, all_link);
		if (call->server == server)
			move_on(call);
		call = fetch->tick_next;
	}
}

void call_wake_delayed(struct fetch *fetch)
{
	struct call *call;

	TAILQ_FOREACH(call, &fetch->calls, all_link)
	{
		if (call->state == CALL_DELAYED &&
		    call->reason == RETRY_CONNECT)
			call->resume_ms = fetch->now_ms;
	}
}

static bool is_from(const struct call *call, const char *address)
{
	const char *from = NULL;

	if (call->state != CALL_ACTIVE)
		return false;
	(void)curl_easy_getinfo(call->request->easy, CURLINFO_LOCAL_IP, &from);
	return address == NULL || (from != NULL && strcmp(from, address) == 0);
}

/* A second request is not made again: the first is, at the best server. */
static void ask_anew(struct call *call) REQUIRES(fetch_thread);

static void ask_anew(struct call *call)
{
	if (call_is_second(call)) {
		call_answer(call, -ECANCELED);
		return;
	}
	call_end_second(call);
	call_drop_request(call);
	token_put(STEAL(call->token)); /* asked for anew each time */
	call_forget_target(call);
	call_choose(call);
	call_queue(call, true);
}

unsigned call_restart(struct fetch *fetch, const char *address)
{
	struct call *call = TAILQ_FIRST(&fetch->calls);
	unsigned count = 0;

	while (call != NULL) {
		fetch->tick_next = TAILQ_NEXT(call, all_link);
		if (is_from(call, address)) {
			ask_anew(call);
			count++;
		}
		call = fetch->tick_next;
	}
	return count;
}

uint64_t call_next_ms(const struct fetch *fetch)
{
	uint64_t next_ms = UINT64_MAX;
	const struct call *call;

	for (unsigned i = 0; i < fetch->server_count; i++) {
		const struct fetch_server *server = &fetch->servers[i];

		if (server->shares.queued > 0 &&
		    server->hold_until_ms > fetch->now_ms &&
		    server->hold_until_ms < next_ms)
			next_ms = server->hold_until_ms;
	}
	if (fetch->hedge_ms != 0 && fetch->hedge_ms < next_ms)
		next_ms = fetch->hedge_ms;
	if (fetch->delayed_count == 0)
		return next_ms;
	TAILQ_FOREACH(call, &fetch->calls, all_link)
	{
		if (call->state == CALL_DELAYED && call->resume_ms < next_ms)
			next_ms = call->resume_ms;
	}
	return next_ms;
}
