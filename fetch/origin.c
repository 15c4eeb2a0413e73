/* SPDX-License-Identifier: Apache-2.0 */
/*
 * fetch/origin.c - see origin.h.
 */
#include "fetch/origin.h"

#include "base/log.h"
#include "base/stats.h"
#include "fetch/fetch.h"

#include <assert.h>
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

static void enter(struct origin *origin) ACQUIRES(fetch_queue_lock);
static void leave(struct origin *origin) RELEASES(fetch_queue_lock);

static UNCHECKED void enter(struct origin *origin)
{
	(void)pthread_mutex_lock(&origin->mutex);
}

static UNCHECKED void leave(struct origin *origin)
{
	(void)pthread_mutex_unlock(&origin->mutex);
}

void origin_init(struct origin *origin, const char *url)
{
	*origin = (struct origin){.url = url, .skew_s = ORIGIN_SKEW_UNKNOWN};
	(void)pthread_mutex_init(&origin->mutex, NULL);
}

void origin_fini(struct origin *origin)
{
	(void)pthread_mutex_destroy(&origin->mutex);
}

bool origin_may_start(
    const struct origin *origin, enum origin_rank rank, uint64_t now_ms)
{
	const unsigned *active_of = origin->active_of;

	if (now_ms < origin->hold_until_ms)
		return false;
	if (origin->active >= ORIGIN_REQUESTS_MAX)
		return false;
	if (rank == ORIGIN_AHEAD_LONG &&
	    active_of[ORIGIN_AHEAD_LONG] >= ORIGIN_AHEAD_LONG_MAX)
		return false;
	return rank == ORIGIN_DEMAND ||
	    active_of[ORIGIN_AHEAD] + active_of[ORIGIN_AHEAD_LONG] <
	    ORIGIN_AHEAD_MAX;
}

void origin_began(struct origin *origin, enum origin_rank rank)
{
	origin->active++;
	origin->active_of[rank]++;
	atomic_fetch_add_explicit(&origin->requests, 1, memory_order_relaxed);
	stats_add(STATS_fetch_requests, 1);
}

void origin_ended(struct origin *origin, enum origin_rank rank)
{
	assert(origin->active > 0);
	assert(origin->active_of[rank] > 0);
	origin->active--;
	origin->active_of[rank]--;
}

void origin_hurried(struct origin *origin, enum origin_rank rank)
{
	assert(origin->active_of[rank] > 0);
	origin->active_of[rank]--;
	origin->active_of[ORIGIN_DEMAND]++;
}

void origin_asked(struct origin *origin, uint64_t now_ms)
{
	if (atomic_load(&origin->waiting) == 0)
		atomic_store(&origin->heard_ms, now_ms);
	(void)atomic_fetch_add(&origin->waiting, 1);
}

void origin_unasked(struct origin *origin)
{
	assert(atomic_load(&origin->waiting) > 0);
	(void)atomic_fetch_sub(&origin->waiting, 1);
}

void origin_hold(struct origin *origin, uint64_t now_ms, uint32_t wait_s)
{
	uint64_t wait_ms = (uint64_t)wait_s * 1000;

	if (wait_ms > ORIGIN_HOLD_MAX_MS)
		wait_ms = ORIGIN_HOLD_MAX_MS;
	if (origin->hold_until_ms < now_ms + wait_ms)
		origin->hold_until_ms = now_ms + wait_ms;
}

void origin_heard(struct origin *origin, uint64_t now_ms)
{
	atomic_store_explicit(&origin->heard_ms, now_ms, memory_order_relaxed);
	if (atomic_load_explicit(&origin->lost_ms, memory_order_relaxed) != 0)
		atomic_store(&origin->lost_ms, 0);
}

void origin_lost(struct origin *origin, uint64_t now_ms)
{
	if (atomic_load(&origin->lost_ms) == 0)
		atomic_store(&origin->lost_ms,
		    now_ms - origin_silent_ms(origin, now_ms));
	atomic_store(&origin->tried_ms, now_ms);
}

bool origin_unreachable(const struct origin *origin, struct fetch_reach *out)
{
	out->since_ms = atomic_load(&origin->lost_ms);
	out->tried_ms = atomic_load(&origin->tried_ms);
	return out->since_ms != 0;
}

