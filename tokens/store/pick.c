/* SPDX-License-Identifier: Apache-2.0 */
/* tokens/store/pick.c - see pick.h. */
#include "tokens/store/pick.h"

#include "base/clock.h"
#include "tokens/store/store.h"
#include "tokens/verify/trust.h"

#include <errno.h>

/* Worse ones first. */
enum rank {
	RANK_NOT_NOW, /* ended, or not begun */
	RANK_FALSE,   /* does not verify */
	RANK_REFUSED, /* by a server, for this path */
	RANK_OUTSIDE, /* its scope leaves the path out */
	RANK_UNSAID,  /* it does not say what it allows */
	RANK_COVERED,
	RANK_VERIFIED, /* the scope covers it, and is true */
};

static enum rank rank_of(struct tokens *tokens, struct token *token,
    const char *path, enum tokens_right right) REQUIRES(tokens_lock);
static enum rank rank_of(struct tokens *tokens, struct token *token,
    const char *path, enum tokens_right right)
{
	const struct proof_key key =
	    token_store_key(tokens, token, path, right);
	struct err unused = ERR_INIT;
	int code;

	if (token_phase_at(token, clock_wall_s(tokens->clock)) != TOKEN_GOOD)
		return RANK_NOT_NOW;
	code = trust_judge(tokens->trust, token, &unused);
	if (code == -EKEYREJECTED || code == -EKEYEXPIRED)
		return RANK_FALSE;
	if (path[0] == '\0')
		return RANK_COVERED;
	if (proof_refusal(tokens->proofs, &key) != 0)
		return RANK_REFUSED;
	switch (reach_of(&tokens->root, token, path, right)) {
	case REACH_NOT:
		return RANK_OUTSIDE;
	case REACH_COVERED:
		return code == 0 ? RANK_VERIFIED : RANK_COVERED;
	case REACH_UNSAID:
	case REACH_OTHER:
	default:
		return RANK_UNSAID;
	}
}

struct token *pick(struct tokens *tokens, const struct finding *finding,
    const char *path, enum tokens_right right)
{
	struct token *best = finding_first(finding);
	enum rank best_rank = RANK_NOT_NOW;

	if (finding->count < 2)
		return best;
	for (unsigned i = 0; i < finding->count; i++) {
		enum rank rank =
		    rank_of(tokens, finding->tokens[i], path, right);

		if (rank > best_rank) {
			best_rank = rank;
			best = finding->tokens[i];
		}
	}
	return best;
}
