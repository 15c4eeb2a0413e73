/* SPDX-License-Identifier: Apache-2.0 */
/*
 * tokens/door.c - what a token opens: the rule for cached bytes, names and
 * attributes, what servers said, what a refusal means, which names lead to a
 * token's scopes. The order of the rules is that of tokens_door().
 *
 * A claim of a token is believed for a grant when the token verifies against
 * what was configured, never otherwise. What a claim of an unverified token
 * says is told to people and shown as names to the very caller who holds it.
 */
#include "base/clock.h"
#include "base/log.h"
#include "tokens/store.h"
#include "tokens/verify/trust.h"

#include <assert.h>
#include <errno.h>
#include <inttypes.h>

enum { PROOF_MS = 120 * 1000 };

/* XRootD answers 403 to everything, others tell 401 and 403 apart. */
static int code_of_status(int status)
{
	return status == 401 ? -EKEYREJECTED : -EACCES;
}

static const char *base_path_of(const struct tokens *tokens,
    const struct token *token, const struct scope_list *list)
{
	if (token->claims.is_macaroon)
		return "/"; /* its paths are the server's */
	return tokens->base_path != NULL
	    ? tokens->base_path
	    : scope_guess_base(list, tokens->source_path);
}

/* What a token's own scopes say of a path. */
enum reach {
	REACH_UNSAID, /* no scope is about files, or they are too many */
	REACH_COVERED,
	REACH_OTHER, /* of TOKENS_LOOK: another right covers it */
	REACH_NOT,
};

static enum reach reach_in(const struct scope_list *list, const char *base,
    enum tokens_right right, const char *path)
{
	if (list->count == 0 && list->bad_count == 0)
		return REACH_UNSAID;
	if (right != TOKENS_LOOK)
		return scope_allows(list, base, right, path) ? REACH_COVERED
		                                             : REACH_NOT;
	if (scope_allows(list, base, TOKENS_READ, path))
		return REACH_COVERED;
	return scope_allows(list, base, TOKENS_CREATE, path) ||
	        scope_allows(list, base, TOKENS_MODIFY, path)
	    ? REACH_OTHER
	    : REACH_NOT;
}

static enum reach reach_of(const struct tokens *tokens,
    const struct token *token, const char *path, enum tokens_right right)
{
	struct scope_list list;
	enum reach reach;

	if (token->claims.scope == NULL ||
	    scope_list_parse(&list, token->claims.scope) < 0)
		return REACH_UNSAID;
	reach =
	    reach_in(&list, base_path_of(tokens, token, &list), right, path);
	scope_list_fini(&list);
	return reach;
}

/* What servers said of a token whose signature and scopes do not decide. */
static int by_servers(const struct tokens *tokens, const struct proof_key *key,
    bool proof, bool *ask) REQUIRES(tokens_lock);
static int by_servers(const struct tokens *tokens, const struct proof_key *key,
    bool proof, bool *ask)
{
	int status = proof_refusal(tokens->proofs, key);

	if (status != 0) {
		*ask = true;
		return code_of_status(status);
	}
	if (!proof ||
	    proof_granted(tokens->proofs, key, clock_now_ms(tokens->clock)))
		return 0;
	*ask = true;
	return -EAGAIN;
}

/* The rules for a token that has begun and has not ended. */
static int judge(struct tokens *tokens, struct token *token, const char *path,
    enum tokens_right right, bool *ask, struct err *why) REQUIRES(tokens_lock);
static int judge(struct tokens *tokens, struct token *token, const char *path,
    enum tokens_right right, bool *ask, struct err *why)
{
	const struct proof_key key = {
	    .token_id = token->id, .right = right, .path = path};
	int code = trust_judge(tokens->trust, token, why);

