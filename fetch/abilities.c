/* SPDX-License-Identifier: Apache-2.0 */
/*
 * fetch/abilities.c - see abilities.h: one request for each ability, judged by
 * the headers of its answer.
 *
 * Threads: the fetch thread, but fetch_abilities().
 */
#include "fetch/abilities.h"

#include "fetch/calls/request.h"
#include "fetch/engine.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum step {
	STEP_OPEN,
	STEP_PAST,
	STEP_MULTI,
	STEP_CHECKSUM,
	STEP_HTTP2,
	STEP_END, /* any answer: when the last try had none */
};

enum {
	/* A server that sums the whole file first is not waited for. */
	ABILITY_SILENT_MS = 5000,
	/* So far behind the end of the file. */
	PAST_BYTES = 100,
};

struct ability_call {
	struct call call; /* first */
	fetch_abilities_fn answer;
	void *arg;
	uint64_t size_bytes;
	bool has_etag; /* in the attributes */
	enum step step;
	bool judged;       /* its headers have told */
	unsigned failures; /* of the call, when the step began */
	struct fetch_abilities found;
	char range[64];
};

static struct ability_call *ability_of(struct call *call)
{
	return CONTAINER_OF(call, struct ability_call, call);
}

static enum fetch_ability *place_of(struct ability_call *ability)
{
	switch (ability->step) {
	case STEP_OPEN:
		return &ability->found.open_range;
	case STEP_PAST:
		return &ability->found.past_end;
	case STEP_MULTI:
		return &ability->found.multi_range;
	case STEP_CHECKSUM:
		return &ability->found.checksum;
	case STEP_HTTP2:
	case STEP_END:
		break;
	}
	return &ability->found.http2;
}

static void plan_range(struct ability_call *ability, struct request_plan *plan)
{
	uint64_t last = ability->size_bytes - 1;

	plan->range_text = ability->range;
	if (ability->step == STEP_OPEN)
		(void)snprintf(ability->range, sizeof(ability->range),
		    "Range: bytes=%" PRIu64 "-", last);
	else if (ability->step == STEP_PAST)
		(void)snprintf(ability->range, sizeof(ability->range),
		    "Range: bytes=%" PRIu64 "-%" PRIu64, last,
		    last + PAST_BYTES);
	else
		(void)snprintf(ability->range, sizeof(ability->range),
		    "Range: bytes=0-0,%" PRIu64 "-%" PRIu64, last, last);
}

static int plan_ability(struct call *call, struct request_plan *plan)
{
	struct ability_call *ability = ability_of(call);

	/* A try that ended without headers. Where nobody could be reached
	 * that says nothing. */
	if (call->failures > ability->failures && !ability->judged &&
	    (call->reason == RETRY_LOST || call->reason == RETRY_BAD))
		*place_of(ability) = FETCH_ABILITY_WRONG;
	if (call->failures > ability->failures || ability->judged)
		ability->step++;
	ability->failures = call->failures;
	ability->judged = false;
	if (ability->step == STEP_MULTI && ability->size_bytes < 3)
		ability->step++;
	if (ability->step > STEP_END)
		return err_set(&call->err, -EIO,
		    "%s does not answer to what is tried there",
		    call->server->source.origin);
	if (ability->step < STEP_CHECKSUM) {
		plan_range(ability, plan);
		return 0;
	}
	plan->method = REQUEST_HEAD;
	plan->digest = ability->step == STEP_CHECKSUM;
	plan->http2 = ability->step == STEP_HTTP2;
	return 0;
}

/* 206 with just the last byte. */
static enum fetch_ability judge_last_byte(
    const struct ability_call *ability, const struct response *response)
{
	uint64_t last = ability->size_bytes - 1;

	if (response->status == 200 || response->status == 416)
		return FETCH_ABILITY_NO;
	if (response->status == 206 && response->problem == NULL &&
	    response->range_known && response->range.first_bytes == last &&
	    response->range.last_bytes == last &&
	    (!response->length_known || response->length_bytes == 1))
		return FETCH_ABILITY_YES;
	return FETCH_ABILITY_WRONG;
}

static enum fetch_ability judge(
    struct ability_call *ability, const struct response *response)
{
	long version = 0;

