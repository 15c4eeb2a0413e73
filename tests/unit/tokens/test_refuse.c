/* SPDX-License-Identifier: Apache-2.0 */
/*
 * tokens/door/refuse.c: what a program was refused is kept with the sentence that
 * names the cause and its cure, and told to the log in one line.
 */
#include "base/clock.h"
#include "base/ident.h"
#include "base/log.h"
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

enum { START_S = 1000000 };

static const struct ident ada = {.uid = 2001, .gid = 2001, .pid = 77};
static char dir[256];
static char log_file[300];
static struct clock now;
static struct tokens *tokens;
static struct token *held;

static void look(void *arg, bool force, uint64_t now_s, struct finding *out)
{
	(void)arg;
	(void)force;
	(void)now_s;
	*out = (struct finding){.count = 0};
	if (held != NULL)
		finding_add(out, token_get(held));
	else
		(void)err_set(
		    &out->problem, -ENOKEY, "the place is empty; fill it");
}

/* A mount of a user whose token has these claims; NULL: who has none. */
static void start(const char *claims)
{
	const struct tokens_config config = {.clock = &now};
	const struct purse_source source = {.look = look};
	struct err err = ERR_INIT;
	char text[MAKE_BYTES];

	now = (struct clock){.hand_driven = 1};
	atomic_store(&now.monotonic_ms, 1000000);
	atomic_store(&now.wall_s, START_S);
	if (claims != NULL)
		make_jwt(text, claims);
	held = claims != NULL ? make_parsed(text) : NULL;
	assert_int_equal(
	    token_store_new(&tokens, &config, &source, NULL, &err), 0);
	assert_int_equal(
	    log_start(LOG_TO_FILE, LOG_LEVEL_WARN, log_file, &err), 0);
}

static int begin(void **state)
{
	(void)state;
	make_directory(dir);
	(void)snprintf(log_file, sizeof(log_file), "%s/log", dir);
	return 0;
}

static int end(void **state)
{
	struct err err = ERR_INIT;

	(void)state;
	tokens_free(tokens);
	token_put(held);
	(void)!log_start(LOG_TO_STDERR, LOG_LEVEL_WARN, NULL, &err);
	make_remove(dir);
	return 0;
}

static char logged_text[8192];

/* How often a text stands in the log. */
static unsigned logged(const char *text)
{
	FILE *file = fopen(log_file, "r");
	unsigned count = 0;

	assert_non_null(file);
	memset(logged_text, 0, sizeof(logged_text));
	assert_true(fread(logged_text, 1, sizeof(logged_text) - 1, file) > 0);
	(void)fclose(file);
	for (const char *at = logged_text; (at = strstr(at, text)) != NULL;
	     at++)
		count++;
	return count;
}

/* The one refusal of a path has this sentence, and so has the log, once. */
static void assert_told(const char *path, int code, const char *sentence)
{
	char line[1024];
	unsigned count = 0;
	struct tokens_refusal *found =
	    tokens_refusals(tokens, &ada.uid, path, &count);

	assert_int_equal(count, 1);
	assert_int_equal(found->why.code, code);
	assert_string_equal(found->why.text, sentence);
	assert_string_equal(found->path, path);
	assert_int_equal(found->uid, 2001);
	assert_int_equal(found->pid, 77);
	free(found);
	(void)snprintf(line, sizeof(line),
	    "msg=\"refused\" path=\"%s\" errno=%s untold=0 why=\"%s\"", path,
	    err_name(code), sentence);
	if (logged(line) != 1)
		fail_msg("not once '%s' in: %s", line, logged_text);
}

static void refuse(const char *path, enum tokens_right right, int code)
{
	tokens_refused(tokens, &ada, path, right, code);
	tokens_refused(tokens, &ada, path, right, code);
}

static void want_of_a_token(void **state)
{
	(void)state;
	start(NULL);
	refuse("/a", TOKENS_READ, -ENOKEY);
	assert_told("/a", -ENOKEY, "the place is empty; fill it");
	/* One line for all paths. */
	refuse("/b", TOKENS_READ, -ENOKEY);
	assert_int_equal(logged("msg=\"refused\""), 1);
	refuse("/b", TOKENS_READ, -EACCES);
	assert_int_equal(logged("msg=\"refused\""), 2);
}

