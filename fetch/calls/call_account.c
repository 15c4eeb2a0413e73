/* SPDX-License-Identifier: Apache-2.0 */
/*
 * fetch/calls/call_account.c - numbers and news of an attempt that has ended:
 * what its server is thought of from then on.
 *
 * Threads: the fetch thread.
 */
#include "base/stats.h"
#include "fetch/calls/call.h"
#include "fetch/calls/request.h"
#include "fetch/engine.h"
#include "fetch/servers/fleet.h"
#include "tokens/tokens.h"

#include <stdatomic.h>

static void note_date(struct call *call, const struct response *response)
{
	if (!response->skew_known || !call_is_to_server(call))
		return;
	server_dated(call->server, response->skew_s);
	if (call->server->is_origin)
		tokens_note_skew(call->fetch->tokens, response->skew_s);
}

/* The answer was what it should be, to its end. */
static bool is_right(const struct verdict *verdict)
{
	return verdict->kind == VERDICT_CONFIRM ||
	    (verdict->kind == VERDICT_DONE && verdict->code == 0);
}

/* Its server has answered. */
static void note_answer(struct call *call, const struct response *response)
    REQUIRES(fetch_thread);

static void note_answer(struct call *call, const struct response *response)
{
	curl_off_t first_us = 0;

	if (!call->kind->aside)
		(void)curl_easy_getinfo(call->request->easy,
		    CURLINFO_STARTTRANSFER_TIME_T, &first_us);
	if (server_answered(call->server, response->status,
	        first_us > 0 ? (uint64_t)first_us : 0))
		call_wake_delayed(call->fetch);
	note_date(call, response);
	if (call->server->is_origin)
		atomic_store(&call->fetch->untrusted, false);
}

/* Its server has failed. */
static void note_failure(struct call *call, const struct verdict *verdict)
    REQUIRES(fetch_thread);

static void note_failure(struct call *call, const struct verdict *verdict)
{
	struct fetch *fetch = call->fetch;
	struct fetch_server *server = call->server;
	bool unreachable;

	if (verdict->reason == RETRY_BAD)
		stats_add(STATS_fetch_bad_answers, 1);
	if (verdict->reason == RETRY_UNTRUSTED && server->is_origin)
		atomic_store(&fetch->untrusted, true);
	unreachable = verdict->reason == RETRY_CONNECT ||
	    verdict->reason == RETRY_UNTRUSTED;
	server_failed(server, &call->err, unreachable);
	if (unreachable) {
		server_lost(server, fetch->now_ms);
		fleet_failed(fetch, server);
	}
}

void call_account(struct call *call, const struct verdict *verdict)
{
	const struct response *response = &call->request->response;
	long connects = 0;

	(void)curl_easy_getinfo(
	    call->request->easy, CURLINFO_NUM_CONNECTS, &connects);
	stats_add(STATS_fetch_connections, connects);
	if (verdict->kind == VERDICT_AGAIN)
		call_note(call, response->ended ? response->status : 0,
		    call->err.code);
	else if (response->ended)
		call_note(call, response->status, 0);
	if (response->ended)
		note_answer(call, response);
	call_measure(call, is_right(verdict));
	if (verdict->kind == VERDICT_AGAIN &&
	    verdict->reason != RETRY_ELSEWHERE)
		note_failure(call, verdict);
}
