/* SPDX-License-Identifier: Apache-2.0 */
/*
 * fetch/answers/dav_answer.h - one <response> of a multistatus document, from its
 * texts to what dav.h's target is told. Knows no XML.
 *
 * Threads: a struct dav_answer belongs to one thread at a time.
 * Sources: RFC 4918 sections 8.3, 14.24, 15; RFC 4331.
 */
#ifndef FETCH_ANSWERS_DAV_ANSWER_H
#define FETCH_ANSWERS_DAV_ANSWER_H

#include "base/path.h"
#include "fetch/answers/dav.h"
#include "fetch/fetch.h"

/* The properties that matter. */
enum dav_property {
	DAV_COLLECTION, /* <resourcetype><collection/>: has no text */
	DAV_ISCOLLECTION,
	DAV_LENGTH,
	DAV_TIME,
	DAV_ETAG,
	DAV_QUOTA_AVAILABLE,
	DAV_QUOTA_USED,
};

/* What one or more propstats say. */
struct dav_props {
	bool collection;
	bool has_length;
	uint64_t length_bytes;
	int64_t mtime_s;         /* -1: not given */
	int64_t available_bytes; /* -1: not given */
	int64_t used_bytes;      /* -1: not given */
	char etag[FETCH_ETAG_BYTES];
};

struct dav_answer {
	/* Set once. */
	char request_path[PATH_BYTES_MAX];
	bool hrefs_unescaped;
	int64_t now_s;
	struct dav_target target;

	/* Over all responses. */
	uint64_t skipped;

	/* Of the response that is open. */
	char href[DAV_HREF_BYTES_MAX];
	size_t href_bytes; /* 0: none yet, or not usable */
	bool href_taken;   /* the first one counts */
	bool any_good;     /* a propstat with a 2xx status was seen */
	struct dav_props good;

	/* Of the propstat that is open. */
	int status;
	struct dav_props open;
};

void dav_answer_init(struct dav_answer *answer, const char *request_path,
    bool hrefs_unescaped, const struct dav_target *target);

/** <response> */
void dav_answer_begin(struct dav_answer *answer);

/** </href>; `size_bytes` above DAV_HREF_BYTES_MAX: it was longer. */
void dav_answer_href(
    struct dav_answer *answer, const char *text, size_t size_bytes);

/** <propstat> */
void dav_answer_propstat_begin(struct dav_answer *answer);

/** A property's text has ended. */
void dav_answer_property(struct dav_answer *answer, enum dav_property which,
    const char *text, size_t size_bytes);

/** </status> of a propstat */
void dav_answer_status(
    struct dav_answer *answer, const char *text, size_t size_bytes);

/** </propstat> */
void dav_answer_propstat_end(struct dav_answer *answer);

/** </response>: the target is told. @return what entry() gave, or 0 */
NODISCARD int dav_answer_end(struct dav_answer *answer);

#endif
