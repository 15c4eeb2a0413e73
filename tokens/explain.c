/* SPDX-License-Identifier: Apache-2.0 */
/*
 * tokens/explain.c - what a token means for one path, for a person who asks
 * why it gives what it gives.
 */
#include "base/clock.h"
#include "tokens/describe.h"
#include "tokens/store/pick.h"
#include "tokens/store/store.h"

/* What goes with a request for a path, and what is wrong besides. */
struct used {
	struct token *token; /* a reference; NULL: none */
	struct err problem;
};

static void take(struct tokens *tokens, const struct ident *ident,
    const char *path, enum tokens_right right, struct used *out)
{
	const struct purse *purse;

	*out = (struct used){.token = NULL};
	token_store_enter(tokens);
	purse = token_store_purse(tokens, ident, right);
	if (purse != NULL) {
		out->token = pick(tokens, &purse->now, path, right);
		out->problem = purse->now.problem;
	}
	if (out->token != NULL)
		(void)token_get(out->token);
	token_store_leave(tokens);
}

void tokens_explain(struct tokens *tokens, const struct ident *ident,
    const char *path, enum tokens_right right, struct tokens_explained *out)
{
	struct used used;

	*out = (struct tokens_explained){.code = 0};
	(void)!tokens_door(tokens, ident, path, right, &out->ask);
	out->code = tokens_may(tokens, ident, path, right, &out->why);
	take(tokens, ident, path, right, &used);
	out->outside = used.token != NULL &&
	    reach_of(&tokens->root, used.token, path, right) == REACH_NOT;
	if (used.token == NULL ||
	    !reach_needed(&tokens->root, used.token, path, right, out->needed))
		out->needed[0] = '\0';
	token_put(used.token);
}

int tokens_describe_used(struct tokens *tokens, const struct ident *ident,
    const char *path, enum tokens_right right, struct buf *out)
{
	struct used used;

	take(tokens, ident, path, right, &used);
	describe_token(out, used.token, clock_wall_s(tokens->clock));
	(void)buf_printf(out, ",\"problem\":");
	(void)buf_json(out, used.problem.code != 0 ? used.problem.text : NULL);
	(void)buf_append(out, "}", 1);
	token_put(used.token);
	return buf_code(out);
}

int tokens_describe_used_text(struct tokens *tokens, const struct ident *ident,
    const char *path, enum tokens_right right, struct buf *out)
{
	struct used used;

	take(tokens, ident, path, right, &used);
	describe_token_text(out, used.token, clock_wall_s(tokens->clock));
	token_put(used.token);
	return buf_code(out);
}
