/* SPDX-License-Identifier: Apache-2.0 */
/* tokens/verify/profile.h: the table of claims of each family of tokens,
 * audiences and their wildcards. */
#include "tests/unit/oom.h"
#include "tests/unit/tokens/make.h"
#include "tokens/claims/json.h"
#include "tokens/verify/profile.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#define STORE "https://store.example"

static const char *const ours[] = {STORE, "https://other.example"};
static const struct profile_rules rules = {
    .audiences = ours, .audience_count = 2};
static const struct profile_rules nobody = {.audience_count = 0};
static const struct profile_rules anybody = {.any_audience = true};

static int check_with(enum profile *out, const char *text, const char *typ,
    const struct profile_rules *with)
{
	__attribute__((cleanup(token_json_freep))) cJSON *claims = NULL;
	struct err err = ERR_INIT;
	int code = token_json_parse_object(&claims, text, strlen(text));

	assert_int_equal(code, 0);
	code = profile_check(out, claims, typ, with, &err);
	assert_int_equal(err.code, code);
	assert_int_equal(code != 0, err.text[0] != '\0');
	return code;
}

static int check(const char *text, const char *typ)
{
	enum profile profile;

	return check_with(&profile, text, typ, &rules);
}

/* A whole token of each family, one claim a row. */
static const char *const scitokens_1[] = {"\"iss\":\"https://i.example\"",
    "\"exp\":2000", "\"nbf\":1000", "\"scope\":\"read:/\"", "\"iat\":1000",
    "\"sub\":\"me\"", "\"jti\":\"1\"", "\"aud\":\"" STORE "\"",
    "\"ver\":\"scitoken:1.0\"", "\"opt\":\"x\"", NULL};
static const char *const scitokens_2[] = {"\"ver\":\"scitoken:2.0\"",
    "\"iss\":\"https://i.example\"", "\"exp\":2000", "\"nbf\":1000",
    "\"iat\":1000", "\"aud\":[\"" STORE "\"]", "\"sub\":\"me\"",
    "\"jti\":\"1\"", "\"scope\":\"read:/\"", "\"extra\":{}", NULL};
static const char *const wlcg[] = {"\"wlcg.ver\":\"1.0\"",
    "\"iss\":\"https://i.example\"", "\"exp\":2000", "\"iat\":1000",
    "\"aud\":\"" STORE "\"", "\"sub\":\"me\"", "\"jti\":\"1\"", "\"nbf\":1000",
    "\"scope\":\"storage.read:/\"", "\"wlcg.groups\":[\"/vo\"]", NULL};
static const char *const at[] = {"\"iss\":\"https://i.example\"",
    "\"exp\":2000", "\"iat\":1000", "\"aud\":\"" STORE "\"", "\"sub\":\"me\"",
    "\"jti\":\"1\"", "\"client_id\":\"c\"", "\"scope\":\"storage.read:/\"",
    "\"nbf\":1000", "\"email\":\"x\"", NULL};

static const struct family {
	const char *const *claims;
	const char *typ;
	enum profile profile;
	unsigned needed; /* bits of rows whose lack is refused; the marker's
			    lack makes another family of it */
} families[] = {
    {scitokens_1, "JWT", PROFILE_SCITOKENS_1, 0x00f},
    {scitokens_2, NULL, PROFILE_SCITOKENS_2, 0x1ff},
    {wlcg, "JWT", PROFILE_WLCG_1, 0x07f},
    {at, "at+jwt", PROFILE_RFC9068, 0x07f},
};

/* The family's claims but row `without`, with `more` behind them. */
static const char *text_of(
    const struct family *family, unsigned without, const char *more)
{
	static char text[MAKE_BYTES];

	(void)strcpy(text, "{");
	for (unsigned i = 0; family->claims[i] != NULL; i++) {
		if (i == without)
			continue;
		(void)strcat(text, text[1] != '\0' ? "," : "");
		(void)strcat(text, family->claims[i]);
	}
	(void)strcat(text, more);
	(void)strcat(text, "}");
	return text;
}

enum { WHOLE = 99 };

