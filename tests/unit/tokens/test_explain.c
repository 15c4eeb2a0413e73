/* SPDX-License-Identifier: Apache-2.0 */
/*
 * tokens/explain.c: what is told of the token that goes with a request for a
 * path, and of what it means there.
 */
#include "base/clock.h"
#include "base/ident.h"
#include "tests/unit/tokens/make.h"
#include "tokens/store/store.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

enum { START_S = 1000000, HELD_MAX = 2 };

static const struct ident ada = {.uid = 2001, .gid = 2001, .pid = 77};
static struct clock now;
static struct tokens *tokens;
static struct token *held[HELD_MAX];
static unsigned held_count;
static struct tokens_explained said;

static void look(void *arg, bool force, uint64_t now_s, struct finding *out)
{
	(void)arg;
	(void)force;
	(void)now_s;
	*out = (struct finding){.count = 0};
	for (unsigned i = 0; i < held_count; i++)
		finding_add(out, token_get(held[i]));
	if (held_count == 0)
		(void)err_set(&out->problem, -ENOKEY, "nothing there; get one");
}

static void hold(const char *claims)
{
	char text[MAKE_BYTES];

	make_jwt(text, claims);
	held[held_count] = make_parsed(text);
	assert_int_equal(token_set_source(held[held_count++], "there"), 0);
}

static void start(void)
{
	const struct tokens_config config = {
	    .clock = &now, .base_path = "/exp", .source_path = "/exp"};
	const struct purse_source source = {.look = look};
	struct err err = ERR_INIT;

	now = (struct clock){.hand_driven = 1};
	atomic_store(&now.monotonic_ms, 1000000);
	atomic_store(&now.wall_s, START_S);
	assert_int_equal(
	    token_store_new(&tokens, &config, &source, NULL, &err), 0);
}

static int end(void **state)
{
	(void)state;
	tokens_free(tokens);
	for (unsigned i = 0; i < held_count; i++)
		token_put(held[i]);
	held_count = 0;
	return 0;
}

static void explain(const char *path, enum tokens_right right)
{
	memset(&said, 0xff, sizeof(said));
	tokens_explain(tokens, &ada, path, right, &said);
}

static void shown(const char *path, const char *json, const char *text)
{
	struct buf out;

	buf_init(&out, 65536);
	assert_int_equal(
	    tokens_describe_used(tokens, &ada, path, TOKENS_READ, &out), 0);
	assert_string_equal(buf_text(&out), json);
	buf_clear(&out);
	assert_int_equal(
	    tokens_describe_used_text(tokens, &ada, path, TOKENS_READ, &out),
	    0);
	assert_string_equal(buf_text(&out), text);
	buf_fini(&out);
}

static void no_token(void **state)
{
	(void)state;
	start();
	explain("/exp/a", TOKENS_READ);
	assert_int_equal(said.code, -ENOKEY);
	assert_false(said.ask);
	assert_string_equal(said.why.text, "nothing there; get one");
	assert_string_equal(said.needed, "");
	shown("/exp/a",
	    "{\"state\":\"missing\",\"kind\":null,\"profile\":null,"
	    "\"source\":null,\"issuer\":null,\"subject\":null,"
	    "\"audience\":null,\"scope\":null,\"expires_at\":null,"
	    "\"left_s\":null,\"problem\":\"nothing there; get one\"}",
	    "token: none\n");
}

static void a_good_one(void **state)
{
	(void)state;
	hold("{\"exp\":1000600,\"scope\":\"storage.read:/a\"}");
	start();
	explain("/exp/a/b", TOKENS_READ);
	assert_int_equal(said.code, 0);
	assert_string_equal(said.why.text, "");
	assert_string_equal(said.needed, "storage.read:/a/b");
	assert_false(said.outside);
	explain("/exp", TOKENS_LOOK);
	assert_string_equal(said.needed, "storage.read:/");
	assert_true(said.outside);
	/* No scope can name what lies outside of what it is relative to. */
	explain("/other", TOKENS_READ);
	assert_string_equal(said.needed, "");
}

static void one_that_a_server_refuses(void **state)
{
	(void)state;
	hold("{\"exp\":1000600,\"scope\":\"read:/a\"}");
	start();
	tokens_report(tokens, held[0], "/exp/b", TOKENS_READ, 403);
	explain("/exp/b", TOKENS_READ);
	assert_int_equal(said.code, -EACCES);
	assert_true(said.ask);
	assert_non_null(strstr(said.why.text, "HTTP 403"));
	assert_non_null(strstr(said.why.text, "; get a token that does"));
	assert_string_equal(said.needed, "read:/b");
}

static void one_that_does_not_speak_of_files(void **state)
{
	(void)state;
	hold("{\"exp\":1000600}");
	start();
	explain("/exp/b", TOKENS_READ);
	assert_int_equal(said.code, 0);
	assert_string_equal(said.needed, "");
}

/* A scope that is too long to be told is not cut: half of it would be
 * another. */
static void a_long_path(void **state)
{
	static char path[1000];

	(void)state;
	hold("{\"exp\":1000600,\"scope\":\"read:/a\"}");
	start();
	memset(path, 'a', sizeof(path) - 1);
	memcpy(path, "/exp/", 5);
	explain(path, TOKENS_READ);
	assert_string_equal(said.needed, "");
	path[4 + TOKENS_SCOPE_BYTES - 1 - strlen("read:")] = '\0';
	explain(path, TOKENS_READ);
	assert_int_equal(strlen(said.needed), TOKENS_SCOPE_BYTES - 1);
}

static void the_one_of_several_that_goes_with_the_path(void **state)
{
	(void)state;
	hold("{\"exp\":1000600,\"sub\":\"first\",\"scope\":\"read:/a\"}");
	hold("{\"exp\":1000600,\"sub\":\"second\",\"scope\":\"read:/b\"}");
	start();
	shown("/exp/b",
	    "{\"state\":\"valid\",\"kind\":\"jwt\",\"profile\":null,"
	    "\"source\":\"there\",\"issuer\":null,\"subject\":\"second\","
	    "\"audience\":null,\"scope\":\"read:/b\",\"expires_at\":"
	    "\"1970-01-12T13:56:40Z\",\"left_s\":600,\"problem\":null}",
	    "token: valid for 10 min\n  kind: JWT\n  from: there\n"
	    "  subject: second\n  scope: read:/b\n");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test_teardown(no_token, end),
	    cmocka_unit_test_teardown(a_good_one, end),
	    cmocka_unit_test_teardown(one_that_a_server_refuses, end),
	    cmocka_unit_test_teardown(one_that_does_not_speak_of_files, end),
	    cmocka_unit_test_teardown(a_long_path, end),
	    cmocka_unit_test_teardown(
	        the_one_of_several_that_goes_with_the_path, end),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
