/* SPDX-License-Identifier: Apache-2.0 */
/*
 * fetch/reads/range_impl.h - what range.c, which asks and takes the bytes, and
 * range_head.c, which judges the headers before them, share.
 *
 * Threads: the fetch thread.
 */
#ifndef FETCH_READS_RANGE_IMPL_H
#define FETCH_READS_RANGE_IMPL_H

#include "base/attr.h"
#include "fetch/calls/call.h"
#include "fetch/fetch.h"
#include "fetch/sink.h"

#include <stdbool.h>
#include <stdint.h>

struct response;

struct range_call {
	struct call call; /* first */
	struct fetch_sink sink;
	struct fetch_version version;
	char if_match[FETCH_ETAG_BYTES];
	char etag[FETCH_ETAG_BYTES]; /* of the bytes so far */
	uint64_t offset_bytes;
	uint64_t length_bytes;
	uint64_t done_bytes;
	uint64_t began_bytes; /* done when this attempt began */
	bool digest;          /* a checksum is wanted as well */
	bool asks;            /* this attempt asks for one */
	bool without;         /* no attempt does any more... */
	bool refused;         /* ...for it was refused, or failed, with one */
	bool unproven;        /* bytes came that nothing tells the version of */
	bool doubt;        /* the confirming is of an answer that was dropped */
	bool time_differs; /* ...for its Last-Modified alone */
};

static inline struct range_call *range_of(struct call *call)
{
	return CONTAINER_OF(call, struct range_call, call);
}

static inline uint64_t range_missing_bytes(const struct range_call *range)
{
	return range->length_bytes - range->done_bytes;
}

/** As struct call_kind, head(). */
struct verdict range_head(struct call *call, const struct response *response);

#endif
