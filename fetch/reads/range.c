/* SPDX-License-Identifier: Apache-2.0 */
/*
 * fetch/reads/range.c - a closed range of one version of a file, into a sink.
 *
 * No byte is handed on before the answer's headers fit what was asked for,
 * and none that is more than was asked for. After a lost connection the next
 * attempt asks for the bytes that are still missing, perhaps at another server.
 *
 * Threads: the fetch thread, but fetch_range().
 * Sources: RFC 9110 sections 13.1.1, 14.2, 15.3.7.
 */
#include "fetch/calls/request.h"
#include "fetch/engine.h"
#include "fetch/reads/confirm.h"
#include "fetch/reads/range_impl.h"

#include <assert.h>
#include <errno.h>
#include <string.h>

enum {
	/* As many bytes of an attempt count as progress: the next failure is
	 * the first again. Fewer would let a server that gives a byte a
	 * connection keep us busy. */
	RANGE_PROGRESS_BYTES = 512,
};

static void plan_rest(const struct range_call *range, struct request_plan *plan)
{
	plan->method = REQUEST_GET;
	plan->ranged = true;
	plan->first_bytes = range->offset_bytes + range->done_bytes;
	plan->last_bytes = range->offset_bytes + range->length_bytes - 1;
	plan->if_match = range->if_match;
}

static int plan_range(struct call *call, struct request_plan *plan)
{
	struct range_call *range = range_of(call);

	assert(range_missing_bytes(range) > 0);
	/* Or it is the checksum over which it stalls. */
	if (range->asks && call->failures > 0) {
		range->without = true;
		range->refused = range->digest;
	}
	range->began_bytes = range->done_bytes;
	plan_rest(range, plan);
	/* The origin's, as the version: a cache tells what it has. Who may read
	 * may perhaps not have sums made. */
	range->asks = call->server->is_origin && !range->without &&
	    call->refusals == 0 &&
	    ((range->digest &&
	         !profile_digests_apart(&call->server->profile)) ||
	        profile_ask_digest(
	            &call->server->profile, call->fetch->now_ms));
	plan->digest = range->asks;
	return 0;
}

/* The rest of it. An answer is taken for the attempt's, which must not have
 * asked for a checksum. */
static uint64_t plan_second(struct call *call, struct request_plan *plan)
{
	const struct range_call *range = range_of(call);

	if (range->asks)
		return 0;
	plan_rest(range, plan);
	return range_missing_bytes(range);
}

static struct verdict body(
    struct call *call, const void *bytes, size_t size_bytes)
{
	struct range_call *range = range_of(call);

	/* What was handed on cannot be taken back, nor asked for again. */
	if (range_missing_bytes(range) == 0)
		return call_done(call, -EIO, "more bytes than were asked for");
	if (size_bytes > range_missing_bytes(range))
		return call_again(
		    call, RETRY_BAD, "more bytes than were asked for");
	range->sink.write(range->sink.arg,
	    range->offset_bytes + range->done_bytes, bytes, size_bytes);
	range->done_bytes += size_bytes;
	return (struct verdict){.kind = VERDICT_TAKE};
}

static struct verdict end(struct call *call, bool whole)
{
	struct range_call *range = range_of(call);

	if (range->done_bytes - range->began_bytes >= RANGE_PROGRESS_BYTES)
		call->failures = 0;
	if (range_missing_bytes(range) == 0)
		return (struct verdict){
		    .kind = range->unproven ? VERDICT_CONFIRM : VERDICT_DONE};
	if (whole)
		return call_again(
		    call, RETRY_BAD, "fewer bytes than were asked for");
	return (struct verdict){.kind = VERDICT_NONE};
}

void range_confirmed(struct call *call, int code, const struct fetch_stat *stat)
{
	struct range_call *range = range_of(call);

	call->state = CALL_NEW; /* it waits for nothing any more */
	/* Whoever has it open sees a file that was replaced, not none. */
	if (code == -ENOENT || code == -ENOTDIR)
		code =
		    err_set(&call->err, -ESTALE, "the file is no longer there");
	if (code == 0 &&
	    (stat->kind != FETCH_FILE ||
	        !fetch_version_equal(&range->version, &stat->version)))
		code = err_set(
		    &call->err, -ESTALE, "the file changed while it was read");
	if (code != 0 || !range->doubt) {
		call_answer(call, code);
		return;
	}
	/* It has not changed: the answer was wrong, or the host's times are
	 * not comparable. */
	range->doubt = false;
	if (range->time_differs) {
		call->fetch->origin->profile.times_differ = true;
		call_judge(call, (struct verdict){.kind = VERDICT_STEP});
	} else {
		call_judge(call,
		    call_again(call, RETRY_BAD,
		        "the size in the answer is not the file's"));
	}
}

static void range_answered(struct call *call, int code, const struct err *err)
{
	struct range_call *range = range_of(call);

	range->sink.done(range->sink.arg, code, err);
}

static const struct call_kind range_kind = {
    .name = "range",
    .size_bytes = sizeof(struct range_call),
    .silent_ms = FETCH_SILENT_MS,
    .right = TOKENS_READ,
    .cached = true,
    .ask = plan_range,
    .ask_second = plan_second,
    .head = range_head,
    .body = body,
    .end = end,
    .answer = range_answered,
};

static void copy_etag(char out[FETCH_ETAG_BYTES], const char *etag)
{
	size_t size_bytes = strnlen(etag, FETCH_ETAG_BYTES);

	if (size_bytes >= FETCH_ETAG_BYTES)
		size_bytes = 0;
	memcpy(out, etag, size_bytes);
	out[size_bytes] = '\0';
}

uint64_t fetch_range(struct fetch *fetch, const struct fetch_range *range,
    const struct fetch_sink *sink)
{
	struct call_ask common = {.ident = range->ident,
	    .path = range->path,
	    .deadline_ms = range->deadline_ms,
	    .demand = range->demand,
	    .bytes = range->length_bytes};
	struct call *call = call_new(fetch, &range_kind, &common);
	struct range_call *made;
	struct err err;

	assert(range->length_bytes > 0);
	assert(range->offset_bytes <= range->version->size_bytes &&
	    range->length_bytes <=
	        range->version->size_bytes - range->offset_bytes);
	if (call == NULL) {
		(void)err_set(&err, -ENOMEM, "out of memory");
		sink->done(sink->arg, -ENOMEM, &err);
		return UINT64_MAX;
	}
	made = range_of(call);
	made->sink = *sink;
	made->version = *range->version;
	made->offset_bytes = range->offset_bytes;
	made->length_bytes = range->length_bytes;
	made->digest = range->digest;
	call->at_origin = range->only == FETCH_ONLY_ORIGIN;
	call->only = call->at_origin ? 0 : range->only;
	copy_etag(made->if_match,
	    range->pin_etag != NULL ? range->pin_etag : range->version->etag);
	return call_post(call);
}
