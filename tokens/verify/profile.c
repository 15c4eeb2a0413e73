/* SPDX-License-Identifier: Apache-2.0 */
/* tokens/verify/profile.c - see profile.h. */
#include "tokens/verify/profile.h"

#include "tokens/claims/json.h"

#include <errno.h>
#include <math.h>
#include <stddef.h>
#include <string.h>
#include <strings.h>

#define ANY_SCITOKENS "ANY"
#define ANY_WLCG      "https://wlcg.cern.ch/jwt/v1/any"

enum { WLCG_SUBJECT_BYTES_MAX = 255 };

static const struct {
	const char *name;
	const char *wildcard; /* NULL: none */
} profiles[] = {
    [PROFILE_SCITOKENS_1] = {"SciTokens 1.0", NULL},
    [PROFILE_SCITOKENS_2] = {"SciTokens 2.0", ANY_SCITOKENS},
    [PROFILE_WLCG_1] = {"WLCG 1.x", ANY_WLCG},
    [PROFILE_RFC9068] = {"RFC 9068", NULL},
};

enum {
	SCI1 = 1u << PROFILE_SCITOKENS_1,
	SCI2 = 1u << PROFILE_SCITOKENS_2,
	WLCG = 1u << PROFILE_WLCG_1,
	AT = 1u << PROFILE_RFC9068,
};

enum kind { TEXT, TIME, NAMES };

/* The claims that have a meaning, who needs them, and who knows them. */
static const struct rule {
	const char *name;
	enum kind kind;
	unsigned needed;
	unsigned known;
} rules_of_claims[] = {
    {"iss", TEXT, SCI1 | SCI2 | WLCG | AT, SCI1 | SCI2 | WLCG | AT},
    {"exp", TIME, SCI1 | SCI2 | WLCG | AT, SCI1 | SCI2 | WLCG | AT},
    {"nbf", TIME, SCI1 | SCI2, SCI1 | SCI2 | WLCG | AT},
    {"iat", TIME, SCI2 | WLCG | AT, SCI1 | SCI2 | WLCG | AT},
    {"aud", NAMES, SCI2 | WLCG | AT, SCI1 | SCI2 | WLCG | AT},
    {"sub", TEXT, SCI2 | WLCG | AT, SCI1 | SCI2 | WLCG | AT},
    {"jti", TEXT, SCI2 | WLCG | AT, SCI1 | SCI2 | WLCG | AT},
    {"scope", TEXT, SCI1 | SCI2, SCI1 | SCI2 | WLCG | AT},
    {"client_id", TEXT, AT, AT},
    {"ver", TEXT, 0, SCI1 | SCI2},
    {"wlcg.ver", TEXT, WLCG, WLCG},
};

/* What a SciToken 1.0 may hold besides: nobody acts on it. */
static const char *const scitokens_1_extras[] = {"opt"};

const char *profile_name(enum profile profile)
{
	return profiles[profile].name;
}

bool profile_is_wildcard(const char *audience)
{
	return strcmp(audience, ANY_SCITOKENS) == 0 ||
	    strcmp(audience, ANY_WLCG) == 0;
}

/* A claim that stands there once (token_json_unique() has been asked). */
static const cJSON *claim_of(const cJSON *claims, const char *name)
{
	const cJSON *item = NULL;

	return token_json_member(&item, claims, name) == 0 ? item : NULL;
}

/* "1." and a number: WLCG, section 4.3.3, any minor of a known major. */
static bool is_wlcg_1(const char *version)
{
	const char *minor = version + 2;

	return strncmp(version, "1.", 2) == 0 && *minor != '\0' &&
	    minor[strspn(minor, "0123456789")] == '\0';
}

static bool is_one_of(const char *text, const char *a, const char *b)
{
	return strcmp(text, a) == 0 || strcmp(text, b) == 0;
}

/* A version's text; "" when it is none. */
static const char *text_of(const cJSON *item)
{
	return cJSON_IsString(item) ? item->valuestring : "";
}