	/* Of the token, or of a server that is busy. */
	if (response_verdict_of(response->status).means == RESPONSE_REFUSED ||
	    response->status >= 500)
		return FETCH_ABILITY_UNKNOWN;
	switch (ability->step) {
	case STEP_OPEN:
	case STEP_PAST:
		return judge_last_byte(ability, response);
	case STEP_MULTI:
		if (response->status == 200)
			return FETCH_ABILITY_NO;
		return response->status == 206 &&
		        strcmp(response->media_type, "multipart/byteranges") ==
		            0
		    ? FETCH_ABILITY_YES
		    : FETCH_ABILITY_WRONG;
	case STEP_CHECKSUM:
		ability->found.algorithm = response->digest.algorithm;
		return response->digest.known ? FETCH_ABILITY_YES
		                              : FETCH_ABILITY_NO;
	case STEP_HTTP2:
	case STEP_END:
		break;
	}
	(void)curl_easy_getinfo(
	    ability->call.request->easy, CURLINFO_HTTP_VERSION, &version);
	return version == CURL_HTTP_VERSION_2_0 ? FETCH_ABILITY_YES
	                                        : FETCH_ABILITY_NO;
}

static struct verdict head(struct call *call, const struct response *response)
{
	struct ability_call *ability = ability_of(call);

	if (response->status >= 300 && response->status < 400)
		return call_verdict_of(call, response);
	if (ability->step < STEP_END)
		*place_of(ability) = judge(ability, response);
	ability->judged = true;
	if (ability->step >= STEP_HTTP2)
		return (struct verdict){.kind = VERDICT_DONE};
	return (struct verdict){.kind = VERDICT_STEP};
}

static struct verdict body(
    struct call *call, const void *bytes, size_t size_bytes)
{
	(void)bytes;
	(void)size_bytes;
	return call_again(call, RETRY_BAD, "a body that is not wanted");
}

static struct verdict end(struct call *call, bool whole)
{
	(void)call;
	(void)whole;
	return (struct verdict){.kind = VERDICT_NONE};
}

static void abilities_answered(
    struct call *call, int code, const struct err *err)
{
	struct ability_call *ability = ability_of(call);
	struct fetch *fetch = call->fetch;
	const struct profile *profile = &fetch->origin->profile;

	if (code == 0) {
		if (atomic_load(&profile->has_dav)) {
			ability->found.listed_etag = ability->has_etag
			    ? FETCH_ABILITY_YES
			    : FETCH_ABILITY_NO;
			ability->found.escaped = atomic_load(&profile->xrootd)
			    ? FETCH_ABILITY_NO
			    : FETCH_ABILITY_YES;
		}
		fetch->abilities = ability->found;
		fetch->abilities_number = call->server->number;
		fetch->abilities_ms = fetch->now_ms;
	}
	ability->answer(
	    ability->arg, code, code == 0 ? &ability->found : NULL, err);
}

static const struct call_kind ability_kind = {
    .name = "ability",
    .size_bytes = sizeof(struct ability_call),
    .silent_ms = ABILITY_SILENT_MS,
    .right = TOKENS_READ,
    .aside = true,
    .ask = plan_ability,
    .head = head,
    .body = body,
    .end = end,
    .answer = abilities_answered,
};

/* In place of call.c's: remembered of this very host, or asked now. */
static void deliver(struct post *post, struct fetch *fetch)
{
	struct call *call = CONTAINER_OF(post, struct call, post);
	struct ability_call *ability = ability_of(call);
	uint64_t age_ms = fetch->now_ms - fetch->abilities_ms;
	struct fetch_abilities found = fetch->abilities;
	struct err unused = ERR_INIT;

	fetch_assert_thread(fetch);
	if (fetch->abilities_ms == 0 || age_ms >= FETCH_ABILITIES_MS ||
	    fetch->abilities_number != fetch->origin->number) {
		call_start(call);
		return;
	}
	found.age_ms = age_ms;
	ability->answer(ability->arg, 0, &found, &unused);
	free(ability);
}

void fetch_abilities(struct fetch *fetch, const struct ident *ident,
    const char *path, const struct fetch_version *version,
    fetch_abilities_fn answer, void *arg)
{
	struct call *call = call_new(fetch, &ability_kind,
	    &(struct call_ask){.ident = ident, .path = path, .demand = true});
	struct err err = ERR_INIT;

	if (call == NULL) {
		(void)err_set(&err, -ENOMEM, "out of memory");
		answer(arg, -ENOMEM, NULL, &err);
		return;
	}
	call->post.deliver = deliver;
	ability_of(call)->answer = answer;
	ability_of(call)->arg = arg;
	ability_of(call)->size_bytes = version->size_bytes;
	ability_of(call)->has_etag = version->etag[0] != '\0';
	(void)call_post(call);
}
