/* SPDX-License-Identifier: Apache-2.0 */
/*
 * tokens/tokens.h: what the token of a store opens, and what is told of it;
 * see store_bed.h.
 */
#include "tests/unit/tokens/make.h"
#include "tests/unit/tokens/store_bed.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

static void the_door_opens_for_a_token_that_was_not_refused(void **state)
{
	struct token *token;

	(void)state;
	store_bed_begin();
	assert_int_equal(
	    tokens_may(store_bed.tokens, NULL, "/a", TOKENS_READ, NULL),
	    -ENOKEY);
	store_bed_put_ending(NOW + 100);
	store_bed_want(0, 0);
	store_bed_pass(WAIT_FRESH_MS);
	store_bed_want(0, 0);
	store_bed_await_answers(2);
	token = store_bed.token;
	assert_int_equal(
	    tokens_may(store_bed.tokens, NULL, "/a", TOKENS_READ, NULL), 0);
	tokens_report(store_bed.tokens, token, "/a", TOKENS_READ, 403);
	assert_int_equal(
	    tokens_may(store_bed.tokens, NULL, "/a", TOKENS_READ, NULL),
	    -EACCES);
	assert_int_equal(
	    tokens_may(store_bed.tokens, NULL, "/a/b", TOKENS_READ, NULL), 0);
	tokens_report(store_bed.tokens, token, "/a", TOKENS_READ, 401);
	assert_int_equal(
	    tokens_may(store_bed.tokens, NULL, "/a", TOKENS_READ, NULL),
	    -EKEYREJECTED);
	tokens_report(store_bed.tokens, token, "/a", TOKENS_READ, 500);
	tokens_report(store_bed.tokens, token, "/a", TOKENS_READ, 404);
	assert_int_equal(
	    tokens_may(store_bed.tokens, NULL, "/a", TOKENS_READ, NULL),
	    -EKEYREJECTED);
	tokens_report(store_bed.tokens, token, "/a", TOKENS_READ, 206);
	assert_int_equal(
	    tokens_may(store_bed.tokens, NULL, "/a", TOKENS_READ, NULL), 0);
	/* Another token has not been refused. */
	tokens_report(store_bed.tokens, token, "/a", TOKENS_READ, 403);
	store_bed_put_ending(NOW + 200);
	store_bed_pass(WAIT_AGAIN_MS);
	store_bed_want(0, 0);
	store_bed_await_installed(3);
	assert_int_equal(
	    tokens_may(store_bed.tokens, NULL, "/a", TOKENS_READ, NULL), 0);
	/* An ended one opens nothing. */
	store_bed_pass_wall(200);
	assert_int_equal(
	    tokens_may(store_bed.tokens, NULL, "/a", TOKENS_READ, NULL),
	    -EKEYEXPIRED);
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
	store_bed_begin_with(&(struct tokens_config){
	    .source_path = "/exp", .base_path = "/exp"});
	for (size_t i = 0; i < ARRAY_COUNT(rows); i++) {
		char text[MAKE_BYTES] = "opaque";
		struct err err = ERR_INIT;
		struct token *token;

		if (rows[i].claims != NULL)
			make_jwt(text, rows[i].claims);
		token = make_parsed(text);
		assert_int_equal(
		    tokens_verdict(store_bed.tokens, token, "/exp/a/x",
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

		store_bed_put_claims("{\"scope\":\"read:/alice/run1 openid\"}");
		store_bed_begin_with(&(struct tokens_config){
		    .source_path = rows[i].source, .base_path = rows[i].base});
		(void)tokens_reach(
		    store_bed.tokens, NULL, rows[i].path, collect, names);
		assert_string_equal(names, rows[i].names);
		tokens_free(store_bed.tokens);
		store_bed.tokens = NULL;
	}
	store_bed_put(NULL);
	store_bed_begin();
	assert_int_equal(
	    tokens_reach(store_bed.tokens, NULL, "/", NULL, NULL), 0);
	tokens_free(store_bed.tokens);
	store_bed.tokens = NULL;
	store_bed_put(make_parsed("opaque"));
	store_bed_begin();
	assert_int_equal(
	    tokens_reach(store_bed.tokens, NULL, "/", NULL, NULL), 0);
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
	store_bed_put(make_parsed(text));
	store_bed_begin_with(
	    &(struct tokens_config){.source_path = "/", .base_path = "/exp"});
	(void)tokens_reach(store_bed.tokens, NULL, "/", collect, names);
	assert_string_equal(names, "a,");
}

static void assert_described(const char *json, const char *text, int code)
{
	struct buf out;
	struct err err = ERR_INIT;

	buf_init(&out, 65536);
	assert_int_equal(tokens_describe(store_bed.tokens, NULL, &out), 0);
	assert_string_equal(buf_text(&out), json);
	buf_clear(&out);
	assert_int_equal(tokens_describe_text(store_bed.tokens, NULL, &out), 0);
	assert_string_equal(buf_text(&out), text);
	buf_fini(&out);
	assert_int_equal(tokens_state(store_bed.tokens, &err), code);
	assert_int_equal(err.code, code);
	buf_init(&out, 16);
	assert_int_equal(
	    tokens_describe(store_bed.tokens, NULL, &out), -EMSGSIZE);
	buf_fini(&out);
}

static void the_token_is_described_without_its_text(void **state)
{
	(void)state;
	store_bed_put_claims(
	    "{\"iss\":\"https://i\",\"sub\":\"a\\\"\\u001b[1m\","
	    "\"scope\":\"read:/\",\"nbf\":3000000010,"
	    "\"aud\":[\"b\",\"c\"],\"wlcg.ver\":\"1.2\","
	    "\"exp\":3000001000}");
	store_bed_begin();
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
	store_bed_pass_wall(10);
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
	store_bed_pass_wall(1000);
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
	store_bed_put(make_parsed("opaque"));
	store_bed_begin();
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
	assert_int_equal(tokens_source(store_bed.tokens, &out), 0);
	assert_string_equal(buf_text(&out), "the place");
	buf_clear(&out);
	tokens_free(store_bed.tokens);
	store_bed_put(NULL);
	store_bed_begin();
	assert_described(
	    "{\"state\":\"missing\",\"kind\":null,\"profile\":null,"
	    "\"source\":null,\"issuer\":null,"
	    "\"subject\":null,\"audience\":null,\"scope\":null,\"expires_at\":null,"
	    "\"left_s\":null,\"problem\":\"the place is empty\","
	    "\"others\":[],\"writing\":null}",
	    "token: none\n  problem: the place is empty\n", -ENOKEY);
	assert_int_equal(tokens_source(store_bed.tokens, &out), -ENOKEY);
	buf_fini(&out);
}

int main(void)
{
#define TEST(name)                       \
	cmocka_unit_test_setup_teardown( \
	    name, store_bed_set_up, store_bed_tear_down)
	const struct CMUnitTest tests[] = {
	    TEST(the_door_opens_for_a_token_that_was_not_refused),
	    TEST(a_refusal_is_told_with_its_reason),
	    TEST(names_lead_to_the_tokens_reach),
	    TEST(the_paths_of_a_macaroon_are_the_servers),
	    TEST(the_token_is_described_without_its_text),
	    TEST(what_a_token_does_not_say_is_null),
	};
#undef TEST

	return cmocka_run_group_tests(tests, NULL, NULL);
}
