/* SPDX-License-Identifier: Apache-2.0 */
/* tokens/verify/jws.h: who signed a text, and everything that is refused. */
#include "tests/unit/oom.h"
#include "tests/unit/tokens/make.h"
#include "tests/unit/tokens/sign.h"
#include "tokens/verify/jwks.h"
#include "tokens/verify/jws.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

/* RFC 7515, appendix A.2. */
static const char a2_key[] =
    "{\"kty\":\"RSA\",\"n\":\"ofgWCuLjybRlzo0tZWJjNiuSfb4p4fAkd_wWJcyQoTbji9k0"
    "l8W26mPddxHmfHQp-Vaw-4qPCJrcS2mJPMEzP1Pt0Bm4d4QlL-yRT-SFd2lZS-pCgNMsD1W_"
    "YpRPEwOWvG6b32690r2jZ47soMZo9wGzjb_7OMg0LOL-bSf63kpaSHSXndS5z5rexMdbBYUs"
    "LA9e-KXBdQOS-UTo7WTBEMa2R2CapHg665xsmtdVMTBQY4uDZlxvb3qCo5ZwKh9kG4LT6_I5"
    "IhlJH7aGhyxXFvUK-DWNmoudF8NAco9_h9iaGNj8q2ethFkMLs91kzk2PAcDTW9gb54h4FRW"
    "yuXpoQ\",\"e\":\"AQAB\"}";
#define A2_PAYLOAD                                                         \
	"eyJpc3MiOiJqb2UiLA0KICJleHAiOjEzMDA4MTkzODAsDQogImh0dHA6Ly9leGFt" \
	"cGxlLmNvbS9pc19yb290Ijp0cnVlfQ"
static const char a2_text[] =
    "eyJhbGciOiJSUzI1NiJ9." A2_PAYLOAD
    ".cC4hiUPoj9Eetdgtv3hF80EGrhuB__dzERat0XF9g2VtQgr9PJbu3XOiZj5RZmh7AAuHIm4"
    "Bh-0Qc_lF5YKt_O8W2Fp5jujGbds9uJdbF9CUAr7t1dnZcAcQjbKBYNX4BAynRFdiuB--f_n"
    "ZLgrnbyTyWzO75vRK5h6xBArLIARNPvkSjtQBMHlb1L07Qe7K0GarZRmB_eSN9383LcOLn6_"
    "dO--xi12jzDwusC-eOkHWEsqtFZESc6BfI7noOPqvhJ1phCnvWh6IeYI2w9QOYEUipUTI8np"
    "6LbgGY9Fs98rqVt5AXLIhWkWywlVmtVrBp0igcN_IoypGlUPQGe77Rw";

/* RFC 7515, appendix A.3. */
static const char a3_key[] =
    "{\"kty\":\"EC\",\"crv\":\"P-256\","
    "\"x\":\"f83OJ3D2xF1Bg8vub9tLe1gHMzV76e8Tus9uPHvRVEU\","
    "\"y\":\"x_FEzRu9m36HLN_tue659LNpXW6pCyStikYjKIWI5a0\"}";
static const char a3_text[] =
    "eyJhbGciOiJFUzI1NiJ9." A2_PAYLOAD
    ".DtEhU3ljbEg8L38VWAfUAqOyKAM6-Xx-F4GawxaepmXFCgfTjDxw5djxLa8ISlSApmWQxfK"
    "TUJqPP3-Kg6NU1Q";

/* RFC 7520, sections 3.3 and 4.1. */
static const char bilbo_key[] =
    "{\"kty\":\"RSA\",\"kid\":\"bilbo.baggins@hobbiton.example\",\"use\":"
    "\"sig\",\"n\":\"n4EPtAOCc9AlkeQHPzHStgAbgs7bTZLwUBZdR8_KuKPEHLd4rHVTeT-O"
    "-XV2jRojdNhxJWTDvNd7nqQ0VEiZQHz_AJmSCpMaJMRBSFKrKb2wqVwGU_NsYOYL-QtiWN2l"
    "bzcEe6XC0dApr5ydQLrHqkHHig3RBordaZ6Aj-oBHqFEHYpPe7Tpe-OfVfHd1E6cS6M1FZcD"
    "1NNLYD5lFHpPI9bTwJlsde3uhGqC0ZCuEHg8lhzwOHrtIQbS0FVbb9k3-tVTU4fg_3L_vniU"
    "FAKwuCLqKnS2BYwdq_mzSnbLY7h_qixoR7jig3__kRhuaxwUkRz5iaiQkqgc5gHdrNP5zw\""
    ",\"e\":\"AQAB\"}";
