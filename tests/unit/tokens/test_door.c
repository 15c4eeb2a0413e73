/* SPDX-License-Identifier: Apache-2.0 */
/*
 * tokens/door/door.c: what a token opens, on a mount of one user and on one that
 * many share, with and without somebody whom the mount itself believes. Time
 * is driven by hand; the store is given its token by the test.
 */
#include "base/clock.h"
#include "base/ident.h"
#include "tests/unit/tokens/make.h"
#include "tests/unit/tokens/sign.h"
#include "tokens/store/store.h"
#include "tokens/verify/trust.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#define ISS  "https://i.example"
#define OURS "\"iss\":\"" ISS "\""

enum {
	START_S = 1000000,
	PROOF_S = 120,
	PATIENCE = 2000, /* of 10 ms: a loaded machine */
};

static struct sign_key *keys[2]; /* the issuer's, and a user's own */
static char dir[256];
static char key_file[300];
static struct clock now;
static struct tokens *tokens;
static struct token *held;
static const struct ident ada = {.uid = 2001, .gid = 2001, .pid = 77};

static void look(void *arg, bool force, uint64_t now_s, struct finding *out)
{
	(void)arg;
	(void)force;
	(void)now_s;
	*out = (struct finding){.count = 0};
	if (held != NULL)
		finding_add(out, token_get(held));
}

/* A mount whose user holds a token: bare, or signed by a key, ending in
 * `left_s`, with more claims. */
static void start(bool shared, bool trusting, const char *text)
{
	static const char *const issuers[] = {ISS};
	const struct tokens_trust trust = {.issuers = issuers,
	    .issuer_count = 1,
	    .jwks_file = key_file,
	    .any_audience = true};
	const struct tokens_config config = {.clock = &now,
	    .base_path = "/exp",
	    .source_path = "/exp",
	    .shared = shared,
	    .trust = trusting ? &trust : NULL};
	const struct purse_source source = {.look = look};
	struct err err = ERR_INIT;

	now = (struct clock){.hand_driven = 1};
	atomic_store(&now.monotonic_ms, 1000000);
	atomic_store(&now.wall_s, START_S);
	held = text != NULL ? make_parsed(text) : NULL;
	assert_int_equal(
	    token_store_new(&tokens, &config, &source, NULL, &err), 0);
}

static void stop(void)
{
	tokens_free(tokens);
	token_put(held);
}

static const char *sign_as(
    const char *kid, unsigned i, unsigned left_s, const char *claims)
{
	static char text[MAKE_BYTES];
	char payload[1024];
	char header[128];

	(void)snprintf(payload, sizeof(payload),
	    "{\"exp\":%u,\"nbf\":1,\"iat\":1,\"jti\":\"j\",\"sub\":\"ada\",\"ver\":\"scitoken:2.0\",\"aud\":\"ANY\",%s}",
	    START_S + left_s, claims);
	(void)snprintf(header, sizeof(header),
	    "{\"alg\":\"ES256\",\"typ\":\"JWT\",\"kid\":\"%s\"}", kid);
	sign_jws(text, keys[i], header, payload);
	return text;
}

static const char *sign(unsigned i, unsigned left_s, const char *claims)
{
	return sign_as("a", i, left_s, claims);
}

static void pass(unsigned seconds)
{
	(void)atomic_fetch_add(&now.monotonic_ms, seconds * UINT64_C(1000));
	(void)atomic_fetch_add(&now.wall_s, seconds);
}

static void door(const char *path, enum tokens_right right, int code, bool asks)
{
	bool ask = !asks;

	assert_int_equal(tokens_door(tokens, &ada, path, right, &ask), code);
	assert_int_equal(ask, asks);
	assert_int_equal(tokens_may(tokens, &ada, path, right, NULL), code);
}

static void said(const char *path, enum tokens_right right, int status)
{
	tokens_report(tokens, held, path, right, status);
}

static int verdict(const char *path, int status, const char *word)
{
	struct err err = ERR_INIT;
	int code =
	    tokens_verdict(tokens, held, path, TOKENS_READ, status, &err);

	assert_int_equal(err.code, code);
	if (strstr(err.text, word) == NULL)
		fail_msg("'%s' does not say '%s'", err.text, word);
	return code;
}

