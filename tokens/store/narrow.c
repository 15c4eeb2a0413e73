/* SPDX-License-Identifier: Apache-2.0 */
/* tokens/store/narrow.c - see narrow.h: which scopes there are, and who may
 * use them. */
#include "tokens/store/narrow.h"

#include "base/clock.h"
#include "tokens/claims/narrow.h"
#include "tokens/find/agent.h"
#include "tokens/find/places.h"
#include "tokens/find/source.h"
#include "tokens/store/pick.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

void narrow_free(struct purse *purse)
{
	free(purse->narrow->scope);
	free(purse->narrow);
	purse->narrow = NULL;
	purse_free(purse);
}

/* The last one who knows them: there is nobody to lock out. */
void narrows_free(struct narrows *narrows) UNCHECKED
{
	if (narrows == NULL)
		return;
	while (narrows->first != NULL) {
		struct purse *purse = narrows->first;

		narrows->first = purse->next;
		narrow_free(purse);
	}
	token_source_free(narrows->source);
	(void)pthread_cond_destroy(&narrows->wakes);
	free(narrows);
}

/* Before anybody else knows them. */
static struct narrows *make(struct source *source) UNCHECKED
{
	struct narrows *narrows = calloc(1, sizeof(*narrows));

	if (narrows == NULL)
		return NULL;
	(void)pthread_cond_init(&narrows->wakes, NULL);
	narrows->source = source;
	narrows->agent = source->agent;
	narrows->audience = source->audience;
	return narrows;
}

static int start(struct tokens *tokens, struct narrows *narrows) UNCHECKED
{
	int code;

	token_store_enter(tokens);
	tokens->narrows = narrows;
	token_store_leave(tokens);
	code = token_store_thread(
	    &narrows->thread, "tokens-agent", narrow_main, tokens);
	if (code == 0)
		return 0;
	token_store_enter(tokens);
	tokens->narrows = NULL;
	token_store_leave(tokens);
	narrows_free(narrows);
	return code;
}

int narrow_start(
    struct tokens *tokens, const struct tokens_config *config, struct err *err)
{
	struct places places;
	struct narrows *narrows = NULL;
	int code = places_init_agent(&places, config, err);

	if (code < 0 || places.agent == NULL) {
		places_fini(&places);
		return code;
	}
	narrows = make(places.agent);
	if (narrows != NULL) {
		places.agent = NULL;
		code = start(tokens, narrows);
	} else {
		code = -ENOMEM;
	}
	places_fini(&places);
	if (code < 0)
		(void)err_set(
		    err, code, "tokens of an agent: %s", err_message(code));
	return code;
}

void narrow_join(struct tokens *tokens)
{
	if (tokens->narrows != NULL)
		(void)pthread_join(tokens->narrows->thread, NULL);
}

struct purse *narrow_first(const struct tokens *tokens)
{
	return tokens->narrows != NULL ? tokens->narrows->first : NULL;
}

void narrow_wake(struct tokens *tokens)
{
	if (tokens->narrows != NULL)
		(void)pthread_cond_signal(&tokens->narrows->wakes);
}

static struct purse *find(const struct narrows *narrows, const char *scope)
    REQUIRES(tokens_lock);
static struct purse *find(const struct narrows *narrows, const char *scope)
{
	struct purse *purse = narrows->first;

	while (purse != NULL && strcmp(purse->narrow->scope, scope) != 0)
		purse = purse->next;
	return purse;
}

static struct purse *make_one(struct narrows *narrows, const char *scope)
    REQUIRES(tokens_lock);
static struct purse *make_one(struct narrows *narrows, const char *scope)
{
	struct narrow *narrow;
	struct purse *purse;

	if (narrows->count >= NARROW_MAX)
		return NULL;
	purse = purse_new();
	narrow = calloc(1, sizeof(*narrow));
	if (narrow != NULL)
		narrow->scope = strdup(scope);
	if (purse == NULL || narrow == NULL || narrow->scope == NULL) {
		purse_free(purse);
		free(narrow);
		return NULL;
	}
	purse->narrow = narrow;
	purse->stall_ms = NARROW_WAIT_MS;
	purse->next = narrows->first;
	narrows->first = purse;
	narrows->count++;
	return purse;
}

/* The token of the agent's with which this would be done otherwise; NULL: it
 * is another's, or there is none now. */
static const struct token *agents_token(struct tokens *tokens,
    const struct purse *own, const struct tokens_query *query)
    REQUIRES(tokens_lock);
static const struct token *agents_token(struct tokens *tokens,
    const struct purse *own, const struct tokens_query *query)
{
	const struct token *token =
	    pick(tokens, &own->now, query->path, query->right);

	if (token == NULL || strncmp(token_source(token), "agent:", 6) != 0 ||
	    token_phase_at(token, clock_wall_s(tokens->clock)) != TOKEN_GOOD)
		return NULL;
	return token;
}

static bool is_its(const struct purse *purse, uint64_t token_id)
    REQUIRES(tokens_lock);
static bool is_its(const struct purse *purse, uint64_t token_id)
{
	return token_id != 0 && purse->now.count > 0 &&
	    purse->now.tokens[0]->id == token_id;
}

void narrow_refuse(struct tokens *tokens, struct narrow *narrow,
    uint64_t for_ms, const char *why)
{
	if (narrow->refused_until_ms == 0) {
		(void)err_set(&narrow->why, -EACCES, "%s", why);
		narrow->untold = true;
		narrow_wake(tokens);
	}
	narrow->refused_until_ms = clock_now_ms(tokens->clock) + for_ms;
}

struct purse *narrow_open(struct tokens *tokens, const struct purse *own,
    const struct tokens_query *query)
{
	struct narrows *narrows = tokens->narrows;
	uint64_t now_ms = clock_now_ms(tokens->clock);
	char scope[NARROW_SCOPE_BYTES];
	const struct token *token;
	struct purse *purse;

	if (narrows == NULL || now_ms < narrows->off_until_ms)
		return NULL;
	token = agents_token(tokens, own, query);
	if (token == NULL || !narrow_scope(scope, &tokens->root, token, query))
		return NULL;
	purse = find(narrows, scope);
	if (purse == NULL)
		purse = make_one(narrows, scope);
	if (purse == NULL)
		return NULL;
	purse->used_ms = now_ms;
	if (is_its(purse, query->refused_id))
		narrow_refuse(tokens, purse->narrow, NARROW_REFUSED_MS,
		    "a server has refused a token with this scope alone; see "
		    "that base_path is what the issuer's '/' means there");
	return now_ms < purse->narrow->refused_until_ms ? NULL : purse;
}
