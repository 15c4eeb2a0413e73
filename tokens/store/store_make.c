/* SPDX-License-Identifier: Apache-2.0 */
/* tokens/store/store_make.c - a store's making and its ending; see store.h. */
#include "base/log.h"
#include "base/path.h"
#include "tokens/callers/looker.h"
#include "tokens/store/narrow.h"
#include "tokens/store/store.h"
#include "tokens/verify/trust.h"

#include <assert.h>
#include <errno.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

enum {
	FIRST_LOOK_MS = 2000, /* a start waits no longer for a stalled file */
	READER_END_MS = 2000, /* nor does an end */
};

/* The last one who knows the store: there is nobody to lock out. */
void token_store_destroy(struct tokens *tokens) UNCHECKED
{
	narrows_free(tokens->narrows);
	if (tokens->writing != NULL)
		purse_free(tokens->writing);
	purse_free(tokens->own);
	purses_free(tokens->purses);
	looker_free(tokens->looker);
	trust_free(tokens->trust);
	proof_free(tokens->proofs);
	refusals_fini(&tokens->refusals);
	if (tokens->wake_fd >= 0)
		(void)close(tokens->wake_fd);
	free((char *)(uintptr_t)tokens->root.base_path);
	free((char *)(uintptr_t)tokens->root.source_path);
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

static struct tokens *allocate(const struct tokens_config *config) UNCHECKED
{
	const char *root =
	    config->source_path != NULL ? config->source_path : "/";
	struct tokens *tokens = calloc(1, sizeof(*tokens));

	if (tokens == NULL)
		return NULL;
	(void)pthread_mutex_init(&tokens->mutex, NULL);
	(void)pthread_cond_init(&tokens->reader_wakes, NULL);
	(void)pthread_cond_init(&tokens->clerk_wakes, NULL);
	(void)pthread_cond_init(&tokens->changed, NULL);
	tokens->clock = config->clock;
	tokens->shared = config->shared;
	tokens->wake_fd = -1;
	tokens->root.source_path = strdup(root);
	if (config->base_path != NULL)
		tokens->root.base_path = strdup(config->base_path);
	tokens->proofs = proof_new();
	if (tokens->proofs == NULL || tokens->root.source_path == NULL ||
	    (config->base_path != NULL && tokens->root.base_path == NULL)) {
		token_store_destroy(tokens);
		return NULL;
	}
	return tokens;
}

int token_store_make(
    struct tokens **out, const struct tokens_config *config, struct err *err)
{
	struct tokens *tokens;
	int code = check_config(config, err);

	if (code < 0)
		return code;
	tokens = allocate(config);
	if (tokens == NULL)
		return err_set(err, -ENOMEM, "out of memory");
	code = trust_new(&tokens->trust, config->clock, config->trust, err);
	if (code < 0) {
		token_store_destroy(tokens);
		return code;
	}
	*out = tokens;
	return 0;
}

int token_store_thread(pthread_t *out, const char *name, void *(*run)(void *),
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
	token_store_wake_reader(tokens);
	(void)pthread_cond_broadcast(&tokens->clerk_wakes);
	narrow_wake(tokens);
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
	for (const struct purse *purse = tokens->own; purse != NULL;
	     purse = purse->next) {
		if (purse->looks_ended == 0)
			return false;
	}
	return true;
}

static bool has_ended(const struct tokens *tokens) UNCHECKED
{
	return tokens->reader_gone;
}

static int start(struct tokens *tokens, void *(*reader)(void *))
{
	int code = token_store_thread(
	    &tokens->clerk, "tokens-clerk", token_store_clerk_main, tokens);

	if (code < 0)
		return code;
	code = token_store_thread(
	    &tokens->reader, "tokens-reader", reader, tokens);
	if (code < 0) {
		stop(tokens);
		(void)pthread_join(tokens->clerk, NULL);
	}
	return code;
}

int token_store_start(
    struct tokens *tokens, void *(*reader)(void *), struct err *err)
{
	int code = start(tokens, reader);

	if (code < 0) {
		token_store_destroy(tokens);
		(void)err_set(
		    err, code, "threads for tokens: %s", err_message(code));
	}
	return code;
}

static void wait_first_look(struct tokens *tokens)
{
	token_store_enter(tokens);
	wait_changed(tokens, FIRST_LOOK_MS, has_looked);
	if (!has_looked(tokens))
		log_line(LOG_LEVEL_WARN, LOG_TOKENS, "token source hangs",
		    "why=%s",
		    "\"a token file does not answer; see that its file "
		    "system does\"");
	token_store_leave(tokens);
}

static void source_free(const struct purse_source *source)
{
	if (source != NULL && source->free != NULL)
		source->free(source->arg);
}

/* The purse of one user's place; consumes the source, unless there is no
 * memory. */
static struct purse *purse_at(const struct purse_source *source)
{
	struct purse *purse = purse_new();

	if (purse != NULL)
		purse->source = *source;
	return purse;
}

/* Before there is a thread: nobody to lock out. */
static int add_purses(struct tokens *tokens, const struct purse_source *source,
    const struct purse_source *writing) UNCHECKED
{
	tokens->own = purse_at(source);
	if (writing != NULL && tokens->own != NULL) {
		tokens->writing = purse_at(writing);
		tokens->own->next = tokens->writing;
	}
	if (tokens->own == NULL)
		source_free(source);
	if (tokens->writing == NULL)
		source_free(writing);
	return tokens->own == NULL ||
	        (writing != NULL && tokens->writing == NULL)
	    ? -ENOMEM
	    : 0;
}

int token_store_new(struct tokens **out, const struct tokens_config *config,
    const struct purse_source *source, const struct purse_source *writing,
    struct err *err)
{
	struct tokens *tokens = NULL;
	int code = token_store_make(&tokens, config, err);

	if (code < 0) {
		source_free(source);
		source_free(writing);
		return code;
	}
	assert(tokens != NULL);
	if (add_purses(tokens, source, writing) < 0) {
		token_store_destroy(tokens);
		return err_set(err, -ENOMEM, "out of memory");
	}
	code = token_store_start(tokens, token_store_reader_main, err);
	if (code < 0)
		return code;
	wait_first_look(tokens);
	*out = tokens;
	return 0;
}

void tokens_free(struct tokens *tokens)
{
	bool gone;

	if (tokens == NULL)
		return;
	stop(tokens);
	(void)pthread_join(tokens->clerk, NULL);
	narrow_join(tokens);
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
