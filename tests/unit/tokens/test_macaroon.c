/* SPDX-License-Identifier: Apache-2.0 */
/*
 * tokens/claims/macaroon.h and tokens/claims/caveat.h: end and reach of macaroons.
 *
 * The texts were written by pymacaroons; `mybank` is the one of the README
 * of libmacaroons, and `dcache_v1` has the packets of the sample in dCache's
 * user guide.
 */
#include "tests/unit/oom.h"
#include "tests/unit/tokens/make.h"
#include "tokens/claims/caveat.h"
#include "tokens/claims/macaroon.h"
#include "tokens/claims/token.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

static const char mybank[] =
    "MDAxY2xvY2F0aW9uIGh0dHA6Ly9teWJhbmsvCjAwMjZpZGVudGlmaWVyIHdl"
    "IHVzZWQgb3VyIHNlY3JldCBrZXkKMDAyZnNpZ25hdHVyZSDj2eApCFJsTAA5"
    "rhURQRXZf91ovyujebNCqvD2F9BVLwo=";

static const char dcache_v1[] =
    "MDAyOWxvY2F0aW9uIGh0dHBzOi8vZGNhY2hlLmV4YW1wbGUub3JnLwowMDE4"
    "aWRlbnRpZmllciBzRTFqSHFXZAowMDE1Y2lkIGlpZDpzRTFqSHFXZAowMDE5"
    "Y2lkIGlkOjEwMDA7MTAwMDthZGEKMDAyOGNpZCBiZWZvcmU6MjAxOS0wNC0x"
    "N1QwOTo1MToyMi44NDBaCjAwMTdjaWQgaG9tZTovaG9tZS9hZGEKMDAyZnNp"
    "Z25hdHVyZSDn8izCprmwbE8ryo-xEpu-a5huyMQP_LdIJZ4X2ZOoHgo";

static const char rich_v1[] =
    "MDAyOWxvY2F0aW9uIGh0dHBzOi8vZGNhY2hlLmV4YW1wbGUub3JnLwowMDE4"
    "aWRlbnRpZmllciBzRTFqSHFXZAowMDE4Y2lkIHBhdGg6L2xpZ28vaG9tZQow"
    "MDJkY2lkIGFjdGl2aXR5OkRPV05MT0FELExJU1QsUkVBRF9NRVRBREFUQQow"
    "MDI0Y2lkIGJlZm9yZToyMDMxLTAyLTAzVDA0OjA1OjA2WgowMDEyY2lkIHBh"
    "dGg6L2FkYQowMDE3Y2lkIGlwOjEyNy4wLjAuMC84CjAwMmZzaWduYXR1cmUg"
    "ChuSkiNxYEZNoI-jDHNTLb8y0WlBSKGUAXN292r_MjwK";

static const char rich_v2[] =
    "AgEbaHR0cHM6Ly9kY2FjaGUuZXhhbXBsZS5vcmcvAghzRTFqSHFXZAACD3Bh"
    "dGg6L2xpZ28vaG9tZQACJGFjdGl2aXR5OkRPV05MT0FELExJU1QsUkVBRF9N"
    "RVRBREFUQQACG2JlZm9yZToyMDMxLTAyLTAzVDA0OjA1OjA2WgACCXBhdGg6"
    "L2FkYQACDmlwOjEyNy4wLjAuMC84AAAGIAobkpIjcWBGTaCPowxzUy2_MtFp"
    "QUihlAFzdvdq_zI8";

static const char rich_json[] =
    "eyJpIjogInNFMWpIcVdkIiwgInM2NCI6ICJDaHVTa2lOeFlFWk5vSS1qREhO"
    "VExiOHkwV2xCU0tHVUFYTjI5MnJfTWp3IiwgImwiOiAiaHR0cHM6Ly9kY2Fj"
    "aGUuZXhhbXBsZS5vcmcvIiwgImMiOiBbeyJpIjogInBhdGg6L2xpZ28vaG9t"
    "ZSJ9LCB7ImkiOiAiYWN0aXZpdHk6RE9XTkxPQUQsTElTVCxSRUFEX01FVEFE"
    "QVRBIn0sIHsiaSI6ICJiZWZvcmU6MjAzMS0wMi0wM1QwNDowNTowNloifSwg"
    "eyJpIjogInBhdGg6L2FkYSJ9LCB7ImkiOiAiaXA6MTI3LjAuMC4wLzgifV19";

