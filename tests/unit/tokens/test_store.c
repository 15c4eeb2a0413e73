/* SPDX-License-Identifier: Apache-2.0 */
/*
 * tokens/store/store.h and tokens.h: asking, waiting, renewing, ending. Time is
 * driven by hand and tokens come from a source that the test controls; what
 * is waited for is an event, with a generous bound.
 */
#include "base/clock.h"
#include "base/secret.h"
#include "base/stats.h"
#include "tests/unit/tokens/make.h"
#include "tokens/store/store.h"

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

#define NOW UINT64_C(3000000000)

enum { BOUND_S = 60 };

/* A place for tokens that does what it is told. */
static struct {
	pthread_mutex_t mutex;
	pthread_cond_t changed;
	struct token *token;
	unsigned looks;
	unsigned forced;
	bool stalls;
	bool freed;
} place = {
    .mutex = PTHREAD_MUTEX_INITIALIZER, .changed = PTHREAD_COND_INITIALIZER};

/* What was answered. */
static struct {
	pthread_mutex_t mutex;
	pthread_cond_t changed;
	unsigned count;
	int code;
	uint64_t id;
	char text[ERR_TEXT_BYTES];
} answers = {
    .mutex = PTHREAD_MUTEX_INITIALIZER, .changed = PTHREAD_COND_INITIALIZER};

static struct clock now = {.hand_driven = 1};
static struct tokens *tokens;

static void place_look(
    void *arg, bool force, uint64_t now_s, struct finding *out)
{
	(void)arg;
	(void)now_s;
	*out = (struct finding){.count = 0};
	(void)pthread_mutex_lock(&place.mutex);
	place.looks++;
	place.forced += force;
	(void)pthread_cond_broadcast(&place.changed);
	while (place.stalls)
		(void)pthread_cond_wait(&place.changed, &place.mutex);
	if (place.token != NULL) {
		finding_add(out, token_get(place.token));
	} else {
		(void)err_set(&out->problem, -ENOKEY, "the place is empty");
	}
	(void)pthread_mutex_unlock(&place.mutex);
}

static void place_free(void *arg)
{
	(void)arg;
	(void)pthread_mutex_lock(&place.mutex);
	place.freed = true;
	(void)pthread_cond_broadcast(&place.changed);
	(void)pthread_mutex_unlock(&place.mutex);
}

static void put(struct token *token)
{
	(void)pthread_mutex_lock(&place.mutex);
	token_put(place.token);
	place.token = token;
	if (token != NULL)
		assert_int_equal(token_set_source(token, "the place"), 0);
	(void)pthread_mutex_unlock(&place.mutex);
}

static void put_claims(const char *claims)
{
	char text[MAKE_BYTES];

	make_jwt(text, claims);
	put(make_parsed(text));
}

static void put_ending(uint64_t expires_s)
{
	char text[MAKE_BYTES];

	make_token(text, "ada", expires_s);
	put(make_parsed(text));
}

static uint64_t id_put(void)
{
	return token_id(place.token);
}

static void stall(bool stalls)
{
	(void)pthread_mutex_lock(&place.mutex);
	place.stalls = stalls;
	(void)pthread_cond_broadcast(&place.changed);
	(void)pthread_mutex_unlock(&place.mutex);
}

static struct timespec bound(void)
{
	struct timespec until;

	(void)clock_gettime(CLOCK_REALTIME, &until);
	until.tv_sec += BOUND_S;
	return until;
}

static void await_looks(unsigned count)
{
	struct timespec until = bound();

	(void)pthread_mutex_lock(&place.mutex);
	while (place.looks < count)
		if (pthread_cond_timedwait(
		        &place.changed, &place.mutex, &until) == ETIMEDOUT)
			break;
	assert_int_equal(place.looks, count);
	(void)pthread_mutex_unlock(&place.mutex);
}

static unsigned looks(void)
{
	unsigned count;

	(void)pthread_mutex_lock(&place.mutex);
	count = place.looks;
	(void)pthread_mutex_unlock(&place.mutex);
	return count;
}