static int choose_scitokens(
    enum profile *out, const char *version, struct err *err)
{
	if (is_one_of(version, "scitoken:2.0", "scitokens:2.0"))
		*out = PROFILE_SCITOKENS_2;
	else if (is_one_of(version, "scitoken:1.0", "scitokens:1.0"))
		*out = PROFILE_SCITOKENS_1;
	else
		return err_set(err, -EKEYREJECTED,
		    "its 'ver' is none that is understood here "
		    "(scitoken:1.0, scitoken:2.0)");
	return 0;
}

static bool is_access_token(const char *typ)
{
	return typ != NULL &&
	    (strcasecmp(typ, "at+jwt") == 0 ||
	        strcasecmp(typ, "application/at+jwt") == 0);
}

const char *profile_said(
    const char *version, const char *wlcg_version, const char *typ)
{
	enum profile profile = PROFILE_SCITOKENS_1;
	struct err unused = ERR_INIT;

	if (version != NULL)
		return choose_scitokens(&profile, version, &unused) == 0
		    ? profile_name(profile)
		    : NULL;
	if (wlcg_version != NULL)
		return is_wlcg_1(wlcg_version) ? profile_name(PROFILE_WLCG_1)
		                               : NULL;
	return is_access_token(typ) ? profile_name(PROFILE_RFC9068) : NULL;
}

static int choose(
    enum profile *out, const cJSON *claims, const char *typ, struct err *err)
{
	const cJSON *version = claim_of(claims, "ver");
	const cJSON *wlcg = claim_of(claims, "wlcg.ver");

	if (version != NULL)
		return choose_scitokens(out, text_of(version), err);
	if (wlcg != NULL && !is_wlcg_1(text_of(wlcg)))
		return err_set(err, -EKEYREJECTED,
		    "its 'wlcg.ver' is none that is understood here (1.0 and "
		    "later of 1)");
	if (wlcg != NULL)
		*out = PROFILE_WLCG_1;
	else if (is_access_token(typ))
		*out = PROFILE_RFC9068;
	else
		*out = PROFILE_SCITOKENS_1;
	return 0;
}

static bool is_names(const cJSON *item)
{
	unsigned count = 0;

	if (cJSON_IsString(item))
		return true;
	if (!cJSON_IsArray(item))
		return false;
	for (const cJSON *at = item->child; at != NULL; at = at->next) {
		if (!cJSON_IsString(at) || ++count > PROFILE_AUDIENCES_MAX)
			return false;
	}
	return count > 0;
}

static bool is_of_kind(const cJSON *item, enum kind kind)
{
	switch (kind) {
	case TEXT:
		return cJSON_IsString(item);
	case TIME:
		return cJSON_IsNumber(item) && isfinite(item->valuedouble) &&
		    item->valuedouble >= 0;
	case NAMES:
	default:
		return is_names(item);
	}
}

static int check_claims(
    enum profile profile, const cJSON *claims, struct err *err)
{
	unsigned bit = 1u << profile;

	for (size_t i = 0; i < ARRAY_COUNT(rules_of_claims); i++) {
		const struct rule *rule = &rules_of_claims[i];
		const cJSON *item = claim_of(claims, rule->name);

		if (item == NULL && (rule->needed & bit) != 0)
			return err_set(err, -EKEYREJECTED,
			    "it lacks the claim '%s' that %s needs", rule->name,
			    profile_name(profile));
		if (item != NULL && (rule->known & bit) != 0 &&
		    !is_of_kind(item, rule->kind))
			return err_set(err, -EKEYREJECTED,
			    "its claim '%s' is of the wrong kind", rule->name);
	}
	return 0;
}

/* SciTokens, "Version 1.0": with an unknown claim the entire token is
 * invalid. */
static int check_no_others(const cJSON *claims, struct err *err)
{
	for (const cJSON *at = claims->child; at != NULL; at = at->next) {
		bool known = false;

		for (size_t i = 0; i < ARRAY_COUNT(rules_of_claims); i++)
			known |= (rules_of_claims[i].known & SCI1) != 0 &&
			    strcmp(at->string, rules_of_claims[i].name) == 0;
		for (size_t i = 0; i < ARRAY_COUNT(scitokens_1_extras); i++)
			known |= strcmp(at->string, scitokens_1_extras[i]) == 0;
		if (!known)
			return err_set(err, -EKEYREJECTED,
			    "it has a claim that SciTokens 1.0 does not "
			    "know, which makes all of it invalid; issuers say "
			    "'ver' scitoken:2.0 or 'wlcg.ver' 1.0");
	}
	return 0;
}

