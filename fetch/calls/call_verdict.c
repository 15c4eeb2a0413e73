/* SPDX-License-Identifier: Apache-2.0 */
/*
 * fetch/calls/call_verdict.c - what an answer means for a call, or that none came.
 *
 * Threads: the fetch thread.
 */
#include "fetch/calls/call.h"
#include "fetch/calls/call_hedge.h"
#include "fetch/calls/call_stripe.h"
#include "fetch/calls/redirect.h"
#include "fetch/calls/request.h"
#include "fetch/engine.h"
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
	    call->server->source.origin, why);
	return (struct verdict){.kind = VERDICT_AGAIN, .reason = reason};
}

struct verdict call_verdict_of(
    struct call *call, const struct response *response)
{
	struct response_verdict means = response_verdict_of(response->status);
	struct verdict verdict = {.kind = VERDICT_AGAIN, .reason = RETRY_BAD};

	(void)err_set(&call->err, means.code == 0 ? -EIO : means.code,
	    "%s: %s: status %d: %s", call->server->source.origin,
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

bool call_is_astray(const struct call *call)
{
	return call->target.size_bytes > 0 && call->server->source.tls &&
	    !call->target_may;
}

/* The origin has answered this token for this path. A cache may give its
 * bytes to anybody. */
static void prove(struct call *call, int status) REQUIRES(fetch_thread);

static void prove(struct call *call, int status)
{
	if (call->token == NULL || call->proven || !call->server->is_origin)
		return;
	call->proven = true;
	if (call->refuser != NULL &&
	    call->refused_token == token_id(call->token))
		call_shun(call, call->refuser, SHUN_ABSENT_MS,
		    "it refuses a token that the origin accepts");
	tokens_report(call->fetch->tokens, call->token, call->path,
	    call->kind->right, status);
}

/* As far as the headers tell it is what was asked for. */
static bool is_good(const struct verdict *verdict)
{
	return verdict->kind == VERDICT_TAKE ||
	    (verdict->kind == VERDICT_DONE && verdict->code == 0);
}

/* The server takes the path for another one. */
static struct verdict name_is_cut(struct call *call)
{
	static const char why[] = "this server cannot carry a '?' in a name";

	return call->server->is_origin ? call_done(call, -EINVAL, why)
	                               : call_again(call, RETRY_ELSEWHERE, why);
}

static void judge_head(struct request *request) REQUIRES(fetch_thread);

static void judge_head(struct request *request)
{
	struct call *call = request->call;
	const struct response *response = &request->response;

	call_drop_echo(call, request->response.etag);
	if (call_is_to_server(call)) {
		profile_saw(&call->server->profile, response);
		writing_saw(&call->server->writing, response);
	}
	if (profile_name_ok(&call->server->profile, call->path) < 0) {
		request->verdict = name_is_cut(call);
		return;
	}
	request->verdict = call->kind->head(call, response);
	/* What a 207 grants stands in its body: see call_finished(). An answer
	 * to something else (a page for a login, say) grants nothing. */
	if (response->status < 300 && response->status != MULTI_STATUS &&
	    is_good(&request->verdict))
		prove(call, response->status);
}

void call_head(struct request *request)
{
	bool second = request->call->first != NULL;

	/* What a second call was answered is judged as if the first had asked
	 * it. One that is of no use leaves the first waiting. */
	if (second)
		call_swap(request->call);
	judge_head(request);
	if (request->verdict.kind != VERDICT_AGAIN)
		call_race_over(request->call, second);
	else if (second)
		call_swap(request->call);
}

bool call_body(struct request *request, const void *bytes, size_t size_bytes)
{
	struct call *call = request->call;

	if (request->verdict.kind == VERDICT_TAKE) {
		call_race_off(call);
		call_stripe_note(call, size_bytes);
		request->verdict = call->kind->body(call, bytes, size_bytes);
	}
	return request->verdict.kind == VERDICT_TAKE ||
	    request->body_bytes <= REQUEST_DRAIN_BYTES;
}

/* libcurl gave up: why, in our words. */
static struct verdict failure_of(struct call *call, CURLcode result)
{
	const struct request *request = call->request;
	/* libcurl's words may hold the host, which of a redirect is the
	 * server's to choose: it might put the token into it. */
	const char *why = request->problem[0] != '\0' && call_is_to_server(call)
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
	case CURLE_ABORTED_BY_CALLBACK: /* see on_issue() in request_fill.c */
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
	    .servers = fetch->servers,
	    .server_count = fetch->server_count,
	    .tls = call->server->source.tls,
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

void call_finished(struct request *request, CURLcode result)
{
	struct call *call = request->call;
	struct verdict verdict = verdict_on(call, result);

	if (verdict.kind == VERDICT_REDIRECT)
		verdict = follow(call);
	if (verdict.kind == VERDICT_DONE && verdict.code == 0 &&
	    request->response.status == MULTI_STATUS)
		prove(call, MULTI_STATUS);
	call_account(call, &verdict);
	call->wait_asked = request->response.wait_asked;
	call->wait_asked_s = request->response.wait_asked_s;
	if (request->response.status == 429 && call->wait_asked)
		server_hold(
		    call->server, call->fetch->now_ms, call->wait_asked_s);
	call_drop_request(call);
	call_judge(call, verdict);
}