	if (code == -EKEYEXPIRED || code == -EKEYREJECTED)
		return code;
	*why = (struct err)ERR_INIT;
	if (code != 0)
		return by_servers(tokens, &key,
		    tokens->shared || trust_is_configured(tokens->trust), ask);
	switch (reach_of(tokens, token, path, right)) {
	case REACH_NOT:
		return err_set(why, -EACCES,
		    "the token's scope '%.160s' does not cover this path; get "
		    "a token that does",
		    token->claims.scope);
	case REACH_COVERED:
		*ask = proof_refusal(tokens->proofs, &key) != 0;
		return *ask ? -EKEYREJECTED : 0;
	case REACH_UNSAID:
	case REACH_OTHER:
	default:
		return by_servers(tokens, &key, tokens->shared, ask);
	}
}

/* The token that this caller would be given for this. */
static struct token *token_of(struct tokens *tokens, const struct ident *ident)
    REQUIRES(tokens_lock);
static struct token *token_of(struct tokens *tokens, const struct ident *ident)
{
	(void)ident;
	return finding_first(&tokens->now);
}

/* One line of a refusal, unless it was told lately. A directory above the
 * token's reach is shown with the names that lead on: that is no refusal. */
static void tell(struct tokens *tokens, const struct ident *ident,
    const char *path, const struct err *why)
{
	uint64_t untold = 0;
	bool told;

	if (why->code == -EACCES &&
	    tokens_reach(tokens, ident, path, NULL, NULL) > 0)
		return;
	token_store_enter(tokens);
	told = refusals_tell(&tokens->refusals, path, why->code,
	    clock_now_ms(tokens->clock), &untold);
	token_store_leave(tokens);
	if (told)
		log_line(LOG_LEVEL_WARN, LOG_TOKENS, "refused",
		    "path=%s errno=%s untold=%" PRIu64 " why=%s",
		    LOG_TEXT(path), err_name(why->code), untold,
		    LOG_TEXT(why->text));
}

/* The door, and why it is shut where that is known here. */
static int door(struct tokens *tokens, const struct ident *ident,
    const char *path, enum tokens_right right, bool *ask, struct err *why)
{
	struct token *token;
	int code = -ENOKEY;

	token_store_enter(tokens);
	token_store_nudge(tokens);
	token = token_of(tokens, ident);
	if (token != NULL)
		code = token_phase_at(token, clock_wall_s(tokens->clock)) ==
		        TOKEN_GOOD
		    ? judge(tokens, token, path, right, ask, why)
		    : -EKEYEXPIRED;
	token_store_leave(tokens);
	return code;
}

int tokens_door(struct tokens *tokens, const struct ident *ident,
    const char *path, enum tokens_right right, bool *ask)
{
	struct err why = ERR_INIT;
	bool asks = false;
	int code = door(tokens, ident, path, right, &asks, &why);

	if (why.code != 0)
		tell(tokens, ident, path, &why);
	if (ask != NULL)
		*ask = asks;
	return code;
}

int tokens_may(struct tokens *tokens, const struct ident *ident,
    const char *path, enum tokens_right right, struct err *why)
{
	bool asks = false;
	struct err unused = ERR_INIT;

	return door(
	    tokens, ident, path, right, &asks, why != NULL ? why : &unused);
}

/* A proof lasts this long and no longer than the token. */
static uint64_t proven_until_ms(
    const struct tokens *tokens, const struct token *token)
{
	uint64_t now_ms = clock_now_ms(tokens->clock);
	uint64_t now_s = clock_wall_s(tokens->clock);
	uint64_t end_s = token->claims.expires_s;

	if (end_s <= now_s)
		return 0;
	return now_ms +
	    (end_s - now_s < PROOF_MS / 1000 ? (end_s - now_s) * 1000
	                                     : PROOF_MS);
}

void tokens_report(struct tokens *tokens, const struct token *token,
    const char *path, enum tokens_right right, int status)
{
	const struct proof_key key = {
	    .token_id = token->id, .right = right, .path = path};
	bool grants = tokens->shared || trust_is_configured(tokens->trust);

	token_store_enter(tokens);
	proof_note(tokens->proofs, &key, status,
	    grants ? proven_until_ms(tokens, token) : 0);
	token_store_leave(tokens);
}

