/* SPDX-License-Identifier: Apache-2.0 */
/*
 * fetch/reads/quota.c - space of the source (RFC 4331), asked for once a minute at
 * most however often statfs(2) is called.
 *
 * Threads: the fetch thread, but fetch_quota().
 */
#include "fetch/answers/dav.h"
#include "fetch/calls/request.h"
#include "fetch/engine.h"
#include "fetch/reads/stat.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

struct quota_call {
	struct call call; /* first */
	fetch_quota_fn answer;
	void *arg;
	bool asked; /* this one is sent, others may wait for it */
	struct quota_call *waiting; /* for the same answer; a list */
	struct fetch_quota quota;
	struct dav_parser *parser;
};

static struct quota_call *quota_of(struct call *call)
{
	return CONTAINER_OF(call, struct quota_call, call);
}

static int plan_quota(struct call *call, struct request_plan *plan)
{
	struct quota_call *quota = quota_of(call);

	dav_parser_free(STEAL(quota->parser));
	quota->quota = (struct fetch_quota){-1, -1};
	call->slash = strcmp(call->path, "/") != 0;
	plan->method = REQUEST_PROPFIND;
	plan->body = dav_body_quota;
	return 0;
}

static void on_quota(void *arg, int64_t available_bytes, int64_t used_bytes)
{
	struct quota_call *quota = arg;

	quota->quota.available_bytes = available_bytes;
	quota->quota.used_bytes = used_bytes;
}

static struct verdict head(struct call *call, const struct response *response)
{
	struct quota_call *quota = quota_of(call);
	struct dav_target target = {.arg = quota, .quota = on_quota};

	if (response->status == 207 && response->problem == NULL) {
		if (dav_parser_new(&quota->parser, call->path, response->xrootd,
		        &target) < 0)
			return call_done(call, -ENOMEM, "out of memory");
		return (struct verdict){.kind = VERDICT_TAKE};
	}
	/* No DAV: the server does not say, and that is an answer. */
	if (stat_not_understood(&call->server->profile, response))
		return (struct verdict){.kind = VERDICT_DONE};
	return call_verdict_of(call, response);
}

static struct verdict body(
    struct call *call, const void *bytes, size_t size_bytes)
{
	struct err err = ERR_INIT;

	if (call->request->body_bytes > FETCH_STAT_BYTES_MAX)
		return call_done(call, -EIO, "attributes without end");
	if (dav_parser_feed(quota_of(call)->parser, bytes, size_bytes, &err) <
	    0)
		return call_again(call, RETRY_BAD, err.text);
	return (struct verdict){.kind = VERDICT_TAKE};
}

static struct verdict end(struct call *call, bool whole)
{
	struct err err = ERR_INIT;

	if (!whole)
		return (struct verdict){.kind = VERDICT_NONE};
	if (dav_parser_end(quota_of(call)->parser, &err) < 0)
		return call_again(call, RETRY_BAD, err.text);
	return (struct verdict){.kind = VERDICT_DONE};
}

/* Answer one that asked. */
static void tell(
    struct quota_call *quota, int code, const struct fetch_quota *found)
{
	quota->answer(quota->arg, code, code == 0 ? found : NULL);
}

static void quota_answered(struct call *call, int code, const struct err *err)
{
	struct quota_call *quota = quota_of(call);
	struct quota_memory *memory = &call->fetch->quota;
	struct quota_call *waiting = STEAL(quota->waiting);

	(void)err;
	tell(quota, code, &quota->quota);
	/* Or the loop has gone: any thread. */
	if (!quota->asked || memory->asking != call)
		return;
	memory->quota = quota->quota;
	memory->code = code;
	memory->until_ms = call->fetch->now_ms +
	    (code == 0 ? FETCH_QUOTA_BELIEVED_MS : FETCH_QUOTA_FAILED_MS);
	memory->asking = NULL;
	while (waiting != NULL) {
		struct quota_call *next = waiting->waiting;

		tell(waiting, code, &memory->quota);
		free(waiting);
		waiting = next;
	}
}

static void fini(struct call *call)
{
	dav_parser_free(quota_of(call)->parser);
}

static const struct call_kind quota_kind = {
    .name = "quota",
    .size_bytes = sizeof(struct quota_call),
    .silent_ms = FETCH_SILENT_MS,
    .right = TOKENS_LOOK,
    .ask = plan_quota,
    .head = head,
    .body = body,
    .end = end,
    .answer = quota_answered,
    .fini = fini,
};

/* It is remembered, unless another user's is being asked for. */
static void begin(struct call *call) REQUIRES(fetch_thread);

static void begin(struct call *call)
{
	struct quota_memory *memory = &call->fetch->quota;

	if (memory->asking == NULL) {
		memory->asking = call;
		memory->uid = call->ident.uid;
	}
	quota_of(call)->asked = true;
	call_start(call);
}

/* In place of call.c's: remembered, being asked for, or asked now. */
static void deliver(struct post *post, struct fetch *fetch)
{
	struct call *call = CONTAINER_OF(post, struct call, post);
	struct quota_call *quota = quota_of(call);
	struct quota_memory *memory = &fetch->quota;
	bool another = fetch->shared && memory->uid != call->ident.uid;

	fetch_assert_thread(fetch);
	if (!another && memory->asking != NULL) {
		struct quota_call *first = quota_of(memory->asking);

		quota->waiting = first->waiting;
		first->waiting = quota;
	} else if (!another && fetch->now_ms < memory->until_ms) {
		tell(quota, memory->code, &memory->quota);
		free(quota);
	} else {
		begin(call);
	}
}

void fetch_quota(struct fetch *fetch, const struct ident *ident,
    fetch_quota_fn answer, void *arg)
{
	struct call_ask what = {
	    .ident = ident, .path = fetch->root, .demand = true};
	struct call *call = call_new(fetch, &quota_kind, &what);

	if (call == NULL) {
		answer(arg, -ENOMEM, NULL);
		return;
	}
	call->post.deliver = deliver;
	quota_of(call)->answer = answer;
	quota_of(call)->arg = arg;
	(void)call_post(call);
}
