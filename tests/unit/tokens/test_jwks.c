/* SPDX-License-Identifier: Apache-2.0 */
/* tokens/verify/jwks.h: which keys of a set are taken, and which one a text
 * means. */
#include "tests/unit/oom.h"
#include "tests/unit/tokens/make.h"
#include "tests/unit/tokens/sign.h"
#include "tokens/verify/jwks.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

static struct sign_key *ec;
static struct sign_key *rsa;

static int make_keys(void **state)
{
	(void)state;
	ec = sign_key_new("P-256");
	rsa = sign_key_new("2048");
	return 0;
}

static int free_keys(void **state)
{
	(void)state;
	sign_key_free(ec);
	sign_key_free(rsa);
	return 0;
}

/* A set of one JWK: how many keys it gave, or the error. */
static int parse_one(const char *jwk)
{
	char text[MAKE_BYTES];
	struct jwks *set;
	struct err err = ERR_INIT;
	int code;

	sign_jwks(text, jwk, NULL, NULL);
	code = jwks_parse(&set, text, strlen(text), &err);
	if (code < 0) {
		assert_null(set);
		assert_true(err.text[0] != '\0');
		return code;
	}
	code = (int)set->count;
	jwks_put(set);
	return code;
}

static struct jwks *parse(const char *a, const char *b, const char *c)
{
	char text[MAKE_BYTES];
	struct jwks *set;
	struct err err = ERR_INIT;

	sign_jwks(text, a, b, c);
	assert_int_equal(jwks_parse(&set, text, strlen(text), &err), 0);
	return set;
}

static int check(const struct jwks *set, const char *text)
{
	struct err err = ERR_INIT;
	struct jws jws;
	int code;

	assert_int_equal(jws_parse(&jws, text, strlen(text), &err), 0);
	code = jwks_check(set, &jws, &err);
	assert_true(code == 0 || err.text[0] != '\0');
	jws_fini(&jws);
	return code;
}

static void use_operations_and_algorithm_are_heeded(void **state)
{
	static const struct {
		const char *more;
		bool ec;
		bool rsa;
	} rows[] = {
	    {"", true, true},
	    {",\"kid\":\"a\",\"use\":\"sig\"", true, true},
	    {",\"use\":\"enc\"", false, false},
	    {",\"use\":\"SIG\"", false, false},
	    {",\"use\":null", false, false},
	    {",\"key_ops\":[\"verify\"]", true, true},
	    {",\"key_ops\":[\"sign\",\"verify\"]", true, true},
	    {",\"key_ops\":[\"encrypt\",\"wrapKey\"]", false, false},
	    {",\"key_ops\":[]", false, false},
	    {",\"key_ops\":\"verify\"", false, false},
	    {",\"alg\":\"ES256\"", true, false},
	    {",\"alg\":\"RS256\"", false, true},
	    {",\"alg\":\"PS256\"", false, false},
	    {",\"alg\":\"RSA-OAEP\"", false, false},
	    {",\"alg\":\"HS256\"", false, false},
	    {",\"alg\":\"none\"", false, false},
	    {",\"alg\":7", false, false},
	    {",\"kid\":7", false, false},
	    {",\"kid\":\"\"", true, true},
	    {",\"kid\":\"a\",\"kid\":\"b\"", false, false},
	    {",\"kty\":\"EC\"", false, false},
	    {",\"unknown\":{\"a\":[1]}", true, true},
	    /* RFC 7517, section 4: what is private is not looked at. */
	    {",\"d\":\"AQAB\",\"p\":\"!\",\"q\":7", true, true},
	};
	char jwk[MAKE_BYTES];

	(void)state;
	for (size_t i = 0; i < ARRAY_COUNT(rows); i++) {
		sign_jwk(jwk, ec, rows[i].more);
		if (parse_one(jwk) != (rows[i].ec ? 1 : -ENOKEY))
			fail_msg("EC with %s", rows[i].more);
		sign_jwk(jwk, rsa, rows[i].more);
		if (parse_one(jwk) != (rows[i].rsa ? 1 : -ENOKEY))
			fail_msg("RSA with %s", rows[i].more);
	}
}