/* The look itself has ended and its result is in place. */
static void await_installed(uint64_t count)
{
	struct timespec until = bound();
	int code = 0;

	token_store_enter(tokens);
	while (tokens->own->looks_ended < count && code == 0)
		code = pthread_cond_timedwait(
		    &tokens->changed, &tokens->mutex, &until);
	assert_true(tokens->own->looks_ended >= count);
	token_store_leave(tokens);
}

static void answered(
    void *arg, int code, struct token *token, const struct err *err)
{
	(void)arg;
	assert_int_equal(code == 0, token != NULL);
	assert_int_equal(err->code, code);
	assert_int_equal(code == 0, err->text[0] == '\0');
	(void)pthread_mutex_lock(&answers.mutex);
	answers.count++;
	answers.code = code;
	answers.id = token != NULL ? token_id(token) : 0;
	(void)snprintf(answers.text, sizeof(answers.text), "%s", err->text);
	(void)pthread_cond_broadcast(&answers.changed);
	(void)pthread_mutex_unlock(&answers.mutex);
	token_put(token);
}

static unsigned answer_count(void)
{
	unsigned count;

	(void)pthread_mutex_lock(&answers.mutex);
	count = answers.count;
	(void)pthread_mutex_unlock(&answers.mutex);
	return count;
}

static void await_answers(unsigned count)
{
	struct timespec until = bound();

	(void)pthread_mutex_lock(&answers.mutex);
	while (answers.count < count)
		if (pthread_cond_timedwait(
		        &answers.changed, &answers.mutex, &until) == ETIMEDOUT)
			break;
	assert_int_equal(answers.count, count);
	(void)pthread_mutex_unlock(&answers.mutex);
}

static void want(uint64_t wait_ms, uint64_t refused_id)
{
	const struct tokens_query query = {.path = "/",
	    .right = TOKENS_READ,
	    .deadline_ms = clock_now_ms(&now) + wait_ms,
	    .refused_id = refused_id};

	tokens_want(tokens, &query, answered, NULL);
}

static void pass(uint64_t ms)
{
	(void)atomic_fetch_add(&now.monotonic_ms, ms);
	token_store_wake(tokens);
}

static void pass_wall(uint64_t seconds)
{
	(void)atomic_fetch_add(&now.wall_s, seconds);
	token_store_wake(tokens);
}

static void begin_with(const struct tokens_config *given)
{
	struct tokens_config config = *given;
	const struct purse_source source = {
	    .look = place_look, .free = place_free};
	struct err err = ERR_INIT;

	config.clock = &now;
	assert_int_equal(
	    token_store_new(&tokens, &config, &source, NULL, &err), 0);
	await_installed(1);
}

static void begin(void)
{
	begin_with(&(struct tokens_config){.source_path = "/"});
}

static int set_up(void **state)
{
	(void)state;
	atomic_store(&now.monotonic_ms, 1000000);
	atomic_store(&now.wall_s, NOW);
	place.looks = 0;
	place.forced = 0;
	place.stalls = false;
	place.freed = false;
	put(NULL);
	answers.count = 0;
	tokens = NULL;
	return 0;
}

static int tear_down(void **state)
{
	(void)state;
	tokens_free(tokens);
	assert_true(tokens == NULL || place.freed);
	put(NULL);
	return 0;
}

static void a_good_token_is_given_before_the_call_returns(void **state)
{
	(void)state;
	put_ending(NOW + 10000);
	begin();
	for (unsigned i = 1; i <= 1000; i++) {
		want(0, 0);
		assert_int_equal(answer_count(), i);
		assert_int_equal(answers.code, 0);
		assert_true(answers.id == id_put());
	}
	assert_int_equal(looks(), 1);
}

static void the_source_is_looked_at_once_a_second_while_somebody_asks(
    void **state)
{
	(void)state;
	put_ending(NOW + 10000);
	begin();
	for (unsigned second = 1; second <= 5; second++) {
		pass(WAIT_AGAIN_MS - 1);
		want(0, 0);
		assert_int_equal(looks(), second);
		pass(1);
		/* Nobody asks: nobody looks. */
		assert_int_equal(looks(), second);
		for (int i = 0; i < 100; i++)
			want(0, 0);
		await_installed(second + 1);
		assert_int_equal(looks(), second + 1);
	}
	assert_int_equal(place.forced, 0);
}

