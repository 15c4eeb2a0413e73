/* SPDX-License-Identifier: Apache-2.0 */
/*
 * fetch/range.c - a closed range of one version of a file, into a sink.
 *
 * No byte is handed on before the answer's headers fit what was asked for,
 * and none that is more than was asked for. After a lost connection the next
 * attempt asks for the bytes that are still missing. An answer that looks as
 * if the file had changed is dropped and the origin asked (confirm.h): a
 * change is reported only when it says so too, because servers lie.
 *
 * Threads: the fetch thread, but fetch_range().
 * Sources: RFC 9110 sections 13.1.1, 14.2, 15.3.7.
 */
#include "fetch/confirm.h"
#include "fetch/engine.h"
#include "fetch/request.h"
#include "fetch/response.h"

#include <assert.h>
#include <errno.h>
#include <string.h>

enum {
	/* As many bytes of an attempt count as progress: the next failure is
	 * the first again. Fewer would let a server that gives a byte a
	 * connection keep us busy. */
	RANGE_PROGRESS_BYTES = 512,
	/* More takes longer than its round trip, on most lines. */
	RANGE_LONG_BYTES = 256 * 1024,
};

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
	bool digest;          /* a checksum is asked for as well */
	bool unproven;        /* bytes came that nothing tells the version of */
	bool doubt;        /* the confirming is of an answer that was dropped */
	bool time_differs; /* ...for its Last-Modified alone */
};

static struct range_call *range_of(struct call *call)
{
	return CONTAINER_OF(call, struct range_call, call);
}

static uint64_t missing_bytes(const struct range_call *range)
{
	return range->length_bytes - range->done_bytes;
}

static int plan_range(struct call *call, struct request_plan *plan)
{
	struct range_call *range = range_of(call);

	assert(missing_bytes(range) > 0);
	range->began_bytes = range->done_bytes;
	plan->method = REQUEST_GET;
	plan->ranged = true;
	plan->first_bytes = range->offset_bytes + range->done_bytes;
	plan->last_bytes = range->offset_bytes + range->length_bytes - 1;
	plan->if_match = range->if_match;
	plan->digest = range->digest;
	return 0;
}

static void take_digest(
    struct range_call *range, const struct response *response)
{
	struct fetch *fetch = range->call.fetch;

	if (range->digest || response->digest.known)
		profile_digest(
		    &fetch->profile, &response->digest, fetch->now_ms);
	if (response->digest.known && range->sink.digest != NULL)
		range->sink.digest(range->sink.arg, &response->digest);
}

/* The answer fits; is it of the bytes we have already? */
static struct verdict begin(
    struct range_call *range, const struct response *response, bool proven)
{
	struct call *call = &range->call;
	int code;

	if (range->done_bytes > 0 && range->etag[0] != '\0' &&
	    response->etag[0] != '\0' &&
	    strcmp(range->etag, response->etag) != 0)
		return call_done(
		    call, -ESTALE, "the file changed between two parts of it");
	if (response->etag[0] != '\0')
		memcpy(range->etag, response->etag, sizeof(range->etag));
	range->unproven = range->unproven || !proven;
	/* Before begin(): whoever asks fetch_validates_bytes() there must not
	 * be told yes for bytes that are not. */
	profile_data(&call->fetch->profile, proven);
	code = range->sink.begin(range->sink.arg, response->etag);
	if (code != 0)
		return call_done(
		    call, code, "the file changed since it was opened");
	take_digest(range, response);
	return (struct verdict){.kind = VERDICT_TAKE};
}

static struct verdict doubt(struct range_call *range, bool time_differs)
{
	range->doubt = true;
	range->time_differs = time_differs;
	return (struct verdict){.kind = VERDICT_CONFIRM};
}

static struct verdict head(struct call *call, const struct response *response)
{
	struct range_call *range = range_of(call);
	struct response_want want = {
	    .offset_bytes = range->offset_bytes + range->done_bytes,
	    .length_bytes = missing_bytes(range),
	    .version = &range->version,
	    .etag = range->if_match,
	    .elsewhere = call->target.size_bytes > 0,
	    .times_differ = call->fetch->profile.times_differ,
	};
	struct err err;

	/* Perhaps it was the checksum that it could not give (XRootD: 500, of
	 * a file that is not there). */
	if (range->digest && response->status >= 400) {
		range->digest = false;
		return (struct verdict){.kind = VERDICT_STEP};
	}
	if (response->status == 416)
		return doubt(range, false);
	if (response->status != 200 && response->status != 206)
		return call_verdict_of(call, response);
	switch (response_fit_of(response, &want, &err)) {
	case RESPONSE_FITS:
		return begin(range, response, true);
	case RESPONSE_FITS_MAY:
		return begin(range, response, false);
	case RESPONSE_SIZE_DIFFERS:
		return doubt(range, false);
	case RESPONSE_TIME_DIFFERS:
		return doubt(range, true);
	case RESPONSE_ETAG_DIFFERS:
		return call_done(call, -ESTALE, err.text);
	case RESPONSE_UNFIT:
		break;
	}
	return call_again(call, RETRY_BAD, err.text);
}

static struct verdict body(
    struct call *call, const void *bytes, size_t size_bytes)
{
	struct range_call *range = range_of(call);

	/* What was handed on cannot be taken back, nor asked for again. */
	if (missing_bytes(range) == 0)
		return call_done(call, -EIO, "more bytes than were asked for");
	if (size_bytes > missing_bytes(range))
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
	if (missing_bytes(range) == 0)
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
		call->fetch->profile.times_differ = true;
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
    .ask = plan_range,
    .head = head,
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
	    .is_long = range->length_bytes > RANGE_LONG_BYTES};
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
	copy_etag(made->if_match,
	    range->pin_etag != NULL ? range->pin_etag : range->version->etag);
	return call_post(call);
}