static const char bilbo_header[] =
    "{\"alg\":\"RS256\",\"kid\":\"bilbo.baggins@hobbiton.example\"}";
static const char bilbo_payload[] =
    "It\xe2\x80\x99s a dangerous business, Frodo, going out your door. You step "
    "onto the road, and if you don't keep your feet, there\xe2\x80\x99s no "
    "knowing where you might be swept off to.";
static const char bilbo_signature[] =
    "MRjdkly7_-oTPTS3AXP41iQIGKa80A0ZmTuV5MEaHoxnW2e5CZ5NlKtainoFmKZopdHM1O2U"
    "4mwzJdQx996ivp83xuglII7PNDi84wnB-BDkoBwA78185hX-Es4JIwmDLJK3lfWRa-XtL0Rn"
    "ltuYv746iYTh_qHRD68BNt1uSNCrUCTJDt5aAE6x8wW1Kt9eRo4QPocSadnHXFxnt8Is9Uzp"
    "ERV0ePPQdLuW3IS_de3xyIrDaLGdjluPxUAhb6L2aXic1U12podGU0KLUQSE_oI-ZnmKJ3F4"
    "uOZDnd6QZWJushZ41Axf_fcIe8u9ipH84ogoree7vjbU5y18kDquDg";

/* Check a text against a JWK: the code of the step that ended it. */
static int check(const char *text, const char *jwk)
{
	char set_text[MAKE_BYTES];
	struct jwks *set = NULL;
	struct err err = ERR_INIT;
	struct jws jws;
	int code = jws_parse(&jws, text, strlen(text), &err);

	if (code < 0) {
		assert_int_equal(err.code, code);
		assert_true(err.text[0] != '\0');
		return code;
	}
	sign_jwks(set_text, jwk, NULL, NULL);
	assert_int_equal(jwks_parse(&set, set_text, strlen(set_text), &err), 0);
	code = jws_check(&jws, &set->keys[0]);
	jwks_put(set);
	jws_fini(&jws);
	return code;
}

static int parse(const char *header, const char *payload)
{
	char a[MAKE_BYTES];
	char b[MAKE_BYTES];
	char text[3 * MAKE_BYTES];
	struct err err = ERR_INIT;
	struct jws jws;
	int code;

	make_base64(a, header);
	make_base64(b, payload);
	(void)snprintf(text, sizeof(text), "%s.%s.c2ln", a, b);
	code = jws_parse(&jws, text, strlen(text), &err);
	assert_true(code == 0 || err.text[0] != '\0');
	if (code == 0)
		jws_fini(&jws);
	return code;
}

static void the_examples_of_the_rfcs_verify(void **state)
{
	char text[3 * MAKE_BYTES];
	char a[MAKE_BYTES];
	char b[MAKE_BYTES];

	(void)state;
	assert_int_equal(check(a2_text, a2_key), 0);
	assert_int_equal(check(a3_text, a3_key), 0);
	make_base64(a, bilbo_header);
	make_base64(b, bilbo_payload);
	(void)snprintf(text, sizeof(text), "%s.%s.", a, b);
	(void)strcat(text, bilbo_signature);
	assert_int_equal(check(text, bilbo_key), 0);
}

static void the_payload_comes_out_as_it_went_in(void **state)
{
	struct err err = ERR_INIT;
	struct jws jws;

	(void)state;
	assert_int_equal(jws_parse(&jws, a3_text, strlen(a3_text), &err), 0);
	assert_string_equal((char *)jws.payload,
	    "{\"iss\":\"joe\",\r\n \"exp\":1300819380,\r\n "
	    "\"http://example.com/is_root\":true}");
	assert_int_equal(jws.payload_bytes, 70);
	assert_int_equal(jws.algorithm, JWS_ES256);
	assert_null(jws.kid);
	assert_null(jws.typ);
	jws_fini(&jws);
}