static void other_kinds_of_keys_are_passed_over(void **state)
{
	static const char *const rows[] = {
	    "{}",
	    "[]",
	    "7",
	    "null",
	    "\"EC\"",
	    "{\"kty\":\"oct\",\"k\":\"AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA"
	    "AAA\",\"alg\":\"HS256\"}",
	    "{\"kty\":\"OKP\",\"crv\":\"Ed25519\",\"x\":"
	    "\"11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo\"}",
	    "{\"kty\":\"EC\"}",
	    "{\"kty\":\"EC\",\"crv\":\"P-256\",\"x\":\"AQAB\",\"y\":\"AQAB\"}",
	    "{\"kty\":\"RSA\"}",
	    "{\"kty\":\"RSA\",\"n\":\"\",\"e\":\"\"}",
	    "{\"kty\":\"rsa\",\"n\":\"AQAB\",\"e\":\"AQAB\"}",
	    "{\"kty\":[\"RSA\"]}",
	};
	char jwk[MAKE_BYTES];

	(void)state;
	sign_jwk(jwk, ec, "");
	for (size_t i = 0; i < ARRAY_COUNT(rows); i++) {
		struct jwks *set = parse(rows[i], jwk, rows[i]);

		assert_int_equal(set->count, 1);
		assert_int_equal(set->skipped, 2);
		jwks_put(set);
		assert_int_equal(parse_one(rows[i]), -ENOKEY);
	}
}

static void points_off_the_curve_are_refused(void **state)
{
	static const char *const rows[] = {
	    /* RFC 7515, A.3, with another last digit of y; and of x. */
	    "{\"kty\":\"EC\",\"crv\":\"P-256\","
	    "\"x\":\"f83OJ3D2xF1Bg8vub9tLe1gHMzV76e8Tus9uPHvRVEU\","
	    "\"y\":\"x_FEzRu9m36HLN_tue659LNpXW6pCyStikYjKIWI5a4\"}",
	    "{\"kty\":\"EC\",\"crv\":\"P-256\","
	    "\"x\":\"f83OJ3D2xF1Bg8vub9tLe1gHMzV76e8Tus9uPHvRVEA\","
	    "\"y\":\"x_FEzRu9m36HLN_tue659LNpXW6pCyStikYjKIWI5a0\"}",
	    /* (0, 0), and numbers at and above the field's size. */
	    "{\"kty\":\"EC\",\"crv\":\"P-256\","
	    "\"x\":\"AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA\","
	    "\"y\":\"AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA\"}",
	    "{\"kty\":\"EC\",\"crv\":\"P-256\","
	    "\"x\":\"__________________________________________8\","
	    "\"y\":\"__________________________________________8\"}",
	    /* One byte less, one more, and padding. */
	    "{\"kty\":\"EC\",\"crv\":\"P-256\","
	    "\"x\":\"f83OJ3D2xF1Bg8vub9tLe1gHMzV76e8Tus9uPHvRVA\","
	    "\"y\":\"x_FEzRu9m36HLN_tue659LNpXW6pCyStikYjKIWI5a0\"}",
	    "{\"kty\":\"EC\",\"crv\":\"P-256\","
	    "\"x\":\"AH_Nzidw9sRdQYPL7m_bS3tYBzM1e-nvE7rPbjx70VRF\","
	    "\"y\":\"x_FEzRu9m36HLN_tue659LNpXW6pCyStikYjKIWI5a0\"}",
	    "{\"kty\":\"EC\",\"crv\":\"P-256\","
	    "\"x\":\"f83OJ3D2xF1Bg8vub9tLe1gHMzV76e8Tus9uPHvRVEU=\","
	    "\"y\":\"x_FEzRu9m36HLN_tue659LNpXW6pCyStikYjKIWI5a0\"}",
	    /* A good point, said to be of another curve. */
	    "{\"kty\":\"EC\",\"crv\":\"P-384\","
	    "\"x\":\"f83OJ3D2xF1Bg8vub9tLe1gHMzV76e8Tus9uPHvRVEU\","
	    "\"y\":\"x_FEzRu9m36HLN_tue659LNpXW6pCyStikYjKIWI5a0\"}",
	    "{\"kty\":\"EC\",\"crv\":\"secp256k1\","
	    "\"x\":\"f83OJ3D2xF1Bg8vub9tLe1gHMzV76e8Tus9uPHvRVEU\","
	    "\"y\":\"x_FEzRu9m36HLN_tue659LNpXW6pCyStikYjKIWI5a0\"}",
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_COUNT(rows); i++)
		assert_int_equal(parse_one(rows[i]), -ENOKEY);
}

