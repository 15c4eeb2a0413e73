/* SPDX-License-Identifier: Apache-2.0 */
/*
 * fetch/answers/header.h - header fields of answers, strictly: what is not exactly
 * what the RFC allows is refused (no signs, no blanks inside numbers, no
 * overflow), because a byte count that was guessed is a wrong byte later.
 *
 * All functions are pure; texts are (pointer, size), not NUL-terminated.
 *
 * Threads: every function may be called from any thread.
 * Sources: RFC 9110 sections 5.5, 5.6.7, 8.3, 8.6, 8.8.3, 10.2.3, 14.4;
 * RFC 9112 sections 4, 5.
 */
#ifndef FETCH_ANSWERS_HEADER_H
#define FETCH_ANSWERS_HEADER_H

#include "base/attr.h"
#include "fetch/fetch.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum {
	HEADER_MEDIA_TYPE_BYTES = 128,
	HEADER_RETRY_AFTER_MAX_S = 86400, /* larger ones are taken as this */
};

/** One field line, borrowed from the line it was taken from. */
struct header_field {
	const char *name;
	size_t name_bytes;
	const char *value; /* without blanks around it */
	size_t value_bytes;
};

/**
 * Take a line (with or without CRLF) apart.
 * @retval 0         a field.
 * @retval -ENOMSG   an empty line: the headers have ended.
 * @retval -EBADMSG  no field: no colon, an empty or bad name, a folded
 *                   line, a control byte in the value.
 */
NODISCARD int header_split(
    const char *line, size_t size_bytes, struct header_field *out);

/** Whether the field has that name; letters' case does not matter. */
bool header_is(const struct header_field *field, const char *name);

/** The status of a status line ("HTTP/1.1 206 Partial Content", "HTTP/2
 *  206"): 100-599; -EBADMSG when it is none. */
NODISCARD int header_status_line(const char *line, size_t size_bytes);

/** Digits alone, below 2^63; -EBADMSG otherwise. */
NODISCARD int header_content_length(
    const char *text, size_t size_bytes, uint64_t *out);

/** Content-Range: "bytes 0-3/10", "bytes 0-3/" + "*", "bytes *" + "/10". */
struct header_content_range {
	bool satisfied;       /* false: only total_bytes is given (416) */
	bool total_known;     /* false: "*" */
	uint64_t first_bytes; /* offset of the first byte */
	uint64_t last_bytes;  /* offset of the last byte; >= first */
	uint64_t total_bytes; /* not after last: XRootD, of a cut file */
};

/** -EBADMSG unless it is one of the three forms with first <= last
 *  (XRootD's "bytes 2--1/6" is not). A range past the total is what XRootD
 *  answers when the file was cut: the total says so, see response.c. */
NODISCARD int header_content_range(
    const char *text, size_t size_bytes, struct header_content_range *out);

/**
 * An HTTP-date in any of its three forms, to seconds since 1970.
 *
 * @param now_s  wall clock; decides the century of a two-digit year.
 * @retval -EBADMSG  no date, or one that no calendar has, or before 1970.
 */
NODISCARD int header_date(
    const char *text, size_t size_bytes, int64_t now_s, int64_t *out_s);

/** Retry-After, seconds or date, to seconds from now, at most
 *  HEADER_RETRY_AFTER_MAX_S; -EBADMSG when it is neither. */
NODISCARD int header_retry_after(
    const char *text, size_t size_bytes, int64_t now_s, uint32_t *out_s);

/** A strong ETag with its quotes to `out`; "" for a weak, malformed or too
 *  long one. @return whether it is strong. */
bool header_etag_strong(
    char out[FETCH_ETAG_BYTES], const char *text, size_t size_bytes);

/** "Text/HTML; charset=x" to "text/html"; "" when it is malformed. */
void header_media_type(
    char out[HEADER_MEDIA_TYPE_BYTES], const char *text, size_t size_bytes);

/** Whether a Content-Encoding leaves the bytes as they are. */
bool header_encoding_is_identity(const char *text, size_t size_bytes);

#endif
