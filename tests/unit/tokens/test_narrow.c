/* SPDX-License-Identifier: Apache-2.0 */
/*
 * tokens/store/narrow.h and tokens/claims/narrow.h: which scope a change is
 * asked for with, how often an agent is asked, what is used when there is
 * none, and that it is dropped.
 */
#include "base/clock.h"
#include "base/secret.h"
#include "tests/unit/tokens/fake_agent.h"
#include "tests/unit/tokens/make.h"
#include "tokens/claims/narrow.h"
#include "tokens/claims/token.h"
#include "tokens/store/narrow.h"

#include <errno.h>
#include <poll.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

enum { NOW_S = 2000000000, BOUND_MS = 20000, LIFE_S = 3600 };

#define ALL "storage.read:/ storage.create:/ storage.modify:/"

static char dir[256];
static struct clock hand;
static struct fake_agent fake;
static struct tokens *tokens;

/* What was answered. */
static struct {
	atomic_uint count;
	int code;
	struct token *token;
} answered;

static void take_answer(
    void *arg, int code, struct token *token, const struct err *err)
{
	(void)arg;
	(void)err;
	answered.code = code;
	answered.token = token;
	atomic_fetch_add(&answered.count, 1);
}

static void make_claims(char out[MAKE_BYTES], const char *scope)
{
	char claims[512];

	(void)snprintf(claims, sizeof(claims),
	    "{\"sub\":\"ada\",\"exp\":%llu,\"scope\":\"%s\"}",
	    (unsigned long long)hand.wall_s + LIFE_S, scope);
	make_jwt(out, claims);
}

static void give(const char *scope)
{
	char text[MAKE_BYTES];

	make_claims(text, scope);
	fake_agent_gives(&fake, text, hand.wall_s + LIFE_S);
}

static int set_up(void **state)
{
	char path[512];
	const struct tokens_config config = {.clock = &hand,
	    .agent = path,
	    .account = "tb",
	    .base_path = "/base",
	    .source_path = "/base/exp",
	    .uid = geteuid()};
	struct err err = ERR_INIT;

	(void)state;
	make_no_environment();
	make_directory(dir);
	(void)snprintf(path, sizeof(path), "%s/agent.sock", dir);
	hand.hand_driven = 1;
	hand.monotonic_ms = 1000000;
	hand.wall_s = NOW_S;
	fake_agent_start(&fake, path);
	give(ALL);
	atomic_store(&answered.count, 0);
	assert_int_equal(tokens_new(&tokens, &config, &err), 0);
	assert_non_null(tokens->narrows);
	return 0;
}

static int tear_down(void **state)
{
	(void)state;
	tokens_free(tokens);
	fake_agent_stop(&fake);
	make_remove(dir);
	return 0;
}

/* Time goes on. */
static void pass(unsigned ms)
{
	hand.monotonic_ms += ms;
	hand.wall_s += ms / 1000;
	token_store_wake(tokens);
	token_store_enter(tokens);
	narrow_wake(tokens);
	token_store_leave(tokens);
}

static void until(bool (*done)(void))
{
	for (unsigned i = 0; !done() && i < BOUND_MS / 5; i++)
		(void)poll(NULL, 0, 5);
	assert_true(done());
}

static unsigned wanted;

static bool is_answered(void)
{
	return atomic_load(&answered.count) >= wanted;
}

/* The scope of the token that is given for a change. */
static struct token *change(struct tokens_query query)
{
	static const struct ident ident;

	query.ident = &ident;
	query.deadline_ms = hand.monotonic_ms + 1000;
	wanted = atomic_load(&answered.count) + 1;
	tokens_want(tokens, &query, take_answer, NULL);
	until(is_answered);
	assert_int_equal(answered.code, 0);
	return answered.token;
}

static void assert_scope(struct tokens_query query, const char *scope)
{
	struct token *token = change(query);

	assert_string_equal(token->claims.scope, scope);
	token_put(token);
}

static bool all_dropped(void)
{
	bool none;

	token_store_enter(tokens);
	none = narrow_first(tokens) == NULL;
	narrow_wake(tokens);
	token_store_leave(tokens);
	return none;
}

static const struct tokens_query made = {
    .path = "/base/exp/run/out", .right = TOKENS_CREATE};

