/* SPDX-License-Identifier: Apache-2.0 */
/*
 * fetch/answers/response.h - an answer's status and headers, and whether they fit
 * what was asked. Knows nothing of curl, retries or sinks.
 *
 * Threads: a struct response belongs to one thread at a time.
 * Sources: RFC 9110 sections 8, 13.1.1, 14.4, 15; RFC 4918 section 11;
 * how real servers break them: XRootD 5.5.3 sends no ETag, no Last-Modified
 * and no Date.
 */
#ifndef FETCH_ANSWERS_RESPONSE_H
#define FETCH_ANSWERS_RESPONSE_H

#include "base/attr.h"
#include "base/err.h"
#include "fetch/answers/header.h"
#include "fetch/digest.h"
#include "fetch/fetch.h"

#include <stdbool.h>
#include <stdint.h>

enum {
	RESPONSE_HEADERS_MAX = 200, /* lines, of all interim answers too */
	RESPONSE_HEADER_BYTES_MAX = 64 * 1024,
};

/** What to do about a status. */
enum response_means {
	RESPONSE_DATA,     /* look at the body */
	RESPONSE_REDIRECT, /* see Location */
	RESPONSE_REFUSED,  /* a matter of the token */
	RESPONSE_FINAL,    /* an answer: give its errno to the caller */
	RESPONSE_CHANGED,  /* the file seems to be another; ask for it */
	RESPONSE_BUSY,     /* again later */
	RESPONSE_SERVER,   /* perhaps again */
	RESPONSE_BAD,      /* no answer to what was asked */
};

struct response_verdict {
	enum response_means means;
	int code; /* negative errno; 0 for DATA */
	const char *why;
};

/** What a status means; any number has a meaning. */
struct response_verdict response_verdict_of(int status);

struct response {
	int64_t now_s; /* wall clock at the last line */
	int status;    /* 0: no status line yet */
	unsigned header_count;
	size_t header_bytes;
	const char *problem; /* the first rule that was broken; NULL: none */
	bool length_known;
	uint64_t length_bytes;
	bool range_known;
	struct header_content_range range;
	char etag[FETCH_ETAG_BYTES]; /* strong ones only */
	int64_t modified_s;          /* Last-Modified; -1: not given */
	bool wait_asked;             /* Retry-After */
	uint32_t wait_asked_s;
	bool encoded; /* a Content-Encoding that is not identity */
	bool xrootd;  /* by its Server header; the same of two others */
	bool nginx;
	bool apache;
	struct fetch_digest digest; /* of the whole file; the strongest one */
	bool ended;                 /* the headers of the final answer have */
	bool dated; /* Date was given, as every server with a clock must */
	bool skew_known;
	int64_t skew_s; /* this machine's clock less that of Date */
	char media_type[HEADER_MEDIA_TYPE_BYTES];
	char location[FETCH_URL_BYTES_MAX]; /* "": none */
};

/** Forget all; before each request. */
void response_clear(struct response *response);

/**
 * Take a line as it came, status line and the empty last one included. What
 * stands in it and matters is kept; a rule that it breaks is remembered in
 * `problem` and judged with the rest.
 *
 * @param now_s  wall clock, for dates.
 * @retval 0          go on.
 * @retval -EMSGSIZE  more headers than any server has a reason to send.
 * @retval -EBADMSG   no header line at all.
 */
NODISCARD int response_line(struct response *response, const char *line,
    size_t size_bytes, int64_t now_s);

/** What a range request asked for. */
struct response_want {
	uint64_t offset_bytes;
	uint64_t length_bytes; /* > 0 */
	const struct fetch_version *version;
	const char *etag;  /* that was asked for with If-Match; "": none */
	bool elsewhere;    /* a redirect led to who answers */
	bool times_differ; /* this host's Last-Modified is not the time that
			      PROPFIND tells: it proves nothing */
};

/** Whether a 200 or 206 is an answer to it. */
enum response_fit {
	RESPONSE_FITS,     /* and its validator says: of this version */
	RESPONSE_FITS_MAY, /* it fits; nothing says of which version it is */
	RESPONSE_ETAG_DIFFERS, /* it is of another version */
	RESPONSE_SIZE_DIFFERS, /* it seems to be: the size of the file... */
	RESPONSE_TIME_DIFFERS, /* ...or its time is not the version's */
	RESPONSE_UNFIT,        /* no answer to what was asked */
};

/** Judge; `err` gets a sentence unless it fits. */
enum response_fit response_fit_of(const struct response *response,
    const struct response_want *want, struct err *err);

#endif
