/* SPDX-License-Identifier: Apache-2.0 */
/*
 * fetch/servers/choice.h - which of several servers is read from, and how long it is
 * waited for. Pure policy: no clock, no connection, numbers in and out.
 *
 * The order in which the servers were given is believed until measuring says
 * otherwise: a later one has to be clearly faster. The last one, the origin,
 * is read from when no other may be. A cache that is late with something is
 * asked for nothing more while there is another. A server that failed rests,
 * longer each time in a row; then one request tries it, and the rest of them
 * follow when that went well. None is ever dropped for good.
 *
 * Threads: a struct choice belongs to one thread at a time.
 */
#ifndef FETCH_SERVERS_CHOICE_H
#define FETCH_SERVERS_CHOICE_H

#include <stdbool.h>
#include <stdint.h>

enum {
	CHOICE_WAITS = 32, /* first bytes that are remembered */
	/* A server is left, while another one is good, when no byte came for
	 * so many times its usual longest wait, and for so long at least... */
	CHOICE_PATIENCE_TIMES = 3,
	CHOICE_PATIENCE_MIN_MS = 1000,
	CHOICE_PATIENCE_MAX_MS = 10000,
	/* ...when it could not be connected to: a packet that is lost once is
	 * sent again after a second. One that has failed and is tried again is
	 * waited for less... */
	CHOICE_CONNECT_MS = 3000,
	CHOICE_CONNECT_AGAIN_MS = 1000,
	/* Who has left other servers before waits half as long at each next
	 * one, so that several that fail together cost a reader hardly twice
	 * the first one's time; but so long at least. */
	CHOICE_HASTE_MIN_MS = 250,
	/* ...or when it gave less than this part of its usual rate. */
	CHOICE_SLOW_WINDOW_MS = 1000,
	CHOICE_SLOW_PART = 10,
	/* While no rate is known, less than this (bytes a second). */
	CHOICE_SLOW_UNKNOWN = 32 * 1024,
	/* Shorter transfers say nothing of a rate. */
	CHOICE_RATE_BYTES = 64 * 1024,
	/* The rest after a failure, doubled with each one in a row. */
	CHOICE_REST_FIRST_MS = 2000,
	CHOICE_REST_MAX_MS = 60000,
	/* The longest that Retry-After is obeyed. */
	CHOICE_REST_ASKED_MAX_MS = 600000,
	CHOICE_JITTER_RANGE = 1024,
	/* What was not measured for so long is measured again, by a range
	 * that nobody waits for and that is no longer than this. */
	CHOICE_STALE_MS = 60000,
	CHOICE_PROBE_BYTES = 1024 * 1024,
	/* A later server is taken when it needs less than so many per cent of
	 * the time of an earlier one. */
	CHOICE_BETTER_PERCENT = 70,
};

/** What is known of one server. All zero: nothing. */
struct choice {
	uint32_t waits_us[CHOICE_WAITS]; /* to the first byte; a ring */
	unsigned wait_count;             /* of them; then it goes round */
	unsigned wait_next;
	uint64_t wait_us;          /* moving average; 0: not known */
	uint64_t worst_us;         /* of twenty the longest: p95 */
	uint64_t rate_bytes_per_s; /* of one transfer; 0: not known */
	uint64_t measured_ms;      /* last, or meant to be; 0: never */
	unsigned late;          /* requests on their way that another server has
	                  answered meanwhile: hedge.h */
	unsigned failures;      /* in a row */
	uint64_t rest_until_ms; /* nobody asks it before, but one... */
};

/** The first byte of an answer has come after `wait_us`. */
void choice_waited(struct choice *choice, uint64_t wait_us, uint64_t now_ms);

/** So many bytes came in `took_us`, also of a transfer that was given up. */
void choice_moved(struct choice *choice, uint64_t bytes, uint64_t took_us);

/** An answer was right: it rests no more. */
void choice_worked(struct choice *choice);

/** A failure, of which there may be many at once.
 *  @param asked_ms  that it asked us to stay away (Retry-After); 0: it did
 *                   not.
 *  @param jitter    random, below CHOICE_JITTER_RANGE.
 *  @return whether it rests from now on and did not before. */
bool choice_failed(
    struct choice *choice, uint64_t now_ms, uint64_t asked_ms, uint32_t jitter);

/** Whether it is resting. */
bool choice_rests(const struct choice *choice, uint64_t now_ms);

/** How long a byte is waited for while another server is good. */
uint64_t choice_patience_ms(const struct choice *choice);

/** How long a connection to it is waited for while another server is good. */
uint64_t choice_connect_ms(const struct choice *choice);

/** What is left of a patience, or of the window in which a server is slow,
 *  for a reader who has left so many servers. */
uint64_t choice_hasten_ms(uint64_t patience_ms, unsigned left);

/** Whether `bytes` in `window_ms` are too few to stay, for one of `active`
 *  transfers from it at the same time (>= 1). */
bool choice_is_slow(const struct choice *choice, uint64_t bytes,
    unsigned active, uint64_t window_ms);

/** What is to be read. */
struct choice_ask {
	uint64_t bytes;
	bool demand; /* somebody waits */
};

/**
 * Choose. What is chosen although it has failed lately, or to be measured,
 * is not chosen so again at once.
 *
 * @param of     the servers in their order; NULL: it must not be asked.
 * @param count  > 0.
 * @return       its place; `count` when none may be asked.
 */
unsigned choice_pick(struct choice *const of[], unsigned count,
    const struct choice_ask *ask, uint64_t now_ms);

/** Whether another server than `place` could be asked now with some hope. */
bool choice_has_other(
    struct choice *const of[], unsigned count, unsigned place, uint64_t now_ms);

#endif
