/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Any bytes as a token's text, as the payload of a JWT, and as a scope claim:
 * no crash, no leak, and what is accepted keeps the promises of its header.
 */
#include "base/path.h"
#include "base/secret.h"
#include "tokens/claims/scope.h"
#include "tokens/claims/token.h"

#include <assert.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size_bytes);

static void check_name(void *arg, const char *name)
{
	unsigned *count = arg;

	assert(path_name_ok(name, strlen(name)));
	(*count)++;
}

static void check_scope(const char *claim)
{
	struct scope_list list;
	unsigned count = 0;

	if (scope_list_parse(&list, claim) < 0)
		return;
	assert(list.count + list.bad_count <= SCOPE_COUNT_MAX);
	for (size_t i = 0; i < list.count; i++) {
		const struct scope *scope = &list.scopes[i];

		assert(path_is_normal(scope->path));
		if ((scope->rights & 1u << TOKENS_READ) != 0)
			assert(
			    scope_allows(&list, "/", TOKENS_READ, scope->path));
	}
	assert(scope_reach(&list, "/", "/", check_name, &count) == count);
	assert(scope_reach(&list, "/base", "/", NULL, NULL) <= 1);
	assert(path_is_normal(scope_guess_base(&list, "/source")));
	scope_list_fini(&list);
}

static void check_token(const char *text, size_t size_bytes)
{
	struct token *token = NULL;
	struct err err = ERR_INIT;
	int code = token_read(&token, text, size_bytes, &err);

	assert((code == 0) == (token != NULL));
	assert(code == 0 || (err.code == code && err.text[0] != '\0'));
	if (token == NULL)
		return;
	/* What goes into a header is one line of visible ASCII. */
	for (const char *p = secret_reveal(token_text(token)); *p != '\0'; p++)
		assert(*p > 0x20 && *p < 0x7f);
	assert(token_expires_s(token) == UINT64_MAX ||
	    token_expires_s(token) <= JWT_TIME_MAX_S);
	if (token->claims.scope != NULL)
		check_scope(token->claims.scope);
	token_put(token);
}

/* The bytes as the claims of a well-formed JWT: base64 would hide them. */
static void check_claims(const uint8_t *data, size_t size_bytes)
{
	static const char head[] = "eyJhbGciOiJFUzI1NiJ9.";
	static const char alphabet[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZ"
	                               "abcdefghijklmnopqrstuvwxyz"
	                               "0123456789-_";
	char *text = malloc(sizeof(head) + size_bytes * 4 / 3 + 16);
	size_t used = sizeof(head) - 1;

	if (text == NULL)
		return;
	memcpy(text, head, used);
	for (size_t i = 0; i < size_bytes; i += 3) {
		size_t left = size_bytes - i;
		uint32_t bits = (uint32_t)data[i] << 16;

		if (left > 1)
			bits |= (uint32_t)data[i + 1] << 8;
		if (left > 2)
			bits |= data[i + 2];
		for (size_t k = 0; k < 4 && k <= left; k++)
			text[used++] = alphabet[bits >> (18 - 6 * k) & 63];
	}
	memcpy(text + used, ".c2ln", 5);
	check_token(text, used + 5);
	free(text);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size_bytes)
{
	char *text = malloc(size_bytes + 1);

	if (text == NULL)
		return 0;
	if (size_bytes > 0)
		memcpy(text, data, size_bytes);
	text[size_bytes] = '\0';
	check_token(text, size_bytes);
	check_scope(text);
	if (size_bytes < 40000)
		check_claims(data, size_bytes);
	free(text);
	return 0;
}