static void a_newer_token_is_found_while_somebody_asks(void **state)
{
	uint64_t renewals = stats_get(STATS_tokens_renewals);
	uint64_t id;

	(void)state;
	put_ending(NOW + 10000);
	begin();
	id = id_put();
	put_ending(NOW + 20000);
	want(0, 0);
	assert_true(answers.id == id);
	pass(WAIT_AGAIN_MS);
	want(0, 0);
	await_installed(2);
	want(0, 0);
	assert_true(answers.id == id_put());
	assert_int_equal(stats_get(STATS_tokens_renewals), renewals + 1);
}

static void no_token_is_told_with_the_remedy_and_one_look_for_all(void **state)
{
	(void)state;
	begin();
	for (unsigned i = 1; i <= 1000; i++) {
		want(60000, 0);
		assert_int_equal(answer_count(), i); /* no wait */
	}
	assert_int_equal(answers.code, -ENOKEY);
	assert_string_equal(answers.text, "the place is empty");
	assert_int_equal(looks(), 1);
	pass(WAIT_FRESH_MS);
	for (unsigned i = 1; i <= 1000; i++)
		want(60000, 0);
	await_answers(2000);
	assert_int_equal(looks(), 2);
	assert_int_equal(answers.code, -ENOKEY);
	/* It is there now. */
	put_ending(NOW + 100);
	pass(WAIT_FRESH_MS);
	want(60000, 0);
	await_answers(2001);
	assert_int_equal(answers.code, 0);
}

static void a_refusal_has_the_source_read_again(void **state)
{
	uint64_t id;

	(void)state;
	put_ending(NOW + 10000);
	begin();
	id = id_put();
	/* The same token is all there is: it is given again, after a look. */
	want(0, id);
	await_answers(1);
	assert_int_equal(answers.code, 0);
	assert_true(answers.id == id);
	assert_int_equal(looks(), 2);
	assert_int_equal(place.forced, 1);
	/* A newer one is found by it. */
	put_ending(NOW + 20000);
	want(0, id);
	await_answers(2);
	assert_true(answers.id == id_put());
	assert_int_equal(looks(), 3);
	/* What is no longer in use needs no look. */
	want(0, id);
	assert_int_equal(answer_count(), 3);
	assert_int_equal(looks(), 3);
}

static void an_ended_token_waits_for_a_newer_one(void **state)
{
	(void)state;
	put_ending(NOW + 10);
	begin();
	pass_wall(10);
	want(30000, 0);
	want(30000, id_put()); /* refused because it had ended */
	await_installed(2);
	pass(WAIT_AGAIN_MS - 1);
	assert_int_equal(answer_count(), 0);
	for (unsigned i = 0; i < 3; i++) {
		unsigned before = looks();

		pass(WAIT_AGAIN_MS);
		await_installed(before + 1);
		assert_int_equal(answer_count(), 0);
	}
	put_ending(NOW + 1000);
	pass(WAIT_AGAIN_MS);
	await_answers(2);
	assert_int_equal(answers.code, 0);
	assert_true(answers.id == id_put());
}

static void at_the_deadline_the_end_is_told(void **state)
{
	(void)state;
	put_ending(NOW + 10);
	begin();
	pass_wall(10);
	want(30000, 0);
	want(60000, 0);
	await_installed(2);
	pass(29999);
	assert_int_equal(answer_count(), 0);
	pass(1);
	await_answers(1);
	assert_int_equal(answers.code, -EKEYEXPIRED);
	assert_non_null(strstr(answers.text, "2065-01-24T05:20:10Z"));
	assert_non_null(strstr(answers.text, "'the place'"));
	pass(30000);
	await_answers(2);
	assert_int_equal(answers.code, -EKEYEXPIRED);
}