static const char third_v1[] =
    "MDAyOWxvY2F0aW9uIGh0dHBzOi8vZGNhY2hlLmV4YW1wbGUub3JnLwowMDE4"
    "aWRlbnRpZmllciBzRTFqSHFXZAowMDEwY2lkIHBhdGg6L2EKMDAyNGNpZCBi"
    "ZWZvcmU6MjAwMS0wMS0wMVQwMDowMDowMFoKMDA1MXZpZCAvZAcU1IGTKa4I"
    "6KuknbwZvOCwy7oa-"
    "9vZy6Rbgc64xyfaHUwdkoOUXlBMtCxW97FMw7REA4Bb20mUHNrw3IxvXWADv"
    "b6UZtQKMDAyMWNsIGh0dHBzOi8vYXV0aC5leGFtcGxlLm9yZy8KMDAyZnNpZ"
    "25hdHVyZSAF84vS_v2mqJVg-V3_idqt4TYRwteZr6x3HFc42G9XkQo";

static const char third_v2[] =
    "AgEbaHR0cHM6Ly9kY2FjaGUuZXhhbXBsZS5vcmcvAghzRTFqSHFXZAACB3Bh"
    "dGg6L2EAARlodHRwczovL2F1dGguZXhhbXBsZS5vcmcvAhtiZWZvcmU6MjAw"
    "MS0wMS0wMVQwMDowMDowMFoESNfFFINrO5MIIjkcn9RX8YbbmF-"
    "FX4vZI8E4PwAqRh4sJDJSQMKo8sQrc7h0HMA-1WEBqsGPe63-11rcBgV-DcK"
    "Xu_2wjD5RywAABiDvftnt1BzpfaN42On8CVCJ0u4E0Qs75X1mAd6NC52Q9A";

enum {
	ALL = 1u << TOKENS_READ | 1u << TOKENS_CREATE | 1u << TOKENS_MODIFY,
	READS = 1u << TOKENS_READ,
};

static int parse(struct macaroon *out, const char *text)
{
	struct err err = ERR_INIT;
	int code = macaroon_parse(out, text, strlen(text), &err);

	assert_true((code == -EINVAL) == (err.text[0] != '\0'));
	return code;
}

static void every_form_tells_the_same(void **state)
{
	static const struct {
		const char *text;
		unsigned version;
		uint64_t expires_s;
		unsigned rights;
		const char *path;
	} rows[] = {
	    {mybank, 1, UINT64_MAX, ALL, "/"},
	    {dcache_v1, 1, 1555494682, ALL, "/"},
	    {rich_v1, 1, 1927857906, READS, "/ligo/home/ada"},
	    {rich_v2, 2, 1927857906, READS, "/ligo/home/ada"},
	    {rich_json, 2, 1927857906, READS, "/ligo/home/ada"},
	    /* A third party's before: is not ours to read. */
	    {third_v1, 1, UINT64_MAX, ALL, "/a"},
	    {third_v2, 2, UINT64_MAX, ALL, "/a"},
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_COUNT(rows); i++) {
		struct macaroon macaroon;

		assert_int_equal(parse(&macaroon, rows[i].text), 0);
		assert_int_equal(macaroon.version, rows[i].version);
		assert_int_equal(macaroon.expires_s, rows[i].expires_s);
		assert_int_equal(macaroon.rights, rows[i].rights);
		assert_string_equal(macaroon.path, rows[i].path);
		macaroon_fini(&macaroon);
	}
}

static void both_alphabets_and_padding_are_read(void **state)
{
	char text[sizeof(rich_v1) + 4];
	struct macaroon macaroon;
	unsigned changed = 0;

	(void)state;
	(void)snprintf(text, sizeof(text), "%s==", rich_v1);
	for (char *p = text; *p != '\0'; p++) {
		char was = *p;

		*p = (char)(was == '-' ? '+' : was == '_' ? '/' : was);
		changed += *p != was;
	}
	assert_true(changed > 0);
	assert_int_equal(parse(&macaroon, text), 0);
	assert_string_equal(macaroon.path, "/ligo/home/ada");
	macaroon_fini(&macaroon);
}

