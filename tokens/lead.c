/* SPDX-License-Identifier: Apache-2.0 */
/*
 * tokens/lead.c - which names lead to what a caller's tokens allow, for
 * directories above their reach. What an unverified token claims is shown as
 * names to the very caller who holds it, and to nobody else.
 */
#include "tokens/store.h"
#include "tokens/verify/trust.h"

#include <errno.h>
#include <string.h>

/* Where users share a mount, one that is known to be false leads nowhere. */
static void drop_false(struct tokens *tokens, struct finding *held)
{
	unsigned kept = 0;

	for (unsigned i = 0; i < held->count; i++) {
		struct token *token = held->tokens[i];
		struct err unused = ERR_INIT;

		if (tokens->shared &&
		    trust_judge(tokens->trust, token, &unused) == -EKEYREJECTED)
			token_put(token);
		else
			held->tokens[kept++] = token;
	}
	held->count = kept;
}

/* Names of several tokens, each once. */
struct names {
	const struct reach_root *root;
	const struct finding *held;
	unsigned token; /* whose are being told */
	const char *path;
	void (*name)(void *arg, const char *name);
	void *arg;
	unsigned count;
};

struct sought {
	const char *name;
	bool found;
};

static void compare(void *arg, const char *name)
{
	struct sought *sought = arg;

	sought->found = sought->found || strcmp(sought->name, name) == 0;
}

static void tell_name(void *arg, const char *name)
{
	struct names *names = arg;
	struct sought sought = {.name = name};

	for (unsigned i = 0; i < names->token && !sought.found; i++)
		(void)reach_names(names->root, names->held->tokens[i],
		    names->path, compare, &sought);
	if (sought.found)
		return;
	names->count++;
	if (names->name != NULL)
		names->name(names->arg, name);
}

unsigned tokens_reach(struct tokens *tokens, const struct ident *ident,
    const char *path, void (*name)(void *arg, const char *name), void *arg)
{
	struct finding held;
	struct names names = {.root = &tokens->root,
	    .held = &held,
	    .path = path,
	    .name = name,
	    .arg = arg};

	token_store_copy(tokens, ident, &held);
	drop_false(tokens, &held);
	for (unsigned i = 0; i < held.count; i++) {
		names.token = i;
		(void)reach_names(
		    &tokens->root, held.tokens[i], path, tell_name, &names);
	}
	finding_fini(&held);
	return names.count;
}
