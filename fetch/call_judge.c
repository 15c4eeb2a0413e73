/* SPDX-License-Identifier: Apache-2.0 */
/*
 * fetch/call_judge.c - what follows from an answer, or from none: the second
 * half of call.h.
 *
 * Threads: the fetch thread.
 */
#include "base/clock.h"
#include "base/log.h"
#include "base/stats.h"
#include "fetch/call.h"
#include "fetch/confirm.h"
#include "fetch/engine.h"
#include "fetch/redirect.h"
#include "fetch/request.h"
#include "tokens/tokens.h"

#include <assert.h>
#include <errno.h>
#include <string.h>

struct verdict call_done(struct call *call, int code, const char *why)
{
	(void)err_set(&call->err, code, "%s", why);
	return (struct verdict){.kind = VERDICT_DONE, .code = code};
}

struct verdict call_again(
    struct call *call, enum retry_reason reason, const char *why)
{
	(void)err_set(&call->err, retry_code(reason), "%s: %s",
	    call->fetch->source.origin, why);
	return (struct verdict){.kind = VERDICT_AGAIN, .reason = reason};
}

struct verdict call_verdict_of(
    struct call *call, const struct response *response)
{
	struct response_verdict means = response_verdict_of(response->status);
	struct verdict verdict = {.kind = VERDICT_AGAIN, .reason = RETRY_BAD};

	(void)err_set(&call->err, means.code == 0 ? -EIO : means.code,
	    "%s: %s: status %d: %s", call->fetch->source.origin,
	    call->kind->name, response->status, means.why);
	switch (means.means) {
	case RESPONSE_REDIRECT:
		verdict.kind = VERDICT_REDIRECT;
		break;
	case RESPONSE_REFUSED:
		verdict.kind = VERDICT_REFUSED;
		verdict.code = response->status;
		break;
	case RESPONSE_FINAL:
	case RESPONSE_CHANGED:
		verdict.kind = VERDICT_DONE;
		verdict.code = means.code;
		break;
	case RESPONSE_BUSY:
		verdict.reason = RETRY_BUSY;
		break;
	case RESPONSE_SERVER:
		verdict.reason = RETRY_SERVER;
		break;
	case RESPONSE_DATA:
	case RESPONSE_BAD:
		break;
	}
	return verdict;
}

enum { MULTI_STATUS = 207 }; /* RFC 4918, section 13 */

/* Only the origin's own answers tell of the origin. */
static bool from_origin(const struct call *call)
{
	return call->target.size_bytes == 0;
}

bool call_is_astray(const struct call *call)
{
	return call->target.size_bytes > 0 && call->fetch->source.tls &&
	    !call->target_may;
}

/* The server has answered this token for this path. */
static void prove(struct call *call, int status)
{
	if (call->token == NULL || call->proven)
		return;
	call->proven = true;
	tokens_report(call->fetch->tokens, call->token, call->path,
	    call->kind->right, status);
}

/* As far as the headers tell it is what was asked for. */
static bool is_good(const struct verdict *verdict)
{
	return verdict->kind == VERDICT_TAKE ||
	    (verdict->kind == VERDICT_DONE && verdict->code == 0);
}

void call_head(struct request *request)
{
	struct call *call = request->call;
	struct fetch *fetch = call->fetch;
	const struct response *response = &request->response;

	call_drop_echo(call, request->response.etag);
	if (from_origin(call))
		profile_saw(&fetch->profile, response);
	if (profile_name_ok(&fetch->profile, call->path) < 0) {
		request->verdict = call_done(
		    call, -EINVAL, "this server cannot carry a '?' in a name");
		return;
	}
	request->verdict = call->kind->head(call, response);
	/* What a 207 grants stands in its body: see call_finished(). An answer
	 * to something else (a page for a login, say) grants nothing. */
	if (response->status < 300 && response->status != MULTI_STATUS &&
	    is_good(&request->verdict))
		prove(call, response->status);
}

bool call_body(struct request *request, const void *bytes, size_t size_bytes)
{
	struct call *call = request->call;

	if (request->verdict.kind == VERDICT_TAKE)
		request->verdict = call->kind->body(call, bytes, size_bytes);
	return request->verdict.kind == VERDICT_TAKE ||
	    request->body_bytes <= REQUEST_DRAIN_BYTES;
}

/* libcurl gave up: why, in our words. */
static struct verdict failure_of(struct call *call, CURLcode result)
{
	const struct request *request = call->request;
	/* libcurl's words may hold the host, which of a redirect is the
	 * server's to choose: it might put the token into it. */
	const char *why = request->problem[0] != '\0' && from_origin(call)
	    ? request->problem
	    : curl_easy_strerror(result);
	enum retry_reason reason = RETRY_LOST;

