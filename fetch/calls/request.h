/* SPDX-License-Identifier: Apache-2.0 */
/*
 * fetch/calls/request.h - one HTTP request: a libcurl handle with everything that
 * stays the same set once, and what differs filled in each time.
 *
 * Handles are used again: setting one up anew would cost more than a small
 * range. The Authorization header is a struct secret that lives as long as
 * the request is on its way.
 *
 * Threads: the fetch thread.
 */
#ifndef FETCH_CALLS_REQUEST_H
#define FETCH_CALLS_REQUEST_H

#include "base/attr.h"
#include "base/buf.h"
#include "fetch/answers/response.h"
#include "fetch/calls/call.h"
#include "fetch/calls/loop.h"

#include <stdbool.h>
#include <stdint.h>

#include <curl/curl.h>

struct feed;
struct fetch;
struct secret;

enum {
	REQUEST_HEADERS_MAX = 8,
	REQUEST_LINES_MAX = 5,
	REQUEST_IDLE_MAX = 32, /* handles kept for later */
	/* An answer that nobody wants is read to its end, so that the
	 * connection can be used again, if it is no longer than this. */
	REQUEST_DRAIN_BYTES = 64 * 1024,
};

enum request_method {
	REQUEST_GET,
	REQUEST_HEAD,
	REQUEST_PROPFIND,
	REQUEST_PUT,
	REQUEST_DELETE,
	REQUEST_MKCOL,
	REQUEST_MOVE,
	REQUEST_COPY,
};

/** What is asked; texts are borrowed until the request has ended, but those
 *  that are copied. */
struct request_plan {
	enum request_method method;
	bool ranged;
	uint64_t first_bytes; /* of ranged: both inclusive */
	uint64_t last_bytes;
	const char *range_text; /* instead: the whole header line; NULL: none */
	bool http2;             /* asked for, on a connection of its own */
	const char *if_match;   /* copied; "" or NULL: none */
	const char *body;       /* of PROPFIND; static */
	bool depth_one;         /* of PROPFIND */
	bool pages;             /* index pages are wanted */
	bool digest;            /* a checksum of the whole file is */
	const char *tried;   /* copied; for the origin: tried=THIS; or NULL */
	struct feed *upload; /* of PUT; a reference is taken */
	const char *lines
	    [REQUEST_LINES_MAX]; /* more headers, borrowed until the request
	                                 has ended; NULL: none */
};

struct request {
	TAILQ_ENTRY(request) link; /* loop.active or loop.idle */
	struct fetch *fetch;
	struct call *call;
	CURL *easy;
	enum request_method method; /* that `easy` is set to */
	bool method_known;
	bool http2; /* that too */
	struct buf url;
	struct response response;
	struct verdict verdict;
	struct curl_slist headers[REQUEST_HEADERS_MAX];
	unsigned header_count;
	struct secret *authorization; /* the whole header line; NULL: none */
	struct feed *upload;          /* a reference; NULL: no PUT */
	size_t room_bytes; /* libcurl's for uploads; 0: its default */
	bool corked;       /* its socket, since more follows */
	bool issued;       /* it has been sent, if it is a change */
	uint64_t began_ms;
	uint64_t heard_ms;  /* last byte */
	uint64_t window_ms; /* since when `window_bytes` are counted */
	uint64_t window_bytes;
	uint64_t mark_ms; /* a shorter such window, of the body alone */
	uint64_t mark_bytes;
	uint64_t body_bytes;
	char range[64];
	char if_match[FETCH_ETAG_BYTES + 16];
	char problem[CURL_ERROR_SIZE]; /* libcurl's words */
};

/** Make libcurl ready, once for the process. */
CURLcode request_start_curl(void);

/** TLS 1.2 at least, verified, by these trust roots; both NULL: the system's.
 */
void request_set_trust(CURL *easy, const char *file, const char *dir);

/** Whether the environment names a proxy for libcurl. */
bool request_wants_proxy(void);

/** A handle, used before or new; NULL when out of memory. */
struct request *request_take(struct fetch *fetch);

/* ---- upload.c ---- */

/** It is a PUT. */
NODISCARD CURLcode request_set_upload(struct request *request);

/** Of these bytes; before it starts. */
void request_upload(struct request *request, struct feed *upload)
    REQUIRES(fetch_thread);

/** Fill in what is asked; URL and Authorization stand there. -ENOMEM. */
NODISCARD int request_fill(struct request *request,
    const struct request_plan *plan) REQUIRES(fetch_thread);

/** The request has ended: wipe, keep the handle for the next. */
void request_give_back(struct request *request) REQUIRES(fetch_thread);

/** Free all handles that are idle. */
void request_free_idle(struct fetch *fetch);

#endif
