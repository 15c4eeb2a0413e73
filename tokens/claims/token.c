/* SPDX-License-Identifier: Apache-2.0 */
/* tokens/claims/token.c - see token.h. */
#include "tokens/claims/token.h"

#include "base/clock.h"
#include "base/secret.h"
#include "tokens/claims/json.h"
#include "tokens/claims/macaroon.h"
#include "tokens/verify/profile.h"

#include <assert.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

struct token *token_get(struct token *token)
{
	(void)atomic_fetch_add(&token->references, 1);
	return token;
}

void token_put(struct token *token)
{
	unsigned before;

	if (token == NULL)
		return;
	before = atomic_fetch_sub(&token->references, 1);
	assert(before > 0);
	if (before > 1)
		return;
	if (token->gone != NULL)
		token->gone(token->gone_arg, token);
	secret_put(token->text);
	jwt_claims_fini(&token->claims);
	scope_list_fini(&token->scopes);
	free(token->judgement.why);
	free(token->source);
	free(token);
}

uint64_t token_id(const struct token *token)
{
	return token->id;
}

uint64_t token_expires_s(const struct token *token)
{
	return token->claims.expires_s;
}

const char *token_kind(const struct token *token)
{
	if (token->claims.is_jwt)
		return "jwt";
	return token->claims.is_macaroon ? "macaroon" : "opaque";
}

const char *token_profile(const struct token *token)
{
	const struct jwt_claims *claims = &token->claims;

	if (claims->is_macaroon)
		return claims->macaroon_version == 1 ? "v1" : "v2";
	return profile_said(
	    claims->version, claims->wlcg_version, claims->type);
}

bool token_try_get(struct token *token)
{
	unsigned before = atomic_load(&token->references);

	while (before > 0 &&
	    !atomic_compare_exchange_weak(
	        &token->references, &before, before + 1))
		continue;
	return before > 0;
}

bool token_same_text(const struct token *a, const struct token *b)
{
	return a->digest == b->digest && secret_equal(a->text, b->text);
}

const struct secret *token_text(const struct token *token)
{
	return token->text;
}

const char *token_source(const struct token *token)
{
	return token->source != NULL ? token->source : "";
}

int token_set_source(struct token *token, const char *source)
{
	assert(token->source == NULL);
	token->source = strdup(source);
	return token->source != NULL ? 0 : -ENOMEM;
}

uint64_t token_begins_s(const struct token *token)
{
	return atomic_load(&token->begins_s);
}

void token_begin_later(struct token *token, uint64_t begins_s)
{
	uint64_t before = token_begins_s(token);

	while (before < begins_s &&
	    !atomic_compare_exchange_weak(&token->begins_s, &before, begins_s))
		continue;
}

enum token_phase token_phase_at(const struct token *token, uint64_t now_s)
{
	if (now_s >= token->claims.expires_s)
		return TOKEN_ENDED;
	if (now_s < token_begins_s(token))
		return TOKEN_EARLY;
	return TOKEN_GOOD;
}

/* isspace() of the C locale, which WLCG Bearer Token Discovery names. */
static bool is_space(char c)
{
	return c == ' ' || (c >= '\t' && c <= '\r');
}

static void strip(const char **text, size_t *size_bytes)
{
	while (*size_bytes > 0 && is_space((*text)[0])) {
		(*text)++;
		(*size_bytes)--;
	}
	while (*size_bytes > 0 && is_space((*text)[*size_bytes - 1]))
		(*size_bytes)--;
}

/* b64token of RFC 6750, section 2.1: 1*( ALPHA / DIGIT / "-" / "." / "_" /
 * "~" / "+" / "/" ) *"=" */
static bool is_b64token(const char *text, size_t size_bytes)
{
	size_t n = size_bytes;

	while (n > 0 && text[n - 1] == '=')
		n--;
	if (n == 0)
		return false;
	for (size_t i = 0; i < n; i++) {
		char c = text[i];

		if ((c >= 'A' && c <= 'Z') || (c >= 'a' && c <= 'z') ||
		    (c >= '0' && c <= '9'))
			continue;
		if (c == '\0' || strchr("-._~+/", c) == NULL)
			return false;
	}
	return true;
}

/* The claims of a text that is no JWT: a macaroon's end and reach; none of an
 * opaque token. As macaroon_parse(). */