/* A file that is being written must not replace a good token. */
static void a_cut_one_is_garbled_and_not_opaque(void **state)
{
	struct macaroon macaroon;
	char text[sizeof(rich_v1)];

	(void)state;
	for (size_t n = 16; n < sizeof(rich_v1) - 1; n++) {
		memcpy(text, rich_v1, n);
		text[n] = '\0';
		assert_int_equal(parse(&macaroon, text), -EINVAL);
	}
	/* Version 2 begins with one byte only. */
	for (size_t n = 0; n < sizeof(rich_v2) - 1; n++) {
		memcpy(text, rich_v2, n);
		text[n] = '\0';
		assert_int_equal(parse(&macaroon, text), -ENOMSG);
	}
}

static void what_is_none_is_told_so(void **state)
{
	static const char *const rows[] = {"", "A", "Ag", "e", "MDAx",
	    "2YotnFZFEjr1zCsicMWpAA", "AgAgAgAgAgAg", "eyJ2IjozfQ", "eyJ2Ijoy",
	    "eyJhbGciOiJFUzI1NiJ9.e30.c2ln"};
	struct macaroon macaroon;

	(void)state;
	for (size_t i = 0; i < ARRAY_COUNT(rows); i++)
		assert_int_equal(parse(&macaroon, rows[i]), -ENOMSG);
}

static void json_may_hold_bytes_in_base64(void **state)
{
	static const struct {
		const char *json;
		int code;
		const char *path;
	} rows[] = {
	    {"{\"v\":2,\"i64\":\"eA\",\"s64\":\"eA\",\"c\":[{\"i64\":"
	     "\"cGF0aDovYQ==\"}]}",
	        0, "/a"},
	    {"{\"v\":2,\"i\":\"x\",\"s64\":\"eA\"}", 0, "/"},
	    {"{\"v\":3,\"i\":\"x\",\"s64\":\"eA\"}", -ENOMSG, NULL},
	    {"{\"v\":2,\"i\":\"x\"}", -ENOMSG, NULL},
	    {"{\"v\":2,\"i\":\"x\",\"s64\":\"eA\",\"c\":{}}", -EINVAL, NULL},
	    {"{\"v\":2,\"i\":\"x\",\"s64\":\"eA\",\"c\":[1]}", -EINVAL, NULL},
	    {"{\"v\":2,\"i\":\"x\",\"s64\":\"eA\",\"c\":[{\"i64\":\"*\"}]}",
	        -EINVAL, NULL},
	    {"{\"v\":2,\"i\":\"x\",\"s64\":\"eA\",\"c\":[{\"i\":\"path:/"
	     "a\",\"i\":\"path:/b\"}]}",
	        -EINVAL, NULL},
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_COUNT(rows); i++) {
		char text[MAKE_BYTES];
		struct macaroon macaroon;

		make_base64(text, rows[i].json);
		assert_int_equal(parse(&macaroon, text), rows[i].code);
		if (rows[i].code < 0)
			continue;
		assert_string_equal(macaroon.path, rows[i].path);
		macaroon_fini(&macaroon);
	}
}

