/* SPDX-License-Identifier: Apache-2.0 */
/* tokens/claims/jwt.h, tokens/claims/json.h and tokens/claims/base64.h: claims of hostile text. */
#include "base/secret.h"
#include "tests/unit/oom.h"
#include "tests/unit/tokens/make.h"
#include "tokens/claims/base64.h"
#include "tokens/claims/json.h"
#include "tokens/claims/jwt.h"
#include "tokens/claims/token.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

static int parse_text(struct jwt_claims *out, const char *text)
{
	struct err err = ERR_INIT;
	int code = jwt_parse(out, text, strlen(text), &err);

	/* A sentence for each refusal that is somebody's mistake. */
	if (code == -EINVAL)
		assert_true(err.text[0] != '\0');
	return code;
}

static int parse(struct jwt_claims *out, const char *claims)
{
	char text[MAKE_BYTES];

	make_jwt(text, claims);
	return parse_text(out, text);
}

static void base64url_is_read_in_one_spelling_only(void **state)
{
	static const struct {
		const char *text;
		int size; /* or an error */
	} rows[] = {
	    {"", 0},
	    {"Zg", 1},
	    {"Zm8", 2},
	    {"Zm9v", 3},
	    {"-_-_", 3},
	    {"Z", -EINVAL},        /* six bits are no byte */
	    {"Zm9vYg==", -EINVAL}, /* padding */
	    {"Zh", -EINVAL},       /* left-over bits: another spelling of Zg */
	    {"Zm9", -EINVAL},      /* the same of Zm8 */
	    {"+/+/", -EINVAL},     /* the other alphabet */
	    {"Zm 9", -EINVAL},
	    {"Zm9v\n", -EINVAL},
	};
	unsigned char out[16];

	(void)state;
	for (size_t i = 0; i < ARRAY_COUNT(rows); i++)
		assert_int_equal(token_base64_decode(
		                     out, rows[i].text, strlen(rows[i].text)),
		    rows[i].size);
	assert_int_equal(token_base64_decode(out, "Zm9v", 4), 3);
	assert_string_equal((char *)out, "foo");
}

static void base64url_gives_back_every_text(void **state)
{
	char text[64];
	char coded[MAKE_BYTES];
	unsigned char out[96];

	(void)state;
	for (size_t n = 0; n < sizeof(text); n++) {
		for (size_t i = 0; i < n; i++)
			text[i] = (char)(1 + (i * 37 + n * 11) % 255);
		text[n] = '\0';
		make_base64(coded, text);
		assert_true(
		    token_base64_room_bytes(strlen(coded)) <= sizeof(out));
		assert_int_equal(
		    token_base64_decode(out, coded, strlen(coded)), (int)n);
		assert_memory_equal(out, text, n + 1);
	}
}

static void claims_of_each_profile_are_read(void **state)
{
	struct jwt_claims claims;

	(void)state;
	assert_int_equal(
	    parse(&claims,
	        "{\"iss\":\"https://i\",\"sub\":\"ada\",\"aud\":\"https://a\","
	        "\"scope\":\"read:/x write:/y\",\"exp\":2000,\"nbf\":1000,"
	        "\"iat\":1001,\"ver\":\"scitoken:2.0\"}"),
	    0);
	assert_string_equal(claims.issuer, "https://i");
	assert_string_equal(claims.subject, "ada");
	assert_string_equal(claims.audience, "https://a");
	assert_string_equal(claims.scope, "read:/x write:/y");
	assert_string_equal(claims.version, "scitoken:2.0");
	assert_null(claims.wlcg_version);
	assert_int_equal(claims.expires_s, 2000);
	assert_int_equal(claims.not_before_s, 1000);
	assert_int_equal(claims.issued_s, 1001);
	jwt_claims_fini(&claims);

	assert_int_equal(
	    parse(&claims,
	        "{\"wlcg.ver\":\"1.0\",\"aud\":[\"https://a\",\"https://b\"],"
	        "\"scp\":[\"read:/x\",\"write:/y\"]}"),
	    0);
	assert_string_equal(claims.wlcg_version, "1.0");
	assert_string_equal(claims.audience, "https://a https://b");
	assert_string_equal(claims.scope, "read:/x write:/y");
	assert_null(claims.issuer);
	jwt_claims_fini(&claims);

	/* scope goes before scp; unknown claims of any kind are skipped. */
	assert_int_equal(parse(&claims,
	                     "{\"scope\":\"read:/x\",\"scp\":\"read:/y\","
	                     "\"other\":{\"exp\":[1,2,{\"exp\":3}]}}"),
	    0);
	assert_string_equal(claims.scope, "read:/x");
	assert_true(claims.expires_s == UINT64_MAX);
	jwt_claims_fini(&claims);
}

