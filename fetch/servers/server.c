/* SPDX-License-Identifier: Apache-2.0 */
/*
 * fetch/servers/server.c - see server.h.
 */
#include "fetch/servers/server.h"

#include "base/log.h"
#include "base/path.h"
#include "base/stats.h"
#include "fetch/fetch.h"
#include "fetch/source.h"

#include <assert.h>
#include <errno.h>
#include <stdio.h>
#include <string.h>

UNCHECKED void server_enter(struct fetch_server *server)
{
	(void)pthread_mutex_lock(&server->mutex);
}

UNCHECKED void server_leave(struct fetch_server *server)
{
	(void)pthread_mutex_unlock(&server->mutex);
}

void server_init(
    struct fetch_server *server, const struct fetch_source *source, bool shared)
{
	*server = (struct fetch_server){
	    .source = *source,
	    .skew_s = SERVER_SKEW_UNKNOWN,
	};
	shares_init(&server->shares, shared);
	profile_init(&server->profile);
	(void)pthread_mutex_init(&server->mutex, NULL);
}

bool server_is_gone(const struct fetch_server *server)
{
	return (!server->is_origin || server->is_listings) &&
	    atomic_load_explicit(&server->absent, memory_order_relaxed);
}

unsigned server_said_as(const struct fetch_server *server)
{
	return server->is_origin ? 0 : atomic_load(&server->number) + 1;
}

void server_assign(struct fetch_server *server,
    const struct fetch_source *source, unsigned number)
{
	atomic_store(&server->number, number);
	server->choice = (struct choice){0};
	server->writing = (struct writing){.software = WRITING_UNSEEN};
	server->unfit_until_ms = 0;
	server->hold_until_ms = 0;
	server->down = false;
	profile_host_changed(&server->profile);
	atomic_store(&server->lost_ms, 0);
	atomic_store(&server->requests, 0);
	atomic_store(&server->received_bytes, 0);
	server->lane = (struct stripe_lane){0};
	atomic_store(&server->hedges, 0);
	atomic_store(&server->hedges_won, 0);
	atomic_store(&server->hedge_bytes, 0);
	atomic_store(&server->latency_us, 0);
	atomic_store(&server->skew_s, SERVER_SKEW_UNKNOWN);
	server_show_choice(server);
	server_enter(server);
	server->source = *source;
	server->last_status = 0;
	server->last_error[0] = '\0';
	server->shown_down = false;
	server_leave(server);
	atomic_store(&server->absent, false);
}

void server_name(struct fetch_server *server, char out[FETCH_NAME_BYTES])
{
	out[0] = '\0';
	if (atomic_load(&server->absent))
		return;
	server_enter(server);
	memcpy(out, server->source.origin, FETCH_NAME_BYTES);
	server_leave(server);
}

void server_fini(struct fetch_server *server)
{
	(void)pthread_mutex_destroy(&server->mutex);
}

bool server_carries(
    const struct fetch_server *server, const char *root, const char *path)
{
	if (server->source.path[1] == '\0')
		return true;
	return path_is_within(path, root);
}

int server_url_of(struct buf *out, const struct fetch_server *server,
    const char *root, const char *path, bool directory)
{
	char there[2 * PATH_BYTES_MAX];

	if (server->is_origin || server->source.path[1] == '\0')
		return source_url(out, &server->source, path, directory);
	assert(server_carries(server, root, path));
	if (root[1] != '\0')
		path += strlen(root);
	(void)snprintf(there, sizeof(there), "%s%s", server->source.path,
	    path[0] == '\0' || path[1] == '\0' ? "" : path);
	return source_url(out, &server->source, there, directory);
}

bool server_may_start(
    const struct fetch_server *server, enum server_rank rank, uint64_t now_ms)
{
	const unsigned *active_of = server->active_of;

	if (atomic_load_explicit(&server->absent, memory_order_relaxed))
		return false;
	if (now_ms < server->hold_until_ms)
		return false;
	if (server->active >= SERVER_CHANGES_MAX ||
	    (rank != SERVER_CHANGE &&
	        server->active - active_of[SERVER_CHANGE] >=
	            SERVER_REQUESTS_MAX))
		return false;
	if (rank == SERVER_AHEAD_LONG &&
	    active_of[SERVER_AHEAD_LONG] >= SERVER_AHEAD_LONG_MAX)
		return false;
	return rank == SERVER_DEMAND || rank == SERVER_CHANGE ||
	    active_of[SERVER_AHEAD] + active_of[SERVER_AHEAD_LONG] <
	    SERVER_AHEAD_MAX;
}

void server_began(struct fetch_server *server, enum server_rank rank)
{
	server->active++;
	server->active_of[rank]++;
	atomic_fetch_add_explicit(&server->requests, 1, memory_order_relaxed);
	stats_add(STATS_fetch_requests, 1);
}

void server_ended(struct fetch_server *server, enum server_rank rank)
{
	assert(server->active > 0);
	assert(server->active_of[rank] > 0);
	server->active--;
	server->active_of[rank]--;
}

