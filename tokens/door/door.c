/* SPDX-License-Identifier: Apache-2.0 */
/*
 * tokens/door/door.c - what a token opens: the rule for cached bytes, names and
 * attributes. The order of the rules is that of tokens_door().
 *
 * A claim of a token is believed for a grant when the token verifies against
 * what was configured, never otherwise.
 */
#include "base/clock.h"
#include "tokens/door/skew.h"
#include "tokens/store/pick.h"
#include "tokens/store/store.h"
#include "tokens/verify/trust.h"

#include <errno.h>

static bool has_ended(const struct tokens *tokens, const struct token *token)
{
	return token_phase_at(token, clock_wall_s(tokens->clock)) ==
	    TOKEN_ENDED;
}

/* What is wanted of a path. */
struct wish {
	const char *path;
	enum tokens_right right;
};

/* What servers said of a token whose signature and scopes do not decide. */
static int by_servers(struct tokens *tokens, const struct token *token,
    const struct proof_key *key, bool proof, bool *ask, struct err *why)
    REQUIRES(tokens_lock);
static int by_servers(struct tokens *tokens, const struct token *token,
    const struct proof_key *key, bool proof, bool *ask, struct err *why)
{
	int status = proof_refusal(tokens->proofs, key);

	*ask = status != 0;
	/* Of one that has ended by now the verdict would be just that. */
	if (status != 0 && has_ended(tokens, token))
		return -EACCES;
	if (status != 0)
		return tokens_verdict(
		    tokens, token, key->path, key->right, status, why);
	if (!proof ||
	    proof_granted(tokens->proofs, key, clock_now_ms(tokens->clock)))
		return 0;
	*ask = true;
	return -EAGAIN;
}

/* The rules for a token that has begun and has not ended, at a time of the
 * wall clock. */
static int judge_at(struct tokens *tokens, struct token *token,
    const struct wish *wish, uint64_t at_s, bool *ask, struct err *why)
    REQUIRES(tokens_lock);
static int judge_at(struct tokens *tokens, struct token *token,
    const struct wish *wish, uint64_t at_s, bool *ask, struct err *why)
{
	const struct proof_key key =
	    token_store_key(tokens, token, wish->path, wish->right);
	bool proof = tokens->shared;
	int code = trust_judge_at(tokens->trust, token, at_s, why);

	if (code == -EKEYEXPIRED || code == -EKEYREJECTED)
		return code;
	*why = (struct err)ERR_INIT;
	if (code != 0) {
		proof = proof || trust_is_configured(tokens->trust);
		return by_servers(tokens, token, &key, proof, ask, why);
	}
	switch (reach_of(&tokens->root, token, wish->path, wish->right)) {
	case REACH_NOT:
		return reach_explain(
		    &tokens->root, token, wish->path, wish->right, why);
	case REACH_COVERED:
		proof = false;
		break;
	case REACH_UNSAID:
	case REACH_OTHER:
	default:
		break;
	}
	return by_servers(tokens, token, &key, proof, ask, why);
}

static int judge(struct tokens *tokens, struct token *token, const char *path,
    enum tokens_right right, bool *ask, struct err *why) REQUIRES(tokens_lock);
static int judge(struct tokens *tokens, struct token *token, const char *path,
    enum tokens_right right, bool *ask, struct err *why)
{
	const struct wish wish = {path, right};

	return judge_at(
	    tokens, token, &wish, clock_wall_s(tokens->clock), ask, why);
}

/* The door, and why it is shut. */
static int door(struct tokens *tokens, const struct ident *ident,
    const char *path, enum tokens_right right, bool *ask, struct err *why)
{
	uint64_t now_s = clock_wall_s(tokens->clock);
	struct purse *purse;
	struct token *token;
	int code = -ENOKEY;

	token_store_enter(tokens);
	purse = token_store_open_purse(tokens, ident, right, why);
	if (purse != NULL) {
		token_store_use(tokens, purse);
		token = pick(tokens, &purse->now, path, right);
		if (token != NULL)
			code = token_phase_at(token, now_s) == TOKEN_GOOD
			    ? judge(tokens, token, path, right, ask, why)
			    : -EKEYEXPIRED;
		if ((code == -ENOKEY || code == -EKEYEXPIRED) && why->code == 0)
			purse_explain(&purse->now, code, now_s, why);
	}
	skew_add(tokens, why);
	token_store_leave(tokens);
	return code;
}

bool door_gave(struct tokens *tokens, const struct ident *ident,
    const char *path, enum tokens_right right, int code, struct err *why)
{
	uint64_t now_s = clock_wall_s(tokens->clock);
	const struct purse *purse;
	bool found = false;

	token_store_enter(tokens);
	purse = token_store_purse(tokens, ident, right);
	for (unsigned i = 0; purse != NULL && i < purse->now.count && !found;
	     i++) {
		struct token *token = purse->now.tokens[i];
		bool unused;

		*why = (struct err)ERR_INIT;
		found = token_phase_at(token, now_s) == TOKEN_GOOD &&
		    judge(tokens, token, path, right, &unused, why) == code;
	}
	skew_add(tokens, why);
	token_store_leave(tokens);
	return found;
}

int tokens_door(struct tokens *tokens, const struct ident *ident,
    const char *path, enum tokens_right right, bool *ask)
{
	struct err unused = ERR_INIT;
	bool asks = false;
	int code = door(tokens, ident, path, right, &asks, &unused);

	if (ask != NULL)
		*ask = asks;
	return code;
}

/* The door as it was in the last second of a token that has ended. */
static int door_at_end(struct tokens *tokens, struct token *token,
    const char *path, enum tokens_right right, uint64_t grace_s, bool *ask)
    REQUIRES(tokens_lock);
static int door_at_end(struct tokens *tokens, struct token *token,
    const char *path, enum tokens_right right, uint64_t grace_s, bool *ask)
{
	const struct wish wish = {path, right};
	uint64_t end_s = token->claims.expires_s;
	struct err unused = ERR_INIT;

	*ask = false;
	if (!has_ended(tokens, token) || end_s == 0 ||
	    clock_wall_s(tokens->clock) - end_s >= grace_s ||
	    token_phase_at(token, end_s - 1) != TOKEN_GOOD)
		return -EKEYEXPIRED;
	return judge_at(tokens, token, &wish, end_s - 1, ask, &unused);
}

int tokens_door_ended(struct tokens *tokens, const struct ident *ident,
    const char *path, enum tokens_right right, uint64_t grace_s, bool *ask)
{
	const struct purse *purse;
	int best = -EKEYEXPIRED;

	*ask = false;
	token_store_enter(tokens);
	purse = token_store_purse(tokens, ident, right);
	for (unsigned i = 0; purse != NULL && i < purse->now.count && best != 0;
	     i++) {
		bool asks;
		int code = door_at_end(
		    tokens, purse->now.tokens[i], path, right, grace_s, &asks);

		if (code == 0 || best == -EKEYEXPIRED) {
			best = code;
			*ask = asks;
		}
	}
	token_store_leave(tokens);
	return best;
}

int tokens_may(struct tokens *tokens, const struct ident *ident,
    const char *path, enum tokens_right right, struct err *why)
{
	bool asks = false;
	struct err unused = ERR_INIT;

	return door(
	    tokens, ident, path, right, &asks, why != NULL ? why : &unused);
}