static void an_ended_token(void **state)
{
	(void)state;
	start("{\"exp\":1000010}");
	(void)atomic_fetch_add(&now.wall_s, 10);
	refuse("/a", TOKENS_LOOK, -EKEYEXPIRED);
	assert_told("/a", -EKEYEXPIRED,
	    "the token from '' ended at 1970-01-12T13:46:50Z and no newer one "
	    "came; get a new one, for instance with htgettoken or oidc-token");
}

static void what_a_server_said(void **state)
{
	(void)state;
	start("{\"exp\":2000000,\"scope\":\"read:/alice\"}");
	tokens_report(tokens, held, "/bob", TOKENS_LOOK, 403);
	refuse("/bob", TOKENS_LOOK, -EACCES);
	assert_told("/bob", -EACCES,
	    "the server refused looking at '/bob' (HTTP 403): the token's "
	    "scope 'read:/alice' does not cover this path; get a token that "
	    "does: with 'read:/bob', or a directory above");
	tokens_report(tokens, held, "/alice/x", TOKENS_READ, 401);
	refuse("/alice/x", TOKENS_READ, -EKEYREJECTED);
	assert_told("/alice/x", -EKEYREJECTED,
	    "the server refused the token for '/alice/x' (HTTP 401); see that "
	    "its issuer and audience are the server's, or get a new one");
}

/* Which the store does not know any more. */
static void what_was_before(void **state)
{
	static const struct {
		int code;
		const char *sentence;
	} rows[] = {
	    {-ENOKEY, "no token had been found; there is one now: try again"},
	    {-EKEYEXPIRED,
	        "the token had ended and no newer one came in time; there is "
	        "one now: try again"},
	    {-EKEYREJECTED,
	        "a server refused a token that is in use no more; try again"},
	    {-EACCES,
	        "a server refused a request without a token, or with one that "
	        "is in use no more; name the host that it redirects to in "
	        "redirect_hosts, or try again"},
	};

	(void)state;
	start("{\"exp\":2000000}");
	for (unsigned i = 0; i < ARRAY_COUNT(rows); i++) {
		char path[8];

		(void)snprintf(path, sizeof(path), "/%u", i);
		refuse(path, TOKENS_READ, rows[i].code);
		assert_told(path, rows[i].code, rows[i].sentence);
	}
}

static void each_is_counted_and_asked_for_by_user_and_path(void **state)
{
	static const struct ident bob = {.uid = 2002, .pid = 78};
	struct tokens_refusal *found;
	unsigned count = 9;

	(void)state;
	start("{\"exp\":2000000}");
	found = tokens_refusals(tokens, NULL, NULL, &count);
	assert_null(found);
	assert_int_equal(count, 0);
	refuse("/a", TOKENS_READ, -EACCES);
	(void)atomic_fetch_add(&now.wall_s, 5);
	refuse("/a", TOKENS_READ, -EACCES);
	tokens_refused(tokens, &bob, "/a", TOKENS_LOOK, -EACCES);
	tokens_refused(tokens, &bob, "/b", TOKENS_LOOK, -EACCES);
	found = tokens_refusals(tokens, NULL, NULL, &count);
	assert_int_equal(count, 3);
	assert_string_equal(found[0].path, "/b");
	assert_int_equal(found[0].uid, 2002);
	/* All in one piece. */
	assert_in_range((uintptr_t)found[0].path, (uintptr_t)(found + 3),
	    (uintptr_t)(found + 3) + 8);
	assert_int_equal(found[2].count, 4);
	assert_int_equal(found[2].first_s, START_S);
	assert_int_equal(found[2].last_s, START_S + 5);
	assert_int_equal(found[2].right, TOKENS_READ);
	free(found);
	found = tokens_refusals(tokens, &bob.uid, "/a", &count);
	assert_int_equal(count, 1);
	assert_int_equal(found->pid, 78);
	free(found);
}

#define CASE(name) cmocka_unit_test_setup_teardown(name, begin, end)

int main(void)
{
	const struct CMUnitTest tests[] = {
	    CASE(want_of_a_token),
	    CASE(an_ended_token),
	    CASE(what_a_server_said),
	    CASE(what_was_before),
	    CASE(each_is_counted_and_asked_for_by_user_and_path),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