/* A macaroon of version 2 with `count` caveats, in base64. */
static char *many(unsigned count)
{
	static const char head[] = "\x02\x02\x01i"; /* and the field's end */
	size_t size = sizeof(head) + (size_t)count * 4 + 1 + 2 + 32;
	char *bytes = malloc(size);
	char *text = malloc(size * 4 / 3 + 8);
	static const char alphabet[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZ"
	                               "abcdefghijklmnopqrstuvwxyz"
	                               "0123456789-_";
	size_t at = sizeof(head);
	size_t used = 0;

	assert_non_null(bytes);
	assert_non_null(text);
	memcpy(bytes, head, sizeof(head));
	for (unsigned i = 0; i < count; i++, at += 4)
		memcpy(bytes + at, "\x02\x01x\0", 4);
	memcpy(bytes + at, "\0\x06\x20", 3);
	memset(bytes + at + 3, 's', 32);
	assert_int_equal(at + 35, size);
	for (size_t i = 0; i < size; i += 3) {
		unsigned bits = 0;

		for (size_t k = 0; k < 3; k++)
			bits = bits << 8 |
			    (i + k < size ? (unsigned char)bytes[i + k] : 0);
		for (size_t k = 0; k < 4 && k <= size - i; k++)
			text[used++] = alphabet[bits >> (18 - 6 * k) & 63];
	}
	text[used] = '\0';
	free(bytes);
	return text;
}

static void the_number_of_caveats_is_bounded(void **state)
{
	struct macaroon macaroon;
	char *text = many(MACAROON_CAVEATS_MAX);

	(void)state;
	assert_int_equal(parse(&macaroon, text), 0);
	macaroon_fini(&macaroon);
	free(text);
	text = many(MACAROON_CAVEATS_MAX + 1);
	assert_int_equal(parse(&macaroon, text), -ENOMSG);
	free(text);
}

static void take(struct caveats *caveats, const char *text)
{
	caveat_take(caveats, (const unsigned char *)text, strlen(text));
}

static void the_earliest_end_counts(void **state)
{
	static const struct {
		const char *before;
		uint64_t expires_s;
	} rows[] = {
	    {"before:1970-01-01T00:00:00Z", 0},
	    {"before:1969-12-31T23:59:59Z", 0},
	    {"before:2000-02-29T12:00:00Z", 951825600},
	    {"before:2019-04-17T09:51:22.840Z", 1555494682},
	    {"before:2019-04-17T09:51:22Z", 1555494682},
	    {"before:2019-04-17T10:51:22+01:00", 1555494682},
	    {"before:2019-04-17T08:21:22.1-01:30", 1555494682},
	    {"before:9999-12-31T23:59:59Z", 253402300799},
	    /* What is no time leaves the end unknown. */
	    {"before:", UINT64_MAX},
	    {"before:2019-04-17", UINT64_MAX},
	    {"before:2019-04-17T09:51:22", UINT64_MAX},
	    {"before:2019-04-17T09:51:22.Z", UINT64_MAX},
	    {"before:2019-04-17T09:51:22.8", UINT64_MAX},
	    {"before:2019-13-17T09:51:22Z", UINT64_MAX},
	    {"before:2019-00-17T09:51:22Z", UINT64_MAX},
	    {"before:2019-04-31T09:51:22Z", UINT64_MAX},
	    {"before:2019-04-17T24:51:22Z", UINT64_MAX},
	    {"before:2019-04-17T09:60:22Z", UINT64_MAX},
	    {"before:2019-04-17T09:51:22+1:00", UINT64_MAX},
	    {"before:2019-04-17 09:51:22Z", UINT64_MAX},
	    {"Before:2019-04-17T09:51:22Z", UINT64_MAX},
	};
	struct caveats caveats;

	(void)state;
	for (size_t i = 0; i < ARRAY_COUNT(rows); i++) {
		caveats_init(&caveats);
		take(&caveats, rows[i].before);
		assert_int_equal(caveats.expires_s, rows[i].expires_s);
	}
	caveats_init(&caveats);
	take(&caveats, "before:2030-01-01T00:00:00Z");
	take(&caveats, "before:2020-01-01T00:00:00Z");
	take(&caveats, "before:2025-01-01T00:00:00Z");
	assert_int_equal(caveats.expires_s, 1577836800);
}

static void paths_lie_below_one_another(void **state)
{
	static const struct {
		const char *first;
		const char *second;
		const char *path; /* NULL: not to be told */
	} rows[] = {
	    {"path:/a", "path:/b", "/a/b"},
	    {"path:/a/", "path:b/c/", "/a/b/c"},
	    {"path:/", "path:", "/"},
	    {"path://a/./b", "home:/x", "/a/b"},
	    {"path:/a", "root:/x", "/a"},
	    {"path:/a/../b", "path:/c", NULL},
	    {"path:..", "path:/c", NULL},
	    {"path:/a b%2f", "", "/a b%2f"},
	    {"paths:/a", "xpath:/b", "/"},
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_COUNT(rows); i++) {
		struct caveats caveats;

		caveats_init(&caveats);
		take(&caveats, rows[i].first);
		take(&caveats, rows[i].second);
		assert_int_equal(caveats.path_known, rows[i].path != NULL);
		if (rows[i].path != NULL)
			assert_string_equal(caveats.path, rows[i].path);
	}
}

static void a_path_with_a_nul_is_not_told(void **state)
{
	static const unsigned char text[] = "path:/a\0b";
	struct caveats caveats;

	(void)state;
	caveats_init(&caveats);
	caveat_take(&caveats, text, sizeof(text) - 1);
	assert_false(caveats.path_known);
}

static void activities_are_those_that_all_name(void **state)
{
	static const struct {
		const char *first;
		const char *second;
		unsigned rights;
	} rows[] = {
	    {"", "", ALL},
	    {"activity:DOWNLOAD", "", READS},
	    {"activity:LIST", "", READS},
	    {"activity:READ_METADATA", "", READS},
	    {"activity:DOWNLOAD", "activity:LIST", 0},
	    {"activity:DOWNLOAD,UPLOAD", "activity:UPLOAD,DELETE",
	        1u << TOKENS_CREATE},
	    {"activity:DELETE", "", 1u << TOKENS_MODIFY},
	    {"activity:MANAGE", "", 1u << TOKENS_CREATE | 1u << TOKENS_MODIFY},
	    {"activity:STAGE", "", 0},
	    {"activity:", "", 0},
	    {"activity:download", "", 0},
	    {"activity:,,DOWNLOAD,WHATEVER,", "", READS},
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_COUNT(rows); i++) {
		struct caveats caveats;

		caveats_init(&caveats);
		take(&caveats, rows[i].first);
		take(&caveats, rows[i].second);
		assert_int_equal(caveats_rights(&caveats), rows[i].rights);
	}
}

static void reach_is_told_in_words_of_scopes(void **state)
{
	struct macaroon macaroon = {
	    .rights = READS | 1u << TOKENS_CREATE, .path = (char *)"/a b"};
	char *scope;

	(void)state;
	assert_int_equal(macaroon_scope(&scope, &macaroon), 0);
	assert_string_equal(scope, "storage.read:/a%20b storage.create:/a%20b");
	free(scope);
	macaroon.path = NULL;
	assert_int_equal(macaroon_scope(&scope, &macaroon), 0);
	assert_null(scope);
}

static void a_token_that_is_one_knows_its_end(void **state)
{
	struct token *token = make_parsed(rich_v1);

	(void)state;
	assert_string_equal(token_kind(token), "macaroon");
	assert_string_equal(token_profile(token), "v1");
	assert_false(token->claims.is_jwt);
	assert_int_equal(token_expires_s(token), 1927857906);
	assert_string_equal(token->claims.scope, "storage.read:/ligo/home/ada");
	assert_null(token->claims.issuer);
	token_put(token);
	token = make_parsed(rich_json);
	assert_string_equal(token_profile(token), "v2");
	token_put(token);
	token = make_parsed("2YotnFZFEjr1zCsicMWpAA");
	assert_string_equal(token_kind(token), "opaque");
	assert_null(token_profile(token));
	assert_null(token->claims.scope);
	token_put(token);
}

static int parse_once(void *arg)
{
	const char *const *text = arg;
	struct token *token = NULL;
	struct err err = ERR_INIT;
	int code = token_read(&token, *text, strlen(*text), &err);

	token_put(token);
	return code;
}

static void survives_every_failed_allocation(void **state)
{
	const char *texts[] = {rich_v1, rich_v2, rich_json};

	(void)state;
	for (size_t i = 0; i < ARRAY_COUNT(texts); i++)
		assert_true(oom_each(parse_once, &texts[i]) >= 5);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(every_form_tells_the_same),
	    cmocka_unit_test(both_alphabets_and_padding_are_read),
	    cmocka_unit_test(a_cut_one_is_garbled_and_not_opaque),
	    cmocka_unit_test(what_is_none_is_told_so),
	    cmocka_unit_test(json_may_hold_bytes_in_base64),
	    cmocka_unit_test(the_number_of_caveats_is_bounded),
	    cmocka_unit_test(the_earliest_end_counts),
	    cmocka_unit_test(paths_lie_below_one_another),
	    cmocka_unit_test(a_path_with_a_nul_is_not_told),
	    cmocka_unit_test(activities_are_those_that_all_name),
	    cmocka_unit_test(reach_is_told_in_words_of_scopes),
	    cmocka_unit_test(a_token_that_is_one_knows_its_end),
	    cmocka_unit_test(survives_every_failed_allocation),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
