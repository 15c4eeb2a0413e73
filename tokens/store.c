/* SPDX-License-Identifier: Apache-2.0 */
/*
 * tokens/store.c - see store.h and tokens.h: two threads, one state.
 *
 * The reader: sleeps until a look is due, looks without the lock, puts what
 * it found in place, wakes the clerk. The clerk: answers whoever's wait is
 * over, without the lock.
 */
#include "tokens/store.h"

#include "base/clock.h"
#include "base/log.h"
#include "base/stats.h"
#include "tokens/discover.h"
#include "tokens/json.h"
#include "tokens/renew.h"

#include <assert.h>
#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

enum {
	FIRST_LOOK_MS = 2000, /* a start waits no longer for a stalled file */
	READER_END_MS = 2000, /* nor does an end */
	CLOCK_CHECK_S = 60,   /* the wall clock may be set meanwhile */
	NOTHING_TOLD = 1,
};

void store_enter(struct tokens *tokens) UNCHECKED
{
	(void)pthread_mutex_lock(&tokens->mutex);
}

void store_leave(struct tokens *tokens) UNCHECKED
{
	(void)pthread_mutex_unlock(&tokens->mutex);
}

/* Sleep until something is said or `wake_ms` (monotonic, of the store's
 * clock) has come; UINT64_MAX: until something is said. */
static void sleep_until(struct tokens *tokens, pthread_cond_t *condition,
    uint64_t wake_ms) REQUIRES(tokens_lock);
static void sleep_until(
    struct tokens *tokens, pthread_cond_t *condition, uint64_t wake_ms)
{
	uint64_t now_ms = clock_now_ms(tokens->clock);
	struct timespec until;

	if (wake_ms == UINT64_MAX) {
		(void)pthread_cond_wait(condition, &tokens->mutex);
		return;
	}
	if (wake_ms <= now_ms)
		return;
	(void)clock_gettime(CLOCK_MONOTONIC, &until);
	until.tv_sec += (time_t)((wake_ms - now_ms) / 1000);
	until.tv_nsec += (long)((wake_ms - now_ms) % 1000) * 1000000;
	if (until.tv_nsec >= 1000000000) {
		until.tv_sec++;
		until.tv_nsec -= 1000000000;
	}
	(void)pthread_cond_clockwait(
	    condition, &tokens->mutex, CLOCK_MONOTONIC, &until);
}

int store_code(const struct tokens *tokens)
{
	const struct token *token = tokens->now.token;

	if (token == NULL)
		return -ENOKEY;
	return token_phase_at(token, clock_wall_s(tokens->clock)) == TOKEN_GOOD
	    ? 0
	    : -EKEYEXPIRED;
}

static struct wait_view view_of(const struct tokens *tokens)
    REQUIRES(tokens_lock);
static struct wait_view view_of(const struct tokens *tokens)
{
	return (struct wait_view){.code = store_code(tokens),
	    .token_id = tokens->now.token != NULL ? tokens->now.token->id : 0,
	    .begun = tokens->looks_begun,
	    .ended = tokens->looks_ended,
	    .begun_ms = tokens->look_begun_ms};
}

void store_nudge(struct tokens *tokens)
{
	struct wait_view view = view_of(tokens);

	if (tokens->nudged ||
	    clock_now_ms(tokens->clock) < wait_look_due_ms(&view))
		return;
	tokens->nudged = true;
	(void)pthread_cond_signal(&tokens->reader_wakes);
}

void store_explain(
    const struct finding *now, int code, uint64_t now_s, struct err *out)
{
	char stamp[CLOCK_STAMP_BYTES];

	*out = (struct err)ERR_INIT;
	if (code == -ENOKEY) {
		if (now->problem.code != 0)
			(void)err_set(out, code, "%s", now->problem.text);
		else
			(void)err_set(out, code,
			    "the place where the token is kept does not "
			    "answer");
	} else if (code == -EKEYEXPIRED && now->token != NULL &&
	    token_phase_at(now->token, now_s) == TOKEN_EARLY) {
		clock_stamp(stamp, now->token->claims.not_before_s);
		(void)err_set(out, code,
		    "the token from '%s' is not valid before %s; check the "
		    "clock of this machine",
		    now->source, stamp);
	} else if (code == -EKEYEXPIRED && now->token != NULL) {
		clock_stamp(stamp, now->token->claims.expires_s);
		(void)err_set(out, code,
		    "the token from '%s' ended at %s and no newer one came; "
		    "get a new one, for instance with htgettoken or "
		    "oidc-token",
		    now->source, stamp);
	}
}

