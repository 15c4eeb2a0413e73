/* SPDX-License-Identifier: Apache-2.0 */
/* tokens/verify.h: tokens from outside, verified for a command; and the
 * wishes of tokens/claims/scope.h. */
#include "base/clock.h"
#include "tests/unit/oom.h"
#include "tests/unit/tokens/make.h"
#include "tests/unit/tokens/sign.h"
#include "tokens/claims/scope.h"
#include "tokens/verify.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#define ISS "https://i.example"

enum { NOW_S = 1000000 };

static struct sign_key *ours;
static struct sign_key *other;
static struct clock hand;
static char dir[256];
static char file[300];

static int make_all(void **state)
{
	char jwk[MAKE_BYTES];
	char set[MAKE_BYTES];

	(void)state;
	hand.hand_driven = 1;
	hand.wall_s = NOW_S;
	hand.monotonic_ms = 1;
	ours = sign_key_new("P-256");
	other = sign_key_new("P-256");
	sign_jwk(jwk, ours, ",\"kid\":\"a\"");
	sign_jwks(set, jwk, NULL, NULL);
	make_directory(dir);
	(void)snprintf(file, sizeof(file), "%s/jwks", dir);
	make_file(file, set, 0644);
	return 0;
}

static int free_all(void **state)
{
	(void)state;
	make_remove(dir);
	sign_key_free(ours);
	sign_key_free(other);
	return 0;
}

static int new_verifier(
    struct tokens_verifier **out, const char *scope, const char *base_path)
{
	static const char *const issuers[] = {ISS};
	struct tokens_trust trust = {.issuers = issuers,
	    .issuer_count = 1,
	    .jwks_file = file,
	    .any_audience = true};
	struct tokens_verifier_config config = {.clock = &hand,
	    .trust = &trust,
	    .scope = scope,
	    .base_path = base_path,
	    .wait_ms = 20000};
	struct err err = ERR_INIT;
	int code = tokens_verifier_new(out, &config, &err);

	assert_int_equal(code, err.code);
	return code;
}

static void token_of(char out[MAKE_BYTES], struct sign_key *key,
    unsigned expires_s, const char *scope)
{
	char claims[512];

	(void)snprintf(claims, sizeof(claims),
	    "{\"wlcg.ver\":\"1.0\",\"iss\":\"" ISS
	    "\",\"sub\":\"me\",\"aud\":\"x\",\"jti\":\"1\",\"iat\":1,"
	    "\"exp\":%u,\"scope\":\"%s\"}",
	    expires_s, scope);
	sign_jws(out, key, "{\"alg\":\"ES256\",\"kid\":\"a\"}", claims);
}

static int verify(struct tokens_verifier *verifier, const char *text)
{
	struct tokens_verified found;
	struct err err = ERR_INIT;
	int code = tokens_verify(verifier, text, strlen(text), &found, &err);

	assert_int_equal(code == 0, found.claims != NULL);
	if (code < 0)
		assert_true(err.code == code && err.text[0] != '\0');
	else
		assert_string_equal(found.profile, "WLCG 1.x");
	return code;
}

static void each_verdict_has_its_code(void **state)
{
	AUTO(tokens_verifier) verifier = NULL;
	char text[MAKE_BYTES];
	char wrapped[MAKE_BYTES + 64];

	(void)state;
	assert_int_equal(new_verifier(&verifier, "read:/a", NULL), 0);
	token_of(text, ours, NOW_S + 1, "storage.read:/a");
	assert_int_equal(verify(verifier, text), 0);
	(void)snprintf(wrapped, sizeof(wrapped), " \n%s\r\n", text);
	assert_int_equal(verify(verifier, wrapped), 0);
	(void)snprintf(
	    wrapped, sizeof(wrapped), "{\"access_token\":\"%s\"}", text);
	assert_int_equal(verify(verifier, wrapped), 0);
	token_of(text, ours, NOW_S + 1, "storage.read:/ab storage.create:/a");
	assert_int_equal(verify(verifier, text), -EACCES);
	token_of(text, ours, NOW_S, "storage.read:/a");
	assert_int_equal(verify(verifier, text), -EKEYEXPIRED);
	token_of(text, other, NOW_S + 1, "storage.read:/a");
	assert_int_equal(verify(verifier, text), -EKEYREJECTED);
	assert_int_equal(verify(verifier, "opaque"), -EAGAIN);
	assert_int_equal(verify(verifier, ""), -EINVAL);
	assert_int_equal(verify(verifier, "two words"), -EINVAL);
	assert_int_equal(verify(verifier, "eyJhbGciOiJFUzI1NiJ9.e30"), -EINVAL);
}