static bool is_ascii(const char *text)
{
	while (*text > 0 && *text < 0x7f)
		text++;
	return *text == '\0';
}

/* WLCG, section 2.2.1: a token with storage.* and no path must be refused;
 * section 2.1.1: what a subject is. */
static int check_wlcg(const cJSON *claims, struct err *err)
{
	const cJSON *scope = claim_of(claims, "scope");
	const cJSON *subject = claim_of(claims, "sub");
	const char *at = scope != NULL ? scope->valuestring : "";

	if (subject == NULL ||
	    strlen(subject->valuestring) > WLCG_SUBJECT_BYTES_MAX ||
	    !is_ascii(subject->valuestring))
		return err_set(err, -EKEYREJECTED,
		    "its 'sub' is longer than %d characters or not ASCII",
		    WLCG_SUBJECT_BYTES_MAX);
	while (*(at += strspn(at, " ")) != '\0') {
		size_t n = strcspn(at, " ");
		const char *colon = memchr(at, ':', n);

		if (strncmp(at, "storage.", strlen("storage.")) == 0 &&
		    (colon == NULL || colon + 1 == at + n))
			return err_set(err, -EKEYREJECTED,
			    "its scope has a storage word without a path, "
			    "which WLCG forbids");
		at += n;
	}
	return 0;
}

static bool is_ours(
    const char *name, const char *wildcard, const struct profile_rules *rules)
{
	if (wildcard != NULL && strcmp(name, wildcard) == 0)
		return true;
	for (unsigned i = 0; i < rules->audience_count; i++) {
		if (strcmp(name, rules->audiences[i]) == 0)
			return true;
	}
	return false;
}

/* RFC 7519, section 4.1.3: one of them suffices. */
static int check_audience(enum profile profile, const cJSON *claims,
    const struct profile_rules *rules, struct err *err)
{
	const cJSON *audience = claim_of(claims, "aud");
	const char *wildcard = profiles[profile].wildcard;
	const cJSON *at;

	/* SciTokens 1.0 may be silent: then it is for everybody. */
	if (audience == NULL || rules->any_audience)
		return 0;
	at = cJSON_IsArray(audience) ? audience->child : audience;
	for (; at != NULL; at = at == audience ? NULL : at->next) {
		if (is_ours(at->valuestring, wildcard, rules))
			return 0;
	}
	if (rules->audience_count == 0)
		return err_set(err, -EAGAIN,
		    "it is for a certain audience and none is known here; "
		    "set audience=");
	return err_set(err, -EKEYREJECTED,
	    "it is for another audience than '%.120s'%s; ask for a token with "
	    "that audience",
	    rules->audiences[0],
	    rules->audience_count > 1 ? " and others" : "");
}

int profile_check(enum profile *out, const cJSON *claims, const char *typ,
    const struct profile_rules *rules, struct err *err)
{
	int code = token_json_unique(claims);

	if (code == -ENOMEM)
		return err_set(err, code, "out of memory");
	if (code < 0)
		return err_set(
		    err, -EKEYREJECTED, "one of its claims stands there twice");
	code = choose(out, claims, typ, err);
	if (code == 0)
		code = check_claims(*out, claims, err);
	if (code == 0 && *out == PROFILE_SCITOKENS_1)
		code = check_no_others(claims, err);
	/* Some issuers write `scp`, which no profile knows: it must not be
	 * used to allow anything. */
	if (code == 0 && claim_of(claims, "scope") == NULL &&
	    claim_of(claims, "scp") != NULL)
		return err_set(err, -EKEYREJECTED,
		    "its scopes stand in 'scp', which %s does not know; they "
		    "belong in 'scope'",
		    profile_name(*out));
	if (code == 0 && *out == PROFILE_WLCG_1)
		code = check_wlcg(claims, err);
	if (code == 0)
		code = check_audience(*out, claims, rules, err);
	return code;
}
