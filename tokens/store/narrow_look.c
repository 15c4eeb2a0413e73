/* SPDX-License-Identifier: Apache-2.0 */
/*
 * tokens/store/narrow_look.c - the thread that asks an agent for tokens with a
 * scope, and drops those that are not used any more; see narrow.h.
 */
#include "base/clock.h"
#include "base/log.h"
#include "tokens/find/agent.h"
#include "tokens/find/source.h"
#include "tokens/store/narrow.h"

#include <errno.h>
#include <string.h>

enum {
	SLICE_MS = 200, /* of waiting for an answer: the end comes between */
	/* Its own two references of a token that nothing is sent with now:
	 * the purse's and the agent's. */
	HELD = 2,
};

static uint64_t idle_ms(const struct narrows *narrows) REQUIRES(tokens_lock);
static uint64_t idle_ms(const struct narrows *narrows)
{
	return narrows->count < NARROW_MAX / 2 ? NARROW_IDLE_MS
	                                       : NARROW_CROWDED_IDLE_MS;
}

static bool is_held(const struct purse *purse) REQUIRES(tokens_lock);
static bool is_held(const struct purse *purse)
{
	return purse->queries != NULL || purse->looking ||
	    (purse->now.count > 0 &&
	        atomic_load(&purse->now.tokens[0]->references) > HELD);
}

/* When a purse is to go; what was refused stays for as long as it is not to
 * be asked for. */
static uint64_t drop_at_ms(const struct narrows *narrows,
    const struct purse *purse) REQUIRES(tokens_lock);
static uint64_t drop_at_ms(
    const struct narrows *narrows, const struct purse *purse)
{
	uint64_t at_ms = purse->used_ms + idle_ms(narrows);

	return purse->narrow->refused_until_ms > at_ms &&
	        narrows->count < NARROW_MAX / 2
	    ? purse->narrow->refused_until_ms
	    : at_ms;
}

static void drop(struct narrows *narrows, struct purse *purse)
    REQUIRES(tokens_lock);
static void drop(struct narrows *narrows, struct purse *purse)
{
	const struct agent_want want = {
	    .scope = purse->narrow->scope, .audience = narrows->audience};
	struct purse **link = &narrows->first;

	while (*link != purse)
		link = &(*link)->next;
	*link = purse->next;
	narrows->count--;
	agent_drop(narrows->agent, &want);
	narrow_free(purse);
}

/* Drop what is idle. @return when there is something to drop next */
static uint64_t tidy(struct tokens *tokens) REQUIRES(tokens_lock);
static uint64_t tidy(struct tokens *tokens)
{
	struct narrows *narrows = tokens->narrows;
	uint64_t now_ms = clock_now_ms(tokens->clock);
	uint64_t next_ms = UINT64_MAX;
	struct purse *next;

	for (struct purse *purse = narrows->first; purse != NULL;
	     purse = next) {
		uint64_t at_ms;

		next = purse->next;
		if (is_held(purse))
			purse->used_ms = now_ms;
		at_ms = drop_at_ms(narrows, purse);
		if (at_ms <= now_ms)
			drop(narrows, purse);
		else if (at_ms < next_ms)
			next_ms = at_ms;
	}
	return next_ms;
}

static struct purse *next_due(struct tokens *tokens, bool *force)
    REQUIRES(tokens_lock);
static struct purse *next_due(struct tokens *tokens, bool *force)
{
	uint64_t now_ms = clock_now_ms(tokens->clock);
	uint64_t now_s = clock_wall_s(tokens->clock);

	for (struct purse *purse = tokens->narrows->first; purse != NULL;
	     purse = purse->next) {
		if (now_ms >= purse->narrow->refused_until_ms &&
		    purse_look_due_ms(purse, now_ms, now_s, force) <= now_ms)
			return purse;
	}
	return NULL;
}

/* Until there is an answer, or none is waited for any more. */
static int ask(struct tokens *tokens, const struct narrow *narrow, bool force,
    struct token **out, struct err *err)
{
	const struct agent_want want = {.scope = narrow->scope,
	    .audience = tokens->narrows->audience,
	    .force = force,
	    .wait_ms = SLICE_MS};
	uint64_t until_ms = clock_now_ms(clock_system()) + AGENT_UPLOAD_MS;
	bool stopping;
	int code;