static void uploads_to_a_directory_cost_one_question(void **state)
{
	unsigned before = atomic_load(&fake.asked);

	(void)state;
	give("storage.create:/exp/run");
	for (unsigned i = 0; i < 1000; i++) {
		assert_scope(made, "storage.create:/exp/run");
		hand.monotonic_ms += 10;
	}
	assert_int_equal(atomic_load(&fake.asked), before + 1);
	assert_non_null(
	    strstr(fake.question, "\"scope\":\"storage.create:/exp/run\""));
	/* Who reads has what the account has. */
	assert_scope(
	    (struct tokens_query){.path = made.path, .right = TOKENS_READ},
	    ALL);
	assert_int_equal(atomic_load(&fake.asked), before + 1);
}

static void it_is_dropped_after_its_last_use(void **state)
{
	struct token *held;
	unsigned before;

	(void)state;
	give("storage.create:/exp/run");
	held = change(made);
	before = atomic_load(&fake.asked);
	/* While something is sent with it, it stays. */
	for (unsigned i = 0; i < 4; i++) {
		pass(NARROW_IDLE_MS);
		(void)poll(NULL, 0, 20);
		assert_false(all_dropped());
	}
	assert_scope(made, "storage.create:/exp/run");
	assert_int_equal(atomic_load(&fake.asked), before);
	token_put(held);
	pass(NARROW_IDLE_MS);
	for (unsigned i = 0; i < 50 && !all_dropped(); i++) {
		(void)poll(NULL, 0, 20);
		pass(NARROW_IDLE_MS);
	}
	until(all_dropped);
	assert_scope(made, "storage.create:/exp/run");
	assert_int_equal(atomic_load(&fake.asked), before + 1);
}

static void a_refusal_is_made_up_for(void **state)
{
	unsigned before = atomic_load(&fake.asked);

	(void)state;
	fake_agent_says(&fake, FAKE_SAYS,
	    "{\"status\":\"failure\",\"error\":\"invalid_scope\"}");
	assert_scope(made, ALL);
	assert_scope(made, ALL);
	assert_scope(made, ALL);
	/* It is not asked for again so soon. */
	assert_int_equal(atomic_load(&fake.asked), before + 1);
	/* And that issuer, after some more, for none. */
	for (unsigned i = 0; i < 10; i++) {
		char path[64];

		(void)snprintf(path, sizeof(path), "/base/exp/run%u/out", i);
		assert_scope(
		    (struct tokens_query){.path = path, .right = TOKENS_CREATE},
		    ALL);
	}
	assert_int_equal(atomic_load(&fake.asked), before + NARROW_TRIES);
}

static void one_that_a_server_refuses_is_not_used(void **state)
{
	struct tokens_query again = made;
	struct token *token;

	(void)state;
	give("storage.create:/exp/run");
	token = change(made);
	again.refused_id = token_id(token);
	token_put(token);
	assert_scope(again, ALL);
	assert_scope(made, ALL);
}

static void an_agent_that_is_silent_is_not_waited_for_long(void **state)
{
	(void)state;
	fake_agent_says(&fake, FAKE_HANGS, "");
	wanted = atomic_load(&answered.count) + 1;
	{
		static const struct ident ident;
		struct tokens_query query = made;

		query.ident = &ident;
		query.deadline_ms = hand.monotonic_ms + 120000;
		tokens_want(tokens, &query, take_answer, NULL);
	}
	(void)poll(NULL, 0, 50);
	assert_false(is_answered());
	pass(NARROW_WAIT_MS);
	until(is_answered);
	assert_int_equal(answered.code, 0);
	assert_string_equal(answered.token->claims.scope, ALL);
	token_put(answered.token);
	fake_agent_says(&fake, FAKE_CLOSES, "");
}

static void assert_narrow(const char *claim, const struct tokens_query *asked,
    const char *base, const char *scope)
{
	const struct reach_root root = {
	    .base_path = base, .source_path = "/base"};
	char out[NARROW_SCOPE_BYTES];
	char text[MAKE_BYTES];
	struct token *token;

	make_claims(text, claim);
	token = make_parsed(text);
	assert_int_equal(narrow_scope(out, &root, token, asked), scope != NULL);
	if (scope != NULL)
		assert_string_equal(out, scope);
	token_put(token);
}

