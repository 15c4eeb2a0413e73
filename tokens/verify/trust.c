/* SPDX-License-Identifier: Apache-2.0 */
/* tokens/verify/trust.c - see trust.h: making and ending. */
#include "tokens/verify/trust.h"

#include "base/path.h"
#include "tokens/claims/json.h"
#include "tokens/verify/trust_impl.h"

#include <errno.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

enum {
	END_MS = 2000, /* a document that hangs is not waited for */
	ISSUERS_MAX = 64,
	AUDIENCES_MAX = 64,
};

void trust_enter(struct trust *trust) UNCHECKED
{
	(void)pthread_mutex_lock(&trust->mutex);
}

void trust_leave(struct trust *trust) UNCHECKED
{
	(void)pthread_mutex_unlock(&trust->mutex);
}

uint64_t trust_next_generation(void)
{
	static atomic_uint_fast64_t last;

	return atomic_fetch_add(&last, 1) + 1;
}

void trust_install(
    struct trust_source *source, struct jwks *set, const struct keys_life *life)
{
	if (keys_install(&source->keys, set, life))
		source->generation = trust_next_generation();
}

/* Making and ending. */

static void free_texts(char **texts, unsigned count)
{
	for (unsigned i = 0; texts != NULL && i < count; i++)
		free(texts[i]);
	free(texts);
}

/* The last one who knows it: there is nobody to lock out. */
void trust_destroy(struct trust *trust) UNCHECKED
{
	for (unsigned i = 0; i < trust->source_count; i++) {
		free(trust->sources[i].issuer);
		keys_fini(&trust->sources[i].keys);
	}
	free(trust->sources);
	free_texts(trust->issuers, trust->issuer_count);
	free_texts(trust->audiences, trust->audience_count);
	free(trust->jwks_file);
	free(trust->key_dir);
	(void)pthread_cond_destroy(&trust->changed);
	(void)pthread_cond_destroy(&trust->wakes);
	(void)pthread_mutex_destroy(&trust->mutex);
	free(trust);
}

static int check_config(const struct tokens_trust *config, struct err *err)
{
	int code = 0;

	if (config->issuer_count > ISSUERS_MAX ||
	    config->audience_count > AUDIENCES_MAX)
		return err_set(err, -EINVAL,
		    "issuer, audience: more than %d are named", ISSUERS_MAX);
	for (unsigned i = 0; i < config->issuer_count && code == 0; i++)
		code = issuer_check(config->issuers[i], err);
	for (unsigned i = 0; i < config->audience_count && code == 0; i++) {
		const char *audience = config->audiences[i];

		if (audience[0] == '\0' || profile_is_wildcard(audience))
			code = err_set(err, -EINVAL,
			    "audience: '%s' may stand in tokens alone; name "
			    "the server, as https://host",
			    audience);
	}
	if (code == 0 && config->jwks_file != NULL &&
	    !path_is_normal(config->jwks_file))
		code = err_set(err, -EINVAL,
		    "jwks: '%.200s' is no absolute path without '//', '.' "
		    "and '..'",
		    config->jwks_file);
	return code;
}

static char **copy_texts(const char *const *texts, unsigned count)
{
	char **copy = calloc(count > 0 ? count : 1, sizeof(*copy));

	for (unsigned i = 0; copy != NULL && i < count; i++) {
		copy[i] = strdup(texts[i]);
		if (copy[i] == NULL) {
			free_texts(copy, i);
			return NULL;
		}
	}
	return copy;
}

static int copy_config(struct trust *trust, const struct tokens_trust *config)
{
	trust->issuers = copy_texts(config->issuers, config->issuer_count);
	if (trust->issuers == NULL)
		return -ENOMEM;
	trust->issuer_count = config->issuer_count;
	trust->audiences =
	    copy_texts(config->audiences, config->audience_count);
	if (trust->audiences == NULL)
		return -ENOMEM;
	trust->audience_count = config->audience_count;
	trust->any_audience = config->any_audience;
	trust->fetcher = (struct issuer_source){
	    .document = config->document, .arg = config->arg};
	if (config->jwks_file != NULL) {
		trust->jwks_file = strdup(config->jwks_file);
		if (trust->jwks_file == NULL)
			return -ENOMEM;
	}
	if (config->key_dir != NULL) {
		trust->key_dir = strdup(config->key_dir);
		if (trust->key_dir == NULL)
			return -ENOMEM;
	}
	return 0;
}

