/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Any bytes as a macaroon's text, as its decoded bytes, and as caveats (NUL
 * between them): no crash, no leak, and what is told is in bounds.
 */
#include "base/path.h"
#include "tokens/claims/caveat.h"
#include "tokens/claims/macaroon.h"
#include "tokens/claims/scope.h"

#include <assert.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size_bytes);

static void check(const char *text, size_t size_bytes)
{
	struct err err = ERR_INIT;
	struct macaroon macaroon;
	struct scope_list list;
	char *scope;
	int code = macaroon_parse(&macaroon, text, size_bytes, &err);

	assert(code == 0 || code == -ENOMSG || code == -EINVAL);
	assert((code == -EINVAL) == (err.text[0] != '\0'));
	if (code < 0)
		return;
	assert(macaroon.rights < 8);
	assert(macaroon.path == NULL || path_is_normal(macaroon.path));
	if (macaroon_scope(&scope, &macaroon) == 0 && scope != NULL &&
	    scope_list_parse(&list, scope) == 0) {
		assert(list.count + list.bad_count <= 3);
		scope_list_fini(&list);
	}
	free(scope);
	macaroon_fini(&macaroon);
}

/* The bytes as what the text decodes to: base64 would hide them. */
static void check_bytes(const uint8_t *data, size_t size_bytes)
{
	static const char alphabet[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZ"
	                               "abcdefghijklmnopqrstuvwxyz"
	                               "0123456789-_";
	char *text = malloc(size_bytes * 4 / 3 + 8);
	size_t used = 0;

	if (text == NULL)
		return;
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
	check(text, used);
	free(text);
}

static void check_caveats(const uint8_t *data, size_t size_bytes)
{
	struct caveats caveats;

	caveats_init(&caveats);
	for (size_t at = 0; at < size_bytes;) {
		const uint8_t *nul = memchr(data + at, 0, size_bytes - at);
		size_t n =
		    nul != NULL ? (size_t)(nul - data) - at : size_bytes - at;

		caveat_take(&caveats, data + at, n);
		at += n + 1;
	}
	assert(caveats_rights(&caveats) < 8);
	assert(path_is_normal(caveats.path));
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size_bytes)
{
	if (size_bytes > 48 * 1024)
		return 0;
	check((const char *)data, size_bytes);
	check_bytes(data, size_bytes);
	check_caveats(data, size_bytes);
	return 0;
}
