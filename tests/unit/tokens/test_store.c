/* SPDX-License-Identifier: Apache-2.0 */
/*
 * tokens/store/store.h and tokens.h: asking, waiting, renewing, ending; see
 * store_bed.h.
 */
#include "base/stats.h"
#include "tests/unit/tokens/make.h"
#include "tests/unit/tokens/store_bed.h"

#include <errno.h>
#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include <cmocka.h>

static void a_good_token_is_given_before_the_call_returns(void **state)
{
	(void)state;
	store_bed_put_ending(NOW + 10000);
	store_bed_begin();
	for (unsigned i = 1; i <= 1000; i++) {
		store_bed_want(0, 0);
		assert_int_equal(store_bed_answer_count(), i);
		assert_int_equal(store_bed.answers.code, 0);
		assert_true(store_bed.answers.id == store_bed_id_put());
	}
	assert_int_equal(store_bed_looks(), 1);
}

static void the_source_is_looked_at_once_a_second_while_somebody_asks(
    void **state)
{
	(void)state;
	store_bed_put_ending(NOW + 10000);
	store_bed_begin();
	for (unsigned second = 1; second <= 5; second++) {
		store_bed_pass(WAIT_AGAIN_MS - 1);
		store_bed_want(0, 0);
		assert_int_equal(store_bed_looks(), second);
		store_bed_pass(1);
		/* Nobody asks: nobody looks. */
		assert_int_equal(store_bed_looks(), second);
		for (int i = 0; i < 100; i++)
			store_bed_want(0, 0);
		store_bed_await_installed(second + 1);
		assert_int_equal(store_bed_looks(), second + 1);
	}
	assert_int_equal(store_bed.forced, 0);
}

static void a_newer_token_is_found_while_somebody_asks(void **state)
{
	uint64_t renewals = stats_get(STATS_tokens_renewals);
	uint64_t id;

	(void)state;
	store_bed_put_ending(NOW + 10000);
	store_bed_begin();
	id = store_bed_id_put();
	store_bed_put_ending(NOW + 20000);
	store_bed_want(0, 0);
	assert_true(store_bed.answers.id == id);
	store_bed_pass(WAIT_AGAIN_MS);
	store_bed_want(0, 0);
	store_bed_await_installed(2);
	store_bed_want(0, 0);
	assert_true(store_bed.answers.id == store_bed_id_put());
	assert_int_equal(stats_get(STATS_tokens_renewals), renewals + 1);
}

static void no_token_is_told_with_the_remedy_and_one_look_for_all(void **state)
{
	(void)state;
	store_bed_begin();
	for (unsigned i = 1; i <= 1000; i++) {
		store_bed_want(60000, 0);
		assert_int_equal(store_bed_answer_count(), i); /* no wait */
	}
	assert_int_equal(store_bed.answers.code, -ENOKEY);
	assert_string_equal(store_bed.answers.text, "the place is empty");
	assert_int_equal(store_bed_looks(), 1);
	store_bed_pass(WAIT_FRESH_MS);
	for (unsigned i = 1; i <= 1000; i++)
		store_bed_want(60000, 0);
	store_bed_await_answers(2000);
	assert_int_equal(store_bed_looks(), 2);
	assert_int_equal(store_bed.answers.code, -ENOKEY);
	/* It is there now. */
	store_bed_put_ending(NOW + 100);
	store_bed_pass(WAIT_FRESH_MS);
	store_bed_want(60000, 0);
	store_bed_await_answers(2001);
	assert_int_equal(store_bed.answers.code, 0);
}

static void a_refusal_has_the_source_read_again(void **state)
{
	uint64_t id;

	(void)state;
	store_bed_put_ending(NOW + 10000);
	store_bed_begin();
	id = store_bed_id_put();
	/* The same token is all there is: it is given again, after a look. */
	store_bed_want(0, id);
	store_bed_await_answers(1);
	assert_int_equal(store_bed.answers.code, 0);
	assert_true(store_bed.answers.id == id);
	assert_int_equal(store_bed_looks(), 2);
	assert_int_equal(store_bed.forced, 1);
	/* A newer one is found by it. */
	store_bed_put_ending(NOW + 20000);
	store_bed_want(0, id);
	store_bed_await_answers(2);
	assert_true(store_bed.answers.id == store_bed_id_put());
	assert_int_equal(store_bed_looks(), 3);
	/* What is no longer in use needs no look. */
	store_bed_want(0, id);
	assert_int_equal(store_bed_answer_count(), 3);
	assert_int_equal(store_bed_looks(), 3);
}