	switch ((int)result) {
	case CURLE_OUT_OF_MEMORY:
		/* curl 7.88 says this of a header line over 100 kB too, which
		 * any server can send; later ones say CURLE_TOO_LARGE. */
		why = "a header line without an end, or no memory";
		reason = RETRY_BAD;
		break;
	case CURLE_PEER_FAILED_VERIFICATION:
	case CURLE_SSL_CACERT_BADFILE:
	case CURLE_SSL_ISSUER_ERROR:
	case CURLE_SSL_INVALIDCERTSTATUS:
		reason = RETRY_UNTRUSTED;
		break;
	case CURLE_COULDNT_RESOLVE_HOST:
	case CURLE_COULDNT_RESOLVE_PROXY:
	case CURLE_COULDNT_CONNECT:
	case CURLE_OPERATION_TIMEDOUT: /* only the connecting has a limit */
	case CURLE_SSL_CONNECT_ERROR:
	case CURLE_PROXY:
		reason = RETRY_CONNECT;
		break;
	case CURLE_GOT_NOTHING:
	case CURLE_RECV_ERROR:
	case CURLE_SEND_ERROR:
	case CURLE_PARTIAL_FILE:
		break;
	default:
		reason = RETRY_BAD;
		break;
	}
	return call_again(call, reason, why);
}

static struct verdict verdict_on(struct call *call, CURLcode result)
{
	struct request *request = call->request;
	struct verdict verdict = request->verdict;

	if (verdict.kind == VERDICT_TAKE)
		verdict = call->kind->end(call, result == CURLE_OK);
	if (verdict.kind != VERDICT_NONE)
		return verdict;
	if (result == CURLE_OK)
		return call_again(call, RETRY_BAD, "no answer in HTTP");
	return failure_of(call, result);
}

/* Where a redirect leads: into call->target, or `slash`. */
static struct verdict follow(struct call *call)
{
	const struct fetch *fetch = call->fetch;
	const struct request *request = call->request;
	const struct redirect_rules rules = {
	    .source = &fetch->source,
	    .hosts = (const char *const *)fetch->redirect_hosts,
	    .host_count = fetch->redirect_host_count,
	};
	struct redirect redirect;
	struct err err;
	const struct redirect_seen seen = {
	    .base_url = buf_text(&request->url),
	    .location = request->response.location,
	    .followed = call->redirects,
	};
	int code = redirect_look(&redirect, &call->target, &rules, &seen, &err);

	if (code == -ENOMEM)
		return call_done(call, code, "out of memory");
	if (code < 0)
		return call_again(call, RETRY_BAD, err.text);
	call->redirects++;
	call->target_may = redirect.token_may_go;
	if (redirect.kind == REDIRECT_SLASH) {
		buf_clear(&call->target);
		if (call->slash)
			return call_again(call, RETRY_BAD,
			    "a redirect to where it came from");
		call->slash = true;
	}
	return (struct verdict){.kind = VERDICT_REDIRECT};
}

static void note_date(struct call *call, const struct response *response)
{
	if (!response->skew_known || !from_origin(call))
		return;
	origin_dated(&call->fetch->origin, response->skew_s);
	tokens_note_skew(call->fetch->tokens, response->skew_s);
}

/* Numbers and news of an attempt that has ended. */
static void account(struct call *call, const struct verdict *verdict)
    REQUIRES(fetch_thread);

static void account(struct call *call, const struct verdict *verdict)
{
	struct fetch *fetch = call->fetch;
	const struct response *response = &call->request->response;
	curl_off_t first_us = 0;
	long connects = 0;
	bool unreachable;

	(void)curl_easy_getinfo(
	    call->request->easy, CURLINFO_NUM_CONNECTS, &connects);
	stats_add(STATS_fetch_connections, connects);
	if (verdict->kind == VERDICT_AGAIN)
		call_note(call, response->ended ? response->status : 0,
		    call->err.code);
	else if (response->ended)
		call_note(call, response->status, 0);
	if (response->ended) {
		if (!call->kind->aside)
			(void)curl_easy_getinfo(call->request->easy,
			    CURLINFO_STARTTRANSFER_TIME_T, &first_us);
		if (origin_answered(&fetch->origin, response->status,
		        first_us > 0 ? (uint64_t)first_us : 0))
			call_wake_delayed(fetch);
		note_date(call, response);
		atomic_store(&fetch->untrusted, false);
	}
	if (verdict->kind != VERDICT_AGAIN)
		return;
	if (verdict->reason == RETRY_BAD)
		stats_add(STATS_fetch_bad_answers, 1);
	if (verdict->reason == RETRY_UNTRUSTED)
		atomic_store(&fetch->untrusted, true);
	unreachable = verdict->reason == RETRY_CONNECT ||
	    verdict->reason == RETRY_UNTRUSTED;
	origin_failed(&fetch->origin, &call->err, unreachable);
	if (unreachable)
		origin_lost(&fetch->origin, fetch->now_ms);
}

