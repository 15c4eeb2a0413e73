/* SPDX-License-Identifier: Apache-2.0 */
/* tests/unit/tokens/store_bed.c - see store_bed.h. */
#include "tests/unit/tokens/store_bed.h"

#include "tests/unit/tokens/make.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stddef.h>
#include <stdio.h>
#include <time.h>

#include <cmocka.h>

enum { BOUND_S = 60 };

struct store_bed store_bed = {
    .clock = {.hand_driven = 1},
    .mutex = PTHREAD_MUTEX_INITIALIZER,
    .changed = PTHREAD_COND_INITIALIZER,
    .answers = {.mutex = PTHREAD_MUTEX_INITIALIZER,
        .changed = PTHREAD_COND_INITIALIZER},
};

static void place_look(
    void *arg, bool force, uint64_t now_s, struct finding *out)
{
	(void)arg;
	(void)now_s;
	*out = (struct finding){.count = 0};
	(void)pthread_mutex_lock(&store_bed.mutex);
	store_bed.looks++;
	store_bed.forced += force;
	(void)pthread_cond_broadcast(&store_bed.changed);
	while (store_bed.stalls)
		(void)pthread_cond_wait(&store_bed.changed, &store_bed.mutex);
	if (store_bed.token != NULL) {
		finding_add(out, token_get(store_bed.token));
	} else {
		(void)err_set(&out->problem, -ENOKEY, "the place is empty");
	}
	(void)pthread_mutex_unlock(&store_bed.mutex);
}

static void place_free(void *arg)
{
	(void)arg;
	(void)pthread_mutex_lock(&store_bed.mutex);
	store_bed.freed = true;
	(void)pthread_cond_broadcast(&store_bed.changed);
	(void)pthread_mutex_unlock(&store_bed.mutex);
}

void store_bed_put(struct token *token)
{
	(void)pthread_mutex_lock(&store_bed.mutex);
	token_put(store_bed.token);
	store_bed.token = token;
	if (token != NULL)
		assert_int_equal(token_set_source(token, "the place"), 0);
	(void)pthread_mutex_unlock(&store_bed.mutex);
}

void store_bed_put_claims(const char *claims)
{
	char text[MAKE_BYTES];

	make_jwt(text, claims);
	store_bed_put(make_parsed(text));
}

void store_bed_put_ending(uint64_t expires_s)
{
	char text[MAKE_BYTES];

	make_token(text, "ada", expires_s);
	store_bed_put(make_parsed(text));
}

uint64_t store_bed_id_put(void)
{
	return token_id(store_bed.token);
}

void store_bed_stall(bool stalls)
{
	(void)pthread_mutex_lock(&store_bed.mutex);
	store_bed.stalls = stalls;
	(void)pthread_cond_broadcast(&store_bed.changed);
	(void)pthread_mutex_unlock(&store_bed.mutex);
}

struct timespec store_bed_bound(void)
{
	struct timespec until;

	(void)clock_gettime(CLOCK_REALTIME, &until);
	until.tv_sec += BOUND_S;
	return until;
}

void store_bed_await_looks(unsigned count)
{
	struct timespec until = store_bed_bound();

	(void)pthread_mutex_lock(&store_bed.mutex);
	while (store_bed.looks < count)
		if (pthread_cond_timedwait(&store_bed.changed, &store_bed.mutex,
		        &until) == ETIMEDOUT)
			break;
	assert_int_equal(store_bed.looks, count);
	(void)pthread_mutex_unlock(&store_bed.mutex);
}

unsigned store_bed_looks(void)
{
	unsigned count;

	(void)pthread_mutex_lock(&store_bed.mutex);
	count = store_bed.looks;
	(void)pthread_mutex_unlock(&store_bed.mutex);
	return count;
}

