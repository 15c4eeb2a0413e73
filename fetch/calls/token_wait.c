/* SPDX-License-Identifier: Apache-2.0 */
/*
 * fetch/calls/token_wait.c - a call's question to the token store and the answer's
 * way back to the loop; the Authorization header.
 *
 * The store answers at once when a good token is at hand, else later on its
 * own thread, perhaps after the call or the whole loop has gone. So what it
 * is given is an object of its own: `call` is touched by the fetch thread
 * alone and is NULL when nobody waits any more.
 */
#include "base/secret.h"
#include "fetch/calls/call.h"
#include "fetch/engine.h"
#include "tokens/tokens.h"

#include <assert.h>
#include <errno.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>

enum {
	/* The store is to answer before the call itself must: a quarter of
	 * the time left, at most this, so that its reason is told. */
	TOKEN_MARGIN_MS = 1000,
	/* Of a token, that are found nowhere by chance. */
	TOKEN_ECHO_BYTES = 16,
};

struct token_wait {
	struct post post;
	struct mailbox *mailbox; /* a reference */
	pthread_t fetch_thread;
	struct call *call; /* fetch thread; NULL: forgotten */
	bool answered;     /* fetch thread, before tokens_want() returned */
	int code;
	struct token *token;
	struct err err;
};

static void wait_free(struct token_wait *wait)
{
	token_put(wait->token);
	mailbox_put(wait->mailbox);
	free(wait);
}

/* The answer has reached the fetch thread. */
static void take_answer(struct token_wait *wait) REQUIRES(fetch_thread);

static void take_answer(struct token_wait *wait)
{
	struct call *call = wait->call;

	if (call == NULL) {
		wait_free(wait);
		return;
	}
	call->wait = NULL;
	if (wait->code == 0) {
		call->token = STEAL(wait->token);
		wait_free(wait);
		call_queue(call, true);
	} else {
		int code = wait->code;

		call->err = wait->err;
		wait_free(wait);
		call_answer(call, code);
	}
}

static void deliver(struct post *post, struct fetch *fetch)
{
	struct token_wait *wait = CONTAINER_OF(post, struct token_wait, post);

	fetch_assert_thread(fetch);
	take_answer(wait);
}

/* Any thread. */
static void on_token(
    void *arg, int code, struct token *token, const struct err *err)
{
	struct token_wait *wait = arg;

	wait->code = code;
	wait->token = token;
	if (code != 0 && err != NULL)
		wait->err = *err;
	if (pthread_equal(pthread_self(), wait->fetch_thread)) {
		wait->answered = true;
		return;
	}
	if (!mailbox_send(wait->mailbox, &wait->post))
		wait_free(wait);
}

void call_want_token(struct call *call)
{
	struct fetch *fetch = call->fetch;
	struct token_wait *wait = calloc(1, sizeof(*wait));
	uint64_t deadline_ms = call->deadline_ms;
	struct tokens_query query;

	if (wait == NULL) {
		(void)err_set(&call->err, -ENOMEM, "out of memory");
		call_answer(call, -ENOMEM);
		return;
	}
	if (deadline_ms > fetch->now_ms) {
		uint64_t margin_ms = (deadline_ms - fetch->now_ms) / 4;

		deadline_ms -=
		    margin_ms < TOKEN_MARGIN_MS ? margin_ms : TOKEN_MARGIN_MS;
	}
	query = (struct tokens_query){
	    .ident = &call->ident,
	    .path = call->path,
	    .right = call->kind->right,
	    .deadline_ms = deadline_ms,
	    .refused_id = call->refused_id,
	    .to = call->to,
	    .copies = call->copies,
	};
	wait->post.deliver = deliver;
	wait->mailbox = mailbox_get(fetch->mailbox);
	wait->fetch_thread = pthread_self();
	wait->call = call;
	call->wait = wait;
	call->state = CALL_TOKEN;
	call->refused_id = 0;
	tokens_want(fetch->tokens, &query, on_token, wait);
	/* Only this thread sets it, and only before tokens_want() returned;
	 * an answer from another thread is on its way through the mailbox,
	 * which this thread empties. */
	if (wait->answered)
		take_answer(wait);
}

void call_forget_token(struct call *call)
{
	if (call->wait != NULL)
		call->wait->call = NULL;
	call->wait = NULL;
}

void call_drop_echo(const struct call *call, char *etag)
{
	size_t etag_bytes = strlen(etag);
	const char *token;
	const char *last;

	/* Its quotes are not of the token. */
	if (call->token == NULL || etag_bytes < TOKEN_ECHO_BYTES + 2)
		return;
	token = secret_reveal(token_text(call->token));
	last = strrchr(token, '.');
	last = last != NULL ? last + 1 : token;
	if (memmem(token, secret_size_bytes(token_text(call->token)), etag + 1,
	        etag_bytes - 2) != NULL ||
	    (strlen(last) >= TOKEN_ECHO_BYTES && strstr(etag, last) != NULL))
		etag[0] = '\0';
}

struct secret *call_authorization(struct call *call)
{
	static const char prefix[] = "Authorization: Bearer ";
	struct bearer *bearer = &call->fetch->bearer;
	const struct secret *text = token_text(call->token);
	size_t prefix_bytes = sizeof(prefix) - 1;
	size_t line_bytes = prefix_bytes + secret_size_bytes(text);
	struct secret *header;
	char *line;

	if (bearer->header != NULL && bearer->token_id == token_id(call->token))
		return secret_get(bearer->header);
	line = malloc(line_bytes);
	if (line == NULL)
		return NULL;
	memcpy(line, prefix, prefix_bytes);
	memcpy(line + prefix_bytes, secret_reveal(text),
	    line_bytes - prefix_bytes);
	header = secret_new(line, line_bytes);
	secret_wipe(line, line_bytes);
	free(line);
	/* One for a change may be for that alone, and is dropped after it. */
	if (header == NULL || call->kind->right == TOKENS_CREATE ||
	    call->kind->right == TOKENS_MODIFY)
		return header;
	secret_put(bearer->header);
	bearer->header = secret_get(header);
	bearer->token_id = token_id(call->token);
	return header;
}