static void a_token_that_is_too_early_waits_for_its_time(void **state)
{
	char claims[64];

	(void)state;
	(void)snprintf(claims, sizeof(claims), "{\"nbf\":%llu}",
	    (unsigned long long)NOW + 3);
	put_claims(claims);
	begin();
	want(30000, 0);
	want(1000, 0);
	pass(1000);
	await_answers(1);
	assert_int_equal(answers.code, -EKEYEXPIRED);
	assert_non_null(strstr(answers.text, "not valid before"));
	assert_non_null(strstr(answers.text, "clock"));
	pass_wall(3);
	pass(WAIT_AGAIN_MS);
	await_answers(2);
	assert_int_equal(answers.code, 0);
}

static void renewal_begins_by_itself_at_the_margin(void **state)
{
	unsigned before;

	(void)state;
	put_ending(NOW + 3600); /* the margin is 600 s, and up to 60 s jitter */
	begin();
	pass_wall(2939);
	assert_int_equal(looks(), 1);
	pass_wall(61);
	await_installed(2);
	assert_int_equal(place.forced, 1);
	/* Nothing newer: again before the end, more than once. */
	before = looks();
	for (unsigned i = 1; i <= 5; i++) {
		pass_wall(75);
		await_installed(before + i);
	}
	put_ending(NOW + 7200);
	pass_wall(75);
	await_installed(before + 6);
	want(0, 0);
	assert_true(answers.id == id_put());
	/* And then there is peace again. */
	before = looks();
	pass_wall(600);
	want(0, 0);
	assert_int_equal(looks(), before);
}

static void a_look_that_hangs_holds_nobody_up(void **state)
{
	(void)state;
	begin();
	stall(true);
	pass(WAIT_FRESH_MS);
	want(60000, 0);
	await_looks(2);
	pass(WAIT_STALL_MS);
	await_answers(1);
	assert_int_equal(answers.code, -ENOKEY);
	/* Back again, with a token. */
	put_ending(NOW + 1000);
	stall(false);
	await_installed(2);
	want(0, 0);
	assert_int_equal(answers.code, 0);
	/* Hanging with a good token: it serves; a refused one is given back
	 * as it is. */
	stall(true);
	pass(WAIT_AGAIN_MS);
	want(0, 0);
	assert_int_equal(answer_count(), 3);
	want(0, id_put());
	pass(WAIT_STALL_MS);
	await_answers(4);
	assert_int_equal(answers.code, 0);
	stall(false);
}

static void closing_does_not_wait_for_a_look_that_hangs(void **state)
{
	struct timespec until = bound();

	(void)state;
	begin();
	stall(true);
	pass(WAIT_FRESH_MS);
	want(60000, 0);
	await_looks(2);
	tokens_free(tokens);
	tokens = NULL;
	await_answers(1);
	assert_int_equal(answers.code, -ECANCELED);
	assert_false(place.freed);
	/* The reader comes back, later, and cleans up behind itself. */
	stall(false);
	(void)pthread_mutex_lock(&place.mutex);
	while (!place.freed &&
	    pthread_cond_timedwait(&place.changed, &place.mutex, &until) !=
	        ETIMEDOUT)
		continue;
	assert_true(place.freed);
	(void)pthread_mutex_unlock(&place.mutex);
}

static void closing_answers_who_waits(void **state)
{
	(void)state;
	put_ending(NOW);
	begin();
	for (int i = 0; i < 100; i++)
		want(60000, 0);
	assert_int_equal(answer_count(), 0);
	tokens_free(tokens);
	tokens = NULL;
	assert_int_equal(answer_count(), 100);
	assert_int_equal(answers.code, -ECANCELED);
	tokens_free(NULL);
}

static void the_number_of_those_who_wait_is_bounded(void **state)
{
	(void)state;
	put_ending(NOW);
	begin();
	for (int i = 0; i < STORE_QUERIES_MAX; i++)
		want(60000, 0);
	assert_int_equal(answer_count(), 0);
	want(60000, 0);
	assert_int_equal(answer_count(), 1);
	assert_int_equal(answers.code, -EKEYEXPIRED);
}