/* The look itself has ended and its result is in store_bed. */
void store_bed_await_installed(uint64_t count)
{
	struct timespec until = store_bed_bound();
	int code = 0;

	token_store_enter(store_bed.tokens);
	while (store_bed.tokens->own->looks_ended < count && code == 0)
		code = pthread_cond_timedwait(&store_bed.tokens->changed,
		    &store_bed.tokens->mutex, &until);
	assert_true(store_bed.tokens->own->looks_ended >= count);
	token_store_leave(store_bed.tokens);
}

void store_bed_answered(
    void *arg, int code, struct token *token, const struct err *err)
{
	(void)arg;
	assert_int_equal(code == 0, token != NULL);
	assert_int_equal(err->code, code);
	assert_int_equal(code == 0, err->text[0] == '\0');
	(void)pthread_mutex_lock(&store_bed.answers.mutex);
	store_bed.answers.count++;
	store_bed.answers.code = code;
	store_bed.answers.id = token != NULL ? token_id(token) : 0;
	(void)snprintf(store_bed.answers.text, sizeof(store_bed.answers.text),
	    "%s", err->text);
	(void)pthread_cond_broadcast(&store_bed.answers.changed);
	(void)pthread_mutex_unlock(&store_bed.answers.mutex);
	token_put(token);
}

unsigned store_bed_answer_count(void)
{
	unsigned count;

	(void)pthread_mutex_lock(&store_bed.answers.mutex);
	count = store_bed.answers.count;
	(void)pthread_mutex_unlock(&store_bed.answers.mutex);
	return count;
}

void store_bed_await_answers(unsigned count)
{
	struct timespec until = store_bed_bound();

	(void)pthread_mutex_lock(&store_bed.answers.mutex);
	while (store_bed.answers.count < count)
		if (pthread_cond_timedwait(&store_bed.answers.changed,
		        &store_bed.answers.mutex, &until) == ETIMEDOUT)
			break;
	assert_int_equal(store_bed.answers.count, count);
	(void)pthread_mutex_unlock(&store_bed.answers.mutex);
}

void store_bed_want(uint64_t wait_ms, uint64_t refused_id)
{
	const struct tokens_query query = {.path = "/",
	    .right = TOKENS_READ,
	    .deadline_ms = clock_now_ms(&store_bed.clock) + wait_ms,
	    .refused_id = refused_id};

	tokens_want(store_bed.tokens, &query, store_bed_answered, NULL);
}

void store_bed_pass(uint64_t ms)
{
	(void)atomic_fetch_add(&store_bed.clock.monotonic_ms, ms);
	token_store_wake(store_bed.tokens);
}

void store_bed_pass_wall(uint64_t seconds)
{
	(void)atomic_fetch_add(&store_bed.clock.wall_s, seconds);
	token_store_wake(store_bed.tokens);
}

void store_bed_begin_with(const struct tokens_config *given)
{
	struct tokens_config config = *given;
	const struct purse_source source = {
	    .look = place_look, .free = place_free};
	struct err err = ERR_INIT;

	config.clock = &store_bed.clock;
	assert_int_equal(
	    token_store_new(&store_bed.tokens, &config, &source, NULL, &err),
	    0);
	store_bed_await_installed(1);
}

void store_bed_begin(void)
{
	store_bed_begin_with(&(struct tokens_config){.source_path = "/"});
}

int store_bed_set_up(void **state)
{
	(void)state;
	atomic_store(&store_bed.clock.monotonic_ms, 1000000);
	atomic_store(&store_bed.clock.wall_s, NOW);
	store_bed.looks = 0;
	store_bed.forced = 0;
	store_bed.stalls = false;
	store_bed.freed = false;
	store_bed_put(NULL);
	store_bed.answers.count = 0;
	store_bed.tokens = NULL;
	return 0;
}

int store_bed_tear_down(void **state)
{
	(void)state;
	tokens_free(store_bed.tokens);
	assert_true(store_bed.tokens == NULL || store_bed.freed);
	store_bed_put(NULL);
	return 0;
}
