/* SPDX-License-Identifier: Apache-2.0 */
/*
 * tokens/door/lead.c - which names lead to what a caller's tokens allow, for
 * directories above their reach. What an unverified token claims is shown as
 * names to the very caller who holds it, and to nobody else.
 */
#include "base/buf.h"
#include "base/path.h"
#include "tokens/claims/scope.h"
#include "tokens/store/store.h"
#include "tokens/verify/trust.h"

#include <errno.h>
#include <stdlib.h>
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

/* Names of several tokens, as they come. A user may have thousands, and all
 * others wait meanwhile: they are put in order to tell each once. */
struct names {
	struct buf text; /* each with its NUL */
	size_t count;
};

enum {
	/* All scopes of all tokens, and no name is longer. */
	NAMES_MAX = FINDING_TOKENS_MAX * SCOPE_COUNT_MAX,
	NAMES_BYTES_MAX = NAMES_MAX * (PATH_NAME_BYTES_MAX + 1),
};

static void add_name(void *arg, const char *name)
{
	struct names *names = arg;

	if (buf_append(&names->text, name, strlen(name) + 1) == 0)
		names->count++;
}

static int by_text(const void *a, const void *b)
{
	return strcmp(*(const char *const *)a, *(const char *const *)b);
}

/* Each once. @return how many */
static unsigned tell(const struct names *names,
    void (*name)(void *arg, const char *name), void *arg)
{
	const char **sorted = calloc(names->count, sizeof(*sorted));
	const char *at = names->text.bytes;
	unsigned count = 0;

	if (sorted == NULL)
		return 0;
	for (size_t i = 0; i < names->count; i++) {
		sorted[i] = at;
		at += strlen(at) + 1;
	}
	qsort(sorted, names->count, sizeof(*sorted), by_text);
	for (size_t i = 0; i < names->count; i++) {
		if (i > 0 && strcmp(sorted[i - 1], sorted[i]) == 0)
			continue;
		name(arg, sorted[i]);
		count++;
	}
	free(sorted);
	return count;
}

static bool leads_anywhere(
    const struct tokens *tokens, const struct finding *held, const char *path)
{
	for (unsigned i = 0; i < held->count; i++) {
		if (reach_names(
		        &tokens->root, held->tokens[i], path, NULL, NULL) > 0)
			return true;
	}
	return false;
}

unsigned tokens_reach(struct tokens *tokens, const struct ident *ident,
    const char *path, void (*name)(void *arg, const char *name), void *arg)
{
	struct names names = {.count = 0};
	struct finding held;
	unsigned count = 0;

	buf_init(&names.text, NAMES_BYTES_MAX);
	token_store_copy(tokens, ident, &held);
	drop_false(tokens, &held);
	if (name == NULL)
		count = leads_anywhere(tokens, &held, path);
	for (unsigned i = 0; name != NULL && i < held.count; i++)
		(void)reach_names(
		    &tokens->root, held.tokens[i], path, add_name, &names);
	if (name != NULL && names.count > 0)
		count = tell(&names, name, arg);
	buf_fini(&names.text);
	finding_fini(&held);
	return count;
}