static void one_users_own_cache_opens_to_a_token_that_has_not_ended(
    void **state)
{
	(void)state;
	start(false, false, NULL);
	door("/exp/a", TOKENS_READ, -ENOKEY, false);
	stop();
	start(false, false, sign(1, 300, "\"scope\":\"read:/b\""));
	door("/exp/a", TOKENS_READ, 0, false);
	said("/exp/a", TOKENS_LOOK, 403);
	door("/exp/a", TOKENS_READ, -EACCES, true);
	said("/exp/a", TOKENS_READ, 401);
	door("/exp/a", TOKENS_LOOK, -EKEYREJECTED, true);
	said("/exp/a", TOKENS_LOOK, 200);
	door("/exp/a", TOKENS_READ, 0, false);
	pass(300);
	door("/exp/a", TOKENS_READ, -EKEYEXPIRED, false);
	stop();
}

static void an_unproven_token_opens_nothing_on_a_shared_mount(void **state)
{
	(void)state;
	for (unsigned i = 0; i < 2; i++) {
		start(true, false,
		    i == 0 ? "opaque"
		           : sign(1, 5000, "\"scope\":\"read:/\"," OURS));
		door("/exp/a", TOKENS_READ, -EAGAIN, true);
		door("/exp/a", TOKENS_LOOK, -EAGAIN, true);
		/* One path, one right, and for two minutes. */
		said("/exp/a", TOKENS_READ, 206);
		door("/exp/a", TOKENS_READ, 0, false);
		door("/exp/a", TOKENS_LOOK, 0, false);
		door("/exp/a/b", TOKENS_READ, -EAGAIN, true);
		door("/exp", TOKENS_LOOK, -EAGAIN, true);
		said("/exp/s", TOKENS_LOOK, 207);
		door("/exp/s", TOKENS_LOOK, 0, false);
		door("/exp/s", TOKENS_READ, -EAGAIN, true);
		for (unsigned s = 0; s < PROOF_S; s += 20) {
			door("/exp/a", TOKENS_READ, 0, false);
			pass(20);
		}
		door("/exp/a", TOKENS_READ, -EAGAIN, true);
		door("/exp/s", TOKENS_LOOK, -EAGAIN, true);
		/* What a server refuses is refused, until it says else. */
		said("/exp/a", TOKENS_READ, 200);
		said("/exp/a", TOKENS_READ, 403);
		door("/exp/a", TOKENS_READ, -EACCES, true);
		said("/exp/a", TOKENS_LOOK, 200);
		door("/exp/a", TOKENS_READ, -EAGAIN, true);
		stop();
	}
}

static void a_proof_ends_with_its_token(void **state)
{
	(void)state;
	start(true, false, sign(1, 30, "\"scope\":\"read:/\""));
	said("/exp/a", TOKENS_READ, 200);
	pass(29);
	door("/exp/a", TOKENS_READ, 0, false);
	pass(1);
	door("/exp/a", TOKENS_READ, -EKEYEXPIRED, false);
	/* A clock that is set back prolongs nothing. */
	(void)atomic_fetch_sub(&now.wall_s, 10);
	door("/exp/a", TOKENS_READ, -EAGAIN, true);
	stop();
}

static void a_verified_scope_opens_what_it_covers(void **state)
{
	static const bool both[] = {false, true};

	(void)state;
	for (unsigned i = 0; i < 2; i++) {
		start(both[i], true,
		    sign(0, 5000, "\"scope\":\"read:/john write:/out\"," OURS));
		door("/exp/john", TOKENS_READ, 0, false);
		door("/exp/john/x", TOKENS_LOOK, 0, false);
		/* Others' are refused without a request. */
		door("/exp/johnathan", TOKENS_READ, -EACCES, false);
		door("/exp", TOKENS_LOOK, -EACCES, false);
		door("/john", TOKENS_READ, -EACCES, false);
		door("/exp/john", TOKENS_MODIFY, -EACCES, false);
		door("/exp/out", TOKENS_MODIFY, 0, false);
		/* A writer may perhaps look, and reads nothing. */
		door("/exp/out", TOKENS_READ, -EACCES, false);
		door("/exp/out", TOKENS_LOOK, both[i] ? -EAGAIN : 0, both[i]);
		/* Even a server that allows it proves nothing against it. */
		said("/exp/johnathan", TOKENS_READ, 200);
		door("/exp/johnathan", TOKENS_READ, -EACCES, false);
		/* A server that refuses what it covers knows more. */
		said("/exp/john", TOKENS_READ, 403);
		door("/exp/john", TOKENS_READ, -EKEYREJECTED, true);
		pass(5000);
		door("/exp/john", TOKENS_READ, -EKEYEXPIRED, false);
		stop();
	}
}