static void times_are_numbers_within_bounds(void **state)
{
	static const struct {
		const char *value;
		int code;
		uint64_t expires_s;    /* rounded down */
		uint64_t not_before_s; /* rounded up */
	} rows[] = {
	    {"0", 0, 0, 0},
	    {"1795917600", 0, 1795917600, 1795917600},
	    {"1795917600.0", 0, 1795917600, 1795917600},
	    {"1795917600.001", 0, 1795917600, 1795917601},
	    {"1795917600.999", 0, 1795917600, 1795917601},
	    {"1.7959176e9", 0, 1795917600, 1795917600},
	    {"253402300799", 0, JWT_TIME_MAX_S, JWT_TIME_MAX_S},
	    {"253402300800", 0, JWT_TIME_MAX_S, JWT_TIME_MAX_S},
	    {"18446744073709551616", 0, JWT_TIME_MAX_S, JWT_TIME_MAX_S},
	    {"1e300", 0, JWT_TIME_MAX_S, JWT_TIME_MAX_S},
	    {"1e999", -EINVAL, 0, 0}, /* infinite */
	    {"-1", -EINVAL, 0, 0},
	    {"-1e999", -EINVAL, 0, 0},
	    {"-0.5", -EINVAL, 0, 0},
	    {"NaN", -EINVAL, 0, 0},
	    {"-nan", -EINVAL, 0, 0},
	    {"0x10", -EINVAL, 0, 0},
	    {"\"1795917600\"", -EINVAL, 0, 0},
	    {"null", -EINVAL, 0, 0},
	    {"true", -EINVAL, 0, 0},
	    {"[1]", -EINVAL, 0, 0},
	    {"{}", -EINVAL, 0, 0},
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_COUNT(rows); i++) {
		struct jwt_claims claims;
		char text[128];

		(void)snprintf(text, sizeof(text), "{\"exp\":%s,\"nbf\":%s}",
		    rows[i].value, rows[i].value);
		assert_int_equal(parse(&claims, text), rows[i].code);
		if (rows[i].code != 0)
			continue;
		assert_true(claims.expires_s == rows[i].expires_s);
		assert_true(claims.not_before_s == rows[i].not_before_s);
		jwt_claims_fini(&claims);
	}
}

static void broken_claims_are_refused(void **state)
{
	static const char *const rows[] = {
	    "",
	    "[]",
	    "\"text\"",
	    "{",
	    "{}x",
	    "{} {}",
	    "{\"iss\":1}",
	    "{\"iss\":null}",
	    "{\"sub\":[\"a\"]}",
	    "{\"scope\":[1]}",
	    "{\"scope\":{}}",
	    "{\"aud\":[\"a\",null]}",
	    "{\"ver\":2}",
	    /* One name, two claims: readers differ on which one counts. */
	    "{\"exp\":1,\"exp\":2}",
	    "{\"scope\":\"read:/a\",\"scope\":\"read:/\"}",
	    "{\"iss\":\"a\",\"\\u0069ss\":\"b\"}",
	    /* Cut short for whoever reads it as a C string. */
	    "{\"scope\":\"read:/a\\u0000/../b\"}",
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_COUNT(rows); i++) {
		struct jwt_claims claims;

		assert_int_equal(parse(&claims, rows[i]), -EINVAL);
	}
}

