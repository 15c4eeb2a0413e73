/* SPDX-License-Identifier: Apache-2.0 */
/*
 * tests/unit/fetch/liar.h - a server of one file that says of a range what a
 * test wants it to; the rest is genuine.
 *
 * Threads: the server's; a test looks at what is atomic.
 */
#ifndef TESTS_FETCH_LIAR_H
#define TESTS_FETCH_LIAR_H

#include "tests/unit/fetch/server.h"

#include <stdatomic.h>

enum { LIAR_FILE_BYTES = 300000, LIAR_MTIME_S = 1700000000 };

/* What the server does with GET; the rest is genuine. */
enum lie {
	GENUINELY,
	CUT_ONCE,         /* half of the bytes, then the connection ends */
	CUT_OFTEN,        /* a tenth of what is missing, each time */
	CUT_SOMETIMES,    /* every third */
	CUT_THEN_CHANGED, /* ...and the second half has another ETag */
	WRONG_RANGE_ONCE, /* Content-Range of other bytes */
	WRONG_RANGE,
	NO_RANGE,         /* 206 without Content-Range */
	WHOLE_FILE,       /* 200 and all bytes */
	WRONG_TOTAL_ONCE, /* Content-Range of a larger file */
	SURPLUS,          /* chunked, more than was asked for */
	SHORT_ONCE,       /* chunked, less */
	GZIP_ONCE,        /* says that it is compressed */
	PAGE_ONCE,        /* 200 text/html */
	ENDLESS_HEADERS,
	LONG_HEADERS,
	ENDLESS_HEADER, /* one line of 200 KB */
	NO_HTTP,
	BUSY_ONCE, /* 503, Retry-After: 0 */
	BUSY_LONG, /* 503, Retry-After: 3600 */
	ERROR_ALWAYS,
	NOT_FOUND,
	PRECONDITION_FAILED,
	NOT_SATISFIABLE_ONCE,
	LOCKED,
	REFUSED,
	NO_VALIDATOR,         /* as XRootD: nothing but Content-Length */
	NO_VALIDATOR_CHANGED, /* ...and the file changes meanwhile */
	OTHER_TIME,           /* Last-Modified never is what PROPFIND says */
	RESET_ONCE,
	SILENT,
	SILENT_LATER, /* from the second request on */
	INTERIM,      /* 103 before the answer */
};

struct liar {
	enum lie lie;
	atomic_uint gets;
	atomic_uint propfinds;
	atomic_uint changed;
	atomic_uint sent;           /* answers of NO_VALIDATOR */
	unsigned gate;              /* PROPFIND waits for so many of them */
	atomic_uint asked_with_pin; /* If-Match: "one" */
	char elsewhere[128];        /* redirect target; "": none */
};

/* A server_fn; `arg` is the liar. */
bool liar_answer(
    void *arg, const struct server_request *request, struct server_peer *peer);

#endif
