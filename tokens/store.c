/* SPDX-License-Identifier: Apache-2.0 */
/*
 * tokens/store.c - see store.h and tokens.h: the state that reader and clerk
 * share, its making and its ending.
 */
#include "tokens/store.h"

#include "base/clock.h"
#include "base/log.h"
#include "tokens/find/discover.h"
#include "tokens/json.h"
#include "tokens/verify/trust.h"

#include <errno.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

enum {
	FIRST_LOOK_MS = 2000, /* a start waits no longer for a stalled file */
	READER_END_MS = 2000, /* nor does an end */
	SLEEP_MAX_MS = 3600 * 1000,
	NOTHING_TOLD = 1,
};

void token_store_enter(struct tokens *tokens) UNCHECKED
{
	(void)pthread_mutex_lock(&tokens->mutex);
}

void token_store_leave(struct tokens *tokens) UNCHECKED
{
	(void)pthread_mutex_unlock(&tokens->mutex);
}

void token_store_sleep(
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
	if (wake_ms - now_ms > SLEEP_MAX_MS)
		wake_ms = now_ms + SLEEP_MAX_MS;
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

int token_store_code(const struct tokens *tokens)
{
	const struct token *token = finding_first(&tokens->now);

	if (token == NULL)
		return -ENOKEY;
	return token_phase_at(token, clock_wall_s(tokens->clock)) == TOKEN_GOOD
	    ? 0
	    : -EKEYEXPIRED;
}

struct wait_view token_store_view(const struct tokens *tokens)
{
	const struct token *token = finding_first(&tokens->now);

	return (struct wait_view){.code = token_store_code(tokens),
	    .token_id = token != NULL ? token->id : 0,
	    .begun = tokens->looks_begun,
	    .ended = tokens->looks_ended,
	    .begun_ms = tokens->look_begun_ms};
}

void token_store_nudge(struct tokens *tokens)
{
	struct wait_view view = token_store_view(tokens);

	if (tokens->nudged ||
	    clock_now_ms(tokens->clock) < token_wait_look_due_ms(&view))
		return;
	tokens->nudged = true;
	(void)pthread_cond_signal(&tokens->reader_wakes);
}

void token_store_explain(
    const struct finding *now, int code, uint64_t now_s, struct err *out)
{
	const struct token *token = finding_first(now);
	char stamp[CLOCK_STAMP_BYTES];

	*out = (struct err)ERR_INIT;
	if (code == -ENOKEY) {
		if (now->problem.code != 0)
			(void)err_set(out, code, "%s", now->problem.text);
		else
			(void)err_set(out, code,
			    "the place where the token is kept does not "
			    "answer");
	} else if (code == -EKEYEXPIRED && token != NULL &&
	    token_phase_at(token, now_s) == TOKEN_EARLY) {
		clock_stamp(stamp, token->claims.not_before_s);
		(void)err_set(out, code,
		    "the token from '%s' is not valid before %s; check the "
		    "clock of this machine",
		    token_source(token), stamp);
	} else if (code == -EKEYEXPIRED && token != NULL &&
	    now->problem.code != 0 &&
	    strncmp(token_source(token), "agent:", 6) == 0) {
		clock_stamp(stamp, token->claims.expires_s);
		(void)err_set(out, code,
		    "the token from '%s' ended at %s and no newer one came: %s",
		    token_source(token), stamp, now->problem.text);
	} else if (code == -EKEYEXPIRED && token != NULL) {
		clock_stamp(stamp, token->claims.expires_s);
		(void)err_set(out, code,
		    "the token from '%s' ended at %s and no newer one came; "
		    "get a new one, for instance with htgettoken or "
		    "oidc-token",
		    token_source(token), stamp);
	}
}

void token_store_copy(struct tokens *tokens, struct finding *out)
{
	token_store_enter(tokens);
	finding_copy(out, &tokens->now);
	token_store_leave(tokens);
}

void token_store_wake(struct tokens *tokens)
{
	token_store_enter(tokens);
	(void)pthread_cond_signal(&tokens->reader_wakes);
	(void)pthread_cond_signal(&tokens->clerk_wakes);
	token_store_leave(tokens);
}

/* Making and ending. */

/* The last one who knows the store: there is nobody to lock out. */
void token_store_destroy(struct tokens *tokens) UNCHECKED
{
	if (tokens->source.free != NULL)
		tokens->source.free(tokens->source.arg);
	trust_free(tokens->trust);
	finding_fini(&tokens->now);
	proof_free(tokens->proofs);
	free(tokens->base_path);
	free(tokens->source_path);
	(void)pthread_cond_destroy(&tokens->changed);
	(void)pthread_cond_destroy(&tokens->clerk_wakes);
	(void)pthread_cond_destroy(&tokens->reader_wakes);
	(void)pthread_mutex_destroy(&tokens->mutex);
	free(tokens);
}

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
	tokens->shared = config->shared;
	tokens->source_path = strdup(root);
	if (config->base_path != NULL)
		tokens->base_path = strdup(config->base_path);
	token_store_enter(tokens);
	tokens->renew_due_s = UINT64_MAX;
	tokens->told_code = NOTHING_TOLD;
	tokens->proofs = proof_new();
	whole = tokens->proofs != NULL && tokens->source_path != NULL &&
	    (config->base_path == NULL || tokens->base_path != NULL);
	token_store_leave(tokens);
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
	token_store_enter(tokens);
	tokens->stopping = true;
	(void)pthread_cond_broadcast(&tokens->reader_wakes);
	(void)pthread_cond_broadcast(&tokens->clerk_wakes);
	token_store_leave(tokens);
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
	int code = start_thread(
	    &tokens->clerk, "tokens-clerk", token_store_clerk_main, tokens);

	if (code < 0)
		return code;
	code = start_thread(
	    &tokens->reader, "tokens-reader", token_store_reader_main, tokens);
	if (code < 0) {
		stop(tokens);
		(void)pthread_join(tokens->clerk, NULL);
		return code;
	}
	token_store_enter(tokens);
	wait_changed(tokens, FIRST_LOOK_MS, has_looked);
	if (tokens->looks_ended == 0)
		log_line(LOG_LEVEL_WARN, LOG_TOKENS, "token source hangs",
		    "why=%s",
		    "\"a token file does not answer; see that its file "
		    "system does\"");
	token_store_leave(tokens);
	return 0;
}

