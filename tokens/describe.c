/* SPDX-License-Identifier: Apache-2.0 */
/*
 * tokens/describe.c - the token in use, told to programs and to people.
 * Never its text.
 */
#include "tokens/describe.h"

#include "base/clock.h"
#include "tokens/door/skew.h"
#include "tokens/store/store.h"

#include <errno.h>
#include <inttypes.h>
#include <string.h>

static const char *state_of(const struct token *token, uint64_t now_s)
{
	if (token == NULL)
		return "missing";
	switch (token_phase_at(token, now_s)) {
	case TOKEN_EARLY:
		return "not_yet_valid";
	case TOKEN_ENDED:
		return "expired";
	case TOKEN_GOOD:
	default:
		return "valid";
	}
}

static void put_field(struct buf *out, const char *name, const char *text)
{
	(void)buf_printf(out, ",\"%s\":", name);
	(void)buf_json(out, text);
}

/* "expires_at" and "left_s"; null when the token does not say. */
static void put_end(struct buf *out, const struct token *token, uint64_t now_s)
{
	uint64_t end = token != NULL ? token->claims.expires_s : UINT64_MAX;
	char stamp[CLOCK_STAMP_BYTES];

	if (end == UINT64_MAX) {
		(void)buf_printf(out, ",\"expires_at\":null,\"left_s\":null");
		return;
	}
	clock_stamp(stamp, end);
	put_field(out, "expires_at", stamp);
	(void)buf_printf(
	    out, ",\"left_s\":%" PRIu64, end > now_s ? end - now_s : 0);
}

void describe_token(struct buf *out, const struct token *token, uint64_t now_s)
{
	static const struct jwt_claims silent;
	const struct jwt_claims *claims =
	    token != NULL ? &token->claims : &silent;

	(void)buf_printf(out, "{\"state\":\"%s\"", state_of(token, now_s));
	put_field(out, "kind", token != NULL ? token_kind(token) : NULL);
	put_field(out, "profile", token != NULL ? token_profile(token) : NULL);
	put_field(out, "source", token != NULL ? token_source(token) : NULL);
	put_field(out, "issuer", claims->issuer);
	put_field(out, "subject", claims->subject);
	put_field(out, "audience", claims->audience);
	put_field(out, "scope", claims->scope);
	put_end(out, token, now_s);
}

/* A finding: its first token, what is wrong, and the tokens behind it. */
static void put_finding(
    struct buf *out, const struct finding *now, uint64_t now_s)
{
	describe_token(out, finding_first(now), now_s);
	put_field(
	    out, "problem", now->problem.code != 0 ? now->problem.text : NULL);
	(void)buf_printf(out, ",\"others\":[");
	for (unsigned i = 1; i < now->count; i++) {
		(void)buf_printf(out, i > 1 ? "," : "");
		describe_token(out, now->tokens[i], now_s);
		(void)buf_printf(out, "}");
	}
	(void)buf_printf(out, "]");
}

/* The token for writing, where that has a place of its own. */
static bool copy_writing(struct tokens *tokens, struct finding *out)
{
	bool apart;

	token_store_enter(tokens);
	apart = tokens->writing != NULL;
	if (apart)
		finding_copy(out, &tokens->writing->now);
	token_store_leave(tokens);
	return apart;
}

int tokens_describe(
    struct tokens *tokens, const struct ident *ident, struct buf *out)
{
	struct finding now;
	uint64_t now_s = clock_wall_s(tokens->clock);

	token_store_copy(tokens, ident, &now);
	put_finding(out, &now, now_s);
	finding_fini(&now);
	(void)buf_printf(out, ",\"writing\":");
	if (copy_writing(tokens, &now)) {
		put_finding(out, &now, now_s);
		(void)buf_printf(out, "}");
		finding_fini(&now);
	} else {
		(void)buf_printf(out, "null");
	}
	(void)buf_printf(out, "}");
	return buf_code(out);
}

/* "12 min", "3 h 5 min", "40 s". */
static void put_duration(struct buf *out, uint64_t seconds)
{
	if (seconds >= 172800)
		(void)buf_printf(out, "%" PRIu64 " days", seconds / 86400);
	else if (seconds >= 3600)
		(void)buf_printf(out, "%" PRIu64 " h %" PRIu64 " min",
		    seconds / 3600, seconds / 60 % 60);
	else if (seconds >= 60)
		(void)buf_printf(out, "%" PRIu64 " min", seconds / 60);
	else
		(void)buf_printf(out, "%" PRIu64 " s", seconds);
}