static void claims_come_out_of_valid_tokens(void **state)
{
	AUTO(tokens_verifier) verifier = NULL;
	struct tokens_verified found;
	struct err err = ERR_INIT;
	char text[MAKE_BYTES];

	(void)state;
	assert_int_equal(new_verifier(&verifier, NULL, NULL), 0);
	token_of(text, ours, NOW_S + 1, "");
	assert_int_equal(
	    tokens_verify(verifier, text, strlen(text), &found, &err), 0);
	assert_string_equal(found.claims,
	    "{\"wlcg.ver\":\"1.0\",\"iss\":\"" ISS
	    "\",\"sub\":\"me\",\"aud\":\"x\",\"jti\":\"1\",\"iat\":1,"
	    "\"exp\":1000001,\"scope\":\"\"}");
}

static void a_wish_is_covered_under_the_base_path(void **state)
{
	static const struct {
		const char *wish;
		const char *base;
		const char *scope;
		bool covered;
	} rows[] = {
	    {"read:/", "/", "storage.read:/", true},
	    {"read:/x/y", "/", "storage.read:/x", true},
	    {"read:/xy", "/", "storage.read:/x", false},
	    {"storage.read:/x/", "/", "read:/x", true},
	    {"read://x/./y", "/", "read:/x/y", true},
	    {"read:/x", "/vo", "storage.read:/x", false},
	    {"read:/vo/x", "/vo", "storage.read:/x", true},
	    {"read:/vo", "/vo", "storage.read:/", true},
	    {"read:/von", "/vo", "storage.read:/", false},
	    {"read:/x", "/", "storage.modify:/ storage.create:/", false},
	    {"write:/x", "/", "storage.modify:/", true},
	    {"write:/x", "/", "storage.create:/", false},
	    {"write:/x", "/", "write:/", true},
	    {"storage.create:/x", "/", "storage.create:/", true},
	    {"storage.create:/x", "/", "storage.modify:/x", true},
	    {"storage.modify:/x", "/", "storage.create:/", false},
	    {"read:/x%2fy", "/", "storage.read:/x", false},
	    {"read:/x", "/", "storage.stage:/", false},
	    {"read:/x", "/", "", false},
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_COUNT(rows); i++) {
		struct scope_wish wish;
		struct scope_list list;
		struct err err = ERR_INIT;

		assert_int_equal(
		    scope_wish_parse(&wish, rows[i].wish, &err), 0);
		assert_int_equal(scope_list_parse(&list, rows[i].scope), 0);
		if (scope_grants(&list, rows[i].base, &wish) != rows[i].covered)
			fail_msg("%s in '%s'", rows[i].wish, rows[i].scope);
		scope_list_fini(&list);
	}
}

static void a_wish_is_a_known_word_and_a_plain_path(void **state)
{
	static const char *const rows[] = {"", "read", "read:", "read:x",
	    "read:/a/../b", "read:/..", "READ:/", "storage.stage:/",
	    "compute.read:/", ":/", "read /", "readx:/", "storage:/"};
	char text[8192] = "read:/";

	(void)state;
	for (size_t i = 0; i < ARRAY_COUNT(rows); i++) {
		AUTO(tokens_verifier) verifier = NULL;

		assert_int_equal(
		    new_verifier(&verifier, rows[i], NULL), -EINVAL);
		assert_null(verifier);
	}
	memset(text + 6, 'a', 256);
	text[6 + 256] = '\0';
	for (unsigned over = 1; over < 2; over--) {
		struct scope_wish wish;
		struct err err = ERR_INIT;

		text[6 + 255 + over] = '\0';
		assert_int_equal(
		    scope_wish_parse(&wish, text, &err), over ? -EINVAL : 0);
	}
}

static int check_signature(
    struct tokens_verifier *verifier, const char *text, const char *payload)
{
	struct err err = ERR_INIT;
	struct buf out;
	int code;

	buf_init(&out, MAKE_BYTES);
	code =
	    tokens_verify_signature(verifier, text, strlen(text), &out, &err);
	if (code == 0)
		assert_string_equal(buf_text(&out), payload);
	else
		assert_true(out.size_bytes == 0 && err.code == code);
	buf_fini(&out);
	return code;
}

