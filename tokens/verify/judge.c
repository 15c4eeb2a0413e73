/* SPDX-License-Identifier: Apache-2.0 */
/* tokens/verify/judge.c - see trust.h: what is thought of a token. */
#include "base/clock.h"
#include "base/secret.h"
#include "base/utf8.h"
#include "tokens/claims/json.h"
#include "tokens/claims/token.h"
#include "tokens/verify/trust_impl.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

/* What is thought of a token by the keys of one generation. */
struct judgement {
	struct jwks *set; /* a reference */
	uint64_t generation;
	int code;
	const char *profile;
};

/* Whether this is its time: without any leeway.
 *
 * `iat` has no rule of its own in RFC 7519, section 4.1.6, and none in RFC
 * 9068, section 4. But a token of the future is told by no clock that is
 * right, and servers with scitokens-cpp refuse it as one before its `nbf`:
 * so it is that here. It has not begun, and is waited for. */
static int check_times(struct token *token, uint64_t now_s, struct err *why)
{
	const struct jwt_claims *claims = &token->claims;
	char stamp[CLOCK_STAMP_BYTES];

	if (now_s >= claims->expires_s) {
		clock_stamp(stamp, claims->expires_s);
		return err_set(why, -EKEYEXPIRED,
		    "the token ended at %s; get a new one", stamp);
	}
	if (now_s < claims->issued_s)
		token_begin_later(token, claims->issued_s);
	if (now_s < token_begins_s(token)) {
		clock_stamp(stamp, token_begins_s(token));
		return err_set(why, -EKEYEXPIRED,
		    "the token is not valid before %s%s; check the clock of "
		    "this machine",
		    stamp,
		    claims->issued_s > claims->not_before_s
		        ? ", when it was issued"
		        : "");
	}
	return 0;
}

/* Whose keys decide; NULL: nobody's. */
static struct trust_source *source_of(
    struct trust *trust, const struct jwt_claims *claims, struct err *why)
{
	const char *issuer = claims->issuer;
	unsigned i = 0;

	if (issuer == NULL) {
		(void)err_set(why, -EKEYREJECTED,
		    "the token does not verify: it does not say who issued it "
		    "('iss')");
		return NULL;
	}
	while (
	    i < trust->issuer_count && strcmp(issuer, trust->issuers[i]) != 0)
		i++;
	if (i == trust->issuer_count && trust->issuer_count > 0) {
		(void)err_set(why, -EKEYREJECTED,
		    "the token does not verify: its issuer '%.160s' is not "
		    "'%.160s'%s; get a token from that issuer, or set issuer=",
		    issuer, trust->issuers[0],
		    trust->issuer_count > 1 ? " or another that is trusted"
		                            : "");
		return NULL;
	}
	return &trust->sources[trust->jwks_file != NULL ? 0 : i];
}

static bool is_utf8(const unsigned char *text, size_t size_bytes)
{
	const unsigned char *end = text + size_bytes;

	while (text < end) {
		size_t n = utf8_size_bytes(text);

		if (n == 0)
			return false;
		text += n;
	}
	return true;
}

static int check_payload(const struct trust *trust, const struct jws *jws,
    struct judgement *out, struct err *why)
{
	__attribute__((cleanup(token_json_freep))) cJSON *claims = NULL;
	const struct profile_rules rules = {
	    .audiences = (const char *const *)trust->audiences,
	    .audience_count = trust->audience_count,
	    .any_audience = trust->any_audience,
	};
	enum profile profile = PROFILE_SCITOKENS_1;
	int code = token_json_parse_object(
	    &claims, (const char *)jws->payload, jws->payload_bytes);

	if (code == -ENOMEM)
		return err_set(why, code, "out of memory");
	if (code < 0 || !is_utf8(jws->payload, jws->payload_bytes))
		return err_set(
		    why, -EKEYREJECTED, "its claims are no JSON object");
	code = profile_check(&profile, claims, jws->typ, &rules, why);
	if (code == 0)
		out->profile = profile_name(profile);
	return code;
}

/* That it does not verify, why, and the cure where the reason has none. */
static int wrong(struct err *why)
{
	struct err reason = *why;

	return err_set(why, reason.code, "the token does not verify: %.400s%s",
	    reason.text,
	    strchr(reason.text, ';') != NULL
	        ? ""
	        : "; get a new token of the issuer");
}

/* A key that the set has not: have it asked for, or know that it was.
 * -ESTALE: other keys have come meanwhile, and may have it. */
static int note_miss(struct trust *trust, struct trust_source *source,
    const struct judgement *judgement, const struct jws *jws, struct err *why)
{
	enum keys_absence absence = KEYS_ASKED;
	bool stale;

	trust_enter(trust);
	stale = source->generation != judgement->generation;
	if (!stale)
		absence = keys_note_miss(
		    &source->keys, jws->kid, clock_now_ms(trust->clock));
	if (source->keys.missed)
		(void)pthread_cond_signal(&trust->wakes);
	trust_leave(trust);
	if (stale) {
		*why = (struct err)ERR_INIT;
		return -ESTALE;
	}
	if (absence == KEYS_ABSENT) {
		why->code = -EKEYREJECTED;
		return wrong(why);
	}
	why->code = -EAGAIN;
	return err_wrap(why, "the token cannot be verified yet");
}

