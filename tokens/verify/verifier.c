/* SPDX-License-Identifier: Apache-2.0 */
/* tokens/verify/verifier.c - see tokens/verify.h. */
#include "base/clock.h"
#include "base/secret.h"
#include "tokens/claims/json.h"
#include "tokens/claims/scope.h"
#include "tokens/claims/token.h"
#include "tokens/verify.h"
#include "tokens/verify/trust_impl.h"

#include <assert.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

enum { SPACES = 6 };

struct tokens_verifier {
	const struct clock *clock;
	struct trust *trust;
	bool has_wish;
	struct scope_wish wish;
	char *base_path;
	char *claims; /* of the last token that was valid */
};

static int init(struct tokens_verifier *verifier,
    const struct tokens_verifier_config *config, struct err *err)
{
	const char *base = config->base_path != NULL ? config->base_path : "/";
	int code = 0;

	verifier->clock = config->clock;
	verifier->base_path = strdup(base);
	if (verifier->base_path == NULL)
		return err_set(err, -ENOMEM, "out of memory");
	if (config->scope != NULL) {
		verifier->has_wish = true;
		code = scope_wish_parse(&verifier->wish, config->scope, err);
	}
	if (code == 0)
		code = trust_new(
		    &verifier->trust, config->clock, config->trust, err);
	if (code == 0 && !trust_is_configured(verifier->trust))
		code = err_set(
		    err, -EINVAL, "neither a key file nor an issuer is named");
	return code;
}

int tokens_verifier_new(struct tokens_verifier **out,
    const struct tokens_verifier_config *config, struct err *err)
{
	struct tokens_verifier *verifier = calloc(1, sizeof(*verifier));
	int code;

	*out = NULL;
	if (verifier == NULL)
		return err_set(err, -ENOMEM, "out of memory");
	code = init(verifier, config, err);
	if (code < 0) {
		tokens_verifier_free(verifier);
		return code;
	}
	trust_wait(verifier->trust, config->wait_ms);
	*out = verifier;
	return 0;
}

void tokens_verifier_free(struct tokens_verifier *verifier)
{
	if (verifier == NULL)
		return;
	trust_free(verifier->trust);
	free(verifier->base_path);
	cJSON_free(verifier->claims);
	free(verifier);
}

static int check_wish(const struct tokens_verifier *verifier,
    const struct token *token, struct err *err)
{
	struct scope_list list;
	bool granted;
	int code = scope_list_parse(&list, token->claims.scope);

	if (code == -ENOMEM)
		return err_set(err, code, "out of memory");
	if (code < 0)
		return err_set(err, -EACCES,
		    "the token has more than %d scopes; none is looked at",
		    SCOPE_COUNT_MAX);
	granted = scope_grants(&list, verifier->base_path, &verifier->wish);
	scope_list_fini(&list);
	if (granted)
		return 0;
	return err_set(err, -EACCES,
	    "the token is good and its scope '%.160s' does not cover '%.160s'",
	    token->claims.scope != NULL ? token->claims.scope : "",
	    verifier->wish.path);
}

/* Its claims, written anew: what cJSON read, and nothing that it passed
 * over. */
static int write_claims(struct tokens_verifier *verifier,
    const struct token *token, struct err *err)
{
	__attribute__((cleanup(token_json_freep))) cJSON *claims = NULL;
	struct jws jws;
	int code = jws_parse(&jws, secret_reveal(token->text),
	    secret_size_bytes(token->text), err);

	if (code < 0)
		return code;
	code = token_json_parse_object(
	    &claims, (const char *)jws.payload, jws.payload_bytes);
	jws_fini(&jws);
	if (code == 0) {
		verifier->claims = cJSON_PrintUnformatted(claims);
		if (verifier->claims == NULL)
			code = -ENOMEM;
	}
	return code < 0 ? err_set(err, code, "%s", err_message(code)) : 0;
}

int tokens_verify(struct tokens_verifier *verifier, const char *text,
    size_t size_bytes, struct tokens_verified *out, struct err *err)
{
	AUTO(token) token = NULL;
	int code = token_parse(&token, text, size_bytes, err);

	*out = (struct tokens_verified){.profile = NULL};
	cJSON_free(verifier->claims);
	verifier->claims = NULL;
	if (code < 0)
		return code;
	code = trust_judge(verifier->trust, token, err);
	if (code < 0)
		return code;
	out->profile = trust_profile(verifier->trust, token);
	if (verifier->has_wish)
		code = check_wish(verifier, token, err);
	if (code == 0)
		code = write_claims(verifier, token, err);
	out->claims = verifier->claims;
	return code;
}

/* The keys of one source, a reference; NULL: none, and `err` says why. */
static struct jwks *keys_of(
    struct tokens_verifier *verifier, unsigned index, struct err *err)
{
	struct trust *trust = verifier->trust;
	struct jwks *set;

	trust_enter(trust);
	set = keys_usable(
	    &trust->sources[index].keys, clock_wall_s(verifier->clock));
	if (set != NULL)
		(void)jwks_get(set);
	else
		*err = trust->sources[index].keys.problem;
	trust_leave(trust);
	return set;
}

static int check_signature(
    struct tokens_verifier *verifier, const struct jws *jws, struct err *err)
{
	int code = -EAGAIN;

	for (unsigned i = 0; i < verifier->trust->source_count; i++) {
		struct jwks *set = keys_of(verifier, i, err);

		if (set == NULL)
			continue;
		code = jwks_check(set, jws, err);
		jwks_put(set);
		if (code == 0 || code == -ENOMEM)
			return code;
	}
	err->code = code == -EAGAIN ? code : -EKEYREJECTED;
	return err_wrap(
	    err, code == -EAGAIN ? "no keys" : "the signature does not verify");
}

int tokens_verify_signature(struct tokens_verifier *verifier, const char *text,
    size_t size_bytes, struct buf *payload, struct err *err)
{
	struct jws jws;
	int code;

	/* As everywhere, white space around it is nobody's. */
	while (
	    size_bytes > 0 && memchr(" \t\r\n\v\f", text[0], SPACES) != NULL) {
		text++;
		size_bytes--;
	}
	while (size_bytes > 0 &&
	    memchr(" \t\r\n\v\f", text[size_bytes - 1], SPACES) != NULL)
		size_bytes--;
	code = jws_parse(&jws, text, size_bytes, err);
	if (code == -ENOTSUP)
		err->code = code = -EKEYREJECTED;
	else if (code == -ENOMSG)
		err->code = code = -EINVAL;
	if (code < 0)
		return code;
	code = check_signature(verifier, &jws, err);
	if (code == 0)
		code = buf_append(payload, jws.payload, jws.payload_bytes);
	if (code < 0 && err->code != code)
		(void)err_set(err, code, "%s", err_message(code));
	jws_fini(&jws);
	return code;
}