#define ASKED(...) (&(const struct tokens_query){__VA_ARGS__})

static void scopes_are_in_the_words_of_the_token(void **state)
{
	const struct tokens_query *create =
	    ASKED(.path = "/base/a/b", .right = TOKENS_CREATE);
	const struct tokens_query *modify =
	    ASKED(.path = "/base/a/b", .right = TOKENS_MODIFY);

	(void)state;
	assert_narrow(ALL, create, "/base", "storage.create:/a");
	assert_narrow(ALL, modify, "/base", "storage.modify:/a");
	assert_narrow(ALL, modify, "/", "storage.modify:/base/a");
	assert_narrow("read:/ write:/", create, "/base", "write:/a");
	assert_narrow("read:/ write:/", modify, "/base", "write:/a");
	assert_narrow("storage.modify:/", create, "/base", "storage.modify:/a");
	/* Its scope begins at the very path. */
	assert_narrow(
	    "storage.create:/a/b", create, "/base", "storage.create:/a/b");
	/* It allows less, or says nothing. */
	assert_narrow("storage.create:/", modify, "/base", NULL);
	assert_narrow("storage.read:/", create, "/base", NULL);
	assert_narrow("openid", create, "/base", NULL);
	assert_narrow("write:/b", create, "/base", NULL);
	/* What has no directory above, and names. */
	assert_narrow(ALL, ASKED(.path = "/base/x", .right = TOKENS_CREATE),
	    "/base", "storage.create:/");
	assert_narrow(ALL,
	    ASKED(.path = "/base/a b/\xc3\xa9/x", .right = TOKENS_CREATE),
	    "/base", "storage.create:/a%20b/%C3%A9");
	assert_narrow(ALL,
	    ASKED(.path = "/base/100%/x", .right = TOKENS_CREATE), "/base",
	    NULL);
	assert_narrow(ALL, ASKED(.path = "/base/a/b", .right = TOKENS_READ),
	    "/base", NULL);
}

static void what_moves_needs_both_directories(void **state)
{
	(void)state;
	assert_narrow(ALL,
	    ASKED(.path = "/base/a/x", .to = "/base/b/y",
	        .right = TOKENS_MODIFY),
	    "/base", "storage.modify:/a storage.modify:/b");
	assert_narrow(ALL,
	    ASKED(.path = "/base/a/x", .to = "/base/a/y",
	        .right = TOKENS_MODIFY),
	    "/base", "storage.modify:/a");
	assert_narrow(ALL,
	    ASKED(.path = "/base/a/x", .to = "/base/a/y", .copies = true,
	        .right = TOKENS_CREATE),
	    "/base", "storage.read:/a storage.create:/a");
	assert_narrow("storage.modify:/a",
	    ASKED(.path = "/base/a/x", .to = "/base/b/y",
	        .right = TOKENS_MODIFY),
	    "/base", NULL);
}

static void a_scope_that_is_too_long_is_none(void **state)
{
	char path[PATH_BYTES_MAX];

	(void)state;
	memset(path, 0xe9, sizeof(path));
	memcpy(path, "/base/", 6);
	for (size_t i = 200; i < sizeof(path); i += 200)
		path[i] = '/';
	path[sizeof(path) - 1] = '\0';
	assert_narrow(
	    ALL, ASKED(.path = path, .right = TOKENS_CREATE), "/base", NULL);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test_setup_teardown(
	        uploads_to_a_directory_cost_one_question, set_up, tear_down),
	    cmocka_unit_test_setup_teardown(
	        it_is_dropped_after_its_last_use, set_up, tear_down),
	    cmocka_unit_test_setup_teardown(
	        a_refusal_is_made_up_for, set_up, tear_down),
	    cmocka_unit_test_setup_teardown(
	        one_that_a_server_refuses_is_not_used, set_up, tear_down),
	    cmocka_unit_test_setup_teardown(
	        an_agent_that_is_silent_is_not_waited_for_long, set_up,
	        tear_down),
	    cmocka_unit_test(scopes_are_in_the_words_of_the_token),
	    cmocka_unit_test(what_moves_needs_both_directories),
	    cmocka_unit_test(a_scope_that_is_too_long_is_none),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