/* From within an answer one may ask again: no lock is held over it. */
static void ask_once_more(
    void *arg, int code, struct token *token, const struct err *err)
{
	(void)arg;
	(void)code;
	(void)err;
	token_put(token);
	want(0, 0);
}

static void an_answer_may_ask_again(void **state)
{
	const struct tokens_query query = {.path = "/", .right = TOKENS_READ};

	(void)state;
	put_ending(NOW + 100);
	begin();
	tokens_want(tokens, &query, ask_once_more, NULL);
	assert_int_equal(answer_count(), 1);
	put(NULL);
	(void)atomic_fetch_add(&now.wall_s, 100);
	tokens_want(tokens, &query, ask_once_more, NULL);
	put_ending(NOW + 1000);
	pass(WAIT_AGAIN_MS);
	await_answers(2);
}

static void the_door_opens_for_a_token_that_was_not_refused(void **state)
{
	struct token *token;

	(void)state;
	begin();
	assert_int_equal(
	    tokens_may(tokens, NULL, "/a", TOKENS_READ, NULL), -ENOKEY);
	put_ending(NOW + 100);
	want(0, 0);
	pass(WAIT_FRESH_MS);
	want(0, 0);
	await_answers(2);
	token = place.token;
	assert_int_equal(tokens_may(tokens, NULL, "/a", TOKENS_READ, NULL), 0);
	tokens_report(tokens, token, "/a", TOKENS_READ, 403);
	assert_int_equal(
	    tokens_may(tokens, NULL, "/a", TOKENS_READ, NULL), -EACCES);
	assert_int_equal(
	    tokens_may(tokens, NULL, "/a/b", TOKENS_READ, NULL), 0);
	tokens_report(tokens, token, "/a", TOKENS_READ, 401);
	assert_int_equal(
	    tokens_may(tokens, NULL, "/a", TOKENS_READ, NULL), -EKEYREJECTED);
	tokens_report(tokens, token, "/a", TOKENS_READ, 500);
	tokens_report(tokens, token, "/a", TOKENS_READ, 404);
	assert_int_equal(
	    tokens_may(tokens, NULL, "/a", TOKENS_READ, NULL), -EKEYREJECTED);
	tokens_report(tokens, token, "/a", TOKENS_READ, 206);
	assert_int_equal(tokens_may(tokens, NULL, "/a", TOKENS_READ, NULL), 0);
	/* Another token has not been refused. */
	tokens_report(tokens, token, "/a", TOKENS_READ, 403);
	put_ending(NOW + 200);
	pass(WAIT_AGAIN_MS);
	want(0, 0);
	await_installed(3);
	assert_int_equal(tokens_may(tokens, NULL, "/a", TOKENS_READ, NULL), 0);
	/* An ended one opens nothing. */
	pass_wall(200);
	assert_int_equal(
	    tokens_may(tokens, NULL, "/a", TOKENS_READ, NULL), -EKEYEXPIRED);
}