static void a_key_of_another_kind_or_owner_verifies_nothing(void **state)
{
	struct sign_key *other = sign_key_new("P-256");
	char jwk[MAKE_BYTES];

	(void)state;
	sign_jwk(jwk, other, "");
	assert_int_equal(check(a3_text, jwk), -EKEYREJECTED);
	assert_int_equal(check(a3_text, a2_key), -EKEYREJECTED);
	assert_int_equal(check(a2_text, a3_key), -EKEYREJECTED);
	assert_int_equal(check(a2_text, bilbo_key), -EKEYREJECTED);
	sign_key_free(other);
}

/* Each character of a text, made another one, and each cut. */
static void no_changed_text_verifies(void **state)
{
	const char *const texts[] = {a2_text, a3_text};
	const char *const keys[] = {a2_key, a3_key};

	(void)state;
	for (size_t k = 0; k < ARRAY_COUNT(texts); k++) {
		char text[MAKE_BYTES];
		size_t n = strlen(texts[k]);

		(void)strcpy(text, texts[k]);
		for (size_t i = 0; i < n; i++) {
			char old = text[i];

			text[i] = old == 'A' ? 'B' : 'A';
			assert_true(check(text, keys[k]) < 0);
			text[i] = old;
		}
		for (size_t i = n - 1; i < n; i--) {
			text[i] = '\0';
			assert_true(check(text, keys[k]) < 0);
		}
	}
}

static void only_two_algorithms_exist(void **state)
{
	static const char *const names[] = {"none", "None", "NONE", "nOnE",
	    "HS256", "HS384", "HS512", "RS384", "RS512", "PS256", "PS384",
	    "PS512", "ES384", "ES512", "ES256K", "EdDSA", "Ed25519", "es256",
	    "rs256", "ES256 ", "", "RSA1_5", "dir", "ES2566", "RS256\\n"};
	char header[256];

	(void)state;
	for (size_t i = 0; i < ARRAY_COUNT(names); i++) {
		(void)snprintf(
		    header, sizeof(header), "{\"alg\":\"%s\"}", names[i]);
		assert_int_equal(parse(header, "{}"), -ENOTSUP);
	}
	assert_int_equal(parse("{\"alg\":\"ES256\"}", "{}"), 0);
	assert_int_equal(parse("{\"alg\":\"RS256\"}", "{}"), 0);
}

/* Signed with a public key's bytes as the secret of an HMAC; and unsigned. */
static void a_public_key_is_no_secret(void **state)
{
	(void)state;
	assert_int_equal(
	    check("eyJhbGciOiJub25lIn0." A2_PAYLOAD ".", a3_key), -ENOTSUP);
	assert_int_equal(check("eyJhbGciOiJIUzI1NiJ9." A2_PAYLOAD
	                       ".dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk",
	                     a2_key),
	    -ENOTSUP);
	/* Nor is an empty signature one. */
	assert_int_equal(check("eyJhbGciOiJFUzI1NiJ9." A2_PAYLOAD ".", a3_key),
	    -EKEYREJECTED);
	assert_int_equal(check("eyJhbGciOiJSUzI1NiJ9." A2_PAYLOAD ".", a2_key),
	    -EKEYREJECTED);
}

static void headers_are_read_strictly(void **state)
{
	static const struct {
		const char *header;
		int code;
	} rows[] = {
	    {"{\"alg\":\"ES256\",\"typ\":\"JWT\",\"kid\":\"a\"}", 0},
	    {"{\"alg\":\"ES256\",\"extra\":[{\"a\":{}}]}", 0},
	    {"{}", -EINVAL},
	    {"{\"alg\":null}", -EINVAL},
	    {"{\"alg\":[\"ES256\"]}", -EINVAL},
	    {"{\"alg\":\"none\",\"alg\":\"ES256\"}", -EINVAL},
	    {"{\"alg\":\"ES256\",\"alg\":\"ES256\"}", -EINVAL},
	    {"{\"alg\":\"ES256\",\"kid\":\"a\",\"kid\":\"a\"}", -EINVAL},
	    {"{\"alg\":\"ES256\",\"x\":1,\"\\u0078\":1}", -EINVAL},
	    {"{\"alg\":\"ES256\",\"kid\":7}", -EINVAL},
	    {"{\"alg\":\"ES256\",\"kid\":null}", -EINVAL},
	    {"{\"alg\":\"ES256\",\"typ\":{}}", -EINVAL},
	    {"{\"alg\":\"ES256\",\"crit\":[\"exp\"],\"exp\":1}", -ENOTSUP},
	    {"{\"alg\":\"ES256\",\"crit\":[\"b64\"],\"b64\":false}", -ENOTSUP},
	    {"{\"alg\":\"ES256\",\"crit\":[]}", -ENOTSUP},
	    {"{\"alg\":\"ES256\",\"crit\":null}", -ENOTSUP},
	    {"{\"alg\":\"ES256\"", -ENOMSG},
	    {"[\"alg\",\"ES256\"]", -ENOMSG},
	    {"\"ES256\"", -ENOMSG},
	    {"{\"alg\":\"ES256\"}x", -ENOMSG},
	    {"{\"alg\":\"ES256\",\"kid\":\"\xff\"}", -ENOMSG},
	    {"{\"alg\":\"ES256\",\"kid\":\"a\\u0000b\"}", -ENOMSG},
	    {"{\"alg\":\"ES256\\u0000\"}", -ENOMSG},
	    {"", -ENOMSG},
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_COUNT(rows); i++) {
		int code = parse(rows[i].header, "{}");

		if (code != rows[i].code)
			fail_msg("%s: %d", rows[i].header, code);
	}
}