void call_finished(struct request *request, CURLcode result)
{
	struct call *call = request->call;
	struct fetch *fetch = call->fetch;
	struct verdict verdict = verdict_on(call, result);

	if (verdict.kind == VERDICT_REDIRECT)
		verdict = follow(call);
	if (verdict.kind == VERDICT_DONE && verdict.code == 0 &&
	    request->response.status == MULTI_STATUS)
		prove(call, MULTI_STATUS);
	account(call, &verdict);
	call->wait_asked = request->response.wait_asked;
	call->wait_asked_s = request->response.wait_asked_s;
	if (request->response.status == 429 && call->wait_asked)
		origin_hold(&fetch->origin, fetch->now_ms, call->wait_asked_s);
	call_drop_request(call);
	call_judge(call, verdict);
}

/* A server has refused: have the token's source read again, once. */
static void refused(struct call *call, int status) REQUIRES(fetch_thread);

static void refused(struct call *call, int status)
{
	struct fetch *fetch = call->fetch;
	struct token *token = call->token;
	int code;

	stats_add(STATS_fetch_refusals, 1);
	if (token == NULL) {
		(void)err_set(&call->err, -EACCES,
		    "status %d to a request without a token%s", status,
		    call->target.size_bytes > 0
		        ? ": name the host in redirect_hosts if the token may "
		          "go there"
		        : "");
		call_answer(call, -EACCES);
		return;
	}
	tokens_report(
	    fetch->tokens, token, call->path, call->kind->right, status);
	if (call->refusals++ == 0) {
		call->refused_id = token_id(token);
		token_put(STEAL(call->token));
		buf_clear(&call->target);
		call->redirects = 0;
		call->proven = false;
		call_queue(call, true);
		return;
	}
	code = tokens_verdict(fetch->tokens, token, call->path,
	    call->kind->right, status, &call->err);
	call_answer(call, code);
}

/* Another attempt, now, later, or never. */
static void again(struct call *call, enum retry_reason reason)
    REQUIRES(fetch_thread);

static void again(struct call *call, enum retry_reason reason)
{
	struct fetch *fetch = call->fetch;
	struct retry_decision decision;

	call->failures++;
	if (reason == RETRY_BAD || reason == RETRY_SERVER)
		call->bad++;
	call->failed = true;
	call->reason = reason;
	buf_clear(&call->target);
	call->redirects = 0;
	decision = retry_decide(&(struct retry_facts){
	    .reason = reason,
	    .failures = call->failures,
	    .bad = call->bad,
	    .now_ms = fetch->now_ms,
	    .deadline_ms = call->deadline_ms,
	    .wait_asked = call->wait_asked,
	    .wait_asked_s = call->wait_asked_s,
	    .jitter = (uint32_t)clock_jitter(RETRY_JITTER_RANGE),
	});
	call->wait_asked = false;
	if (!decision.again) {
		call_answer(call, decision.code);
		return;
	}
	stats_add(STATS_fetch_retries, 1);
	if (decision.wait_ms == 0) {
		call_queue(call, true);
		return;
	}
	call->state = CALL_DELAYED;
	call->resume_ms = fetch->now_ms + decision.wait_ms;
	fetch->delayed_count++;
}

void call_judge(struct call *call, struct verdict verdict)
{
	if (verdict.kind != VERDICT_REFUSED)
		token_put(STEAL(call->token)); /* asked for anew each time */
	switch (verdict.kind) {
	case VERDICT_DONE:
		call_answer(call, verdict.code);
		return;
	case VERDICT_AGAIN:
		again(call, verdict.reason);
		return;
	case VERDICT_STEP:
		buf_clear(&call->target);
		call->redirects = 0;
		call_queue(call, true);
		return;
	case VERDICT_REDIRECT:
		call_queue(call, true);
		return;
	case VERDICT_REFUSED:
		refused(call, verdict.code);
		return;
	case VERDICT_CONFIRM:
		confirm_ask(call);
		return;
	case VERDICT_NONE:
	case VERDICT_TAKE:
		break;
	}
	assert(false); /* these end nothing and never get here */
}