/* A modulus of so many bits, odd, with an exponent of these bytes. */
static int parse_rsa(unsigned bits, int last, const char *exponent)
{
	unsigned char bytes[1100];
	char coded[MAKE_BYTES];
	char jwk[MAKE_BYTES + 256];
	size_t n = (bits + 7) / 8;

	memset(bytes, 0xa5, n);
	bytes[0] = (unsigned char)(1u << (bits - 1) % 8);
	bytes[n - 1] = (unsigned char)last;
	sign_base64(coded, bytes, n);
	(void)snprintf(jwk, sizeof(jwk),
	    "{\"kty\":\"RSA\",\"n\":\"%s\",\"e\":\"%s\"}", coded, exponent);
	return parse_one(jwk);
}

/* A last byte that makes such a modulus one without small factors. */
static int sound_end(unsigned bits)
{
	for (int last = 1; last < 256; last += 2) {
		if (parse_rsa(bits, last, "AQAB") == 1)
			return last;
	}
	fail_msg("no modulus of %u bits is accepted", bits);
	return 0;
}

static void small_and_odd_rsa_keys_are_refused(void **state)
{
	struct sign_key *small = sign_key_new("1024");
	char jwk[MAKE_BYTES];
	int good = sound_end(2048);
	unsigned refused = 0;

	(void)state;
	sign_jwk(jwk, small, "");
	assert_int_equal(parse_one(jwk), -ENOKEY);
	sign_key_free(small);
	/* One in three is a multiple of 3. */
	for (int last = 1; last < 64; last += 2)
		refused += parse_rsa(2048, last, "AQAB") == -ENOKEY;
	assert_true(refused >= 10);
	assert_true(sound_end(3072) > 0 && sound_end(8192) > 0);
	for (int last = 1; last < 256; last += 2) {
		assert_int_equal(parse_rsa(2047, last, "AQAB"), -ENOKEY);
		assert_int_equal(parse_rsa(512, last, "AQAB"), -ENOKEY);
		assert_int_equal(parse_rsa(8193, last, "AQAB"), -ENOKEY);
	}
	/* Even moduli; exponents 3, 1, 0, 65536, 65535. */
	assert_int_equal(parse_rsa(2048, good - 1, "AQAB"), -ENOKEY);
	assert_int_equal(parse_rsa(2048, good, "Aw"), -ENOKEY);
	assert_int_equal(parse_rsa(2048, good, "AQ"), -ENOKEY);
	assert_int_equal(parse_rsa(2048, good, "AA"), -ENOKEY);
	assert_int_equal(parse_rsa(2048, good, "AQAA"), -ENOKEY);
	assert_int_equal(parse_rsa(2048, good, "__8"), -ENOKEY);
	/* 2^63 + 1 is as long as may be; 2^64 + 1 is longer. */
	assert_int_equal(parse_rsa(2048, good, "gAAAAAAAAAE"), 1);
	assert_int_equal(parse_rsa(2048, good, "AQAAAAAAAAAB"), -ENOKEY);
	/* A leading zero changes no number (RFC 7518, 6.3.1.1 forbids it to
	 * writers; some write it). */
	assert_int_equal(parse_rsa(2048, good, "AAEAAQ"), 1);
}

static void what_is_no_key_set_is_said_to_be_none(void **state)
{
	static const struct {
		const char *text;
		int code;
	} rows[] = {
	    {"", -EINVAL},
	    {"[]", -EINVAL},
	    {"null", -EINVAL},
	    {"{}", -EINVAL},
	    {"{\"keys\":{}}", -EINVAL},
	    {"{\"keys\":[],\"keys\":[]}", -EINVAL},
	    {"{\"keys\":[]", -EINVAL},
	    {"{\"keys\":[]}<html>", -EINVAL},
	    {"<html>{\"keys\":[]}", -EINVAL},
	    {"{\"keys\":[[[[[[[[[[[[[[[[[[[[]]]]]]]]]]]]]]]]]]]]}", -EINVAL},
	    {"{\"keys\":[]}", -ENOKEY},
	    {"{\"keys\":[null]}\n", -ENOKEY},
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_COUNT(rows); i++) {
		struct jwks *set;
		struct err err = ERR_INIT;
		int code =
		    jwks_parse(&set, rows[i].text, strlen(rows[i].text), &err);

		if (code != rows[i].code)
			fail_msg("%s: %d", rows[i].text, code);
		assert_null(set);
		assert_int_equal(err.code, code);
	}
}

