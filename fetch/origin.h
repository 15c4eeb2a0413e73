/* SPDX-License-Identifier: Apache-2.0 */
/*
 * fetch/origin.h - a server as it does: how many requests it is given at
 * once, whether it answers, and the numbers that `status` shows.
 *
 * Threads: the fetch thread alone, but origin_describe*() and the functions that
 * say so, which any may call.
 */
#ifndef FETCH_ORIGIN_H
#define FETCH_ORIGIN_H

#include "base/attr.h"
#include "base/buf.h"
#include "base/err.h"
#include "base/sync.h"

#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

struct fetch_reach;

enum {
	ORIGIN_REQUESTS_MAX = 16, /* at once, and so connections */
	/* Read-ahead leaves room for readers that wait: one place soon comes
	 * free where it is short, not where it is long. */
	ORIGIN_AHEAD_MAX = 15,
	ORIGIN_AHEAD_LONG_MAX = 12,
	/* The longest that one 429 stops all requests. */
	ORIGIN_HOLD_MAX_MS = 30000,
};

#define ORIGIN_SKEW_UNKNOWN INT64_MIN

/** Who waits for a request. */
enum origin_rank {
	ORIGIN_DEMAND,     /* a reader does */
	ORIGIN_AHEAD,      /* nobody yet */
	ORIGIN_AHEAD_LONG, /* nobody yet, and it takes long */
	ORIGIN_RANKS,
};

struct origin {
	const char *url; /* borrowed; "https://host:port" */
	unsigned active;
	unsigned active_of[ORIGIN_RANKS];
	uint64_t hold_until_ms;    /* it asked us to slow down (429) */
	bool down;                 /* could not be connected to */
	atomic_uint waiting;       /* requests on their way, for silence */
	_Atomic uint64_t heard_ms; /* of the last bytes, or the first request */
	_Atomic uint64_t lost_ms;  /* unreachable since then; 0: it is not */
	_Atomic uint64_t tried_ms; /* ...and was tried last */
	_Atomic uint64_t requests;
	_Atomic uint64_t received_bytes;
	_Atomic uint64_t latency_us; /* to the first byte, moving average */
	_Atomic int64_t skew_s;      /* ORIGIN_SKEW_UNKNOWN: no Date yet */
	pthread_mutex_t mutex;
	int last_status GUARDED_BY(fetch_queue_lock);
	char last_error[ERR_TEXT_BYTES] GUARDED_BY(fetch_queue_lock);
	bool shown_down GUARDED_BY(fetch_queue_lock);
};

void origin_init(struct origin *origin, const char *url);
void origin_fini(struct origin *origin);

/** Whether one more request may go out now. */
bool origin_may_start(
    const struct origin *origin, enum origin_rank rank, uint64_t now_ms);

/** A request goes out; origin_ended() must follow. */
void origin_began(struct origin *origin, enum origin_rank rank);
void origin_ended(struct origin *origin, enum origin_rank rank);

/** One that went out as read-ahead is waited for now. */
void origin_hurried(struct origin *origin, enum origin_rank rank);

/** A call asks it for the first time, also when nothing answers there;
 *  origin_unasked() must follow. */
void origin_asked(struct origin *origin, uint64_t now_ms);
void origin_unasked(struct origin *origin);

/** It asked for no requests for a while (429 with Retry-After). */
void origin_hold(struct origin *origin, uint64_t now_ms, uint32_t wait_s);

/** Bytes of an answer have come. */
void origin_heard(struct origin *origin, uint64_t now_ms);

/** An answer has come, with its status and time to the first byte (0: it
 *  does not count).
 *  @return whether the server had been down before. */
bool origin_answered(struct origin *origin, int status, uint64_t latency_us);

/** An answer told its time: this machine's clock less the server's. */
void origin_dated(struct origin *origin, int64_t skew_s);

/** Whether it is known; as fetch_skew_s(). Any thread. */
bool origin_skew_s(const struct origin *origin, int64_t *skew_s);

/** An attempt failed; `unreachable`: there was no connection at all. */
void origin_failed(
    struct origin *origin, const struct err *err, bool unreachable);

/** An attempt has met nobody: no connection, or one on which no byte comes.
 *  It is lost since the last byte came, until the next does. */
void origin_lost(struct origin *origin, uint64_t now_ms);

/** As fetch_unreachable(). Any thread. */
bool origin_unreachable(const struct origin *origin, struct fetch_reach *out);

/** As fetch_silent_ms(). Any thread. */
uint64_t origin_silent_ms(const struct origin *origin, uint64_t now_ms);

/** Append one JSON object, or one line for a person. */
int origin_describe(struct origin *origin, struct buf *out);
int origin_describe_text(struct origin *origin, struct buf *out);

#endif