static void a_refusal_is_told_with_its_reason(void **state)
{
	static const struct {
		const char *claims; /* NULL: an opaque token */
		int status;
		int code;
		const char *why;
	} rows[] = {
	    {"{\"scope\":\"read:/\"}", 401, -EKEYREJECTED, "audience"},
	    {"{\"scope\":\"read:/\"}", 403, -EACCES, "get a token"},
	    {"{\"scope\":\"read:/b\"}", 403, -EACCES,
	        "does not cover this path; get a token that does: with 'read:/a/x'"},
	    {"{\"scope\":\"read:/b\"}", 401, -EKEYREJECTED,
	        "does not cover this path; get a token that does: with 'read:/a/x'"},
	    {"{\"scope\":\"openid\"}", 403, -EACCES,
	        "allows this token no reading"},
	    {"{}", 403, -EACCES, "get a token"},
	    {NULL, 401, -EKEYREJECTED, "HTTP 401"},
	    {NULL, 403, -EACCES, "HTTP 403"},
	    {"{\"exp\":3000000000}", 401, -EKEYEXPIRED,
	        "ended at 2065-01-24T05:20:00Z"},
	    {"{\"exp\":3000000000}", 403, -EKEYEXPIRED, "get a new one"},
	    {"{\"exp\":3000000001}", 403, -EACCES, "get a token"},
	};

	(void)state;
	begin_with(&(struct tokens_config){
	    .source_path = "/exp", .base_path = "/exp"});
	for (size_t i = 0; i < ARRAY_COUNT(rows); i++) {
		char text[MAKE_BYTES] = "opaque";
		struct err err = ERR_INIT;
		struct token *token;

		if (rows[i].claims != NULL)
			make_jwt(text, rows[i].claims);
		token = make_parsed(text);
		assert_int_equal(tokens_verdict(tokens, token, "/exp/a/x",
		                     TOKENS_READ, rows[i].status, &err),
		    rows[i].code);
		assert_int_equal(err.code, rows[i].code);
		if (strstr(err.text, rows[i].why) == NULL)
			fail_msg(
			    "'%s' does not say '%s'", err.text, rows[i].why);
		assert_non_null(strstr(err.text, "/exp/a/x"));
		token_put(token);
	}
}

static void collect(void *arg, const char *name)
{
	strcat(arg, name);
	strcat(arg, ",");
}

static void names_lead_to_the_tokens_reach(void **state)
{
	static const struct {
		const char *source;
		const char *base;
		const char *path;
		const char *names;
	} rows[] = {
	    {"/", NULL, "/", "alice,"}, {"/", "/exp", "/", "exp,"},
	    {"/", "/exp", "/exp", "alice,"},
	    {"/exp", NULL, "/exp", "alice,"}, /* guessed */
	    {"/exp", NULL, "/exp/alice", "run1,"},
	    {"/exp", "/", "/exp", ""}, /* configured: no guess */
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_COUNT(rows); i++) {
		char names[64] = "";

		put_claims("{\"scope\":\"read:/alice/run1 openid\"}");
		begin_with(&(struct tokens_config){
		    .source_path = rows[i].source, .base_path = rows[i].base});
		(void)tokens_reach(tokens, NULL, rows[i].path, collect, names);
		assert_string_equal(names, rows[i].names);
		tokens_free(tokens);
		tokens = NULL;
	}
	put(NULL);
	begin();
	assert_int_equal(tokens_reach(tokens, NULL, "/", NULL, NULL), 0);
	tokens_free(tokens);
	tokens = NULL;
	put(make_parsed("opaque"));
	begin();
	assert_int_equal(tokens_reach(tokens, NULL, "/", NULL, NULL), 0);
}

/* Whatever "/" of the issuer's scopes means. */
static void the_paths_of_a_macaroon_are_the_servers(void **state)
{
	/* path:/a, before: in 2031; no signature that anybody could make. */
	static const char text[] =
	    "AgIBaQACB3BhdGg6L2EAAhtiZWZvcmU6MjAzMS0wMi0wM1QwNDowNTowNloA"
	    "AAYgc3Nzc3Nzc3Nzc3Nzc3Nzc3Nzc3Nzc3Nzc3Nzc3Nzc3M";
	char names[64] = "";

	(void)state;
	put(make_parsed(text));
	begin_with(
	    &(struct tokens_config){.source_path = "/", .base_path = "/exp"});
	(void)tokens_reach(tokens, NULL, "/", collect, names);
	assert_string_equal(names, "a,");
}

static void assert_described(const char *json, const char *text, int code)
{
	struct buf out;
	struct err err = ERR_INIT;

	buf_init(&out, 65536);
	assert_int_equal(tokens_describe(tokens, NULL, &out), 0);
	assert_string_equal(buf_text(&out), json);
	buf_clear(&out);
	assert_int_equal(tokens_describe_text(tokens, NULL, &out), 0);
	assert_string_equal(buf_text(&out), text);
	buf_fini(&out);
	assert_int_equal(tokens_state(tokens, &err), code);
	assert_int_equal(err.code, code);
	buf_init(&out, 16);
	assert_int_equal(tokens_describe(tokens, NULL, &out), -EMSGSIZE);
	buf_fini(&out);
}

