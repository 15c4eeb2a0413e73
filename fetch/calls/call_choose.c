/* SPDX-License-Identifier: Apache-2.0 */
/*
 * fetch/calls/call_choose.c - which server a call asks: who may be asked stands
 * here, who is best in choice.h.
 *
 * Attributes, listings and checksums are the origin's to tell. A range of a
 * version that the origin has told may come from a cache, which is left for
 * the next one when it fails, and the range goes on where it has stopped.
 *
 * Threads: the fetch thread.
 */
#include "base/clock.h"
#include "base/log.h"
#include "base/stats.h"
#include "fetch/calls/call.h"
#include "fetch/calls/call_stripe.h"
#include "fetch/calls/request.h"
#include "fetch/engine.h"
#include "fetch/servers/fleet.h"

#include <assert.h>

static bool has_choice(const struct call *call)
{
	return call->kind->cached && call->fetch->order_count > 1;
}

static bool may_ask(const struct call *call, const struct fetch_server *server)
{
	const struct fetch *fetch = call->fetch;

	if (atomic_load_explicit(&server->absent, memory_order_relaxed))
		return false;
	if (call->only != 0)
		return server->place + 1 == call->only;
	if ((call->tried & 1U << server->place) != 0)
		return false;
	if (server->is_origin)
		return true;
	return !call->at_origin && fetch->now_ms >= server->unfit_until_ms &&
	    server_carries(server, fetch->root, call->path) &&
	    profile_name_ok(&server->profile, call->path) == 0 &&
	    !shun_has(&fetch->shun, server->number, call->path, fetch->now_ms);
}

/* The servers as choice.h wants them: in their order. */
struct candidates {
	struct choice *of[FETCH_SERVERS_MAX];
};

static void look(struct candidates *out, const struct call *call)
{
	struct fetch *fetch = call->fetch;

	for (unsigned i = 0; i < fetch->order_count; i++) {
		struct fetch_server *server = &fetch->servers[fetch->order[i]];

		out->of[i] = may_ask(call, server) ? &server->choice : NULL;
	}
}

/* The call belongs to those of its user at this server. When memory is short
 * it stays where it was, which answers it too. */
static void move_to(struct call *call, struct fetch_server *server)
    REQUIRES(fetch_thread);

static void move_to(struct call *call, struct fetch_server *server)
{
	struct share *share;

	if (call->server == server || call->share == NULL) {
		call->server = server;
		return;
	}
	share = share_join(&server->shares, call->share->uid);
	if (share == NULL)
		return;
	share_leave(&call->server->shares, call->share);
	call->share = share;
	call->server = server;
}

void call_choose(struct call *call)
{
	struct fetch *fetch = call->fetch;
	struct candidates candidates;
	const struct choice_ask ask = {
	    .bytes = call->bytes, .demand = call->demand};
	unsigned rank;
	struct fetch_server *server =
	    call->kind->lists ? fetch->listings : fetch->origin;

	assert(call->state == CALL_NEW);
	if (has_choice(call)) {
		look(&candidates, call);
		rank = choice_pick(
		    candidates.of, fetch->order_count, &ask, fetch->now_ms);
		if (rank < fetch->order_count)
			rank = call_stripe(call, candidates.of, rank);
		if (rank < fetch->order_count)
			server = &fetch->servers[fetch->order[rank]];
	}
	move_to(call, server);
}

/* Where it stands in the order; behind all when it is not in it any more. */
static unsigned rank_of(
    const struct fetch *fetch, const struct fetch_server *server)
{
	unsigned rank = 0;

	while (rank < fetch->order_count && fetch->order[rank] != server->place)
		rank++;
	return rank;
}

bool call_has_other(const struct call *call)
{
	const struct fetch *fetch = call->fetch;
	struct candidates candidates;

	if (!has_choice(call))
		return false;
	look(&candidates, call);
	return choice_has_other(candidates.of, fetch->order_count,
	    rank_of(fetch, call->server), fetch->now_ms);
}

struct fetch_server *call_choose_second(const struct call *call)
{
	struct fetch *fetch = call->fetch;
	struct candidates candidates;
	const struct choice_ask ask = {.bytes = call->bytes, .demand = true};
	unsigned rank = rank_of(fetch, call->server);