static void lists_and_depth_are_bounded(void **state)
{
	struct jwt_claims claims;
	char text[MAKE_BYTES / 2];

	(void)state;
	for (int extra = 0; extra < 2; extra++) {
		size_t used =
		    (size_t)snprintf(text, sizeof(text), "{\"aud\":[");

		for (int i = 0; i < JWT_NAMES_MAX + extra; i++)
			used += (size_t)snprintf(text + used,
			    sizeof(text) - used, "%s\"a\"", i > 0 ? "," : "");
		(void)snprintf(text + used, sizeof(text) - used, "]}");
		assert_int_equal(
		    parse(&claims, text), extra == 0 ? 0 : -EINVAL);
		if (extra == 0)
			jwt_claims_fini(&claims);

		used = (size_t)snprintf(text, sizeof(text), "{\"x\":");
		for (int i = 0; i < JSON_DEPTH_MAX - 1 + extra; i++)
			text[used++] = '[';
		for (int i = 0; i < JSON_DEPTH_MAX - 1 + extra; i++)
			text[used++] = ']';
		(void)snprintf(text + used, sizeof(text) - used, "}");
		assert_int_equal(
		    parse(&claims, text), extra == 0 ? 0 : -EINVAL);
		if (extra == 0)
			jwt_claims_fini(&claims);
	}
}

static void brackets_in_strings_do_not_count_as_depth(void **state)
{
	struct jwt_claims claims;

	(void)state;
	assert_int_equal(
	    parse(&claims,
	        "{\"sub\":\"[[[[[[[[[[[[[[[[[[[[\\\"{{{{{{{{{{{{{{{{{{{{\"}"),
	    0);
	assert_string_equal(
	    claims.subject, "[[[[[[[[[[[[[[[[[[[[\"{{{{{{{{{{{{{{{{{{{{");
	jwt_claims_fini(&claims);
}

static void what_is_no_jwt_is_told_from_a_broken_one(void **state)
{
	/* {"alg":"ES256"} and {"alg":"dir","enc":"A128GCM"} */
	static const char jws[] = "eyJhbGciOiJFUzI1NiJ9";
	static const char jwe[] = "eyJhbGciOiJkaXIiLCJlbmMiOiJBMTI4R0NNIn0";
	static const struct {
		const char *rest;
		int code;
	} rows[] = {
	    {"", -ENOMSG},     /* base64 of JSON can be an opaque token */
	    {".", -EINVAL},    /* cut short behind the header */
	    {".e30", -EINVAL}, /* before the signature */
	    {".e30.", 0},      /* unsigned: the server's to refuse */
	    {".e30.c2ln", 0},
	    {".e30.c2l", -EINVAL},
	    {".e30.c2ln.", -EINVAL},
	    {".e30.c2ln.c2ln.c2ln", -EINVAL},
	    {".e30.c2ln.c2ln.c2ln.c2ln", -ENOMSG},
	    {".e3.c2ln", -EINVAL}, /* claims cut short */
	    {".e30=.c2ln", -EINVAL},
	};
	static const char *const opaque[] = {"a", "a.b", "a.b.c",
	    "MDAxY2xvY2F0aW9uIA", "..", "e30.e30.c2ln", "bm90anNvbg.e30.c2ln"};
	struct jwt_claims claims;
	char text[256];

	(void)state;
	for (size_t i = 0; i < ARRAY_COUNT(rows); i++) {
		(void)snprintf(text, sizeof(text), "%s%s", jws, rows[i].rest);
		assert_int_equal(parse_text(&claims, text), rows[i].code);
		if (rows[i].code == 0)
			jwt_claims_fini(&claims);
	}
	for (size_t i = 0; i < ARRAY_COUNT(opaque); i++)
		assert_int_equal(parse_text(&claims, opaque[i]), -ENOMSG);
	(void)snprintf(text, sizeof(text), "%s.a2V5.aXY.dGV4dA.dGFn", jwe);
	assert_int_equal(parse_text(&claims, text), -ENOMSG);
	/* `enc` makes no signed one encrypted. */
	(void)snprintf(text, sizeof(text), "%s.e30.c2ln", jwe);
	assert_int_equal(parse_text(&claims, text), 0);
	jwt_claims_fini(&claims);
}

/* A half-written file must never pass for a token of its own. */
static void no_beginning_of_a_jwt_is_a_jwt(void **state)
{
	struct jwt_claims claims;
	struct err err = ERR_INIT;
	char text[MAKE_BYTES];
	const char *last_dot;

	(void)state;
	make_token(text, "ada", 2000000000);
	last_dot = strrchr(text, '.');
	for (size_t n = strcspn(text, ".") + 1; text + n <= last_dot; n++)
		assert_int_equal(jwt_parse(&claims, text, n, &err), -EINVAL);
}