static void the_token_is_described_without_its_text(void **state)
{
	(void)state;
	put_claims("{\"iss\":\"https://i\",\"sub\":\"a\\\"\\u001b[1m\","
	           "\"scope\":\"read:/\",\"nbf\":3000000010,"
	           "\"aud\":[\"b\",\"c\"],\"wlcg.ver\":\"1.2\","
	           "\"exp\":3000001000}");
	begin();
	assert_described(
	    "{\"state\":\"not_yet_valid\",\"kind\":\"jwt\","
	    "\"profile\":\"WLCG 1.x\",\"source\":\"the place\","
	    "\"issuer\":\"https://i\",\"subject\":\"a\\\"\\u001b[1m\","
	    "\"audience\":\"b c\",\"scope\":\"read:/\",\"expires_at\":\"2065-01-24T05:36:40Z\","
	    "\"left_s\":1000,\"problem\":null,"
	    "\"others\":[],\"writing\":null}",
	    "token: not valid before 2065-01-24T05:20:10Z\n"
	    "  kind: JWT, WLCG 1.x\n  from: the place\n  issuer: https://i\n  subject: a\"?[1m\n"
	    "  audience: b c\n  scope: read:/\n",
	    -EKEYEXPIRED);
	pass_wall(10);
	assert_described(
	    "{\"state\":\"valid\",\"kind\":\"jwt\","
	    "\"profile\":\"WLCG 1.x\",\"source\":\"the place\","
	    "\"issuer\":\"https://i\",\"subject\":\"a\\\"\\u001b[1m\","
	    "\"audience\":\"b c\",\"scope\":\"read:/\",\"expires_at\":\"2065-01-24T05:36:40Z\","
	    "\"left_s\":990,\"problem\":null,"
	    "\"others\":[],\"writing\":null}",
	    "token: valid for 16 min\n"
	    "  kind: JWT, WLCG 1.x\n  from: the place\n  issuer: https://i\n  subject: a\"?[1m\n"
	    "  audience: b c\n  scope: read:/\n",
	    0);
	pass_wall(1000);
	assert_described(
	    "{\"state\":\"expired\",\"kind\":\"jwt\","
	    "\"profile\":\"WLCG 1.x\",\"source\":\"the place\","
	    "\"issuer\":\"https://i\",\"subject\":\"a\\\"\\u001b[1m\","
	    "\"audience\":\"b c\",\"scope\":\"read:/\",\"expires_at\":\"2065-01-24T05:36:40Z\","
	    "\"left_s\":0,\"problem\":null,"
	    "\"others\":[],\"writing\":null}",
	    "token: ended at 2065-01-24T05:36:40Z\n"
	    "  kind: JWT, WLCG 1.x\n  from: the place\n  issuer: https://i\n  subject: a\"?[1m\n"
	    "  audience: b c\n  scope: read:/\n",
	    -EKEYEXPIRED);
}