/* The work: signature, then claims. What concerns a key that is absent, or
 * memory, is not to be remembered: its generation becomes 0. */
static int work(struct trust *trust, struct trust_source *source,
    const struct token *token, struct judgement *out, struct err *why)
{
	struct jws jws;
	int code = jws_parse(&jws, secret_reveal(token->text),
	    secret_size_bytes(token->text), why);

	if (code == 0) {
		code = jwks_check(out->set, &jws, why);
		if (code == -ENOKEY) {
			code = note_miss(trust, source, out, &jws, why);
			out->generation = 0;
			jws_fini(&jws);
			return code;
		}
		if (code == 0)
			code = check_payload(trust, &jws, out, why);
		jws_fini(&jws);
	}
	if (code == 0)
		return 0;
	if (code == -ENOMEM) {
		out->generation = 0;
		why->code = -EAGAIN;
		return err_wrap(why, "the token cannot be verified now");
	}
	if (code == -EAGAIN)
		return err_wrap(why, "the token cannot be verified here");
	why->code = -EKEYREJECTED;
	return wrong(why);
}

/* What was thought before of these very keys; 1: nothing. */
static int recall(const struct token *token, uint64_t generation,
    struct err *why) REQUIRES(trust_lock);
static int recall(
    const struct token *token, uint64_t generation, struct err *why)
{
	const struct token_judgement *old = &token->judgement;

	if (old->generation != generation)
		return 1;
	if (old->code == 0)
		return 0;
	return err_set(why, old->code, "%s",
	    old->why != NULL ? old->why : "the token does not verify");
}

static void remember(struct trust *trust, struct token *token,
    const struct judgement *judgement, const struct err *why)
{
	struct token_judgement *memo = &token->judgement;
	char *text = judgement->code != 0 ? strdup(why->text) : NULL;
	char *old;

	trust_enter(trust);
	old = memo->why;
	*memo = (struct token_judgement){.generation = judgement->generation,
	    .code = judgement->code,
	    .profile = judgement->profile,
	    .why = text};
	trust_leave(trust);
	free(old);
}

/* The keys to judge with, and what is remembered: 1: nothing, judge now. */
static int prepare(struct trust *trust, struct trust_source *source,
    const struct token *token, struct judgement *out, struct err *why)
    REQUIRES(trust_lock);
static int prepare(struct trust *trust, struct trust_source *source,
    const struct token *token, struct judgement *out, struct err *why)
{
	struct keys *keys = &source->keys;
	uint64_t wall_s = clock_wall_s(trust->clock);
	struct jwks *set = keys_usable(keys, wall_s);
	uint64_t now_ms = clock_now_ms(trust->clock);

	if (!keys->used) {
		keys_note_use(keys);
		if (keys_due_ms(keys, now_ms, wall_s) != UINT64_MAX)
			(void)pthread_cond_signal(&trust->wakes);
	}
	if (set == NULL)
		return err_set(why, -EAGAIN,
		    "the token cannot be verified: the keys of issuer "
		    "'%.120s' are not at hand%s%.250s",
		    source->issuer != NULL ? source->issuer : "",
		    keys->problem.code != 0 ? ": " : " yet",
		    keys->problem.text);
	out->generation = source->generation;
	out->set = jwks_get(set);
	return recall(token, source->generation, why);
}

/* By the keys that are there now; -ESTALE: by now there are others. */
static int judge_by_keys(struct trust *trust, struct trust_source *source,
    struct token *token, struct err *why)
{
	struct judgement judgement = {.set = NULL};
	int code;

	trust_enter(trust);
	code = prepare(trust, source, token, &judgement, why);
	trust_leave(trust);
	if (code == 1) {
		judgement.code = work(trust, source, token, &judgement, why);
		code = judgement.code;
		if (judgement.generation != 0)
			remember(trust, token, &judgement, why);
	}
	jwks_put(judgement.set);
	return code;
}

int trust_judge_at(
    struct trust *trust, struct token *token, uint64_t at_s, struct err *why)
{
	struct trust_source *source;
	int code;

	if (!trust_is_configured(trust))
		return err_set(why, -EAGAIN,
		    "no token is verified on this machine: no issuer is "
		    "configured (issuer=)");
	if (!token->claims.is_jwt)
		return err_set(why, -EAGAIN,
		    "the token is opaque: its server alone can tell what it "
		    "is worth");
	code = check_times(token, at_s, why);
	if (code < 0)
		return code;
	source = source_of(trust, &token->claims, why);
	if (source == NULL)
		return why->code;
	/* Other keys come once a minute at most. */
	do {
		code = judge_by_keys(trust, source, token, why);
	} while (code == -ESTALE);
	return code;
}

int trust_judge(struct trust *trust, struct token *token, struct err *why)
{
	uint64_t now_s =
	    trust_is_configured(trust) ? clock_wall_s(trust->clock) : 0;

	return trust_judge_at(trust, token, now_s, why);
}

const char *trust_profile(struct trust *trust, const struct token *token)
{
	const char *profile;

	trust_enter(trust);
	profile = token->judgement.profile;
	trust_leave(trust);
	return profile;
}