static void each_family_is_known_by_its_mark(void **state)
{
	(void)state;
	for (size_t i = 0; i < ARRAY_COUNT(families); i++) {
		const struct family *family = &families[i];
		enum profile found;

		assert_int_equal(check_with(&found, text_of(family, WHOLE, ""),
		                     family->typ, &rules),
		    0);
		assert_int_equal(found, family->profile);
		assert_non_null(profile_name(found));
	}
}

static void each_lacking_claim_counts_as_the_table_says(void **state)
{
	(void)state;
	for (size_t i = 0; i < ARRAY_COUNT(families); i++) {
		const struct family *family = &families[i];

		for (unsigned k = 0; family->claims[k] != NULL; k++) {
			int wanted =
			    (family->needed & 1u << k) != 0 ? -EKEYREJECTED : 0;
			int code = check(text_of(family, k, ""), family->typ);

			if (code != wanted)
				fail_msg("%s without %s: %d",
				    profile_name(family->profile),
				    family->claims[k], code);
		}
	}
}

static void a_claim_of_the_wrong_kind_is_refused(void **state)
{
	static const char *const rows[] = {"\"iss\":7", "\"exp\":\"2000\"",
	    "\"exp\":-1", "\"exp\":null", "\"exp\":1e999", "\"nbf\":\"a\"",
	    "\"iat\":true", "\"aud\":7", "\"aud\":[]", "\"aud\":[7]",
	    "\"aud\":null", "\"aud\":{}", "\"sub\":7", "\"jti\":7",
	    "\"scope\":[\"read:/\"]", "\"scope\":null"};

	(void)state;
	for (size_t i = 0; i < ARRAY_COUNT(families); i++) {
		for (size_t k = 0; k < ARRAY_COUNT(rows); k++) {
			const struct family *family = &families[i];
			size_t name = strcspn(rows[k], ":");
			char more[64];
			unsigned row = 0;

			while (strncmp(family->claims[row], rows[k], name) != 0)
				row++;
			(void)snprintf(more, sizeof(more), ",%s", rows[k]);
			if (check(text_of(family, row, more), family->typ) !=
			    -EKEYREJECTED)
				fail_msg("%s with %s",
				    profile_name(family->profile), rows[k]);
		}
	}
	assert_int_equal(
	    check(text_of(&families[3], 6, ",\"client_id\":7"), "at+jwt"),
	    -EKEYREJECTED);
}

static void a_claim_that_stands_there_twice_is_refused(void **state)
{
	(void)state;
	for (size_t i = 0; i < ARRAY_COUNT(families); i++) {
		const struct family *family = &families[i];

		for (unsigned k = 0; family->claims[k] != NULL; k++) {
			char more[128];

			(void)snprintf(
			    more, sizeof(more), ",%s", family->claims[k]);
			assert_int_equal(
			    check(text_of(family, WHOLE, more), family->typ),
			    -EKEYREJECTED);
		}
	}
}

static void unknown_claims_spoil_scitokens_1_alone(void **state)
{
	static const char *const rows[] = {",\"unknown\":1",
	    ",\"https://scitokens.org/v1/vo\":\"x\"", ",\"scp\":\"read:/\"",
	    ",\"wlcg.groups\":[]", ",\"Scope\":\"read:/\"", ",\"\":0"};

	(void)state;
	for (size_t k = 0; k < ARRAY_COUNT(rows); k++) {
		for (size_t i = 0; i < ARRAY_COUNT(families); i++) {
			const struct family *family = &families[i];
			unsigned without =
			    family->profile == PROFILE_WLCG_1 ? 9 : WHOLE;
			int code = check(
			    text_of(family, without, rows[k]), family->typ);

			assert_int_equal(code,
			    family->profile == PROFILE_SCITOKENS_1
			        ? -EKEYREJECTED
			        : 0);
		}
	}
}

