/* SPDX-License-Identifier: Apache-2.0 */
/*
 * fetch/calls/call_judge.c - what follows from a verdict: an answer, another
 * attempt, another server. How verdicts come about is in call_verdict.c.
 *
 * Threads: the fetch thread.
 */
#include "base/clock.h"
#include "base/stats.h"
#include "fetch/calls/call.h"
#include "fetch/calls/call_hedge.h"
#include "fetch/engine.h"
#include "fetch/reads/confirm.h"
#include "tokens/tokens.h"

#include <assert.h>
#include <errno.h>

/* The token's source is to be read again, and the path asked once more. */
static void renew(struct call *call) REQUIRES(fetch_thread);

static void renew(struct call *call)
{
	call->refused_id = token_id(call->token);
	token_put(STEAL(call->token));
	call_forget_target(call);
	call->proven = false;
	call_choose(call);
	call_queue(call, true);
}

/* A cache has refused. The second attempt, which is the last, asks the
 * origin: what it says of the token counts. */
static void refused_at_cache(struct call *call) REQUIRES(fetch_thread);

static void refused_at_cache(struct call *call)
{
	call->refusals++;
	call->at_origin = true;
	call->refuser = call->server;
	call->refused_token = token_id(call->token);
	renew(call);
}

/* Another attempt, now, later, or never. */
static void again(struct call *call, enum retry_reason reason)
    REQUIRES(fetch_thread);

/* A server has refused: have the token's source read again, once. */
static void refused(struct call *call, int status) REQUIRES(fetch_thread);

static void refused(struct call *call, int status)
{
	struct fetch *fetch = call->fetch;
	struct token *token = call->token;
	int code;

	stats_add(STATS_fetch_refusals, 1);
	if (call->only != 0) {
		call_answer(call, -EACCES);
		return;
	}
	if (!call->server->is_origin && token == NULL) {
		call_shun(call, call->server, SHUN_ABSENT_MS, call->err.text);
		again(call, RETRY_ELSEWHERE);
		return;
	}
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
	if (!call->server->is_origin) {
		refused_at_cache(call);
		return;
	}
	tokens_report(
	    fetch->tokens, token, call->path, call->kind->right, status);
	if (call->refusals++ == 0) {
		renew(call);
		return;
	}
	code = tokens_verdict(fetch->tokens, token, call->path,
	    call->kind->right, status, &call->err);
	call_answer(call, code);
}

static void again(struct call *call, enum retry_reason reason)
{
	struct fetch *fetch = call->fetch;
	struct retry_decision decision;

	if (call->only != 0) {
		call_answer(call, retry_code(reason));
		return;
	}
	/* Of why it fails at last, what a cache has not says the least. */
	if (!call->failed || reason != RETRY_ELSEWHERE)
		call->reason = reason;
	call->failed = true;
	if (call_leave(call, reason)) {
		call_queue(call, true);
		return;
	}
	call->failures++;
	if (reason == RETRY_BAD || reason == RETRY_SERVER)
		call->bad++;
	call_forget_target(call);
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
		call_choose(call);
		call_queue(call, true);
		return;
	}
	call->state = CALL_DELAYED;
	call->resume_ms = fetch->now_ms + decision.wait_ms;
	fetch->delayed_count++;
}

void call_judge(struct call *call, struct verdict verdict)
{
	if (call_is_second(call)) {
		call_second_judge(call, &verdict);
		return;
	}
	if (verdict.kind == VERDICT_AGAIN &&
	    call_take_over(call, verdict.reason))
		return;
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
		call_forget_target(call);
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