static void a_token_of_a_users_own_issuer_opens_nothing(void **state)
{
	static const char *const claims[] = {"\"scope\":\"read:/\"," OURS,
	    "\"scope\":\"read:/\",\"iss\":\"https://mine.example\""};

	(void)state;
	for (unsigned i = 0; i < 4; i++) {
		start(i / 2 == 1, true, sign(1, 5000, claims[i % 2]));
		door("/exp/a", TOKENS_READ, -EKEYREJECTED, false);
		/* Not even when a server is fooled by it. */
		said("/exp/a", TOKENS_READ, 200);
		door("/exp/a", TOKENS_READ, -EKEYREJECTED, false);
		assert_int_equal(
		    verdict("/exp/a", 403, "not verify"), -EKEYREJECTED);
		/* Where users share, it makes up no directories. */
		assert_int_equal(tokens_reach(tokens, &ada, "/", NULL, NULL),
		    i / 2 == 1 ? 0 : 1);
		stop();
	}
}

static void what_cannot_be_verified_is_proven_by_the_server(void **state)
{
	(void)state;
	for (unsigned i = 0; i < 2; i++) {
		start(i == 1, true, "opaque");
		door("/exp/a", TOKENS_READ, -EAGAIN, true);
		said("/exp/a", TOKENS_READ, 200);
		door("/exp/a", TOKENS_READ, 0, false);
		pass(PROOF_S);
		door("/exp/a", TOKENS_READ, -EAGAIN, true);
		assert_int_equal(verdict("/exp/a", 401, "401"), -EKEYREJECTED);
		assert_int_equal(verdict("/exp/a", 403, "403"), -EACCES);
		stop();
		/* Good, and silent about files: the server knows. */
		start(i == 1, true, sign(0, 500, "\"scope\":\"openid\"," OURS));
		door("/exp/a", TOKENS_READ, i == 1 ? -EAGAIN : 0, i == 1);
		stop();
	}
}

/* Until an issuer has been asked for a key the server may prove the token. Not
 * afterwards, whatever it says and however often the issuer is asked again. */
static void a_proof_is_nothing_against_the_issuers_word(void **state)
{
	(void)state;
	for (unsigned i = 0; i < 2; i++) {
		start(i == 1, true,
		    sign_as("gone", 1, 5000, "\"scope\":\"read:/\"," OURS));
		said("/exp/a", TOKENS_READ, 200);
		for (unsigned k = 0; k < PATIENCE &&
		     tokens_may(tokens, &ada, "/exp/a", TOKENS_READ, NULL) !=
		         -EKEYREJECTED;
		     k++)
			(void)usleep(10000);
		for (unsigned minute = 0; minute < 45; minute++) {
			said("/exp/a", TOKENS_READ, 200);
			door("/exp/a", TOKENS_READ, -EKEYREJECTED, false);
			door("/exp/a", TOKENS_LOOK, -EKEYREJECTED, false);
			pass(60);
			trust_wake(tokens->trust);
		}
		stop();
	}
}

static void a_refusal_means_what_the_token_says_of_itself(void **state)
{
	(void)state;
	start(false, true, sign(0, 50, "\"scope\":\"read:/john\"," OURS));
	assert_int_equal(verdict("/exp/x", 403, "does not cover"), -EACCES);
	assert_int_equal(verdict("/exp/x", 401, "does not cover"), -EACCES);
	assert_int_equal(verdict("/exp/john/x", 403, "issuer"), -EKEYREJECTED);
	assert_int_equal(verdict("/exp/john/x", 401, "issuer"), -EKEYREJECTED);
	pass(50);
	assert_int_equal(verdict("/exp/x", 403, "ended"), -EKEYEXPIRED);
	stop();
}

/* What the door says to a token that has ended. */
static int ended(const char *path, unsigned grace_s)
{
	bool ask = true;
	int code =
	    tokens_door_ended(tokens, &ada, path, TOKENS_READ, grace_s, &ask);

	assert_int_equal(ask, code == -EAGAIN || strcmp(path, "/exp/no") == 0);
	return code;
}