	if (!has_choice(call))
		return NULL;
	look(&candidates, call);
	if (rank < fetch->order_count)
		candidates.of[rank] = NULL;
	if (!choice_has_other(
	        candidates.of, fetch->order_count, rank, fetch->now_ms))
		return NULL;
	rank =
	    choice_pick(candidates.of, fetch->order_count, &ask, fetch->now_ms);
	return rank < fetch->order_count ? &fetch->servers[fetch->order[rank]]
	                                 : NULL;
}

void call_shun(const struct call *call, struct fetch_server *server,
    uint64_t for_ms, const char *why)
{
	static struct log_limit limit;
	struct fetch *fetch = call->fetch;

	if (server->is_origin)
		return;
	shun_note(
	    &fetch->shun, server->number, call->path, fetch->now_ms + for_ms);
	log_limited(&limit, 10000, LOG_LEVEL_WARN, LOG_FETCH,
	    "cache passed over for a file", "server=%s path=%s why=%s",
	    LOG_TEXT(server->source.origin), LOG_TEXT(call->path),
	    LOG_TEXT(why));
}

/* What waits for a server that rests from now on asks another. */
static void move_queued(struct fetch *fetch, const struct fetch_server *server)
    REQUIRES(fetch_thread);

static void move_queued(struct fetch *fetch, const struct fetch_server *server)
{
	struct call *call;

	TAILQ_FOREACH(call, &fetch->calls, all_link)
	{
		if (call->state != CALL_QUEUED || call->server != server ||
		    !call_has_other(call))
			continue;
		call_unqueue(call);
		call_forget_target(call);
		call_choose(call);
		call_queue(call, false);
	}
}

void call_failed(struct call *call, enum retry_reason reason)
{
	struct fetch *fetch = call->fetch;
	struct fetch_server *server = call->server;
	uint64_t asked_ms =
	    call->wait_asked ? (uint64_t)call->wait_asked_s * 1000 : 0;

	if (reason == RETRY_ELSEWHERE)
		return; /* noted for the file, where it was seen */
	if (reason == RETRY_BAD)
		call_shun(call, server, SHUN_ABSENT_MS, call->err.text);
	if (choice_failed(&server->choice, fetch->now_ms, asked_ms,
	        (uint32_t)clock_jitter(CHOICE_JITTER_RANGE)))
		move_queued(fetch, server);
	server_show_choice(server);
	fleet_failed(fetch, server);
}

bool call_leave(struct call *call, enum retry_reason reason)
{
	assert(call->state == CALL_NEW);
	if (!has_choice(call))
		return false;
	call_failed(call, reason);
	call->tried |= 1U << call->server->place;
	if (!call_has_other(call)) {
		call->tried = 0; /* each of them may be asked once more */
		return false;
	}
	call->wait_asked = false; /* that was asked for there */
	call_forget_target(call);
	call_choose(call);
	stats_add(STATS_fetch_failovers, 1);
	return true;
}

void call_measure(const struct call *call, bool right)
{
	const struct request *request = call->request;
	struct choice *choice = &call->server->choice;
	curl_off_t sent_us = 0;
	curl_off_t first_us = 0;
	curl_off_t total_us = 0;

	/* Where a redirect leads is another matter each time. */
	if (!has_choice(call) || call->target.size_bytes > 0)
		return;
	if (right)
		choice_worked(choice);
	(void)curl_easy_getinfo(
	    request->easy, CURLINFO_PRETRANSFER_TIME_T, &sent_us);
	(void)curl_easy_getinfo(
	    request->easy, CURLINFO_STARTTRANSFER_TIME_T, &first_us);
	(void)curl_easy_getinfo(
	    request->easy, CURLINFO_TOTAL_TIME_T, &total_us);
	if (!request->response.ended || first_us < sent_us)
		return;
	choice_waited(
	    choice, (uint64_t)(first_us - sent_us), call->fetch->now_ms);
	if (total_us > first_us)
		choice_moved(choice, request->body_bytes,
		    (uint64_t)(total_us - first_us));
	server_show_choice(call->server);
}