static void tokens_are_read_as_users_hand_them_over(void **state)
{
	static const struct {
		const char *text;
		int code;
		const char *token;
	} rows[] = {
	    {"abc", 0, "abc"},
	    {"abc\n", 0, "abc"},
	    {" \t\r\n\v\fabc\r\n", 0, "abc"},
	    {"a-._~+/Z9==", 0, "a-._~+/Z9=="},
	    {"{\"access_token\":\"abc\"}", 0, "abc"},
	    {"\n {\"expires_in\":60, \"access_token\" : \"abc\\n\" } \n", 0,
	        "abc"},
	    {"", -ENODATA, NULL},
	    {" \n", -ENODATA, NULL},
	    {"{\"access_token\":\"\"}", -ENODATA, NULL},
	    {"{\"access_token\":\" \"}", -ENODATA, NULL},
	    {"=", -EINVAL, NULL},
	    {"a=b", -EINVAL, NULL},
	    {"a b", -EINVAL, NULL},
	    {"abc\ndef", -EINVAL, NULL},
	    {"Bearer abc", -EINVAL, NULL},
	    {"\"abc\"", -EINVAL, NULL},
	    {"a\xc3\xa4", -EINVAL, NULL},
	    {"a\x7f", -EINVAL, NULL},
	    {"{", -EINVAL, NULL},
	    {"{}", -EINVAL, NULL},
	    {"{\"access_token\":1}", -EINVAL, NULL},
	    {"{\"access_token\":\"a\\r\\nX-Evil: 1\"}", -EINVAL, NULL},
	    {"{\"access_token\":\"a\",\"access_token\":\"b\"}", -EINVAL, NULL},
	    {"{\"access_token\":\"abc\"} trailing", -EINVAL, NULL},
	    {"[\"abc\"]", -EINVAL, NULL},
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_COUNT(rows); i++) {
		struct token *token = NULL;
		struct err err = ERR_INIT;
		size_t n = strlen(rows[i].text);
		int code = token_read(&token, rows[i].text, n, &err);

		assert_int_equal(code, rows[i].code);
		if (code == 0)
			assert_string_equal(
			    secret_reveal(token_text(token)), rows[i].token);
		else
			assert_true(err.text[0] != '\0');
		token_put(token);
		token = NULL;
		assert_int_equal(token_parse(&token, rows[i].text, n, &err),
		    code == -ENODATA ? -EINVAL : code);
		token_put(token);
	}
}

static void the_profile_is_the_one_that_is_said(void **state)
{
	static const struct {
		const char *header;
		const char *claims;
		const char *profile; /* NULL: none */
	} rows[] = {
	    {"{\"alg\":\"ES256\"}", "{\"wlcg.ver\":\"1.0\"}", "WLCG 1.x"},
	    {"{\"alg\":\"ES256\"}", "{\"wlcg.ver\":\"2.0\"}", NULL},
	    {"{\"alg\":\"ES256\"}", "{\"ver\":\"scitoken:2.0\"}",
	        "SciTokens 2.0"},
	    {"{\"alg\":\"ES256\"}", "{\"ver\":\"scitokens:1.0\"}",
	        "SciTokens 1.0"},
	    {"{\"alg\":\"ES256\",\"typ\":\"at+jwt\"}", "{\"ver\":\"9\"}", NULL},
	    {"{\"alg\":\"ES256\",\"typ\":\"AT+JWT\"}", "{}", "RFC 9068"},
	    {"{\"alg\":\"ES256\",\"typ\":\"JWT\"}", "{}", NULL},
	    {"{\"alg\":\"ES256\"}", "{}", NULL},
	    /* Not a text: nothing is said, and the server judges it. */
	    {"{\"alg\":\"ES256\",\"typ\":7}", "{}", NULL},
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_COUNT(rows); i++) {
		char header[MAKE_BYTES];
		char claims[MAKE_BYTES];
		char text[2 * MAKE_BYTES + 8];
		struct token *token;

		make_base64(header, rows[i].header);
		make_base64(claims, rows[i].claims);
		(void)snprintf(
		    text, sizeof(text), "%s.%s.c2ln", header, claims);
		token = make_parsed(text);
		if (rows[i].profile != NULL)
			assert_string_equal(
			    token_profile(token), rows[i].profile);
		else
			assert_null(token_profile(token));
		token_put(token);
	}
}

static void a_nul_is_no_part_of_a_token(void **state)
{
	struct token *token = NULL;
	struct err err = ERR_INIT;

	(void)state;
	assert_int_equal(token_read(&token, "a\0b", 3, &err), -EINVAL);
	assert_int_equal(token_read(&token, "abc\0", 4, &err), -EINVAL);
}