static const char *word_of(enum tokens_right right)
{
	switch (right) {
	case TOKENS_READ:
		return "reading";
	case TOKENS_LOOK:
		return "looking at";
	case TOKENS_CREATE:
		return "creating";
	case TOKENS_MODIFY:
	default:
		return "changing";
	}
}

/* The code of a refusal; `why` gets a sentence when it does not verify. */
static int verdict_code(struct tokens *tokens, const struct token *token,
    enum reach reach, int status, struct err *why)
{
	/* What a trust has thought of a token is not part of the token. */
	int code =
	    trust_judge(tokens->trust, (struct token *)(uintptr_t)token, why);

	if (code == -EKEYREJECTED || code == -EKEYEXPIRED)
		return code;
	*why = (struct err)ERR_INIT;
	if (code == 0 && reach == REACH_NOT)
		return -EACCES;
	if (code == 0 && reach == REACH_COVERED)
		return -EKEYREJECTED;
	return code_of_status(status);
}

static int verdict(struct tokens *tokens, const struct token *token,
    const char *path, enum tokens_right right, int status, struct err *err)
{
	enum reach reach = reach_of(tokens, token, path, right);
	char stamp[CLOCK_STAMP_BYTES];
	struct err why = ERR_INIT;
	int code;

	if (token_phase_at(token, clock_wall_s(tokens->clock)) == TOKEN_ENDED) {
		clock_stamp(stamp, token->claims.expires_s);
		return err_set(err, -EKEYEXPIRED,
		    "the server refused '%s' (HTTP %d): the token ended at "
		    "%s; get a new one",
		    path, status, stamp);
	}
	code = verdict_code(tokens, token, reach, status, &why);
	if (why.code != 0)
		return err_set(err, code,
		    "the server refused '%s' (HTTP %d): %s", path, status,
		    why.text);
	if (reach == REACH_NOT)
		return err_set(err, code,
		    "the server refused %s '%s' (HTTP %d): the token's scope "
		    "'%.160s' does not cover it; get a token that does",
		    word_of(right), path, status, token->claims.scope);
	if (code == -EKEYREJECTED)
		return err_set(err, code,
		    "the server refused the token for '%s' (HTTP %d); see "
		    "that its issuer and audience are the server's, or get a "
		    "new one",
		    path, status);
	return err_set(err, code,
	    "the server allows this token no %s of '%s' (HTTP %d); get a "
	    "token whose scope covers it, of the issuer that the server "
	    "trusts",
	    word_of(right), path, status);
}

int tokens_verdict(struct tokens *tokens, const struct token *token,
    const char *path, enum tokens_right right, int status, struct err *err)
{
	int code = verdict(tokens, token, path, right, status, err);

	tell(tokens, NULL, path, err);
	return code;
}

/* A token whose names may lead its holder: where users share a mount, not one
 * that is known to be false. */
static struct token *leader(struct tokens *tokens, const struct ident *ident)
{
	struct err why = ERR_INIT;
	struct token *token;

	token_store_enter(tokens);
	token = token_of(tokens, ident);
	if (token != NULL && tokens->shared &&
	    trust_judge(tokens->trust, token, &why) == -EKEYREJECTED)
		token = NULL;
	if (token != NULL)
		(void)token_get(token);
	token_store_leave(tokens);
	return token;
}

unsigned tokens_reach(struct tokens *tokens, const struct ident *ident,
    const char *path, void (*name)(void *arg, const char *name), void *arg)
{
	struct token *token = leader(tokens, ident);
	struct scope_list list;
	unsigned count = 0;

	/* Without memory, or with more scopes than any token has, no name is
	 * shown; a path that is named still works. */
	if (token != NULL &&
	    scope_list_parse(&list, token->claims.scope) == 0) {
		count = scope_reach(
		    &list, base_path_of(tokens, token, &list), path, name, arg);
		scope_list_fini(&list);
	}
	token_put(token);
	return count;
}