bool origin_answered(struct origin *origin, int status, uint64_t latency_us)
{
	uint64_t average_us = atomic_load(&origin->latency_us);
	bool was_down = origin->down;

	/* An eighth of the new one: some tens of requests are remembered. */
	if (average_us == 0)
		average_us = latency_us;
	else if (latency_us > 0)
		average_us = (average_us * 7 + latency_us) / 8;
	atomic_store(&origin->latency_us, average_us);
	origin->down = false;
	enter(origin);
	origin->last_status = status;
	origin->shown_down = false;
	leave(origin);
	if (was_down)
		log_line(LOG_LEVEL_INFO, LOG_FETCH, "server is back",
		    "server=%s status=%d", LOG_TEXT(origin->url), status);
	return was_down;
}

void origin_dated(struct origin *origin, int64_t skew_s)
{
	atomic_store(&origin->skew_s, skew_s);
}

bool origin_skew_s(const struct origin *origin, int64_t *skew_s)
{
	*skew_s = atomic_load(&origin->skew_s);
	return *skew_s != ORIGIN_SKEW_UNKNOWN;
}

void origin_failed(
    struct origin *origin, const struct err *err, bool unreachable)
{
	static struct log_limit limit;
	/* A laptop that is on the road: that is known after a minute. */
	bool long_lost =
	    origin->lost_ms != 0 && origin->tried_ms > origin->lost_ms + 60000;

	origin->down = origin->down || unreachable;
	enter(origin);
	(void)snprintf(
	    origin->last_error, sizeof(origin->last_error), "%s", err->text);
	origin->shown_down = origin->shown_down || unreachable;
	leave(origin);
	log_limited(&limit, long_lost ? 600000 : 10000, LOG_LEVEL_WARN,
	    LOG_FETCH, "request failed", "server=%s errno=%s why=%s",
	    LOG_TEXT(origin->url), err_name(err->code), LOG_TEXT(err->text));
}

uint64_t origin_silent_ms(const struct origin *origin, uint64_t now_ms)
{
	uint64_t heard_ms = atomic_load(&origin->heard_ms);

	if (atomic_load(&origin->waiting) == 0 || now_ms < heard_ms)
		return 0;
	return now_ms - heard_ms;
}

/* What the lock guards, copied out. */
struct shown {
	const char *state;
	int status;
	char error[ERR_TEXT_BYTES];
};

static void look(struct origin *origin, struct shown *out)
{
	enter(origin);
	out->status = origin->last_status;
	memcpy(out->error, origin->last_error, sizeof(out->error));
	if (origin->shown_down)
		out->state = "down";
	else
		out->state = out->status == 0 ? "unknown" : "up";
	leave(origin);
}

int origin_describe(struct origin *origin, struct buf *out)
{
	uint64_t latency_us = atomic_load(&origin->latency_us);
	struct shown shown;
	int64_t skew_s;

	look(origin, &shown);
	(void)buf_printf(out, "{\"url\":");
	(void)buf_json(out, origin->url);
	(void)buf_printf(out,
	    ",\"role\":\"origin\",\"state\":\"%s\",\"latency_ms\":%" PRIu64
	    ".%03" PRIu64 ",\"requests\":%" PRIu64
	    ",\"received_bytes\":%" PRIu64 ",\"last_status\":%d,"
	    "\"last_error\":",
	    shown.state, latency_us / 1000, latency_us % 1000,
	    atomic_load(&origin->requests),
	    atomic_load(&origin->received_bytes), shown.status);
	(void)buf_json(out, shown.error[0] == '\0' ? NULL : shown.error);
	if (origin_skew_s(origin, &skew_s))
		(void)buf_printf(out, ",\"clock_skew_s\":%" PRId64 "}", skew_s);
	else
		(void)buf_printf(out, ",\"clock_skew_s\":null}");
	return buf_code(out);
}

int origin_describe_text(struct origin *origin, struct buf *out)
{
	uint64_t latency_us = atomic_load(&origin->latency_us);
	struct shown shown;

	look(origin, &shown);
	(void)buf_printf(out,
	    "server: %s (origin) %s, %" PRIu64 ".%01" PRIu64
	    " ms to the first byte, %" PRIu64 " requests, %" PRIu64 " bytes\n",
	    origin->url, shown.state, latency_us / 1000,
	    latency_us % 1000 / 100, atomic_load(&origin->requests),
	    atomic_load(&origin->received_bytes));
	if (shown.error[0] != '\0')
		(void)buf_printf(
		    out, "server: last problem: %s\n", shown.error);
	return buf_code(out);
}
