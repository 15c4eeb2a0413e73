/* SPDX-License-Identifier: Apache-2.0 */
/*
 * tokens/door.c - what a token opens: the rule for cached bytes, what servers
 * said, what a refusal means, which names lead to a token's scopes.
 *
 * The rule here is the single-user mount's: the cache belongs to the very
 * user who may read it, so no claim is believed for a grant and the one who
 * asks is not told apart.
 */
#include "base/clock.h"
#include "tokens/store.h"

#include <assert.h>
#include <errno.h>

/* XRootD answers 403 to everything, others tell 401 and 403 apart. */
static int code_of_status(int status)
{
	return status == 401 ? -EKEYREJECTED : -EACCES;
}

int tokens_may(struct tokens *tokens, const struct ident *ident,
    const char *path, enum tokens_right right)
{
	int code;

	(void)ident;
	token_store_enter(tokens);
	token_store_nudge(tokens);
	code = token_store_code(tokens);
	if (code == 0) {
		int status = proof_refusal(
		    tokens->proofs, tokens->now.token->id, path, right);

		if (status != 0)
			code = code_of_status(status);
	}
	token_store_leave(tokens);
	return code;
}

void tokens_report(struct tokens *tokens, const struct token *token,
    const char *path, enum tokens_right right, int status)
{
	token_store_enter(tokens);
	proof_note(tokens->proofs, token->id, path, right, status);
	token_store_leave(tokens);
}

static const char *base_path_of(
    const struct tokens *tokens, const struct scope_list *list)
{
	return tokens->base_path != NULL
	    ? tokens->base_path
	    : scope_guess_base(list, tokens->source_path);
}

/* Whether the token itself says that the path is out of its reach. */
static bool says_no(const struct tokens *tokens, const struct token *token,
    const char *path, enum tokens_right right)
{
	struct scope_list list;
	bool no;

	if (token->claims.scope == NULL ||
	    scope_list_parse(&list, token->claims.scope) < 0)
		return false;
	no = list.count > 0 &&
	    !scope_allows(&list, base_path_of(tokens, &list), right, path);
	scope_list_fini(&list);
	return no;
}

static const char *word_of(enum tokens_right right)
{
	switch (right) {
	case TOKENS_READ:
		return "reading";
	case TOKENS_CREATE:
		return "creating";
	case TOKENS_MODIFY:
	default:
		return "changing";
	}
}

int tokens_verdict(struct tokens *tokens, const struct token *token,
    const char *path, enum tokens_right right, int status, struct err *err)
{
	int code = code_of_status(status);
	char stamp[CLOCK_STAMP_BYTES];

	if (token_phase_at(token, clock_wall_s(tokens->clock)) == TOKEN_ENDED) {
		clock_stamp(stamp, token->claims.expires_s);
		return err_set(err, -EKEYEXPIRED,
		    "the server refused '%s' (HTTP %d): the token ended at "
		    "%s; get a new one",
		    path, status, stamp);
	}
	if (says_no(tokens, token, path, right))
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

unsigned tokens_reach(struct tokens *tokens, const struct ident *ident,
    const char *path, void (*name)(void *arg, const char *name), void *arg)
{
	struct finding now;
	struct scope_list list;
	unsigned count = 0;

	(void)ident;
	token_store_copy(tokens, &now);
	if (now.token == NULL)
		return 0;
	/* Without memory, or with more scopes than any token has, no name is
	 * shown; a path that is named still works. */
	if (scope_list_parse(&list, now.token->claims.scope) == 0) {
		count = scope_reach(
		    &list, base_path_of(tokens, &list), path, name, arg);
		scope_list_fini(&list);
	}
	token_put(now.token);
	return count;
}
