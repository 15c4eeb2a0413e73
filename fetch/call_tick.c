/* SPDX-License-Identifier: Apache-2.0 */
/*
 * fetch/call_tick.c - what time does to calls: deadlines, silence, the end
 * of a wait.
 *
 * Threads: the fetch thread.
 */
#include "fetch/call.h"
#include "fetch/engine.h"
#include "fetch/request.h"

#include <errno.h>
#include <stdint.h>

/* A call whose time is over: why it has no answer. */
static int overdue(struct call *call)
{
	struct fetch *fetch = call->fetch;
	bool silent = call->state == CALL_ACTIVE;
	curl_off_t connected_us = 0;
	int code = -ETIMEDOUT;

	if (silent) {
		(void)curl_easy_getinfo(call->request->easy,
		    CURLINFO_PRETRANSFER_TIME_T, &connected_us);
		if (connected_us == 0)
			return err_set(&call->err, -EHOSTUNREACH,
			    "%s cannot be connected to", fetch->source.origin);
		return err_set(&call->err, -ETIMEDOUT,
		    "%s does not answer in time", fetch->source.origin);
	}
	if (call->failed) {
		code = retry_code(call->reason);
		call->err.code = code;
		return err_wrap(&call->err, "no answer in time");
	}
	if (fetch->origin.down)
		return err_set(&call->err, -EHOSTUNREACH,
		    "%s cannot be connected to", fetch->source.origin);
	return err_set(&call->err, code, "%s does not answer in time",
	    fetch->source.origin);
}

static bool is_silent(const struct call *call)
{
	struct request *request = call->request;
	uint64_t now_ms = call->fetch->now_ms;
	uint64_t limit_ms =
	    request->response.ended ? FETCH_SILENT_MS : call->kind->silent_ms;

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
	origin_failed(&fetch->origin, &call->err, unreachable);
	if (unreachable ||
	    origin_silent_ms(&fetch->origin, fetch->now_ms) >= limit_ms)
		origin_lost(&fetch->origin, fetch->now_ms);
}

/* One call at a tick. */
static void look_at(struct call *call) REQUIRES(fetch_thread);

static void look_at(struct call *call)
{
	struct fetch *fetch = call->fetch;

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
		call_queue(call, false);
	} else if (call->state == CALL_ACTIVE && is_silent(call)) {
		struct verdict verdict = call_again(
		    call, RETRY_SILENT, "the server has gone silent");

		call_note(call, 0, call->err.code);
		note_failure(call, false);
		call_drop_request(call);
		call_judge(call, verdict);
	}
}

void call_tick(struct fetch *fetch)
{
	struct call *call = TAILQ_FIRST(&fetch->calls);

	/* An answer may end other calls: they then move `tick_next`. */
	while (call != NULL) {
		fetch->tick_next = TAILQ_NEXT(call, all_link);
		look_at(call);
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

uint64_t call_next_ms(const struct fetch *fetch)
{
	uint64_t next_ms = UINT64_MAX;
	const struct call *call;

	if (fetch->origin.hold_until_ms > fetch->now_ms &&
	    fetch->shares.queued > 0)
		next_ms = fetch->origin.hold_until_ms;
	if (fetch->delayed_count == 0)
		return next_ms;
	TAILQ_FOREACH(call, &fetch->calls, all_link)
	{
		if (call->state == CALL_DELAYED && call->resume_ms < next_ms)
			next_ms = call->resume_ms;
	}
	return next_ms;
}