static void put_text(struct buf *out, const char *label, const char *text)
{
	if (text == NULL)
		return;
	(void)buf_printf(out, "  %s: ", label);
	(void)buf_visible(out, text);
	(void)buf_append(out, "\n", 1);
}

static void put_kind(struct buf *out, const struct token *token)
{
	const char *profile = token_profile(token);

	if (token->claims.is_jwt)
		(void)buf_printf(out, "  kind: JWT%s%s\n",
		    profile != NULL ? ", " : "",
		    profile != NULL ? profile : "");
	else
		(void)buf_printf(out, "  kind: %s%s%s\n", token_kind(token),
		    profile != NULL ? " " : "", profile != NULL ? profile : "");
}

static void put_state(
    struct buf *out, const struct token *token, uint64_t now_s)
{
	char stamp[CLOCK_STAMP_BYTES];

	switch (token_phase_at(token, now_s)) {
	case TOKEN_ENDED:
		clock_stamp(stamp, token->claims.expires_s);
		(void)buf_printf(out, "token: ended at %s\n", stamp);
		return;
	case TOKEN_EARLY:
		clock_stamp(stamp, token_begins_s(token));
		(void)buf_printf(out, "token: not valid before %s\n", stamp);
		return;
	case TOKEN_GOOD:
	default:
		break;
	}
	if (token->claims.expires_s == UINT64_MAX) {
		(void)buf_printf(out,
		    "token: in use; it does not say when "
		    "it ends\n");
		return;
	}
	(void)buf_printf(out, "token: valid for ");
	put_duration(out, token->claims.expires_s - now_s);
	(void)buf_append(out, "\n", 1);
}

void describe_token_text(
    struct buf *out, const struct token *token, uint64_t now_s)
{
	if (token == NULL) {
		(void)buf_printf(out, "token: none\n");
		return;
	}
	put_state(out, token, now_s);
	put_kind(out, token);
	put_text(out, "from", token_source(token));
	put_text(out, "issuer", token->claims.issuer);
	put_text(out, "subject", token->claims.subject);
	put_text(out, "audience", token->claims.audience);
	put_text(out, "scope", token->claims.scope);
}

static void put_finding_text(
    struct buf *out, const struct finding *now, uint64_t now_s)
{
	if (now->count == 0)
		describe_token_text(out, NULL, now_s);
	for (unsigned i = 0; i < now->count; i++)
		describe_token_text(out, now->tokens[i], now_s);
	if (now->problem.code != 0)
		put_text(out, "problem", now->problem.text);
}

int tokens_describe_text(
    struct tokens *tokens, const struct ident *ident, struct buf *out)
{
	struct finding now;
	uint64_t now_s = clock_wall_s(tokens->clock);

	token_store_copy(tokens, ident, &now);
	put_finding_text(out, &now, now_s);
	finding_fini(&now);
	if (copy_writing(tokens, &now)) {
		(void)buf_printf(out, "for writing, ");
		put_finding_text(out, &now, now_s);
		finding_fini(&now);
	}
	return buf_code(out);
}

int tokens_source(struct tokens *tokens, struct buf *out)
{
	struct finding now;
	const struct token *token;
	int code = -ENOKEY;

	token_store_copy(tokens, NULL, &now);
	token = finding_first(&now);
	if (token != NULL)
		code = buf_append(
		    out, token_source(token), strlen(token_source(token)));
	finding_fini(&now);
	return code;
}

int tokens_state(struct tokens *tokens, struct err *err)
{
	const struct purse *purse;
	uint64_t now_s = clock_wall_s(tokens->clock);
	int code = -ENOKEY;

	token_store_enter(tokens);
	purse = token_store_purse(tokens, NULL, TOKENS_READ);
	if (purse != NULL)
		code = purse_code(purse, now_s);
	if (purse != NULL && code < 0) {
		purse_explain(&purse->now, code, now_s, err);
		skew_add(tokens, err);
	}
	token_store_leave(tokens);
	return code;
}