static void shapes_that_are_no_compact_jws(void **state)
{
	static const struct {
		const char *text;
		int code;
	} rows[] = {
	    {"", -ENOMSG},
	    {".", -ENOMSG},
	    {"..", -ENOMSG},
	    {"...", -ENOMSG},
	    {"opaque", -ENOMSG},
	    {"eyJhbGciOiJFUzI1NiJ9.e30", -ENOMSG},
	    {"eyJhbGciOiJFUzI1NiJ9.e30.c2ln.c2ln", -ENOMSG},
	    {"eyJhbGciOiJFUzI1NiJ9.e30.c2ln.", -ENOMSG},
	    {"eyJhbGciOiJFUzI1NiJ9.a.b.c.d", -ENOMSG}, /* encrypted */
	    {"eyJhbGciOiJFUzI1NiJ9=.e30.c2ln", -ENOMSG},
	    {"eyJhbGciOiJFUzI1NiJ9.e30=.c2ln", -EINVAL},
	    {"eyJhbGciOiJFUzI1NiJ9.e30.c2l=", -EINVAL},
	    {"eyJhbGciOiJFUzI1NiJ9.e31.c2ln", -EINVAL}, /* stray bits */
	    {"eyJhbGciOiJFUzI1NiJ9.e30.c2lo\n", -EINVAL},
	    {"eyJhbGciOiJFUzI1NiJ9. e30.c2ln", -EINVAL},
	    {"eyJhbGciOiJFUzI1NiJ9.e30.c2+/", -EINVAL},
	    {"eyJhbGciOiJFUzI1NiJ9..", 0},
	    {"eyJhbGciOiJFUzI1NiJ9.e30.", 0},
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_COUNT(rows); i++) {
		struct err err = ERR_INIT;
		struct jws jws;
		int code =
		    jws_parse(&jws, rows[i].text, strlen(rows[i].text), &err);

		if (code != rows[i].code)
			fail_msg("%s: %d", rows[i].text, code);
		if (code == 0)
			jws_fini(&jws);
	}
}

/* A text with parts of these many characters. */
static int parse_sizes(size_t header, size_t payload, size_t signature)
{
	static const char head[] = "eyJhbGciOiJFUzI1NiIsImEiOiI";
	size_t size = header + payload + signature + 2;
	char *text = malloc(size + 1);
	struct err err = ERR_INIT;
	struct jws jws;
	int code;

	assert_non_null(text);
	memset(text, 'Y', size);
	text[size] = '\0';
	memcpy(text, head, strlen(head));
	text[header] = '.';
	text[header + 1 + payload] = '.';
	code = jws_parse(&jws, text, size, &err);
	if (code == 0)
		jws_fini(&jws);
	free(text);
	return code;
}

