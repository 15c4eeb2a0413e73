/* SPDX-License-Identifier: Apache-2.0 */
/*
 * fetch/answers/dav.h - what a PROPFIND answer says: a push parser of multistatus
 * documents. It sends nothing and knows no server by name.
 *
 * Streams: memory stays constant whatever the number of entries. Hostile
 * input is normal: a DOCTYPE (and with it every entity but the five of XML)
 * is refused; nesting, hrefs, property texts and single tags are bounded
 * (here and in xml.h). Bytes are taken as they are, not as UTF-8, because
 * XRootD writes names into its answers raw.
 *
 * Threads: a parser belongs to one thread at a time.
 * Sources: RFC 4918 (sections 9.1, 13, 14, 15), RFC 4331 (quota).
 */
#ifndef FETCH_ANSWERS_DAV_H
#define FETCH_ANSWERS_DAV_H

#include "base/attr.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct dav_parser;
struct err;
struct fetch_stat;

enum {
	DAV_HREF_BYTES_MAX = 12800, /* 4096 bytes, each %NN, and a host */
	DAV_TEXT_BYTES_MAX = 512,   /* text of any other property */
};

/** Bodies of the questions; Content-Type: application/xml. */
extern const char dav_body_attributes[]; /* kind, length, time, ETag */
extern const char dav_body_quota[];      /* RFC 4331 */

/** Receives what the answer says. A NULL function is not called. */
struct dav_target {
	void *arg;
	/** The asked path itself. */
	void (*self)(void *arg, const struct fetch_stat *stat);
	/** One child of it; the name is borrowed, decoded, and has passed
	 *  path_name_ok(). Non-zero ends the parsing with that code. */
	int (*entry)(
	    void *arg, const char *name, const struct fetch_stat *stat);
	/** The quota shown at the asked path, if any was; -1: not given. */
	void (*quota)(void *arg, int64_t available_bytes, int64_t used_bytes);
};

/**
 * Begin an answer.
 *
 * @param request_path    the asked path, normal (base/path.h); copied.
 * @param hrefs_unescaped names in hrefs are not percent-encoded (XRootD):
 *                        '%', '?' and '#' stand for themselves.
 * @param target          copied.
 * @retval -ENOMEM        out of memory.
 */
NODISCARD int dav_parser_new(struct dav_parser **out, const char *request_path,
    bool hrefs_unescaped, const struct dav_target *target);

/**
 * Take the next bytes, cut anywhere.
 *
 * After a failure every further call gives the same code.
 *
 * @retval 0         taken.
 * @retval -EBADMSG  no multistatus document, or one that passes a bound.
 * @retval other     what entry() gave.
 */
NODISCARD int dav_parser_feed(struct dav_parser *parser, const void *bytes,
    size_t size_bytes, struct err *err);

/** The answer has ended; results as dav_parser_feed(), -EBADMSG also when
 *  the document is not complete. */
NODISCARD int dav_parser_end(struct dav_parser *parser, struct err *err);

/** Responses that were passed over so far: other directories, deeper ones,
 *  names that path_name_ok() refuses, no property with a 2xx status. */
uint64_t dav_parser_skipped(const struct dav_parser *parser);

/** Free; NULL is allowed. */
void dav_parser_free(struct dav_parser *parser);
DEFINE_FREEP(dav_parser, dav_parser_free)

#endif