void server_hurried(struct fetch_server *server, enum server_rank rank)
{
	assert(server->active_of[rank] > 0);
	server->active_of[rank]--;
	server->active_of[SERVER_DEMAND]++;
}

void server_asked(struct fetch_server *server, uint64_t now_ms)
{
	if (atomic_load(&server->waiting) == 0)
		atomic_store(&server->heard_ms, now_ms);
	(void)atomic_fetch_add(&server->waiting, 1);
}

void server_unasked(struct fetch_server *server)
{
	assert(atomic_load(&server->waiting) > 0);
	(void)atomic_fetch_sub(&server->waiting, 1);
}

bool server_is_asked(const struct fetch_server *server)
{
	return atomic_load(&server->waiting) > 0;
}

void server_hold(struct fetch_server *server, uint64_t now_ms, uint32_t wait_s)
{
	uint64_t wait_ms = (uint64_t)wait_s * 1000;

	if (wait_ms > SERVER_HOLD_MAX_MS)
		wait_ms = SERVER_HOLD_MAX_MS;
	if (server->hold_until_ms < now_ms + wait_ms)
		server->hold_until_ms = now_ms + wait_ms;
}

void server_heard(struct fetch_server *server, uint64_t now_ms)
{
	atomic_store_explicit(&server->heard_ms, now_ms, memory_order_relaxed);
	if (atomic_load_explicit(&server->lost_ms, memory_order_relaxed) != 0)
		atomic_store(&server->lost_ms, 0);
}

void server_lost(struct fetch_server *server, uint64_t now_ms)
{
	if (atomic_load(&server->lost_ms) == 0)
		atomic_store(&server->lost_ms,
		    now_ms - server_silent_ms(server, now_ms));
	atomic_store(&server->tried_ms, now_ms);
}

bool server_unreachable(
    const struct fetch_server *server, struct fetch_reach *out)
{
	out->since_ms = atomic_load(&server->lost_ms);
	out->tried_ms = atomic_load(&server->tried_ms);
	return out->since_ms != 0;
}

bool server_answered(
    struct fetch_server *server, int status, uint64_t latency_us)
{
	uint64_t average_us = atomic_load(&server->latency_us);
	bool was_down = server->down;

	/* An eighth of the new one: some tens of requests are remembered. */
	if (average_us == 0)
		average_us = latency_us;
	else if (latency_us > 0)
		average_us = (average_us * 7 + latency_us) / 8;
	atomic_store(&server->latency_us, average_us);
	server->down = false;
	server_enter(server);
	server->last_status = status;
	server->shown_down = false;
	server_leave(server);
	if (was_down)
		log_line(LOG_LEVEL_INFO, LOG_FETCH, "server is back",
		    "server=%s status=%d", LOG_TEXT(server->source.origin),
		    status);
	return was_down;
}

void server_show_choice(struct fetch_server *server)
{
	atomic_store(
	    &server->rate_bytes_per_s, server->choice.rate_bytes_per_s);
	atomic_store(&server->rests_until_ms,
	    server->choice.rest_until_ms > server->unfit_until_ms
	        ? server->choice.rest_until_ms
	        : server->unfit_until_ms);
}

void server_is_unfit(struct fetch_server *server, uint64_t now_ms)
{
	bool known = server->unfit_until_ms != 0;

	server->unfit_until_ms = now_ms + SERVER_UNFIT_MS;
	server_show_choice(server);
	if (!known)
		log_line(LOG_LEVEL_WARN, LOG_FETCH,
		    "cache passed over: it shows no version of what it gives; "
		    "set immutable if no file ever changes",
		    "server=%s", LOG_TEXT(server->source.origin));
}

void server_dated(struct fetch_server *server, int64_t skew_s)
{
	atomic_store(&server->skew_s, skew_s);
}

bool server_skew_s(const struct fetch_server *server, int64_t *skew_s)
{
	*skew_s = atomic_load(&server->skew_s);
	return *skew_s != SERVER_SKEW_UNKNOWN;
}

void server_failed(
    struct fetch_server *server, const struct err *err, bool unreachable)
{
	static struct log_limit limit;
	/* A laptop that is on the road: that is known after a minute. */
	bool long_lost =
	    server->lost_ms != 0 && server->tried_ms > server->lost_ms + 60000;

	server->down = server->down || unreachable;
	server_enter(server);
	(void)snprintf(
	    server->last_error, sizeof(server->last_error), "%s", err->text);
	server->shown_down = server->shown_down || unreachable;
	server_leave(server);
	log_limited(&limit, long_lost ? 600000 : 10000, LOG_LEVEL_WARN,
	    LOG_FETCH, "request failed", "server=%s errno=%s why=%s",
	    LOG_TEXT(server->source.origin), err_name(err->code),
	    LOG_TEXT(err->text));
}

uint64_t server_silent_ms(const struct fetch_server *server, uint64_t now_ms)
{
	uint64_t heard_ms = atomic_load(&server->heard_ms);

	if (atomic_load(&server->waiting) == 0 || now_ms < heard_ms)
		return 0;
	return now_ms - heard_ms;
}