static void versions_are_known_ones(void **state)
{
	static const struct {
		const char *claim;
		int profile; /* or an error */
	} rows[] = {
	    {",\"ver\":\"scitoken:2.0\"", PROFILE_SCITOKENS_2},
	    {",\"ver\":\"scitokens:2.0\"", PROFILE_SCITOKENS_2},
	    {",\"ver\":\"scitoken:1.0\"", PROFILE_SCITOKENS_1},
	    {",\"ver\":\"scitokens:1.0\"", PROFILE_SCITOKENS_1},
	    {"", PROFILE_SCITOKENS_1},
	    {",\"ver\":\"scitoken:3.0\"", -EKEYREJECTED},
	    {",\"ver\":\"scitoken:2.1\"", -EKEYREJECTED},
	    {",\"ver\":\"SciToken:2.0\"", -EKEYREJECTED},
	    {",\"ver\":\"\"", -EKEYREJECTED},
	    {",\"ver\":2", -EKEYREJECTED},
	    {",\"ver\":\"1.0\"", -EKEYREJECTED}, /* Azure's */
	    {",\"wlcg.ver\":\"1.0\"", PROFILE_WLCG_1},
	    {",\"wlcg.ver\":\"1.3\"", PROFILE_WLCG_1},
	    {",\"wlcg.ver\":\"1.12\"", PROFILE_WLCG_1},
	    {",\"wlcg.ver\":\"2.0\"", -EKEYREJECTED},
	    {",\"wlcg.ver\":\"1\"", -EKEYREJECTED},
	    {",\"wlcg.ver\":\"1.\"", -EKEYREJECTED},
	    {",\"wlcg.ver\":\"1.x\"", -EKEYREJECTED},
	    {",\"wlcg.ver\":\"1.0 \"", -EKEYREJECTED},
	    {",\"wlcg.ver\":\"10.0\"", -EKEYREJECTED},
	    {",\"wlcg.ver\":1.0", -EKEYREJECTED},
	    /* Both: `ver` decides, as in libscitokens. */
	    {",\"ver\":\"scitoken:2.0\",\"wlcg.ver\":\"1.0\"",
	        PROFILE_SCITOKENS_2},
	    {",\"ver\":\"x\",\"wlcg.ver\":\"1.0\"", -EKEYREJECTED},
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_COUNT(rows); i++) {
		enum profile found;
		/* Without `ver`, and without what 1.0 does not know. */
		static const char *const claims[] = {
		    "\"iss\":\"https://i.example\"", "\"exp\":2000",
		    "\"nbf\":1000", "\"iat\":1000", "\"sub\":\"me\"",
		    "\"jti\":\"1\"", "\"scope\":\"storage.read:/\"",
		    "\"aud\":\"" STORE "\"", NULL};
		const struct family family = {.claims = claims};
		int code = check_with(&found,
		    text_of(&family, WHOLE, rows[i].claim), NULL, &rules);

		if (code == 0)
			code = (int)found;
		if (code != rows[i].profile)
			fail_msg("%s: %d", rows[i].claim, code);
	}
}

static void access_tokens_are_known_by_their_type(void **state)
{
	static const struct {
		const char *typ;
		int code;
	} rows[] = {
	    {"at+jwt", 0},
	    {"application/at+jwt", 0},
	    {"AT+JWT", 0},
	    /* Else it is taken for a SciToken 1.0, with unknown claims. */
	    {"JWT", -EKEYREJECTED},
	    {"at+jwt;x", -EKEYREJECTED},
	    {"id+jwt", -EKEYREJECTED},
	    {"", -EKEYREJECTED},
	    {NULL, -EKEYREJECTED},
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_COUNT(rows); i++)
		assert_int_equal(
		    check(text_of(&families[3], WHOLE, ""), rows[i].typ),
		    rows[i].code);
}

/* Which row of a family is `aud`. */
static unsigned audience_row(const struct family *family)
{
	unsigned row = 0;

	while (strncmp(family->claims[row], "\"aud\"", 5) != 0)
		row++;
	return row;
}

static int check_audience(const struct family *family, const char *value,
    const struct profile_rules *with)
{
	char more[512];
	enum profile found;

	(void)snprintf(more, sizeof(more), ",\"aud\":%s", value);
	return check_with(&found, text_of(family, audience_row(family), more),
	    family->typ, with);
}