static int parse_many(unsigned count, size_t padding)
{
	char jwk[MAKE_BYTES];
	struct buf text;
	struct jwks *set;
	struct err err = ERR_INIT;
	int code;

	sign_jwk(jwk, ec, "");
	buf_init(&text, 4u * 1024 * 1024);
	(void)buf_printf(&text, "{\"keys\":[%s", jwk);
	for (unsigned i = 1; i < count; i++)
		(void)buf_printf(&text, ",%s", jwk);
	(void)buf_printf(&text, "]}");
	while (text.size_bytes < padding)
		(void)buf_append(&text, " ", 1);
	assert_int_equal(buf_code(&text), 0);
	code = jwks_parse(&set, buf_text(&text), text.size_bytes, &err);
	if (code == 0)
		code = (int)set->count;
	jwks_put(set);
	buf_fini(&text);
	return code;
}

static void number_and_size_are_bounded(void **state)
{
	(void)state;
	assert_int_equal(parse_many(JWKS_KEYS_MAX, 0), JWKS_KEYS_MAX);
	assert_int_equal(parse_many(JWKS_KEYS_MAX + 1, 0), -EMSGSIZE);
	assert_int_equal(parse_many(1, JWKS_BYTES_MAX), 1);
	assert_int_equal(parse_many(1, JWKS_BYTES_MAX + 1), -EMSGSIZE);
}

static void the_key_is_the_one_that_is_named(void **state)
{
	struct sign_key *other = sign_key_new("P-256");
	char a[MAKE_BYTES];
	char b[MAKE_BYTES];
	char c[MAKE_BYTES];
	char text[MAKE_BYTES];
	struct jwks *set;

	(void)state;
	sign_jwk(a, ec, ",\"kid\":\"a\"");
	sign_jwk(b, other, ",\"kid\":\"b\"");
	sign_jwk(c, rsa, ",\"kid\":\"a\"");
	set = parse(a, b, c);
	sign_jws(text, ec, "{\"alg\":\"ES256\",\"kid\":\"a\"}", "{}");
	assert_int_equal(check(set, text), 0);
	sign_jws(text, other, "{\"alg\":\"ES256\",\"kid\":\"b\"}", "{}");
	assert_int_equal(check(set, text), 0);
	sign_jws(text, rsa, "{\"alg\":\"RS256\",\"kid\":\"a\"}", "{}");
	assert_int_equal(check(set, text), 0);
	/* Another's name, no key's name, and a name in another kind. */
	sign_jws(text, ec, "{\"alg\":\"ES256\",\"kid\":\"b\"}", "{}");
	assert_int_equal(check(set, text), -EKEYREJECTED);
	sign_jws(text, ec, "{\"alg\":\"ES256\",\"kid\":\"A\"}", "{}");
	assert_int_equal(check(set, text), -ENOKEY);
	sign_jws(text, rsa, "{\"alg\":\"RS256\",\"kid\":\"b\"}", "{}");
	assert_int_equal(check(set, text), -ENOKEY);
	/* No name: only where it can mean one key. */
	sign_jws(text, rsa, "{\"alg\":\"RS256\"}", "{}");
	assert_int_equal(check(set, text), 0);
	sign_jws(text, ec, "{\"alg\":\"ES256\"}", "{}");
	assert_int_equal(check(set, text), -ENOKEY);
	jwks_put(set);
	sign_key_free(other);
}

static void a_key_without_a_name_serves_texts_without_one(void **state)
{
	char a[MAKE_BYTES];
	char text[MAKE_BYTES];
	struct jwks *set;

	(void)state;
	sign_jwk(a, ec, "");
	set = parse(a, NULL, NULL);
	sign_jws(text, ec, "{\"alg\":\"ES256\"}", "{}");
	assert_int_equal(check(set, text), 0);
	sign_jws(text, ec, "{\"alg\":\"ES256\",\"kid\":\"\"}", "{}");
	assert_int_equal(check(set, text), -ENOKEY);
	jwks_put(set);
}