static void an_ended_token_waits_for_a_newer_one(void **state)
{
	(void)state;
	store_bed_put_ending(NOW + 10);
	store_bed_begin();
	store_bed_pass_wall(10);
	store_bed_want(30000, 0);
	store_bed_want(
	    30000, store_bed_id_put()); /* refused because it had ended */
	store_bed_await_installed(2);
	store_bed_pass(WAIT_AGAIN_MS - 1);
	assert_int_equal(store_bed_answer_count(), 0);
	for (unsigned i = 0; i < 3; i++) {
		unsigned before = store_bed_looks();

		store_bed_pass(WAIT_AGAIN_MS);
		store_bed_await_installed(before + 1);
		assert_int_equal(store_bed_answer_count(), 0);
	}
	store_bed_put_ending(NOW + 1000);
	store_bed_pass(WAIT_AGAIN_MS);
	store_bed_await_answers(2);
	assert_int_equal(store_bed.answers.code, 0);
	assert_true(store_bed.answers.id == store_bed_id_put());
}

static void at_the_deadline_the_end_is_told(void **state)
{
	(void)state;
	store_bed_put_ending(NOW + 10);
	store_bed_begin();
	store_bed_pass_wall(10);
	store_bed_want(30000, 0);
	store_bed_want(60000, 0);
	store_bed_await_installed(2);
	store_bed_pass(29999);
	assert_int_equal(store_bed_answer_count(), 0);
	store_bed_pass(1);
	store_bed_await_answers(1);
	assert_int_equal(store_bed.answers.code, -EKEYEXPIRED);
	assert_non_null(strstr(store_bed.answers.text, "2065-01-24T05:20:10Z"));
	assert_non_null(strstr(store_bed.answers.text, "'the place'"));
	store_bed_pass(30000);
	store_bed_await_answers(2);
	assert_int_equal(store_bed.answers.code, -EKEYEXPIRED);
}

static void a_token_that_is_too_early_waits_for_its_time(void **state)
{
	char claims[64];

	(void)state;
	(void)snprintf(claims, sizeof(claims), "{\"nbf\":%llu}",
	    (unsigned long long)NOW + 3);
	store_bed_put_claims(claims);
	store_bed_begin();
	store_bed_want(30000, 0);
	store_bed_want(1000, 0);
	store_bed_pass(1000);
	store_bed_await_answers(1);
	assert_int_equal(store_bed.answers.code, -EKEYEXPIRED);
	assert_non_null(strstr(store_bed.answers.text, "not valid before"));
	assert_non_null(strstr(store_bed.answers.text, "clock"));
	store_bed_pass_wall(3);
	store_bed_pass(WAIT_AGAIN_MS);
	store_bed_await_answers(2);
	assert_int_equal(store_bed.answers.code, 0);
}

static void renewal_begins_by_itself_at_the_margin(void **state)
{
	unsigned before;

	(void)state;
	store_bed_put_ending(
	    NOW + 3600); /* the margin is 600 s, and up to 60 s jitter */
	store_bed_begin();
	store_bed_pass_wall(2939);
	assert_int_equal(store_bed_looks(), 1);
	store_bed_pass_wall(61);
	store_bed_await_installed(2);
	assert_int_equal(store_bed.forced, 1);
	/* Nothing newer: again before the end, more than once. */
	before = store_bed_looks();
	for (unsigned i = 1; i <= 5; i++) {
		store_bed_pass_wall(75);
		store_bed_await_installed(before + i);
	}
	store_bed_put_ending(NOW + 7200);
	store_bed_pass_wall(75);
	store_bed_await_installed(before + 6);
	store_bed_want(0, 0);
	assert_true(store_bed.answers.id == store_bed_id_put());
	/* And then there is peace again. */
	before = store_bed_looks();
	store_bed_pass_wall(600);
	store_bed_want(0, 0);
	assert_int_equal(store_bed_looks(), before);
}

static void a_look_that_hangs_holds_nobody_up(void **state)
{
	(void)state;
	store_bed_begin();
	store_bed_stall(true);
	store_bed_pass(WAIT_FRESH_MS);
	store_bed_want(60000, 0);
	store_bed_await_looks(2);
	store_bed_pass(WAIT_STALL_MS);
	store_bed_await_answers(1);
	assert_int_equal(store_bed.answers.code, -ENOKEY);
	/* Back again, with a token. */
	store_bed_put_ending(NOW + 1000);
	store_bed_stall(false);
	store_bed_await_installed(2);
	store_bed_want(0, 0);
	assert_int_equal(store_bed.answers.code, 0);
	/* Hanging with a good token: it serves; a refused one is given back
	 * as it is. */
	store_bed_stall(true);
	store_bed_pass(WAIT_AGAIN_MS);
	store_bed_want(0, 0);
	assert_int_equal(store_bed_answer_count(), 3);
	store_bed_want(0, store_bed_id_put());
	store_bed_pass(WAIT_STALL_MS);
	store_bed_await_answers(4);
	assert_int_equal(store_bed.answers.code, 0);
	store_bed_stall(false);
}

