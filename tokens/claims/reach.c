/* SPDX-License-Identifier: Apache-2.0 */
/* tokens/claims/reach.c - see reach.h. */
#include "tokens/claims/reach.h"

#include "base/path.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

const char *reach_base(const struct reach_root *root, const struct token *token)
{
	if (token->claims.is_macaroon)
		return "/"; /* its paths are the server's */
	return root->base_path != NULL
	    ? root->base_path
	    : scope_guess_base(&token->scopes, root->source_path);
}

enum reach reach_of(const struct reach_root *root, const struct token *token,
    const char *path, enum tokens_right right)
{
	const struct scope_list *list = &token->scopes;
	const char *base = reach_base(root, token);

	if (list->count == 0 && list->bad_count == 0)
		return REACH_UNSAID;
	if (right != TOKENS_LOOK && right != TOKENS_LIST)
		return scope_allows(list, base, right, path) ? REACH_COVERED
		                                             : REACH_NOT;
	if (scope_allows(list, base, TOKENS_READ, path))
		return REACH_COVERED;
	return scope_allows(list, base, TOKENS_CREATE, path) ||
	        scope_allows(list, base, TOKENS_MODIFY, path)
	    ? REACH_OTHER
	    : REACH_NOT;
}

/* The word that this right has in the vocabulary of a claim: the WLCG
 * profile's when that is used, else that of SciTokens. */
static const char *word_of(const char *claim, enum tokens_right right)
{
	bool wlcg = strstr(claim, "storage.") != NULL;

	switch (right) {
	case TOKENS_CREATE:
		return wlcg ? "storage.create" : "write";
	case TOKENS_MODIFY:
		return wlcg ? "storage.modify" : "write";
	case TOKENS_READ:
	case TOKENS_LOOK:
	case TOKENS_LIST:
	default:
		return wlcg ? "storage.read" : "read";
	}
}

/* The path as the token's scopes would name it, borrowed from `path`; NULL:
 * they cannot. */
static const char *in_scopes(
    const struct reach_root *root, const struct token *token, const char *path)
{
	return token->has_too_many_scopes
	    ? NULL
	    : scope_path(reach_base(root, token), path);
}

bool reach_needed(const struct reach_root *root, const struct token *token,
    const char *path, enum tokens_right right, char out[TOKENS_SCOPE_BYTES])
{
	const char *wanted;
	int n;

	if (reach_of(root, token, path, right) == REACH_UNSAID)
		return false;
	wanted = in_scopes(root, token, path);
	if (wanted == NULL)
		return false;
	n = snprintf(out, TOKENS_SCOPE_BYTES, "%s:%s",
	    word_of(token->claims.scope, right), wanted);
	return n > 0 && n < TOKENS_SCOPE_BYTES;
}

int reach_explain(const struct reach_root *root, const struct token *token,
    const char *path, enum tokens_right right, struct err *err)
{
	const char *claim = token->claims.scope;
	const char *wanted = in_scopes(root, token, path);

	if (wanted == NULL)
		return err_set(err, -EACCES,
		    "the token's scope '%.160s' does not cover this path, "
		    "which lies outside of what its issuer can allow; get a "
		    "token of another issuer",
		    claim);
	return err_set(err, -EACCES,
	    "the token's scope '%.160s' does not cover this path; get a token "
	    "that does: with '%s:%.160s', or a directory above",
	    claim, word_of(claim, right), wanted);
}

unsigned reach_names(const struct reach_root *root, const struct token *token,
    const char *path, void (*name)(void *arg, const char *name), void *arg)
{
	return scope_reach(
	    &token->scopes, reach_base(root, token), path, name, arg);
}