static void a_token_that_ended_opens_as_it_did_for_a_while(void **state)
{
	(void)state;
	start(false, false, sign(1, 300, "\"scope\":\"read:/b\""));
	/* One that is good is the door's. */
	assert_int_equal(ended("/exp/a", 1000), -EKEYEXPIRED);
	said("/exp/no", TOKENS_READ, 403);
	pass(300);
	door("/exp/a", TOKENS_READ, -EKEYEXPIRED, false);
	assert_int_equal(ended("/exp/a", 1), 0);
	assert_int_equal(ended("/exp/a", 0), -EKEYEXPIRED);
	/* A refusal stands. */
	assert_int_equal(ended("/exp/no", 1000), -EACCES);
	pass(999);
	assert_int_equal(ended("/exp/a", 1000), 0);
	pass(1);
	assert_int_equal(ended("/exp/a", 1000), -EKEYEXPIRED);
	stop();
	/* One that never ends, one that has not begun, none. */
	start(false, false, "opaque");
	assert_int_equal(ended("/exp/a", 1000), -EKEYEXPIRED);
	stop();
	start(false, false, sign(1, 300, "\"scope\":\"read:/b\""));
	atomic_store(&now.wall_s, 0);
	assert_int_equal(ended("/exp/a", 1000), -EKEYEXPIRED);
	stop();
	start(false, false, NULL);
	assert_int_equal(ended("/exp/a", 1000), -EKEYEXPIRED);
	stop();
}

static void an_ended_token_that_does_not_verify_opens_nothing(void **state)
{
	static const bool both[] = {false, true};

	(void)state;
	for (unsigned i = 0; i < 2; i++) {
		start(both[i], true,
		    sign(0, 50, "\"scope\":\"read:/john\"," OURS));
		pass(60);
		assert_int_equal(ended("/exp/john/x", 100), 0);
		assert_int_equal(ended("/exp/johnathan", 100), -EACCES);
		stop();
		start(both[i], true,
		    sign(1, 50, "\"scope\":\"read:/john\"," OURS));
		pass(60);
		assert_int_equal(ended("/exp/john/x", 100), -EKEYREJECTED);
		stop();
	}
	/* A proof of a server has ended with it. */
	start(true, false, sign(1, 50, "\"scope\":\"read:/\""));
	said("/exp/a", TOKENS_READ, 200);
	door("/exp/a", TOKENS_READ, 0, false);
	pass(60);
	assert_int_equal(ended("/exp/a", 100), -EAGAIN);
	stop();
}

static int begin_all(void **state)
{
	char jwk[MAKE_BYTES];
	char jwks[MAKE_BYTES];

	(void)state;
	for (unsigned i = 0; i < 2; i++)
		keys[i] = sign_key_new("P-256");
	sign_jwk(jwk, keys[0], ",\"kid\":\"a\"");
	sign_jwks(jwks, jwk, NULL, NULL);
	make_directory(dir);
	(void)snprintf(key_file, sizeof(key_file), "%s/jwks", dir);
	make_file(key_file, jwks, 0644);
	return 0;
}

static int end_all(void **state)
{
	(void)state;
	for (unsigned i = 0; i < 2; i++)
		sign_key_free(keys[i]);
	make_remove(dir);
	return 0;
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(
	        one_users_own_cache_opens_to_a_token_that_has_not_ended),
	    cmocka_unit_test(an_unproven_token_opens_nothing_on_a_shared_mount),
	    cmocka_unit_test(a_proof_ends_with_its_token),
	    cmocka_unit_test(a_verified_scope_opens_what_it_covers),
	    cmocka_unit_test(a_token_of_a_users_own_issuer_opens_nothing),
	    cmocka_unit_test(what_cannot_be_verified_is_proven_by_the_server),
	    cmocka_unit_test(a_proof_is_nothing_against_the_issuers_word),
	    cmocka_unit_test(a_refusal_means_what_the_token_says_of_itself),
	    cmocka_unit_test(a_token_that_ended_opens_as_it_did_for_a_while),
	    cmocka_unit_test(an_ended_token_that_does_not_verify_opens_nothing),
	};

	return cmocka_run_group_tests(tests, begin_all, end_all);
}
