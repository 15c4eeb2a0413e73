/* SPDX-License-Identifier: Apache-2.0 */
/*
 * tokens/door.c - what a token opens: the rule for cached bytes, names and
 * attributes. The order of the rules is that of tokens_door().
 *
 * A claim of a token is believed for a grant when the token verifies against
 * what was configured, never otherwise.
 */
#include "base/clock.h"
#include "tokens/pick.h"
#include "tokens/refuse.h"
#include "tokens/store.h"
#include "tokens/verify/trust.h"

#include <errno.h>

/* What servers said of a token whose signature and scopes do not decide. */
static int by_servers(const struct tokens *tokens, const struct proof_key *key,
    bool proof, bool *ask) REQUIRES(tokens_lock);
static int by_servers(const struct tokens *tokens, const struct proof_key *key,
    bool proof, bool *ask)
{
	int status = proof_refusal(tokens->proofs, key);

	if (status != 0) {
		*ask = true;
		return refuse_code(status);
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
	switch (reach_of(&tokens->root, token, path, right)) {
	case REACH_NOT:
		return reach_explain(&tokens->root, token, path, right, why);
	case REACH_COVERED:
		*ask = proof_refusal(tokens->proofs, &key) != 0;
		return *ask ? -EKEYREJECTED : 0;
	case REACH_UNSAID:
	case REACH_OTHER:
	default:
		return by_servers(tokens, &key, tokens->shared, ask);
	}
}

/* The door, and why it is shut where that is known here. */
static int door(struct tokens *tokens, const struct ident *ident,
    const char *path, enum tokens_right right, bool *ask, struct err *why)
{
	struct err unused = ERR_INIT;
	struct purse *purse;
	struct token *token = NULL;
	int code = -ENOKEY;

	token_store_enter(tokens);
	/* Who has no purse is told why when they wait for a token. */
	purse = token_store_open_purse(tokens, ident, right, &unused);
	if (purse != NULL) {
		token_store_use(tokens, purse);
		token = pick(tokens, &purse->now, path, right);
	}
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
		refuse_tell(tokens, ident, path, &why);
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