/* Two keys under one name, as some issuers have while they rotate. */
static void keys_of_one_name_are_all_tried(void **state)
{
	struct sign_key *other = sign_key_new("P-256");
	struct sign_key *third = sign_key_new("P-256");
	char a[MAKE_BYTES];
	char b[MAKE_BYTES];
	char text[MAKE_BYTES];
	struct jwks *set;

	(void)state;
	sign_jwk(a, ec, ",\"kid\":\"a\"");
	sign_jwk(b, other, ",\"kid\":\"a\"");
	set = parse(a, b, NULL);
	sign_jws(text, ec, "{\"alg\":\"ES256\",\"kid\":\"a\"}", "{}");
	assert_int_equal(check(set, text), 0);
	sign_jws(text, other, "{\"alg\":\"ES256\",\"kid\":\"a\"}", "{}");
	assert_int_equal(check(set, text), 0);
	sign_jws(text, third, "{\"alg\":\"ES256\",\"kid\":\"a\"}", "{}");
	assert_int_equal(check(set, text), -EKEYREJECTED);
	jwks_put(set);
	sign_key_free(other);
	sign_key_free(third);
}

/* A header brings its own key and where to get it: nobody looks. */
static void a_key_in_the_header_is_not_used(void **state)
{
	struct sign_key *other = sign_key_new("P-256");
	char a[MAKE_BYTES];
	char own[MAKE_BYTES];
	char header[2 * MAKE_BYTES];
	char text[MAKE_BYTES];
	struct jwks *set;

	(void)state;
	sign_jwk(a, ec, "");
	sign_jwk(own, other, "");
	set = parse(a, NULL, NULL);
	(void)snprintf(header, sizeof(header),
	    "{\"alg\":\"ES256\",\"jku\":\"https://evil.example/\",\"jwk\":%s}",
	    own);
	sign_jws(text, other, header, "{}");
	assert_int_equal(check(set, text), -EKEYREJECTED);
	jwks_put(set);
	sign_key_free(other);
}

static void sets_are_told_apart(void **state)
{
	char a[MAKE_BYTES];
	char b[MAKE_BYTES];
	char c[MAKE_BYTES];
	struct jwks *sets[5];

	(void)state;
	sign_jwk(a, ec, ",\"kid\":\"a\"");
	sign_jwk(b, ec, ",\"kid\":\"b\"");
	sign_jwk(c, rsa, ",\"kid\":\"a\"");
	sets[0] = parse(a, NULL, NULL);
	sets[1] = parse(b, NULL, NULL);
	sets[2] = parse(c, NULL, NULL);
	sets[3] = parse(a, c, NULL);
	sets[4] = parse(a, b, NULL);
	for (size_t i = 0; i < ARRAY_COUNT(sets); i++) {
		for (size_t k = 0; k < ARRAY_COUNT(sets); k++)
			assert_int_equal(jwks_same(sets[i], sets[k]), i == k);
		assert_false(jwks_same(sets[i], NULL));
		assert_false(jwks_same(NULL, sets[i]));
	}
	jwks_put(sets[1]);
	sets[1] = parse(a, NULL, NULL);
	assert_true(jwks_same(sets[0], sets[1]));
	for (size_t i = 0; i < ARRAY_COUNT(sets); i++)
		jwks_put(sets[i]);
}

static int run_parse(void *arg)
{
	struct jwks *set;
	struct err err = ERR_INIT;
	int code = jwks_parse(&set, arg, strlen(arg), &err);

	jwks_put(set);
	return code;
}

static void every_failed_allocation_is_told(void **state)
{
	char a[MAKE_BYTES];
	char b[MAKE_BYTES];
	char text[MAKE_BYTES];

	(void)state;
	sign_jwk(a, ec, ",\"kid\":\"a\"");
	sign_jwk(b, rsa, ",\"kid\":\"b\"");
	sign_jwks(text, a, b, NULL);
	assert_true(oom_each(run_parse, text) > 20);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(use_operations_and_algorithm_are_heeded),
	    cmocka_unit_test(other_kinds_of_keys_are_passed_over),
	    cmocka_unit_test(points_off_the_curve_are_refused),
	    cmocka_unit_test(small_and_odd_rsa_keys_are_refused),
	    cmocka_unit_test(what_is_no_key_set_is_said_to_be_none),
	    cmocka_unit_test(number_and_size_are_bounded),
	    cmocka_unit_test(the_key_is_the_one_that_is_named),
	    cmocka_unit_test(a_key_without_a_name_serves_texts_without_one),
	    cmocka_unit_test(keys_of_one_name_are_all_tried),
	    cmocka_unit_test(a_key_in_the_header_is_not_used),
	    cmocka_unit_test(sets_are_told_apart),
	    cmocka_unit_test(every_failed_allocation_is_told),
	};

	return cmocka_run_group_tests(tests, make_keys, free_keys);
}