static int make_sources(struct trust *trust)
{
	unsigned count = trust->jwks_file != NULL ? 1 : trust->issuer_count;

	trust->sources = calloc(count > 0 ? count : 1, sizeof(*trust->sources));
	if (trust->sources == NULL)
		return -ENOMEM;
	trust_enter(trust);
	for (unsigned i = 0; i < count; i++)
		keys_init(&trust->sources[i].keys);
	trust_leave(trust);
	trust->source_count = count;
	for (unsigned i = 0; trust->jwks_file == NULL && i < count; i++) {
		trust->sources[i].issuer = strdup(trust->issuers[i]);
		if (trust->sources[i].issuer == NULL)
			return -ENOMEM;
	}
	return 0;
}

/* A thread that takes no signals: those are the main thread's. */
static int start(struct trust *trust)
{
	sigset_t all;
	sigset_t before;
	int code;

	(void)sigfillset(&all);
	(void)pthread_sigmask(SIG_SETMASK, &all, &before);
	code = pthread_create(&trust->keeper, NULL, trust_keeper_main, trust);
	(void)pthread_sigmask(SIG_SETMASK, &before, NULL);
	if (code != 0)
		return -code;
	(void)pthread_setname_np(trust->keeper, "tokens-keys");
	trust->has_keeper = true;
	return 0;
}

int trust_new(struct trust **out, const struct clock *clock,
    const struct tokens_trust *config, struct err *err)
{
	struct trust *trust;
	int code = config != NULL ? check_config(config, err) : 0;

	*out = NULL;
	if (code < 0)
		return code;
	trust = calloc(1, sizeof(*trust));
	if (trust == NULL)
		return err_set(err, -ENOMEM, "out of memory");
	(void)pthread_mutex_init(&trust->mutex, NULL);
	(void)pthread_cond_init(&trust->wakes, NULL);
	(void)pthread_cond_init(&trust->changed, NULL);
	trust->clock = clock;
	trust->birth = trust_next_generation();
	token_json_start();
	code = config != NULL ? copy_config(trust, config) : 0;
	if (code == 0)
		code = make_sources(trust);
	if (code == 0)
		code = trust_keeper_load(trust, err);
	if (code == 0 && trust->source_count > 0)
		code = start(trust);
	if (code < 0) {
		if (err->code != code)
			(void)err_set(err, code, "keys: %s", err_message(code));
		trust_destroy(trust);
		return code;
	}
	*out = trust;
	return 0;
}

/* Wait in real time, whatever the trust's clock is. */
static void wait_changed(struct trust *trust, unsigned wait_ms,
    bool (*done)(const struct trust *trust)) REQUIRES(trust_lock);
static void wait_changed(struct trust *trust, unsigned wait_ms,
    bool (*done)(const struct trust *trust))
{
	struct timespec until;

	(void)clock_gettime(CLOCK_MONOTONIC, &until);
	until.tv_sec += wait_ms / 1000;
	while (!done(trust) &&
	    pthread_cond_clockwait(&trust->changed, &trust->mutex,
	        CLOCK_MONOTONIC, &until) != ETIMEDOUT)
		continue;
}

static bool has_ended(const struct trust *trust) UNCHECKED
{
	return trust->gone;
}

static bool is_settled(const struct trust *trust) UNCHECKED
{
	for (unsigned i = 0; i < trust->source_count; i++) {
		if (!trust->sources[i].settled)
			return false;
	}
	return true;
}

void trust_free(struct trust *trust)
{
	bool gone;

	if (trust == NULL)
		return;
	if (!trust->has_keeper) {
		trust_destroy(trust);
		return;
	}
	trust_enter(trust);
	trust->stopping = true;
	(void)pthread_cond_broadcast(&trust->wakes);
	wait_changed(trust, END_MS, has_ended);
	gone = trust->gone;
	trust->abandoned = !gone;
	if (!gone)
		(void)pthread_detach(trust->keeper);
	trust_leave(trust);
	if (!gone)
		return;
	(void)pthread_join(trust->keeper, NULL);
	trust_destroy(trust);
}

bool trust_is_configured(const struct trust *trust)
{
	return trust != NULL && trust->source_count > 0;
}

void trust_wait(struct trust *trust, unsigned wait_ms)
{
	trust_enter(trust);
	wait_changed(trust, wait_ms, is_settled);
	trust_leave(trust);
}

void trust_wake(struct trust *trust)
{
	trust_enter(trust);
	(void)pthread_cond_signal(&trust->wakes);
	trust_leave(trust);
}