static void a_token_has_its_longest_size(void **state)
{
	struct err err = ERR_INIT;
	char *text = malloc(TOKENS_TEXT_BYTES_MAX + 1);

	(void)state;
	assert_non_null(text);
	memset(text, 'a', TOKENS_TEXT_BYTES_MAX + 1);
	for (size_t extra = 0; extra < 2; extra++) {
		struct token *token = NULL;

		assert_int_equal(token_parse(&token, text,
		                     TOKENS_TEXT_BYTES_MAX + extra, &err),
		    extra == 0 ? 0 : -EMSGSIZE);
		token_put(token);
	}
	free(text);
}

/* What a JWT looks like that was cut or garbled in its header, and what does
 * only nearly: both are opaque tokens, and used. */
static void what_begins_as_a_jwt_and_is_none_is_known(void **state)
{
	static const struct {
		const char *header;
		size_t length; /* of its base64url; 0: all of it */
		const char *behind;
		bool is_cut;
	} rows[] = {
	    {"{\"alg\":\"ES256\",\"kid\":\"a\"}", 0, "", true},
	    {"{\"alg\":\"ES256\",\"kid\":\"a\"}", 30, "", true},
	    {"{\"alg\":\"ES256\",\"kid\":\"a\"}", 30, ".e30.c2ln", true},
	    {"{\"alg\":\"ES256\",\"kid\":\"a\"}", 30, "-_-", true},
	    {"{\"alg\":\"ES256\",\"kid\":\"a\"}", 12, "", true},
	    {"{\"alg\":\"ES256\",\"kid\":\"a\"}", 11, "", true},
	    {"{\"alg\":\"ES256\",\"kid\":\"a\"}", 4, "", true},
	    {"{\"alg\":\"ES256\",\"kid\":\"a\"}", 3, "", false},
	    {"{\"kid\":\"a\",\"alg\":\"ES256\"}", 20, "", true},
	    {"{\"typ\":\"JWT\",\"alg\":\"ES256\"}", 9, "", true},
	    {"{\"x5t#S256\":\"a\",\"alg\":\"ES256\"}", 20, "", true},
	    /* A header without `alg` is none. */
	    {"{\"typ\":\"JWT\"}", 0, ".e30.c2ln", true},
	    /* Encrypted ones are whole, or are not. */
	    {"{\"alg\":\"dir\",\"enc\":\"A128GCM\"}", 0, "..YQ.YQ.YQ", false},
	    {"{\"enc\":\"A128GCM\",\"alg\":\"dir\"}", 0, "..YQ.YQ.YQ", false},
	    {"{\"alg\":\"dir\",\"enc\":\"A128GCM\"}", 0, "", true},
	    /* Other people's tokens of JSON. */
	    {"{\"user\":1}", 0, "", false},
	    {"{\"user\":1}", 0, ".abc.def", false},
	    {"{\"algo\":1}", 0, "", false},
	    {"{\"v\":2,\"l\":\"x\"}", 0, "", false},
	    {"[\"alg\"]", 0, "", false},
	    {"\"alg\":\"ES256\"", 0, "", false},
	    {"", 0, "opaque-token", false},
	    {"", 0, ".", false},
	    {"", 0, "a.b.c", false},
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_COUNT(rows); i++) {
		struct token *token;
		char text[MAKE_BYTES];

		make_base64(text, rows[i].header);
		if (rows[i].length > 0)
			text[rows[i].length] = '\0';
		(void)strcat(text, rows[i].behind);
		token = make_parsed(text);
		if (token->is_cut != rows[i].is_cut)
			fail_msg("row %u: %s", (unsigned)i, text);
		assert_false(token->claims.is_jwt);
		token_put(token);
	}
}

/* Errors go to logs and to people: not one byte of a token with them. */
static void no_error_shows_a_token(void **state)
{
	static const char *const rows[] = {"CANARY CANARY",
	    "{\"access_token\":\"CANARY\\nCANARY\"}", "{\"CANARY\":\"CANARY\"}",
	    "eyJhbGciOiJFUzI1NiJ9.CANARY.CANARY", "eyJhbGciOiJFUzI1NiJ9.CANARY",
	    "CANARY\xff"};

	(void)state;
	for (size_t i = 0; i < ARRAY_COUNT(rows); i++) {
		struct token *token = NULL;
		struct err err = ERR_INIT;

		assert_int_equal(
		    token_parse(&token, rows[i], strlen(rows[i]), &err),
		    -EINVAL);
		assert_null(strstr(err.text, "CANARY"));
	}
}