static void audiences_match_byte_by_byte(void **state)
{
	static const struct {
		const char *value;
		int code;
	} rows[] = {
	    {"\"" STORE "\"", 0},
	    {"\"https://other.example\"", 0},
	    {"[\"" STORE "\"]", 0},
	    {"[\"https://x.example\",\"" STORE "\"]", 0},
	    {"\"" STORE "/\"", -EKEYREJECTED},
	    {"\"" STORE ":443\"", -EKEYREJECTED},
	    {"\"https://STORE.example\"", -EKEYREJECTED},
	    {"\"store.example\"", -EKEYREJECTED},
	    {"\"\"", -EKEYREJECTED},
	    {"\"https://x.example " STORE "\"", -EKEYREJECTED},
	    {"[\"https://x.example " STORE "\"]", -EKEYREJECTED},
	    {"[\"https://x.example\"]", -EKEYREJECTED},
	    {"\"any\"", -EKEYREJECTED},
	    {"\"*\"", -EKEYREJECTED},
	    {"\"https://wlcg.cern.ch/jwt/v1/any/\"", -EKEYREJECTED},
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_COUNT(families); i++) {
		for (size_t k = 0; k < ARRAY_COUNT(rows); k++) {
			if (check_audience(&families[i], rows[k].value,
			        &rules) != rows[k].code)
				fail_msg("%s for %s",
				    profile_name(families[i].profile),
				    rows[k].value);
		}
	}
}

static void each_wildcard_is_good_in_its_own_family(void **state)
{
	static const char *const values[] = {"\"ANY\"", "[\"x\",\"ANY\"]",
	    "\"https://wlcg.cern.ch/jwt/v1/any\"",
	    "[\"https://wlcg.cern.ch/jwt/v1/any\"]"};

	(void)state;
	for (size_t i = 0; i < ARRAY_COUNT(families); i++) {
		enum profile profile = families[i].profile;

		for (size_t k = 0; k < ARRAY_COUNT(values); k++) {
			bool good = profile ==
			    (k < 2 ? PROFILE_SCITOKENS_2 : PROFILE_WLCG_1);

			assert_int_equal(
			    check_audience(&families[i], values[k], &rules),
			    good ? 0 : -EKEYREJECTED);
			/* Good even where no audience is known. */
			assert_int_equal(
			    check_audience(&families[i], values[k], &nobody),
			    good ? 0 : -EAGAIN);
		}
	}
	assert_true(profile_is_wildcard("ANY"));
	assert_true(profile_is_wildcard("https://wlcg.cern.ch/jwt/v1/any"));
	assert_false(profile_is_wildcard(STORE));
}

static void without_an_audience_of_ours_it_is_not_judged(void **state)
{
	(void)state;
	for (size_t i = 0; i < ARRAY_COUNT(families); i++) {
		assert_int_equal(
		    check_audience(&families[i], "\"" STORE "\"", &nobody),
		    -EAGAIN);
		assert_int_equal(
		    check_audience(&families[i], "\"" STORE "\"", &anybody), 0);
		/* What is against the rules stays so. */
		assert_int_equal(
		    check_audience(&families[i], "7", &anybody), -EKEYREJECTED);
	}
	/* SciTokens 1.0 may be silent. */
	assert_int_equal(check(text_of(&families[0], 7, ""), NULL), 0);
}

static void audiences_of_a_token_are_bounded(void **state)
{
	char list[MAKE_BYTES] = "";

	(void)state;
	for (unsigned i = 1; i < PROFILE_AUDIENCES_MAX; i++)
		(void)strcat(list, "\"x\",");
	for (unsigned over = 0; over < 2; over++) {
		char text[2 * MAKE_BYTES];
		enum profile found;

		(void)snprintf(text, sizeof(text),
		    "{\"iss\":\"i\",\"exp\":1,\"nbf\":1,\"scope\":\"\","
		    "\"aud\":[%s%s\"" STORE "\"]}",
		    list, over ? "\"x\"," : "");
		assert_int_equal(check_with(&found, text, NULL, &rules),
		    over ? -EKEYREJECTED : 0);
	}
}

