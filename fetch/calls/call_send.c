/* SPDX-License-Identifier: Apache-2.0 */
/*
 * fetch/calls/call_send.c - from the queue to the request: see call.h.
 *
 * Threads: the fetch thread.
 */
#include "base/secret.h"
#include "fetch/calls/call.h"
#include "fetch/calls/call_hedge.h"
#include "fetch/calls/request.h"
#include "fetch/engine.h"

#include <errno.h>

bool call_needs_token(const struct call *call)
{
	return !call->bare && call->server->source.tls &&
	    (call->target.size_bytes == 0 || call->target_may);
}

static int fill_url(
    struct call *call, struct request *request, const struct request_plan *plan)
{
	int code;

	if (call->target.size_bytes > 0)
		return buf_append(
		    &request->url, call->target.bytes, call->target.size_bytes);
	code = server_url_of(&request->url, call->server, call->fetch->root,
	    call->path, call->slash);
	if (code == 0 && plan->tried != NULL)
		code = buf_printf(&request->url, "?tried=%s", plan->tried);
	return code;
}

/* It waits for its server from now on: see server_silent_ms(). */
static void wait_for_server(struct call *call)
{
	if (call->kind->aside || call->waited == call->server)
		return;
	if (call->waited != NULL)
		server_unasked(call->waited);
	call->waited = call->server;
	server_asked(call->server, call->fetch->now_ms);
}

int call_send(struct call *call, const struct request_plan *plan)
{
	struct fetch *fetch = call->fetch;
	struct request *request = request_take(fetch);

	if (request == NULL)
		return -ENOMEM;
	request->call = call;
	if (call_needs_token(call)) {
		request->authorization = call_authorization(call);
		if (request->authorization == NULL)
			goto no_memory;
	}
	if (fill_url(call, request, plan) < 0 ||
	    request_fill(request, plan) < 0 || loop_add(fetch, request) < 0)
		goto no_memory;
	call->request = request;
	call->state = CALL_ACTIVE;
	call->attempts++;
	wait_for_server(call);
	server_began(call->server, call_rank(call));
	call->share->active++;
	return 0;

no_memory:
	request_give_back(request);
	return -ENOMEM;
}

/* Everything the attempt needs is at hand. */
static void send_request(struct call *call) REQUIRES(fetch_thread);

static void send_request(struct call *call)
{
	struct request_plan plan = {.method = REQUEST_GET};
	int code = call->kind->ask(call, &plan);

	if (code == 0) {
		code = call_send(call, &plan);
		if (code < 0)
			(void)err_set(&call->err, code, "out of memory");
	}
	if (code != 0)
		call_answer(call, code);
	else
		call_watch(call);
}

static struct call *next_call(const struct fetch *fetch,
    const struct fetch_server *server) REQUIRES(fetch_thread);

static struct call *next_call(
    const struct fetch *fetch, const struct fetch_server *server)
{
	struct call *call = share_next(&server->shares, server);

	/* The analyzer does not see that a call that is sent is taken out. */
	if (call == NULL ||
	    /* NOLINTNEXTLINE(clang-analyzer-unix.Malloc): not freed yet */
	    !server_may_start(server, call_rank(call), fetch->now_ms))
		return NULL;
	return call;
}

/* Send what may be sent to one server. @return whether there was any. */
static bool dispatch_to(struct fetch *fetch, const struct fetch_server *server)
    REQUIRES(fetch_thread);

static bool dispatch_to(struct fetch *fetch, const struct fetch_server *server)
{
	struct call *call;
	bool any = false;

	while ((call = next_call(fetch, server)) != NULL) {
		call_unqueue(call);
		if (call_needs_token(call) && call->token == NULL)
			call_want_token(call);
		else
			send_request(call);
		any = true;
	}
	return any;
}

void call_dispatch(struct fetch *fetch)
{
	bool any;

	/* What is answered at once may let another ask elsewhere. */
	do {
		any = false;
		for (unsigned i = 0; i < fetch->server_count; i++)
			any = dispatch_to(fetch, &fetch->servers[i]) || any;
	} while (any && fetch->server_count > 1);
}