static int read_macaroon(struct jwt_claims *claims, const char *text,
    size_t size_bytes, struct err *err)
{
	struct macaroon macaroon;
	int code = macaroon_parse(&macaroon, text, size_bytes, err);

	if (code < 0)
		return code;
	claims->is_macaroon = true;
	claims->macaroon_version = macaroon.version;
	claims->expires_s = macaroon.expires_s;
	code = macaroon_scope(&claims->scope, &macaroon);
	macaroon_fini(&macaroon);
	return code;
}

/* FNV-1a from a start that nobody knows: a user may hold thousands of tokens,
 * and who would make many with one digest cannot. */
static uint64_t digest_of(const char *text, size_t size_bytes)
{
	static _Atomic uint64_t seed;
	uint64_t hash = atomic_load(&seed);
	uint64_t fresh = 0;

	if (hash == 0) {
		clock_random(&fresh, sizeof(fresh));
		/* Whoever is first says it for all. */
		if (atomic_compare_exchange_strong(&seed, &hash, fresh | 1))
			hash = fresh | 1;
	}
	for (size_t i = 0; i < size_bytes; i++)
		hash =
		    (hash ^ (unsigned char)text[i]) * UINT64_C(0x100000001b3);
	return hash;
}

/* What its scopes open. */
static int read_scopes(struct token *token)
{
	int code = scope_list_parse(&token->scopes, token->claims.scope);

	token->has_too_many_scopes = code == -EINVAL;
	return code == -EINVAL ? 0 : code;
}

/* Make a token of a text that is stripped. */
static int make(
    struct token **out, const char *text, size_t size_bytes, struct err *err)
{
	static atomic_uint_fast64_t last_id;
	AUTO(token) token = NULL;
	int code;

	if (size_bytes == 0)
		return err_set(err, -ENODATA, "no token in it");
	if (!is_b64token(text, size_bytes))
		return err_set(err, -EINVAL,
		    "not a token: a character that no bearer token has");
	token = calloc(1, sizeof(*token));
	if (token == NULL)
		return err_set(err, -ENOMEM, "out of memory");
	atomic_init(&token->references, 1);
	jwt_claims_init(&token->claims);
	token->id = atomic_fetch_add(&last_id, 1) + 1;
	token->text = secret_new(text, size_bytes);
	if (token->text == NULL)
		return err_set(err, -ENOMEM, "out of memory");
	token->digest = digest_of(text, size_bytes);
	code = jwt_parse(&token->claims, text, size_bytes, err);
	if (code == -ENOMSG)
		code = read_macaroon(&token->claims, text, size_bytes, err);
	if (code == -ENOMEM ||
	    ((code == 0 || code == -ENOMSG) && read_scopes(token) < 0))
		return err_set(err, -ENOMEM, "out of memory");
	if (code < 0 && code != -ENOMSG)
		return code;
	token->is_cut = code == -ENOMSG && jwt_is_cut(text, size_bytes);
	atomic_init(&token->begins_s, token->claims.not_before_s);
	*out = STEAL(token);
	return 0;
}

/* HTCondor's way: {"access_token": "...", ...}. */
static int read_object(
    struct token **out, const char *text, size_t size_bytes, struct err *err)
{
	__attribute__((cleanup(token_json_freep))) cJSON *object = NULL;
	const cJSON *item = NULL;
	const char *inner;
	size_t inner_bytes;
	int code = token_json_parse_object(&object, text, size_bytes);

	if (code == -ENOMEM)
		return err_set(err, code, "out of memory");
	if (code < 0)
		return err_set(
		    err, code, "begins as JSON and is cut short or garbled");
	if (token_json_member(&item, object, "access_token") < 0 ||
	    !cJSON_IsString(item))
		return err_set(
		    err, -EINVAL, "JSON without one text \"access_token\"");
	inner = item->valuestring;
	inner_bytes = strlen(inner);
	strip(&inner, &inner_bytes);
	code = make(out, inner, inner_bytes, err);
	secret_wipe(item->valuestring, strlen(item->valuestring));
	return code;
}

int token_read(
    struct token **out, const char *text, size_t size_bytes, struct err *err)
{
	*out = NULL;
	if (size_bytes > TOKENS_TEXT_BYTES_MAX)
		return err_set(err, -EMSGSIZE, "longer than %d KiB",
		    TOKENS_TEXT_BYTES_MAX / 1024);
	strip(&text, &size_bytes);
	if (size_bytes > 0 && text[0] == '{')
		return read_object(out, text, size_bytes, err);
	return make(out, text, size_bytes, err);
}

int token_parse(
    struct token **out, const char *text, size_t size_bytes, struct err *err)
{
	int code = token_read(out, text, size_bytes, err);

	if (code == -ENODATA)
		return err_set(err, -EINVAL, "no token in it");
	return code;
}