int token_store_new(struct tokens **out, const struct tokens_config *config,
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
	if (code == 0)
		code = trust_new(
		    &tokens->trust, config->clock, config->trust, err);
	if (code == 0) {
		code = start(tokens);
		if (code < 0)
			(void)err_set(err, code, "threads for tokens: %s",
			    err_message(code));
	}
	if (code < 0) {
		if (tokens != NULL)
			token_store_destroy(tokens);
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
	/* Nothing here looks for the tokens of other users yet. */
	if (config->shared)
		return err_set(err, -EOPNOTSUPP,
		    "a store of tokens serves one user; mount once for each");
	token_json_start();
	code = discover_new(&discover, config, err);
	if (code < 0)
		return code;
	source.arg = discover;
	return token_store_new(out, config, &source, err);
}

void tokens_free(struct tokens *tokens)
{
	bool gone;

	if (tokens == NULL)
		return;
	stop(tokens);
	(void)pthread_join(tokens->clerk, NULL);
	token_store_enter(tokens);
	wait_changed(tokens, READER_END_MS, has_ended);
	gone = tokens->reader_gone;
	tokens->abandoned = !gone;
	if (!gone)
		(void)pthread_detach(tokens->reader);
	token_store_leave(tokens);
	if (!gone)
		return;
	(void)pthread_join(tokens->reader, NULL);
	token_store_destroy(tokens);
}
