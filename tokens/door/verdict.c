/* SPDX-License-Identifier: Apache-2.0 */
/*
 * tokens/door/verdict.c - what a server said of a token: remembered for the door,
 * and what it means for the program that called.
 */
#include "base/clock.h"
#include "tokens/door/skew.h"
#include "tokens/store/store.h"
#include "tokens/verify/trust.h"

#include <errno.h>

enum { PROOF_MS = 120 * 1000 };

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
	const struct proof_key key =
	    token_store_key(tokens, token, path, right);
	bool grants = tokens->shared || trust_is_configured(tokens->trust);

	token_store_enter(tokens);
	proof_note(tokens->proofs, &key, status,
	    grants ? proven_until_ms(tokens, token) : 0);
	token_store_leave(tokens);
}

/* XRootD answers 403 to everything, others tell the two apart. */
static int code_of_status(int status)
{
	return status == 401 ? -EKEYREJECTED : -EACCES;
}

static const char *word_of(enum tokens_right right)
{
	switch (right) {
	case TOKENS_READ:
		return "reading";
	case TOKENS_LOOK:
		return "looking at";
	case TOKENS_LIST:
		return "listing";
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

/* By what its scope says, which is only guessed at. */
static void say_outside(struct tokens *tokens, const struct token *token,
    const char *path, enum tokens_right right, int status, struct err *err)
{
	struct err outside = ERR_INIT;

	(void)reach_explain(&tokens->root, token, path, right, &outside);
	(void)err_set(err, outside.code,
	    "the server refused %s '%s' (HTTP %d): %s", word_of(right), path,
	    status, outside.text);
}

int tokens_verdict(struct tokens *tokens, const struct token *token,
    const char *path, enum tokens_right right, int status, struct err *err)
{
	enum reach reach = reach_of(&tokens->root, token, path, right);
	char stamp[CLOCK_STAMP_BYTES];
	struct err why = ERR_INIT;
	int code;

	if (token_phase_at(token, clock_wall_s(tokens->clock)) == TOKEN_ENDED) {
		clock_stamp(stamp, token->claims.expires_s);
		(void)err_set(err, -EKEYEXPIRED,
		    "the server refused '%s' (HTTP %d): the token ended at "
		    "%s; get a new one",
		    path, status, stamp);
		skew_add(tokens, err);
		return err->code;
	}
	code = verdict_code(tokens, token, reach, status, &why);
	if (why.code != 0)
		return err_set(err, code,
		    "the server refused '%s' (HTTP %d): %s", path, status,
		    why.text);
	if (skew_explains(tokens, token, &why))
		return err_set(err, code,
		    "the server refused the token for '%s' (HTTP %d): %s", path,
		    status, why.text);
	if (reach == REACH_NOT) {
		say_outside(tokens, token, path, right, status, err);
		return err->code = code;
	}
	if (token->is_cut)
		return err_set(err, code,
		    "the server refused the token for '%s' (HTTP %d): it "
		    "begins as a JWT and is none, cut short or garbled; write "
		    "it to '%s' again",
		    path, status, token_source(token));
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