static void closing_does_not_wait_for_a_look_that_hangs(void **state)
{
	struct timespec until = store_bed_bound();

	(void)state;
	store_bed_begin();
	store_bed_stall(true);
	store_bed_pass(WAIT_FRESH_MS);
	store_bed_want(60000, 0);
	store_bed_await_looks(2);
	tokens_free(store_bed.tokens);
	store_bed.tokens = NULL;
	store_bed_await_answers(1);
	assert_int_equal(store_bed.answers.code, -ECANCELED);
	assert_false(store_bed.freed);
	/* The reader comes back, later, and cleans up behind itself. */
	store_bed_stall(false);
	(void)pthread_mutex_lock(&store_bed.mutex);
	while (!store_bed.freed &&
	    pthread_cond_timedwait(
	        &store_bed.changed, &store_bed.mutex, &until) != ETIMEDOUT)
		continue;
	assert_true(store_bed.freed);
	(void)pthread_mutex_unlock(&store_bed.mutex);
}

static void closing_answers_who_waits(void **state)
{
	(void)state;
	store_bed_put_ending(NOW);
	store_bed_begin();
	for (int i = 0; i < 100; i++)
		store_bed_want(60000, 0);
	assert_int_equal(store_bed_answer_count(), 0);
	tokens_free(store_bed.tokens);
	store_bed.tokens = NULL;
	assert_int_equal(store_bed_answer_count(), 100);
	assert_int_equal(store_bed.answers.code, -ECANCELED);
	tokens_free(NULL);
}

static void the_number_of_those_who_wait_is_bounded(void **state)
{
	(void)state;
	store_bed_put_ending(NOW);
	store_bed_begin();
	for (int i = 0; i < STORE_QUERIES_MAX; i++)
		store_bed_want(60000, 0);
	assert_int_equal(store_bed_answer_count(), 0);
	store_bed_want(60000, 0);
	assert_int_equal(store_bed_answer_count(), 1);
	assert_int_equal(store_bed.answers.code, -EKEYEXPIRED);
}

/* From within an answer one may ask again: no lock is held over it. */
static void ask_once_more(
    void *arg, int code, struct token *token, const struct err *err)
{
	(void)arg;
	(void)code;
	(void)err;
	token_put(token);
	store_bed_want(0, 0);
}

static void an_answer_may_ask_again(void **state)
{
	const struct tokens_query query = {.path = "/", .right = TOKENS_READ};

	(void)state;
	store_bed_put_ending(NOW + 100);
	store_bed_begin();
	tokens_want(store_bed.tokens, &query, ask_once_more, NULL);
	assert_int_equal(store_bed_answer_count(), 1);
	store_bed_put(NULL);
	(void)atomic_fetch_add(&store_bed.clock.wall_s, 100);
	tokens_want(store_bed.tokens, &query, ask_once_more, NULL);
	store_bed_put_ending(NOW + 1000);
	store_bed_pass(WAIT_AGAIN_MS);
	store_bed_await_answers(2);
}

static void an_unusable_configuration_is_an_error(void **state)
{
	static const struct tokens_config rows[] = {
	    {.base_path = "exp"},
	    {.base_path = "/exp/"},
	    {.base_path = "/a/../b"},
	    {.source_path = "/exp/"},
	    {.source_path = ""},
	    {.forbidden_tree = "mnt"},
	    {.token_file = "relative"},
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_COUNT(rows); i++) {
		struct tokens_config config = rows[i];
		struct tokens *made = NULL;
		struct err err = ERR_INIT;

		config.clock = &store_bed.clock;
		assert_int_equal(tokens_new(&made, &config, &err), -EINVAL);
		assert_null(made);
		assert_true(err.text[0] != '\0');
	}
}

