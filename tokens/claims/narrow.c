/* SPDX-License-Identifier: Apache-2.0 */
/* tokens/claims/narrow.c - see narrow.h. */
#include "tokens/claims/narrow.h"

#include "base/path.h"

#include <ctype.h>
#include <stdio.h>
#include <string.h>

/* The words that grant a right, the least first. */
static const char *const words[][4] = {
    [TOKENS_READ] = {"storage.read", "read"},
    [TOKENS_CREATE] = {"storage.create", "storage.modify", "write"},
    [TOKENS_MODIFY] = {"storage.modify", "write"},
};

/* The first of them that the claim has with a path. */
static const char *word_in(const char *claim, enum tokens_right right)
{
	for (unsigned i = 0; words[right][i] != NULL; i++) {
		const char *word = words[right][i];
		size_t word_bytes = strlen(word);
		const char *at = claim;

		while ((at = strstr(at, word)) != NULL) {
			if ((at == claim || at[-1] == ' ') &&
			    at[word_bytes] == ':')
				return word;
			at += word_bytes;
		}
	}
	return NULL;
}

struct text {
	char *bytes;
	size_t used;
};

static bool add(struct text *text, const char *bytes, size_t size_bytes)
{
	if (size_bytes >= NARROW_SCOPE_BYTES - text->used)
		return false;
	memcpy(text->bytes + text->used, bytes, size_bytes);
	text->used += size_bytes;
	text->bytes[text->used] = '\0';
	return true;
}

static bool is_plain(unsigned char byte)
{
	return byte < 0x80 &&
	    (isalnum(byte) != 0 || strchr("/-._~", byte) != NULL);
}

/* A percent sign in a name cannot be in a scope: scitokens-cpp refuses what
 * still has one after decoding. */
static bool add_path(struct text *text, const char *path)
{
	for (; *path != '\0'; path++) {
		unsigned char byte = (unsigned char)*path;
		char code[4];

		if (byte == '%')
			return false;
		(void)snprintf(code, sizeof(code), "%%%02X", byte);
		if (!(is_plain(byte) ? add(text, path, 1) : add(text, code, 3)))
			return false;
	}
	return true;
}

static bool covers(const struct reach_root *root, const struct token *token,
    const char *path, enum tokens_right right)
{
	return reach_of(root, token, path, right) == REACH_COVERED;
}

/* Add the scope for what is at `path`, behind what is there already. */
static bool add_scope(struct text *text, const struct reach_root *root,
    const struct token *token, const char *path, enum tokens_right right)
{
	const char *word = word_in(token->claims.scope, right);
	char directory[PATH_BYTES_MAX];
	const char *named;

	if (word == NULL || !covers(root, token, path, right))
		return false;
	path_parent(directory, path);
	named = covers(root, token, directory, right)
	    ? scope_path(reach_base(root, token), directory)
	    : NULL;
	if (named == NULL)
		named = scope_path(reach_base(root, token), path);
	if (named == NULL || (text->used > 0 && !add(text, " ", 1)))
		return false;
	return add(text, word, strlen(word)) && add(text, ":", 1) &&
	    add_path(text, named);
}

bool narrow_scope(char out[NARROW_SCOPE_BYTES], const struct reach_root *root,
    const struct token *token, const struct tokens_query *asked)
{
	struct text text = {.bytes = out};
	size_t first_bytes;

	out[0] = '\0';
	if (token->has_too_many_scopes || token->claims.scope == NULL ||
	    (asked->right != TOKENS_CREATE && asked->right != TOKENS_MODIFY) ||
	    !add_scope(&text, root, token, asked->path,
	        asked->copies ? TOKENS_READ : asked->right))
		return false;
	if (asked->to == NULL)
		return true;
	first_bytes = text.used;
	if (!add_scope(&text, root, token, asked->to, asked->right))
		return false;
	/* Within one directory: once. */
	if (text.used == 2 * first_bytes + 1 &&
	    memcmp(out, out + first_bytes + 1, first_bytes) == 0)
		out[first_bytes] = '\0';
	return true;
}
