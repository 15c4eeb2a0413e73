/* SPDX-License-Identifier: Apache-2.0 */
/*
 * fetch/calls/retry.h - is a failed attempt worth another, and when? Pure policy:
 * no clock, no server, no state.
 *
 * What can heal by itself (a connection, a busy server) is tried until the
 * deadline of the call; what probably cannot (an answer that breaks the
 * rules, an error inside the server) a few times.
 *
 * Threads: every function may be called from any thread.
 * Sources: RFC 9110 sections 10.2.3 (Retry-After) and 15.6.4 (503).
 */
#ifndef FETCH_CALLS_RETRY_H
#define FETCH_CALLS_RETRY_H

#include <stdbool.h>
#include <stdint.h>

enum retry_reason {
	RETRY_CONNECT,   /* no connection: refused, no route, no name */
	RETRY_UNTRUSTED, /* TLS: the server is not who it should be */
	RETRY_LOST,      /* the connection ended before the answer did */
	RETRY_SILENT,    /* nothing came for too long */
	RETRY_BUSY,      /* 429, 502, 503, 504 */
	RETRY_SERVER,    /* another 5xx */
	RETRY_BAD,       /* an answer that breaks the rules */
	RETRY_ELSEWHERE, /* a cache has not what the origin has */
	RETRY_REASON_COUNT
};

enum {
	RETRY_BAD_TRIES_MAX = 4,   /* of RETRY_BAD and RETRY_SERVER */
	RETRY_WAIT_FIRST_MS = 100, /* doubled with each failure */
	RETRY_WAIT_MAX_MS = 5000,  /* Retry-After may ask for more */
	RETRY_ROOM_MS = 20,        /* less time than this: not tried */
	RETRY_JITTER_RANGE = 1024,
};

struct retry_facts {
	enum retry_reason reason;
	unsigned failures; /* in a row, this one counted: >= 1 */
	unsigned bad;      /* RETRY_BAD and RETRY_SERVER of this call */
	uint64_t now_ms;
	uint64_t deadline_ms;
	bool wait_asked; /* Retry-After was given */
	uint32_t wait_asked_s;
	uint32_t jitter; /* random, below RETRY_JITTER_RANGE */
};

struct retry_decision {
	bool again;
	uint64_t wait_ms; /* when again */
	int code;         /* when not: the errno for the caller, negative */
};

/** Decide. The wait never reaches the deadline. */
struct retry_decision retry_decide(const struct retry_facts *facts);

/** The errno of a call that ends because of `reason`; negative. */
int retry_code(enum retry_reason reason);

#endif
