/* SPDX-License-Identifier: Apache-2.0 */
/*
 * tokens/reader.c - the thread that looks for tokens: it sleeps until a look
 * is due, looks without the lock, puts what it found in place and wakes the
 * clerk.
 */
#include "base/clock.h"
#include "base/log.h"
#include "base/stats.h"
#include "tokens/find/source.h"
#include "tokens/renew.h"
#include "tokens/store.h"

#include <errno.h>

enum { CLOCK_CHECK_S = 60 }; /* the wall clock may be set meanwhile */

/* Whether someone needs a look now, or whatever a file's stamp says. */
static bool look_needed(const struct tokens *tokens,
    const struct wait_view *view, bool *force) REQUIRES(tokens_lock);
static bool look_needed(
    const struct tokens *tokens, const struct wait_view *view, bool *force)
{
	bool needed = tokens->nudged || view->begun == 0;

	for (const struct store_query *query = tokens->queries; query != NULL;
	     query = query->next) {
		if (!token_wait_needs_look(&query->wait, view))
			continue;
		needed = true;
		*force = *force || query->wait.refused_id != 0;
	}
	return needed;
}

/* When the next look is due (monotonic; now or earlier: at once). */
static uint64_t next_look_ms(const struct tokens *tokens, bool *force)
    REQUIRES(tokens_lock);
static uint64_t next_look_ms(const struct tokens *tokens, bool *force)
{
	struct wait_view view = token_store_view(tokens);
	uint64_t now_ms = clock_now_ms(tokens->clock);
	uint64_t now_s = clock_wall_s(tokens->clock);
	uint64_t due_ms = UINT64_MAX;

	*force = tokens->renew_due_s <= now_s;
	if (look_needed(tokens, &view, force) || *force)
		return 0;
	if (tokens->queries != NULL && view.code != 0)
		due_ms = token_wait_look_due_ms(&view);
	if (tokens->renew_due_s != UINT64_MAX) {
		uint64_t left_s = tokens->renew_due_s - now_s;
		uint64_t wake_ms = now_ms +
		    1000 * (left_s < CLOCK_CHECK_S ? left_s : CLOCK_CHECK_S);

		if (wake_ms < due_ms)
			due_ms = wake_ms;
	}
	return due_ms;
}

/* What the log is to be told of a change. */
struct change {
	struct finding before;
	struct finding after;
	int code;
	bool tell_code;
};

static void tell(const struct change *change, uint64_t now_s)
{
	const struct token *token = finding_first(&change->after);
	const struct token *old = finding_first(&change->before);
	char stamp[CLOCK_STAMP_BYTES];
	struct err why;

	if (change->code == 0 && (token != old || change->tell_code)) {
		log_line(LOG_LEVEL_INFO, LOG_TOKENS,
		    old != NULL && old != token ? "token renewed"
		                                : "token found",
		    "source=%s issuer=%s subject=%s scope=%s until=%s",
		    LOG_TEXT(token_source(token)),
		    LOG_TEXT(token->claims.issuer),
		    LOG_TEXT(token->claims.subject),
		    LOG_TEXT(token->claims.scope),
		    token_source_stamp(stamp, token));
		return;
	}
	if (change->code == 0 || !change->tell_code)
		return;
	token_store_explain(&change->after, change->code, now_s, &why);
	log_line(LOG_LEVEL_WARN, LOG_TOKENS,
	    change->code == -ENOKEY ? "no token" : "token not usable",
	    "errno=%s why=%s", err_name(change->code), LOG_TEXT(why.text));
}

/* Put what a look found in place. The old token's reference goes to
 * change->before. */
static void install(struct tokens *tokens, const struct finding *found,
    struct change *change) REQUIRES(tokens_lock);
static void install(
    struct tokens *tokens, const struct finding *found, struct change *change)
{
	uint64_t now_s = clock_wall_s(tokens->clock);
	const struct token *old = finding_first(&tokens->now);
	const struct token *token = finding_first(found);

	change->before = tokens->now;
	finding_copy(&change->after, found);
	tokens->now = *found;
	if (token == NULL)
		tokens->renew_due_s = UINT64_MAX;
	else if (token != old)
		tokens->renew_due_s = renew_due_s(token, now_s);
	else if (tokens->renew_due_s <= now_s)
		tokens->renew_due_s = renew_again_s(token, now_s);
	/* A look at a token that is due already brought this one. */
	if (tokens->renew_due_s <= now_s)
		tokens->renew_due_s = renew_again_s(token, now_s);
	if (old != NULL && token != NULL && old != token)
		stats_add(STATS_tokens_renewals, 1);
	change->code = token_store_code(tokens);
	change->tell_code = change->code != tokens->told_code;
	tokens->told_code = change->code;
}

static void look_once(struct tokens *tokens, bool force) REQUIRES(tokens_lock);
static void look_once(struct tokens *tokens, bool force)
{
	struct finding found;
	struct change change;
	uint64_t number = ++tokens->looks_begun;

	tokens->nudged = false;
	tokens->look_begun_ms = clock_now_ms(tokens->clock);
	uint64_t now_s = clock_wall_s(tokens->clock);
	token_store_leave(tokens);
	tokens->source.look(tokens->source.arg, force, now_s, &found);
	token_store_enter(tokens);
	if (tokens->abandoned) {
		/* The clock is gone with its owner. */
		finding_fini(&found);
		return;
	}
	install(tokens, &found, &change);
	tokens->looks_ended = number;
	(void)pthread_cond_broadcast(&tokens->changed);
	(void)pthread_cond_signal(&tokens->clerk_wakes);
	token_store_leave(tokens);
	tell(&change, now_s);
	finding_fini(&change.before);
	finding_fini(&change.after);
	token_store_enter(tokens);
}

void *token_store_reader_main(void *arg)
{
	struct tokens *tokens = arg;
	bool abandoned;

	token_store_enter(tokens);
	while (!tokens->stopping) {
		bool force;
		uint64_t due_ms = next_look_ms(tokens, &force);

		if (due_ms <= clock_now_ms(tokens->clock))
			look_once(tokens, force);
		else
			token_store_sleep(
			    tokens, &tokens->reader_wakes, due_ms);
	}
	abandoned = tokens->abandoned;
	tokens->reader_gone = true;
	(void)pthread_cond_broadcast(&tokens->changed);
	token_store_leave(tokens);
	if (abandoned)
		token_store_destroy(tokens);
	return NULL;
}