static void wlcg_forbids_storage_without_a_path(void **state)
{
	static const struct {
		const char *scope;
		int code;
	} rows[] = {
	    {"", 0},
	    {"openid offline_access wlcg.groups", 0},
	    {"storage.read:/", 0},
	    {"openid storage.read:/a storage.create:/b", 0},
	    {"compute.read", 0},
	    {"storage.read", -EKEYREJECTED},
	    {"storage.read:/a storage.modify", -EKEYREJECTED},
	    {"storage.create:", -EKEYREJECTED},
	    {"storage.stage openid", -EKEYREJECTED},
	    {"  storage.poll  ", -EKEYREJECTED},
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_COUNT(rows); i++) {
		char more[256];

		(void)snprintf(
		    more, sizeof(more), ",\"scope\":\"%s\"", rows[i].scope);
		if (check(text_of(&families[2], 8, more), NULL) != rows[i].code)
			fail_msg("%s", rows[i].scope);
	}
}

static void wlcg_subjects_are_short_and_ascii(void **state)
{
	char subject[300];
	char more[400];

	(void)state;
	memset(subject, 'a', sizeof(subject));
	subject[255] = '\0';
	(void)snprintf(more, sizeof(more), ",\"sub\":\"%s\"", subject);
	assert_int_equal(check(text_of(&families[2], 5, more), NULL), 0);
	subject[255] = 'a';
	subject[256] = '\0';
	(void)snprintf(more, sizeof(more), ",\"sub\":\"%s\"", subject);
	assert_int_equal(
	    check(text_of(&families[2], 5, more), NULL), -EKEYREJECTED);
	assert_int_equal(
	    check(text_of(&families[2], 5, ",\"sub\":\"J\xc3\xbcrgen\""), NULL),
	    -EKEYREJECTED);
}

/* They may stand in `scp` in tokens of others: nothing is granted for it. */
static void scopes_in_scp_are_refused(void **state)
{
	(void)state;
	assert_int_equal(
	    check(text_of(&families[2], 8, ",\"scp\":\"read:/\""), NULL),
	    -EKEYREJECTED);
	assert_int_equal(
	    check(text_of(&families[3], 7, ",\"scp\":[\"read:/\"]"), "at+jwt"),
	    -EKEYREJECTED);
}

static int run_check(void *arg)
{
	struct err err = ERR_INIT;
	enum profile found;

	return profile_check(&found, arg, "JWT", &rules, &err);
}

static void every_failed_allocation_is_told(void **state)
{
	const char *text = text_of(&families[2], WHOLE, "");
	cJSON *claims;

	(void)state;
	assert_int_equal(
	    token_json_parse_object(&claims, text, strlen(text)), 0);
	assert_true(oom_each(run_check, claims) > 0);
	cJSON_Delete(claims);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(each_family_is_known_by_its_mark),
	    cmocka_unit_test(each_lacking_claim_counts_as_the_table_says),
	    cmocka_unit_test(a_claim_of_the_wrong_kind_is_refused),
	    cmocka_unit_test(a_claim_that_stands_there_twice_is_refused),
	    cmocka_unit_test(unknown_claims_spoil_scitokens_1_alone),
	    cmocka_unit_test(versions_are_known_ones),
	    cmocka_unit_test(access_tokens_are_known_by_their_type),
	    cmocka_unit_test(audiences_match_byte_by_byte),
	    cmocka_unit_test(each_wildcard_is_good_in_its_own_family),
	    cmocka_unit_test(without_an_audience_of_ours_it_is_not_judged),
	    cmocka_unit_test(audiences_of_a_token_are_bounded),
	    cmocka_unit_test(wlcg_forbids_storage_without_a_path),
	    cmocka_unit_test(wlcg_subjects_are_short_and_ascii),
	    cmocka_unit_test(scopes_in_scp_are_refused),
	    cmocka_unit_test(every_failed_allocation_is_told),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