	do {
		token_put(*out);
		code = agent_ask(tokens->narrows->agent, &want, out, err);
		token_store_enter(tokens);
		stopping = tokens->stopping;
		token_store_leave(tokens);
	} while (err->code == -ETIMEDOUT && !stopping &&
	    clock_now_ms(clock_system()) < until_ms);
	return code;
}

/* It has said no: to this scope, and perhaps to any. */
static void count_refusal(struct tokens *tokens, struct narrow *narrow,
    const struct err *why) REQUIRES(tokens_lock);
static void count_refusal(
    struct tokens *tokens, struct narrow *narrow, const struct err *why)
{
	struct narrows *narrows = tokens->narrows;
	bool told = why->code == -EREMOTEIO || why->code == -EMSGSIZE;

	narrow_refuse(tokens, narrow,
	    told ? NARROW_REFUSED_MS : NARROW_TROUBLE_MS, why->text);
	if (!told || narrows->gave || ++narrows->refusals < NARROW_TRIES)
		return;
	narrows->refusals = 0;
	narrows->off_until_ms = clock_now_ms(tokens->clock) + NARROW_OFF_MS;
}

/* An answer: taken over. */
static void end_look(struct tokens *tokens, struct purse *purse,
    struct token *token, const struct err *why) REQUIRES(tokens_lock);
static void end_look(struct tokens *tokens, struct purse *purse,
    struct token *token, const struct err *why)
{
	uint64_t now_s = clock_wall_s(tokens->clock);
	struct finding found = {.count = 0};
	struct purse_change change;

	if (token != NULL && token_phase_at(token, now_s) == TOKEN_GOOD) {
		found.tokens[found.count++] = token;
		tokens->narrows->gave = true;
		purse->narrow->refused_until_ms = 0;
	} else {
		token_put(token);
		found.problem = *why;
		count_refusal(tokens, purse->narrow, why);
	}
	purse_look_ends(purse, &found, now_s, &change);
	finding_fini(&change.before);
	finding_fini(&change.after);
	(void)pthread_cond_signal(&tokens->clerk_wakes);
}

static void look(struct tokens *tokens, struct purse *purse, bool force)
    REQUIRES(tokens_lock);
static void look(struct tokens *tokens, struct purse *purse, bool force)
{
	const char *source = tokens->narrows->source->name;
	struct token *token = NULL;
	struct err why = ERR_INIT;

	purse_look_begins(purse, clock_now_ms(tokens->clock));
	token_store_leave(tokens);
	(void)!ask(tokens, purse->narrow, force, &token, &why);
	if (token != NULL && token->source == NULL &&
	    token_set_source(token, source) < 0) {
		token_put(token);
		token = NULL;
		(void)err_set(&why, -ENOMEM, "out of memory");
	}
	token_store_enter(tokens);
	end_look(tokens, purse, token, &why);
}

/* Tell the log, without the lock, what it does not know yet. */
static void tell(struct tokens *tokens) REQUIRES(tokens_lock);
static void tell(struct tokens *tokens)
{
	for (struct purse *purse = tokens->narrows->first; purse != NULL;
	     purse = purse->next) {
		struct err why = purse->narrow->why;

		if (!purse->narrow->untold)
			continue;
		purse->narrow->untold = false;
		token_store_leave(tokens);
		log_line(LOG_LEVEL_WARN, LOG_TOKENS,
		    "change with all that the account's token allows",
		    "scope=%s why=%s", LOG_TEXT(purse->narrow->scope),
		    LOG_TEXT(why.text));
		token_store_enter(tokens);
	}
}

void *narrow_main(void *arg)
{
	struct tokens *tokens = arg;

	token_store_enter(tokens);
	while (!tokens->stopping) {
		uint64_t next_ms = tidy(tokens);
		bool force = false;
		struct purse *purse;

		tell(tokens);
		purse = next_due(tokens, &force);
		if (tokens->stopping)
			break;
		if (purse != NULL)
			look(tokens, purse, force);
		else
			token_store_sleep(
			    tokens, &tokens->narrows->wakes, next_ms);
	}
	token_store_leave(tokens);
	return NULL;
}