static void every_part_has_a_bound(void **state)
{
	struct err err = ERR_INIT;
	struct jws jws;
	char signature[MAKE_BYTES];
	char text[2 * MAKE_BYTES];

	(void)state;
	/* Of the header: cut short, so no JSON, or too long to be looked at. */
	assert_int_equal(parse_sizes(JWS_HEADER_BYTES_MAX, 4, 4), -ENOMSG);
	assert_int_equal(parse_sizes(JWS_HEADER_BYTES_MAX + 4, 4, 4), -EINVAL);
	assert_int_equal(parse_sizes(100, JWS_BYTES_MAX, 4), -EINVAL);
	/* Of the signature: that of 8192 bits fits, and no byte more. */
	memset(signature, 'A', sizeof(signature));
	signature[1366] = '\0';
	(void)snprintf(
	    text, sizeof(text), "eyJhbGciOiJSUzI1NiJ9.e30.%s", signature);
	assert_int_equal(jws_parse(&jws, text, strlen(text), &err), 0);
	assert_int_equal(jws.signature_bytes, JWS_SIGNATURE_BYTES_MAX);
	jws_fini(&jws);
	(void)strcat(text, "A");
	assert_int_equal(jws_parse(&jws, text, strlen(text), &err), -EINVAL);
	(void)strcat(text, "A");
	assert_int_equal(jws_parse(&jws, text, strlen(text), &err), -EINVAL);
}

static void signatures_of_another_length_are_none(void **state)
{
	struct sign_key *key = sign_key_new("P-256");
	char jwk[MAKE_BYTES];
	char text[MAKE_BYTES];
	char *signature;

	(void)state;
	sign_jwk(jwk, key, "");
	for (unsigned i = 0; i < 200; i++) {
		char payload[32];

		(void)snprintf(payload, sizeof(payload), "{\"n\":%u}", i);
		sign_jws(text, key, "{\"alg\":\"ES256\"}", payload);
		assert_int_equal(check(text, jwk), 0);
	}
	/* DER, zeros, and a signature twice as long. */
	signature = strrchr(text, '.') + 1;
	(void)strcpy(signature,
	    "MEQCIAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAABAiAAAAAAAAAAAAAA"
	    "AAAAAAAAAAAAAAAAAAAAAAAAAAAB");
	assert_int_equal(check(text, jwk), -EKEYREJECTED);
	memset(signature, 'A', 86);
	signature[86] = '\0';
	assert_int_equal(check(text, jwk), -EKEYREJECTED);
	memset(signature, 'A', 172);
	signature[172] = '\0';
	assert_int_equal(check(text, jwk), -EKEYREJECTED);
	sign_key_free(key);
}

/* ES256 means P-256: a key of another curve is not even a key here. */
static void a_larger_curve_is_not_es256(void **state)
{
	struct sign_key *key = sign_key_new("P-384");
	char jwk[MAKE_BYTES];
	char set_text[MAKE_BYTES];
	struct jwks *set;
	struct err err = ERR_INIT;

	(void)state;
	sign_jwk(jwk, key, "");
	sign_jwks(set_text, jwk, NULL, NULL);
	assert_int_equal(
	    jwks_parse(&set, set_text, strlen(set_text), &err), -ENOKEY);
	sign_key_free(key);
}

static int run_parse(void *arg)
{
	struct err err = ERR_INIT;
	struct jws jws;
	int code = jws_parse(&jws, arg, strlen(arg), &err);

	if (code == 0)
		jws_fini(&jws);
	return code;
}

static void every_failed_allocation_is_told(void **state)
{
	char header[MAKE_BYTES];
	char text[2 * MAKE_BYTES];

	(void)state;
	make_base64(
	    header, "{\"alg\":\"ES256\",\"typ\":\"JWT\",\"kid\":\"a\"}");
	(void)snprintf(text, sizeof(text), "%s.e30.c2ln", header);
	assert_true(oom_each(run_parse, text) > 5);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(the_examples_of_the_rfcs_verify),
	    cmocka_unit_test(the_payload_comes_out_as_it_went_in),
	    cmocka_unit_test(a_key_of_another_kind_or_owner_verifies_nothing),
	    cmocka_unit_test(no_changed_text_verifies),
	    cmocka_unit_test(only_two_algorithms_exist),
	    cmocka_unit_test(a_public_key_is_no_secret),
	    cmocka_unit_test(headers_are_read_strictly),
	    cmocka_unit_test(shapes_that_are_no_compact_jws),
	    cmocka_unit_test(every_part_has_a_bound),
	    cmocka_unit_test(signatures_of_another_length_are_none),
	    cmocka_unit_test(a_larger_curve_is_not_es256),
	    cmocka_unit_test(every_failed_allocation_is_told),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