/* The whole of it, on real files. */
static void a_mounts_token_comes_from_its_file(void **state)
{
	char dir[256];
	char path[512];
	char text[MAKE_BYTES];
	struct tokens_config config = {.clock = &store_bed.clock,
	    .token_file = path,
	    .source_path = "/",
	    .uid = geteuid()};
	struct err err = ERR_INIT;
	uint64_t id;

	(void)state;
	make_directory(dir);
	(void)snprintf(path, sizeof(path), "%s/token", dir);
	make_token(text, "ada", NOW + 1000);
	make_file(path, text, 0644);
	assert_int_equal(tokens_new(&store_bed.tokens, &config, &err), 0);
	assert_int_equal(tokens_state(store_bed.tokens, &err), -ENOKEY);
	assert_non_null(strstr(err.text, "run: chmod 600"));
	store_bed_want(60000, 0);
	assert_int_equal(store_bed.answers.code, -ENOKEY);
	/* The user does what the line says. */
	make_file(path, text, 0600);
	store_bed_pass(WAIT_FRESH_MS);
	store_bed_want(60000, 0);
	store_bed_await_answers(2);
	assert_int_equal(store_bed.answers.code, 0);
	id = store_bed.answers.id;
	/* The server refuses it; nothing newer is there. */
	store_bed_want(60000, id);
	store_bed_await_answers(3);
	assert_true(store_bed.answers.id == id);
	make_token(text, "ada", NOW + 2000);
	make_replaced(path, text, 0600);
	store_bed_want(60000, id);
	store_bed_await_answers(4);
	assert_int_equal(store_bed.answers.code, 0);
	assert_true(store_bed.answers.id != id);
	/* It ends, and its file is written anew while somebody waits. */
	store_bed_pass_wall(2000);
	store_bed_want(60000, 0);
	store_bed_await_installed(4);
	assert_int_equal(store_bed_answer_count(), 4);
	make_token(text, "ada", NOW + 3000);
	make_file(path, text, 0600);
	store_bed_pass(WAIT_AGAIN_MS);
	store_bed_await_answers(5);
	assert_int_equal(store_bed.answers.code, 0);
	make_remove(dir);
	store_bed.freed = true; /* the place was not used here */
}

/* Many threads ask while tokens come, end and are refused: each question is
 * answered once, and nothing races (ThreadSanitizer). */
enum { ASKERS = 4, QUESTIONS = 2000 };

static void *ask_much(void *arg)
{
	unsigned seed = *(unsigned *)arg;
	unsigned opened = 0;

	for (unsigned i = 0; i < QUESTIONS; i++) {
		struct token *token;

		store_bed_want(
		    i % 7 == 0 ? 50 : 0, i % 5 == 0 ? seed + i / 50 : 0);
		if (tokens_may(
		        store_bed.tokens, NULL, "/a", TOKENS_READ, NULL) == 0)
			opened++;
		if (i % 64 != 0)
			continue;
		(void)pthread_mutex_lock(&store_bed.mutex);
		token =
		    store_bed.token != NULL ? token_get(store_bed.token) : NULL;
		(void)pthread_mutex_unlock(&store_bed.mutex);
		if (token != NULL)
			tokens_report(store_bed.tokens, token, "/a",
			    TOKENS_READ, i % 128 == 0 ? 403 : 200);
		token_put(token);
	}
	assert_true(opened <= QUESTIONS);
	return NULL;
}

static void many_may_ask_at_once(void **state)
{
	pthread_t threads[ASKERS];
	unsigned seeds[ASKERS];

	(void)state;
	store_bed_put_ending(NOW + 3);
	store_bed_begin();
	for (unsigned i = 0; i < ASKERS; i++) {
		seeds[i] = i;
		assert_int_equal(
		    pthread_create(&threads[i], NULL, ask_much, &seeds[i]), 0);
	}
	for (unsigned i = 0; i < 50; i++) {
		struct buf out;

		if (i % 10 == 9)
			store_bed_put(NULL);
		else
			store_bed_put_ending(NOW + i + 3);
		store_bed_pass(100);
		if (i % 2 == 0)
			store_bed_pass_wall(1);
		buf_init(&out, 4096);
		assert_int_equal(
		    tokens_describe(store_bed.tokens, NULL, &out), 0);
		buf_fini(&out);
	}
	for (unsigned i = 0; i < ASKERS; i++)
		assert_int_equal(pthread_join(threads[i], NULL), 0);
	store_bed_pass(60000);
	store_bed_await_answers(ASKERS * QUESTIONS);
}

int main(void)
{
#define TEST(name)                       \
	cmocka_unit_test_setup_teardown( \
	    name, store_bed_set_up, store_bed_tear_down)
	const struct CMUnitTest tests[] = {
	    TEST(a_good_token_is_given_before_the_call_returns),
	    TEST(the_source_is_looked_at_once_a_second_while_somebody_asks),
	    TEST(a_newer_token_is_found_while_somebody_asks),
	    TEST(no_token_is_told_with_the_remedy_and_one_look_for_all),
	    TEST(a_refusal_has_the_source_read_again),
	    TEST(an_ended_token_waits_for_a_newer_one),
	    TEST(at_the_deadline_the_end_is_told),
	    TEST(a_token_that_is_too_early_waits_for_its_time),
	    TEST(renewal_begins_by_itself_at_the_margin),
	    TEST(a_look_that_hangs_holds_nobody_up),
	    TEST(closing_does_not_wait_for_a_look_that_hangs),
	    TEST(closing_answers_who_waits),
	    TEST(the_number_of_those_who_wait_is_bounded),
	    TEST(an_answer_may_ask_again),
	    TEST(an_unusable_configuration_is_an_error),
	    TEST(a_mounts_token_comes_from_its_file),
	    TEST(many_may_ask_at_once),
	};
#undef TEST

	return cmocka_run_group_tests(tests, NULL, NULL);
}