void store_copy(struct tokens *tokens, struct finding *out)
{
	store_enter(tokens);
	*out = tokens->now;
	if (out->token != NULL)
		(void)token_get(out->token);
	store_leave(tokens);
}

void store_wake(struct tokens *tokens)
{
	store_enter(tokens);
	(void)pthread_cond_signal(&tokens->reader_wakes);
	(void)pthread_cond_signal(&tokens->clerk_wakes);
	store_leave(tokens);
}

/* The reader. */

/* Whether someone needs a look now, or whatever a file's stamp says. */
static bool look_needed(const struct tokens *tokens,
    const struct wait_view *view, bool *force) REQUIRES(tokens_lock);
static bool look_needed(
    const struct tokens *tokens, const struct wait_view *view, bool *force)
{
	bool needed = tokens->nudged || view->begun == 0;

	for (const struct store_query *query = tokens->queries; query != NULL;
	     query = query->next) {
		if (!wait_needs_look(&query->wait, view))
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
	struct wait_view view = view_of(tokens);
	uint64_t now_ms = clock_now_ms(tokens->clock);
	uint64_t now_s = clock_wall_s(tokens->clock);
	uint64_t due_ms = UINT64_MAX;

	*force = tokens->renew_due_s <= now_s;
	if (look_needed(tokens, &view, force) || *force)
		return 0;
	if (tokens->queries != NULL && view.code != 0)
		due_ms = wait_look_due_ms(&view);
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

static uint64_t left_s(const struct token *token, uint64_t now_s)
{
	uint64_t end = token->claims.expires_s;

	return end > now_s && end != UINT64_MAX ? end - now_s : 0;
}

static void tell(const struct change *change, uint64_t now_s)
{
	const struct token *token = change->after.token;
	const struct token *old = change->before.token;
	struct err why;

	if (change->code == 0 && (token != old || change->tell_code)) {
		log_line(LOG_LEVEL_INFO, LOG_TOKENS,
		    old != NULL && old != token ? "token renewed"
		                                : "token found",
		    "source=%s issuer=%s subject=%s scope=%s left_s=%llu",
		    LOG_TEXT(change->after.source),
		    LOG_TEXT(token->claims.issuer),
		    LOG_TEXT(token->claims.subject),
		    LOG_TEXT(token->claims.scope),
		    (unsigned long long)left_s(token, now_s));
		return;
	}
	if (change->code == 0 || !change->tell_code)
		return;
	store_explain(&change->after, change->code, now_s, &why);
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
	const struct token *old = tokens->now.token;
	const struct token *token = found->token;

	change->before = tokens->now;
	change->after = *found;
	tokens->now = *found;
	if (token != NULL)
		(void)token_get(found->token); /* the change's own */
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
	change->code = store_code(tokens);
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
	store_leave(tokens);
	tokens->source.look(tokens->source.arg, force, now_s, &found);
	store_enter(tokens);
	if (tokens->abandoned) {
		/* The clock is gone with its owner. */
		token_put(found.token);
		return;
	}
	install(tokens, &found, &change);
	tokens->looks_ended = number;
	(void)pthread_cond_broadcast(&tokens->changed);
	(void)pthread_cond_signal(&tokens->clerk_wakes);
	store_leave(tokens);
	tell(&change, now_s);
	token_put(change.before.token);
	token_put(change.after.token);
	store_enter(tokens);
}

/* The last one who knows the store: there is nobody to lock out. */
static void destroy(struct tokens *tokens) UNCHECKED
{
	if (tokens->source.free != NULL)
		tokens->source.free(tokens->source.arg);
	token_put(tokens->now.token);
	proof_free(tokens->proofs);
	free(tokens->base_path);
	free(tokens->source_path);
	(void)pthread_cond_destroy(&tokens->changed);
	(void)pthread_cond_destroy(&tokens->clerk_wakes);
	(void)pthread_cond_destroy(&tokens->reader_wakes);
	(void)pthread_mutex_destroy(&tokens->mutex);
	free(tokens);
}

static void *reader_main(void *arg)
{
	struct tokens *tokens = arg;
	bool abandoned;

	store_enter(tokens);
	while (!tokens->stopping) {
		bool force;
		uint64_t due_ms = next_look_ms(tokens, &force);

		if (due_ms <= clock_now_ms(tokens->clock))
			look_once(tokens, force);
		else
			sleep_until(tokens, &tokens->reader_wakes, due_ms);
	}
	abandoned = tokens->abandoned;
	tokens->reader_gone = true;
	(void)pthread_cond_broadcast(&tokens->changed);
	store_leave(tokens);
	if (abandoned)
		destroy(tokens);
	return NULL;
}

/* The clerk. */

/* Take out of the queue who is to be answered now: the whole queue when the
 * store stops. `wake_ms` is set to when time alone ends a wait. */
static struct store_query *take_over(struct tokens *tokens, uint64_t *wake_ms)
    REQUIRES(tokens_lock);
static struct store_query *take_over(struct tokens *tokens, uint64_t *wake_ms)
{
	struct wait_view view = view_of(tokens);
	uint64_t now_ms = clock_now_ms(tokens->clock);
	struct store_query *over = NULL;
	struct store_query **link = &tokens->queries;

	*wake_ms = UINT64_MAX;
	while (*link != NULL) {
		struct store_query *query = *link;
		uint64_t mine_ms = wait_wake_ms(&query->wait, now_ms);

		if (tokens->stopping ||
		    wait_over(&query->wait, &view, now_ms)) {
			*link = query->next;
			query->next = over;
			over = query;
			tokens->query_count--;
			continue;
		}
		if (mine_ms < *wake_ms)
			*wake_ms = mine_ms;
		link = &query->next;
	}
	return over;
}

/* Answer one asker; never under the lock. */
static void give(const struct finding *now, int code, uint64_t now_s,
    tokens_fn answer, void *arg)
{
	struct err why = ERR_INIT;

	if (code == 0) {
		answer(arg, 0, token_get(now->token), &why);
		return;
	}
	if (code == -ECANCELED)
		(void)err_set(&why, code, "the mount is being closed");
	else
		store_explain(now, code, now_s, &why);
	answer(arg, code, NULL, &why);
}

static void answer_all(struct tokens *tokens, struct store_query *over)
    REQUIRES(tokens_lock);
static void answer_all(struct tokens *tokens, struct store_query *over)
{
	struct finding now = tokens->now;
	int code = tokens->stopping ? -ECANCELED : store_code(tokens);
	uint64_t now_s = clock_wall_s(tokens->clock);

	if (now.token != NULL)
		(void)token_get(now.token);
	store_leave(tokens);
	while (over != NULL) {
		struct store_query *query = over;

		over = query->next;
		give(&now, code, now_s, query->answer, query->arg);
		free(query);
	}
	token_put(now.token);
	store_enter(tokens);
}

static void *clerk_main(void *arg)
{
	struct tokens *tokens = arg;

	store_enter(tokens);
	for (;;) {
		uint64_t wake_ms;
		struct store_query *over = take_over(tokens, &wake_ms);

		if (over != NULL)
			answer_all(tokens, over);
		else if (tokens->stopping)
			break;
		else
			sleep_until(tokens, &tokens->clerk_wakes, wake_ms);
	}
	store_leave(tokens);
	return NULL;
}

/* Queue a query whose wait is not over; false when it is to be answered with
 * what there is. */
static bool enqueue(struct tokens *tokens, const struct wait *wait,
    tokens_fn answer, void *arg) REQUIRES(tokens_lock);
static bool enqueue(
    struct tokens *tokens, const struct wait *wait, tokens_fn answer, void *arg)
{
	struct wait_view view = view_of(tokens);
	uint64_t now_ms = clock_now_ms(tokens->clock);
	struct store_query *query;

	if (wait_over(wait, &view, now_ms) ||
	    tokens->query_count >= STORE_QUERIES_MAX)
		return false;
	query = malloc(sizeof(*query));
	if (query == NULL)
		return false;
	*query = (struct store_query){.next = tokens->queries,
	    .wait = *wait,
	    .answer = answer,
	    .arg = arg};
	tokens->queries = query;
	tokens->query_count++;
	(void)pthread_cond_signal(&tokens->reader_wakes);
	(void)pthread_cond_signal(&tokens->clerk_wakes);
	return true;
}

/* The usual answer, thousands of times a second. */
static void give_token(struct token *token, tokens_fn answer, void *arg)
{
	static const struct err nothing = ERR_INIT;

	answer(arg, 0, token, &nothing);
}

/* Ask: 0 and a reference to a good token; 1 when the query waits; else a
 * negative errno. */
static int ask(struct tokens *tokens, const struct tokens_query *query,
    tokens_fn answer, void *arg, struct token **out)
{
	struct wait wait = {.asked_ms = clock_now_ms(tokens->clock),
	    .deadline_ms = query->deadline_ms,
	    .refused_id = query->refused_id};
	int code = -ECANCELED;

	store_enter(tokens);
	if (!tokens->stopping) {
		struct wait_view view = view_of(tokens);

		wait_begin(&wait, &view, wait.asked_ms);
		store_nudge(tokens);
		code = enqueue(tokens, &wait, answer, arg) ? 1 : view.code;
	}
	if (code == 0)
		*out = token_get(tokens->now.token);
	store_leave(tokens);
	return code;
}

void tokens_want(struct tokens *tokens, const struct tokens_query *query,
    tokens_fn answer, void *arg)
{
	struct token *token = NULL;
	struct finding now;
	int code = ask(tokens, query, answer, arg, &token);

	if (code == 0)
		give_token(token, answer, arg);
	if (code >= 0)
		return;
	store_copy(tokens, &now);
	give(&now, code, clock_wall_s(tokens->clock), answer, arg);
	token_put(now.token);
}

/* Making and ending. */

static int check_config(const struct tokens_config *config, struct err *err)
{
	if (config->base_path != NULL && !path_is_normal(config->base_path))
		return err_set(err, -EINVAL,
		    "base_path: '%s' is no absolute path without '//', '.' "
		    "and '..'",
		    config->base_path);
	if (config->source_path != NULL && !path_is_normal(config->source_path))
		return err_set(err, -EINVAL, "source: '%s' is no normal path",
		    config->source_path);
	if (config->forbidden_tree != NULL &&
	    !path_is_normal(config->forbidden_tree))
		return err_set(err, -EINVAL,
		    "mount point: '%s' is no real path",
		    config->forbidden_tree);
	return 0;
}

static int init(struct tokens *tokens, const struct tokens_config *config)
{
	const char *root =
	    config->source_path != NULL ? config->source_path : "/";
	bool whole;

	(void)pthread_mutex_init(&tokens->mutex, NULL);
	(void)pthread_cond_init(&tokens->reader_wakes, NULL);
	(void)pthread_cond_init(&tokens->clerk_wakes, NULL);
	(void)pthread_cond_init(&tokens->changed, NULL);
	tokens->clock = config->clock;
	tokens->source_path = strdup(root);
	if (config->base_path != NULL)
		tokens->base_path = strdup(config->base_path);
	store_enter(tokens);
	tokens->renew_due_s = UINT64_MAX;
	tokens->told_code = NOTHING_TOLD;
	tokens->proofs = proof_new();
	whole = tokens->proofs != NULL && tokens->source_path != NULL &&
	    (config->base_path == NULL || tokens->base_path != NULL);
	store_leave(tokens);
	return whole ? 0 : -ENOMEM;
}

/* Start a thread that takes no signals: those are the main thread's. */
static int start_thread(pthread_t *out, const char *name, void *(*run)(void *),
    struct tokens *tokens)
{
	sigset_t all;
	sigset_t before;
	int code;

	(void)sigfillset(&all);
	(void)pthread_sigmask(SIG_SETMASK, &all, &before);
	code = pthread_create(out, NULL, run, tokens);
	(void)pthread_sigmask(SIG_SETMASK, &before, NULL);
	if (code != 0)
		return -code;
	(void)pthread_setname_np(*out, name);
	return 0;
}

static void stop(struct tokens *tokens)
{
	store_enter(tokens);
	tokens->stopping = true;
	(void)pthread_cond_broadcast(&tokens->reader_wakes);
	(void)pthread_cond_broadcast(&tokens->clerk_wakes);
	store_leave(tokens);
}

/* Wait in real time, whatever the store's clock is; the first look or the
 * reader's end may never come. */
static void wait_changed(struct tokens *tokens, unsigned wait_ms,
    bool (*done)(const struct tokens *tokens)) REQUIRES(tokens_lock);
static void wait_changed(struct tokens *tokens, unsigned wait_ms,
    bool (*done)(const struct tokens *tokens))
{
	struct timespec until;

	(void)clock_gettime(CLOCK_MONOTONIC, &until);
	until.tv_sec += wait_ms / 1000;
	while (!done(tokens) &&
	    pthread_cond_clockwait(&tokens->changed, &tokens->mutex,
	        CLOCK_MONOTONIC, &until) != ETIMEDOUT)
		continue;
}

static bool has_looked(const struct tokens *tokens) UNCHECKED
{
	return tokens->looks_ended > 0;
}

static bool has_ended(const struct tokens *tokens) UNCHECKED
{
	return tokens->reader_gone;
}

static int start(struct tokens *tokens)
{
	int code =
	    start_thread(&tokens->clerk, "tokens-clerk", clerk_main, tokens);

	if (code < 0)
		return code;
	code =
	    start_thread(&tokens->reader, "tokens-reader", reader_main, tokens);
	if (code < 0) {
		stop(tokens);
		(void)pthread_join(tokens->clerk, NULL);
		return code;
	}
	store_enter(tokens);
	wait_changed(tokens, FIRST_LOOK_MS, has_looked);
	if (tokens->looks_ended == 0)
		log_line(LOG_LEVEL_WARN, LOG_TOKENS, "token source hangs",
		    "why=%s",
		    "\"a token file does not answer; see that its file "
		    "system does\"");
	store_leave(tokens);
	return 0;
}

int store_new(struct tokens **out, const struct tokens_config *config,
    const struct store_source *source, struct err *err)
{
	struct tokens *tokens = NULL;
	int code = check_config(config, err);

	if (code == 0) {
		tokens = calloc(1, sizeof(*tokens));
		if (tokens != NULL)
			tokens->source = *source;
		code = tokens != NULL ? init(tokens, config) : -ENOMEM;
		if (code < 0)
			(void)err_set(err, code, "out of memory");
	}
	if (code == 0) {
		code = start(tokens);
		if (code < 0)
			(void)err_set(err, code, "threads for tokens: %s",
			    err_message(code));
	}
	if (code < 0) {
		if (tokens != NULL)
			destroy(tokens);
		else if (source->free != NULL)
			source->free(source->arg);
		return code;
	}
	*out = tokens;
	return 0;
}

static void look_around(
    void *arg, bool force, uint64_t now_s, struct finding *out)
{
	discover_look(arg, force, now_s, out);
}

static void discover_done(void *arg)
{
	discover_free(arg);
}

int tokens_new(
    struct tokens **out, const struct tokens_config *config, struct err *err)
{
	struct store_source source = {
	    .look = look_around, .free = discover_done};
	struct discover *discover = NULL;
	int code;

	*out = NULL;
	json_start();
	code = discover_new(&discover, config, err);
	if (code < 0)
		return code;
	source.arg = discover;
	return store_new(out, config, &source, err);
}

void tokens_free(struct tokens *tokens)
{
	bool gone;

	if (tokens == NULL)
		return;
	stop(tokens);
	(void)pthread_join(tokens->clerk, NULL);
	store_enter(tokens);
	wait_changed(tokens, READER_END_MS, has_ended);
	gone = tokens->reader_gone;
	tokens->abandoned = !gone;
	if (!gone)
		(void)pthread_detach(tokens->reader);
	store_leave(tokens);
	if (!gone)
		return;
	(void)pthread_join(tokens->reader, NULL);
	destroy(tokens);
}