static void each_token_has_a_number_of_its_own(void **state)
{
	struct token *a = make_parsed("abc");
	struct token *b = make_parsed("abc");

	(void)state;
	assert_true(token_id(a) != 0);
	assert_true(token_id(a) != token_id(b));
	assert_true(token_expires_s(a) == UINT64_MAX);
	assert_ptr_equal(token_get(a), a);
	token_put(a);
	token_put(a);
	token_put(b);
	token_put(NULL);
}

static void a_token_is_good_from_nbf_to_just_before_exp(void **state)
{
	char text[MAKE_BYTES];
	struct token *token;

	(void)state;
	make_jwt(text, "{\"nbf\":1000,\"exp\":2000}");
	token = make_parsed(text);
	for (uint64_t now_s = 0; now_s < 3000; now_s++)
		assert_int_equal(token_phase_at(token, now_s),
		    now_s < 1000       ? TOKEN_EARLY
		        : now_s < 2000 ? TOKEN_GOOD
		                       : TOKEN_ENDED);
	token_put(token);
	/* Never good: its end goes before its beginning. */
	make_jwt(text, "{\"nbf\":2000,\"exp\":1000}");
	token = make_parsed(text);
	for (uint64_t now_s = 0; now_s < 3000; now_s++)
		assert_true(token_phase_at(token, now_s) != TOKEN_GOOD);
	token_put(token);
}

/* strdup(3) allocates inside libc, where no wrapper sees it. */
char *__wrap_strdup(const char *text);
char *__wrap_strdup(const char *text)
{
	size_t n = strlen(text) + 1;
	char *copy = malloc(n);

	return copy != NULL ? memcpy(copy, text, n) : NULL;
}

static int read_once(void *arg)
{
	struct token *token = NULL;
	struct err err = ERR_INIT;
	int code = token_read(&token, arg, strlen(arg), &err);

	token_put(token);
	return code;
}

static void survives_every_failed_allocation(void **state)
{
	char bare[MAKE_BYTES];
	char wrapped[MAKE_BYTES + 64];

	(void)state;
	make_jwt(bare,
	    "{\"iss\":\"i\",\"sub\":\"s\",\"aud\":[\"a\",\"b\"],"
	    "\"scp\":[\"read:/x\",\"read:/y\"],\"ver\":\"scitoken:2.0\","
	    "\"wlcg.ver\":\"1.0\",\"exp\":1,\"nbf\":1,\"iat\":1}");
	assert_true(oom_each(read_once, bare) > 20);
	(void)snprintf(
	    wrapped, sizeof(wrapped), "{\"access_token\":\"%s\"}", bare);
	assert_true(oom_each(read_once, wrapped) > 24);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(base64url_is_read_in_one_spelling_only),
	    cmocka_unit_test(base64url_gives_back_every_text),
	    cmocka_unit_test(claims_of_each_profile_are_read),
	    cmocka_unit_test(times_are_numbers_within_bounds),
	    cmocka_unit_test(broken_claims_are_refused),
	    cmocka_unit_test(lists_and_depth_are_bounded),
	    cmocka_unit_test(brackets_in_strings_do_not_count_as_depth),
	    cmocka_unit_test(what_is_no_jwt_is_told_from_a_broken_one),
	    cmocka_unit_test(no_beginning_of_a_jwt_is_a_jwt),
	    cmocka_unit_test(tokens_are_read_as_users_hand_them_over),
	    cmocka_unit_test(the_profile_is_the_one_that_is_said),
	    cmocka_unit_test(a_nul_is_no_part_of_a_token),
	    cmocka_unit_test(a_token_has_its_longest_size),
	    cmocka_unit_test(what_begins_as_a_jwt_and_is_none_is_known),
	    cmocka_unit_test(no_error_shows_a_token),
	    cmocka_unit_test(each_token_has_a_number_of_its_own),
	    cmocka_unit_test(a_token_is_good_from_nbf_to_just_before_exp),
	    cmocka_unit_test(survives_every_failed_allocation),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
