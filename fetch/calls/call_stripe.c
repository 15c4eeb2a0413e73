/* SPDX-License-Identifier: Apache-2.0 */
/*
 * fetch/calls/call_stripe.c - long ranges go to several caches where that brings
 * more (stripe.h finds out), each to where it will have come first.
 *
 * The origin takes no part: what caches can give it is not asked for.
 *
 * Threads: the fetch thread.
 */
#include "fetch/calls/call_stripe.h"

#include "fetch/calls/request.h"
#include "fetch/engine.h"

/* The server that stands there in the order. */
static struct fetch_server *at(const struct fetch *fetch, unsigned rank)
{
	return &fetch->servers[fetch->order[rank]];
}

static bool is_long(const struct call *call)
{
	return call->kind->ask_second != NULL &&
	    call->bytes >= STRIPE_RANGE_BYTES;
}

/* Under way at each server, of long ranges. */
static void weigh(const struct fetch *fetch, uint64_t bytes[FETCH_SERVERS_MAX])
    REQUIRES(fetch_thread);

static void weigh(const struct fetch *fetch, uint64_t bytes[FETCH_SERVERS_MAX])
{
	const struct call *call;

	for (unsigned i = 0; i < fetch->server_count; i++)
		bytes[i] = 0;
	TAILQ_FOREACH(call, &fetch->calls, all_link)
	{
		uint64_t done = 0;

		if (!is_long(call) || call->share == NULL)
			continue;
		if (call->state == CALL_ACTIVE)
			done = call->request->body_bytes;
		if (done < call->bytes)
			bytes[call->server->place] += call->bytes - done;
	}
}

/* As choice_has_other(): one that failed lately is tried by its choice. */
static bool is_good(const struct choice *choice, uint64_t now_ms)
{
	return choice != NULL && choice->failures == 0 &&
	    !choice_rests(choice, now_ms);
}

/* One server has all: always the same while ranges are under way. If each went
 * where the last one was quick, two would be at work by chance, and nothing
 * could be told of one. */
static unsigned stay(const struct call *call, struct choice *const of[],
    const uint64_t under_way[FETCH_SERVERS_MAX], unsigned rank)
    REQUIRES(fetch_thread);

static unsigned stay(const struct call *call, struct choice *const of[],
    const uint64_t under_way[FETCH_SERVERS_MAX], unsigned rank)
{
	struct fetch *fetch = call->fetch;
	unsigned home = fetch->stripe.home;
	bool any = false;

	for (unsigned i = 0; i < fetch->server_count; i++)
		any = any || under_way[i] > 0;
	/* Another order than when it was chosen does no harm. */
	if (!any || home == 0 || home >= fetch->order_count ||
	    !is_good(of[home - 1], fetch->now_ms) ||
	    stripe_moves(&at(fetch, home - 1)->lane, &at(fetch, rank)->lane))
		fetch->stripe.home = rank + 1;
	return fetch->stripe.home - 1;
}

unsigned call_stripe(
    const struct call *call, struct choice *const of[], unsigned rank)
{
	const struct fetch *fetch = call->fetch;
	unsigned most = stripe_width(&fetch->stripe);
	uint64_t under_way[FETCH_SERVERS_MAX];
	struct stripe_load loads[FETCH_SERVERS_MAX];
	unsigned ranks[FETCH_SERVERS_MAX];
	unsigned count = 0;

	if (!is_long(call) || fetch->order_count < 3 ||
	    at(fetch, rank)->is_origin)
		return rank;
	weigh(fetch, under_way);
	if (most < 2)
		return stay(call, of, under_way, rank);
	/* The best one first, then the others in their order. */
	ranks[count++] = rank;
	for (unsigned i = 0; i + 1 < fetch->order_count && count < most; i++) {
		if (i != rank && is_good(of[i], fetch->now_ms))
			ranks[count++] = i;
	}
	for (unsigned i = 0; i < count; i++)
		loads[i] = (struct stripe_load){
		    .bytes = under_way[fetch->order[ranks[i]]],
		    .rate_bytes_per_s =
		        at(fetch, ranks[i])->lane.rate_bytes_per_s,
		};
	return ranks[stripe_pick(loads, count, call->bytes)];
}

void call_stripe_note(const struct call *call, uint64_t bytes)
{
	if (!is_long(call))
		return;
	call->fetch->stripe.bytes += bytes;
	call->server->lane.bytes += bytes;
}

void call_stripe_tick(struct fetch *fetch)
{
	uint64_t before_ms = fetch->stripe.period_ms;
	uint64_t under_way[FETCH_SERVERS_MAX];
	bool busy = false;
	unsigned good = 0;

	if (fetch->order_count < 3)
		return; /* one cache */
	weigh(fetch, under_way);
	for (unsigned i = 0; i + 1 < fetch->order_count; i++) {
		struct fetch_server *server = at(fetch, i);

		busy = busy || under_way[server->place] > 0;
		server->lane.idle =
		    server->lane.idle || under_way[server->place] == 0;
		good += is_good(&server->choice, fetch->now_ms) &&
		    fetch->now_ms >= server->unfit_until_ms;
	}
	if (!stripe_tick(
	        &fetch->stripe, fetch->now_ms, busy, good == 0 ? 1 : good))
		return;
	for (unsigned i = 0; i + 1 < fetch->order_count; i++)
		stripe_lane_note(
		    &at(fetch, i)->lane, fetch->now_ms - before_ms);
}