static void any_payload_that_is_signed_comes_out(void **state)
{
	static const char *const payloads[] = {
	    "", "plain", "{\"exp\":1}", "\xff\xfe\x01 binary\r\n", "{"};
	AUTO(tokens_verifier) verifier = NULL;
	char text[MAKE_BYTES];
	char spaced[MAKE_BYTES + 16];

	(void)state;
	assert_int_equal(new_verifier(&verifier, NULL, NULL), 0);
	for (size_t i = 0; i < ARRAY_COUNT(payloads); i++) {
		sign_jws(text, ours, "{\"alg\":\"ES256\",\"kid\":\"a\"}",
		    payloads[i]);
		assert_int_equal(
		    check_signature(verifier, text, payloads[i]), 0);
		(void)snprintf(spaced, sizeof(spaced), "\n %s \r\n", text);
		assert_int_equal(
		    check_signature(verifier, spaced, payloads[i]), 0);
		sign_jws(text, other, "{\"alg\":\"ES256\",\"kid\":\"a\"}",
		    payloads[i]);
		assert_int_equal(
		    check_signature(verifier, text, ""), -EKEYREJECTED);
	}
	sign_jws(text, ours, "{\"alg\":\"ES256\",\"kid\":\"b\"}", "x");
	assert_int_equal(check_signature(verifier, text, ""), -EKEYREJECTED);
	sign_jws(text, ours, "{\"alg\":\"none\"}", "x");
	assert_int_equal(check_signature(verifier, text, ""), -EKEYREJECTED);
	assert_int_equal(check_signature(verifier, "", ""), -EINVAL);
	assert_int_equal(check_signature(verifier, " \n", ""), -EINVAL);
	assert_int_equal(check_signature(verifier, "a.b", ""), -EINVAL);
	assert_int_equal(check_signature(verifier, "a b.c.d", ""), -EINVAL);
}

static void it_needs_keys_or_an_issuer(void **state)
{
	struct tokens_trust trust = {.any_audience = true};
	struct tokens_verifier_config config = {
	    .clock = &hand, .trust = &trust, .wait_ms = 1000};
	struct tokens_verifier *verifier;
	struct err err = ERR_INIT;

	(void)state;
	assert_int_equal(
	    tokens_verifier_new(&verifier, &config, &err), -EINVAL);
	assert_null(verifier);
}

/* An issuer alone, and nobody to fetch its keys. */
static void without_keys_nothing_is_valid(void **state)
{
	static const char *const issuers[] = {ISS};
	struct tokens_trust trust = {
	    .issuers = issuers, .issuer_count = 1, .any_audience = true};
	struct tokens_verifier_config config = {
	    .clock = &hand, .trust = &trust, .wait_ms = 20000};
	AUTO(tokens_verifier) verifier = NULL;
	struct err err = ERR_INIT;
	char text[MAKE_BYTES];

	(void)state;
	assert_int_equal(tokens_verifier_new(&verifier, &config, &err), 0);
	token_of(text, ours, NOW_S + 1, "");
	assert_int_equal(verify(verifier, text), -EAGAIN);
	assert_int_equal(check_signature(verifier, text, ""), -EAGAIN);
}

static int run_all(void *arg)
{
	AUTO(tokens_verifier) verifier = NULL;
	struct tokens_verified found;
	struct err err = ERR_INIT;
	struct buf out;
	int code = new_verifier(&verifier, "read:/", "/");

	if (code < 0)
		return code;
	code = tokens_verify(verifier, arg, strlen(arg), &found, &err);
	if (code == 0) {
		buf_init(&out, MAKE_BYTES);
		code = tokens_verify_signature(
		    verifier, arg, strlen(arg), &out, &err);
		buf_fini(&out);
	}
	return code == -EAGAIN ? -ENOMEM : code;
}

static void every_failed_allocation_is_told(void **state)
{
	char text[MAKE_BYTES];

	(void)state;
	token_of(text, ours, NOW_S + 1, "storage.read:/");
	assert_true(oom_each(run_all, text) > 30);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(each_verdict_has_its_code),
	    cmocka_unit_test(claims_come_out_of_valid_tokens),
	    cmocka_unit_test(a_wish_is_covered_under_the_base_path),
	    cmocka_unit_test(a_wish_is_a_known_word_and_a_plain_path),
	    cmocka_unit_test(any_payload_that_is_signed_comes_out),
	    cmocka_unit_test(it_needs_keys_or_an_issuer),
	    cmocka_unit_test(without_keys_nothing_is_valid),
	    cmocka_unit_test(every_failed_allocation_is_told),
	};

	return cmocka_run_group_tests(tests, make_all, free_all);
}
