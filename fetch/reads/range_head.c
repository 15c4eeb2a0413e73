/* SPDX-License-Identifier: Apache-2.0 */
/*
 * fetch/reads/range_head.c - the headers of an answer to a range: are its bytes of
 * the version wanted?
 *
 * An answer of the origin that looks as if the file had changed is dropped
 * and the origin asked (confirm.h): a change is reported only when it says so
 * too, because servers lie. A cache whose answer looks so is passed over for
 * the file: what version there is the origin tells, and a cache that does not
 * show which one its bytes are of serves only files that never change.
 *
 * Threads: the fetch thread.
 * Sources: RFC 9110 sections 13.1.1, 14.2, 15.3.7.
 */
#include "fetch/answers/response.h"
#include "fetch/engine.h"
#include "fetch/reads/confirm.h"
#include "fetch/reads/range_impl.h"

#include <errno.h>
#include <string.h>

/* Is this answer the whole file? */
static bool is_whole(const struct range_call *range)
{
	return range->offset_bytes == 0 && range->began_bytes == 0 &&
	    range->length_bytes == range->version.size_bytes;
}

/* What was not asked for is not believed: on a kept connection XRootD 5.5
 * repeats the checksum of an earlier file. That of a part may be one of the
 * part. Only the origin is asked (range.c). */
static void take_digest(
    struct range_call *range, const struct response *response)
{
	static const struct fetch_digest none;
	const struct call *call = &range->call;
	struct profile *profile = &call->server->profile;

	if (range->refused && call->server->is_origin)
		profile_digest(profile, &none, call->fetch->now_ms);
	range->refused = false;
	if (!range->asks)
		return;
	profile_digest(profile, &response->digest, call->fetch->now_ms);
	if (range->digest && response->digest.known && is_whole(range) &&
	    range->sink.digest != NULL)
		range->sink.digest(range->sink.arg, &response->digest);
}

/* The answer fits; is it of the bytes we have already? */
static struct verdict begin(
    struct range_call *range, const struct response *response, bool proven)
{
	struct call *call = &range->call;
	/* A cache may have ETags of its own making: only those that the origin
	 * has shown tell versions apart. */
	const char *etag = call->server->is_origin || range->if_match[0] != '\0'
	    ? response->etag
	    : "";
	int code;

	if (range->done_bytes > 0 && range->etag[0] != '\0' &&
	    etag[0] != '\0' && strcmp(range->etag, etag) != 0)
		return call_done(
		    call, -ESTALE, "the file changed between two parts of it");
	if (etag[0] != '\0')
		memcpy(range->etag, etag, strlen(etag) + 1);
	range->unproven = range->unproven || !proven;
	/* Before begin(): whoever asks fetch_validates_bytes() there must not
	 * be told yes for bytes that are not. It is of the source as a whole. */
	profile_data(&call->fetch->origin->profile, proven);
	if (range->sink.from != NULL)
		range->sink.from(range->sink.arg,
		    call->server->is_origin ? 0 : call->server->place + 1);
	code = range->sink.begin(range->sink.arg, etag);
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

static enum response_fit fit_of(const struct range_call *range,
    const struct response *response, struct err *err)
{
	const struct call *call = &range->call;
	struct response_want want = {
	    .offset_bytes = range->offset_bytes + range->done_bytes,
	    .length_bytes = range_missing_bytes(range),
	    .version = &range->version,
	    .etag = range->if_match,
	    .elsewhere = call->target.size_bytes > 0,
	    .times_differ = call->fetch->origin->profile.times_differ,
	};

	return response_fit_of(response, &want, err);
}

static struct verdict pass_over(
    struct call *call, uint64_t for_ms, const char *why) REQUIRES(fetch_thread);

static struct verdict pass_over(
    struct call *call, uint64_t for_ms, const char *why)
{
	struct verdict verdict = call_again(call, RETRY_ELSEWHERE, why);

	call_shun(call, call->server, for_ms, why);
	return verdict;
}

/* Its bytes show no version, and the file may change. */
static struct verdict unfit(struct call *call, const struct response *response)
    REQUIRES(fetch_thread);

static struct verdict unfit(struct call *call, const struct response *response)
{
	static const char why[] =
	    "a cache that shows no version of what it "
	    "gives; set immutable if no file ever changes";

	if (response->modified_s >= 0 || response->etag[0] != '\0')
		return pass_over(call, SHUN_DIFFERS_MS, why);
	server_is_unfit(call->server, call->fetch->now_ms);
	return call_again(call, RETRY_ELSEWHERE, why);
}

/* A cache has answered; is it of the version that the origin has told? */
static struct verdict cache_head(
    struct call *call, const struct response *response) REQUIRES(fetch_thread);

static struct verdict cache_head(
    struct call *call, const struct response *response)
{
	struct range_call *range = range_of(call);
	struct err err;

	if (response->status >= 400 && response->status < 500 &&
	    response_verdict_of(response->status).means != RESPONSE_REFUSED &&
	    response_verdict_of(response->status).means != RESPONSE_BUSY)
		return pass_over(call, SHUN_ABSENT_MS,
		    response_verdict_of(response->status).why);
	if (response->status != 200 && response->status != 206)
		return call_verdict_of(call, response);
	switch (fit_of(range, response, &err)) {
	case RESPONSE_FITS:
		return begin(range, response, true);
	case RESPONSE_FITS_MAY:
		if (call->fetch->immutable)
			return begin(range, response, true);
		return unfit(call, response);
	case RESPONSE_SIZE_DIFFERS:
	case RESPONSE_TIME_DIFFERS:
	case RESPONSE_ETAG_DIFFERS:
		return pass_over(call, SHUN_DIFFERS_MS, err.text);
	case RESPONSE_UNFIT:
		break;
	}
	return call_again(call, RETRY_BAD, err.text);
}

static bool is_refusal(int status)
{
	return response_verdict_of(status).means == RESPONSE_REFUSED;
}

static struct verdict origin_head(
    struct call *call, const struct response *response)
{
	struct range_call *range = range_of(call);
	struct err err;

	/* Perhaps it was the checksum that it could not give (XRootD: 500, of
	 * a file that is not there). One that is asked for by the way, to
	 * learn whether there are any, is left out when it is tried again. A
	 * refusal is of the token first. */
	if (range->asks && response->status >= 400) {
		range->without = true;
		range->refused = range->digest && !is_refusal(response->status);
		if (range->refused)
			return (struct verdict){.kind = VERDICT_STEP};
	}
	if (response->status == 416)
		return doubt(range, false);
	if (response->status != 200 && response->status != 206)
		return call_verdict_of(call, response);
	switch (fit_of(range, response, &err)) {
	case RESPONSE_FITS:
		return begin(range, response, true);
	case RESPONSE_FITS_MAY:
		return begin(range, response, call->fetch->immutable);
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

struct verdict range_head(struct call *call, const struct response *response)
{
	fetch_assert_thread(call->fetch);
	return call->server->is_origin ? origin_head(call, response)
	                               : cache_head(call, response);
}