static void what_a_token_does_not_say_is_null(void **state)
{
	struct buf out;

	(void)state;
	put(make_parsed("opaque"));
	begin();
	assert_described(
	    "{\"state\":\"valid\",\"kind\":\"opaque\",\"profile\":null,"
	    "\"source\":\"the place\",\"issuer\":null,"
	    "\"subject\":null,\"audience\":null,\"scope\":null,\"expires_at\":null,"
	    "\"left_s\":null,\"problem\":null,"
	    "\"others\":[],\"writing\":null}",
	    "token: in use; it does not say when it ends\n"
	    "  kind: opaque\n  from: the place\n",
	    0);
	buf_init(&out, 64);
	assert_int_equal(tokens_source(tokens, &out), 0);
	assert_string_equal(buf_text(&out), "the place");
	buf_clear(&out);
	tokens_free(tokens);
	put(NULL);
	begin();
	assert_described(
	    "{\"state\":\"missing\",\"kind\":null,\"profile\":null,"
	    "\"source\":null,\"issuer\":null,"
	    "\"subject\":null,\"audience\":null,\"scope\":null,\"expires_at\":null,"
	    "\"left_s\":null,\"problem\":\"the place is empty\","
	    "\"others\":[],\"writing\":null}",
	    "token: none\n  problem: the place is empty\n", -ENOKEY);
	assert_int_equal(tokens_source(tokens, &out), -ENOKEY);
	buf_fini(&out);
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

		config.clock = &now;
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
	struct tokens_config config = {.clock = &now,
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
	assert_int_equal(tokens_new(&tokens, &config, &err), 0);
	assert_int_equal(tokens_state(tokens, &err), -ENOKEY);
	assert_non_null(strstr(err.text, "run: chmod 600"));
	want(60000, 0);
	assert_int_equal(answers.code, -ENOKEY);
	/* The user does what the line says. */
	make_file(path, text, 0600);
	pass(WAIT_FRESH_MS);
	want(60000, 0);
	await_answers(2);
	assert_int_equal(answers.code, 0);
	id = answers.id;
	/* The server refuses it; nothing newer is there. */
	want(60000, id);
	await_answers(3);
	assert_true(answers.id == id);
	make_token(text, "ada", NOW + 2000);
	make_replaced(path, text, 0600);
	want(60000, id);
	await_answers(4);
	assert_int_equal(answers.code, 0);
	assert_true(answers.id != id);
	/* It ends, and its file is written anew while somebody waits. */
	pass_wall(2000);
	want(60000, 0);
	await_installed(4);
	assert_int_equal(answer_count(), 4);
	make_token(text, "ada", NOW + 3000);
	make_file(path, text, 0600);
	pass(WAIT_AGAIN_MS);
	await_answers(5);
	assert_int_equal(answers.code, 0);
	make_remove(dir);
	place.freed = true; /* the place was not used here */
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

		want(i % 7 == 0 ? 50 : 0, i % 5 == 0 ? seed + i / 50 : 0);
		if (tokens_may(tokens, NULL, "/a", TOKENS_READ, NULL) == 0)
			opened++;
		if (i % 64 != 0)
			continue;
		(void)pthread_mutex_lock(&place.mutex);
		token = place.token != NULL ? token_get(place.token) : NULL;
		(void)pthread_mutex_unlock(&place.mutex);
		if (token != NULL)
			tokens_report(tokens, token, "/a", TOKENS_READ,
			    i % 128 == 0 ? 403 : 200);
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
	put_ending(NOW + 3);
	begin();
	for (unsigned i = 0; i < ASKERS; i++) {
		seeds[i] = i;
		assert_int_equal(
		    pthread_create(&threads[i], NULL, ask_much, &seeds[i]), 0);
	}
	for (unsigned i = 0; i < 50; i++) {
		struct buf out;

		if (i % 10 == 9)
			put(NULL);
		else
			put_ending(NOW + i + 3);
		pass(100);
		if (i % 2 == 0)
			pass_wall(1);
		buf_init(&out, 4096);
		assert_int_equal(tokens_describe(tokens, NULL, &out), 0);
		buf_fini(&out);
	}
	for (unsigned i = 0; i < ASKERS; i++)
		assert_int_equal(pthread_join(threads[i], NULL), 0);
	pass(60000);
	await_answers(ASKERS * QUESTIONS);
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)
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
	    TEST(the_door_opens_for_a_token_that_was_not_refused),
	    TEST(a_refusal_is_told_with_its_reason),
	    TEST(names_lead_to_the_tokens_reach),
	    TEST(the_paths_of_a_macaroon_are_the_servers),
	    TEST(the_token_is_described_without_its_text),
	    TEST(what_a_token_does_not_say_is_null),
	    TEST(an_unusable_configuration_is_an_error),
	    TEST(a_mounts_token_comes_from_its_file),
	    TEST(many_may_ask_at_once),
	};
#undef TEST

	return cmocka_run_group_tests(tests, NULL, NULL);
}
