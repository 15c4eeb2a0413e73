/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Any bytes as a key set, as an issuer's metadata, and as an issuer's name:
 * no crash, no leak, and what is accepted keeps its bounds.
 */
#include "tokens/verify/issuer.h"
#include "tokens/verify/jwks.h"

#include <assert.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include <openssl/evp.h>

#define ISS "https://i.example/vo"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size_bytes);

static void check_set(const char *text, size_t size_bytes)
{
	struct err err = ERR_INIT;
	struct jwks *set;
	int code = jwks_parse(&set, text, size_bytes, &err);

	assert((code == 0) == (set != NULL));
	assert(code == err.code);
	if (set == NULL)
		return;
	assert(set->count > 0 && set->count + set->skipped <= JWKS_KEYS_MAX);
	for (unsigned i = 0; i < set->count; i++) {
		const struct jwk *key = &set->keys[i];
		int bits = EVP_PKEY_get_bits(key->key);

		assert(EVP_PKEY_is_a(
		    key->key, key->algorithm == JWS_ES256 ? "EC" : "RSA"));
		assert(bits >=
		    (key->algorithm == JWS_ES256 ? 256 : JWK_RSA_BITS_MIN));
		assert(bits <= JWK_RSA_BITS_MAX);
	}
	assert(jwks_same(set, set));
	jwks_put(set);
}

static void check_metadata(const char *text, size_t size_bytes)
{
	char uri[ISSUER_URL_BYTES_MAX];
	struct err err = ERR_INIT;
	int code = issuer_read(uri, text, size_bytes, ISS, &err);

	assert(code == err.code);
	if (code < 0)
		return;
	assert(strncmp(uri, "https://", 8) == 0);
	for (const char *p = uri; *p != '\0'; p++)
		assert(*p > ' ' && *p < 0x7f);
}

static void check_issuer(const char *text)
{
	char url[ISSUER_URL_BYTES_MAX];
	struct err err = ERR_INIT;

	if (issuer_check(text, &err) < 0)
		return;
	for (int form = ISSUER_OPENID; form <= ISSUER_OAUTH; form++) {
		issuer_url(url, text, (enum issuer_form)form);
		assert(strstr(url, "/.well-known/o") != NULL);
		assert(strncmp(url, text, strcspn(text + 8, "/") + 8) == 0);
	}
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size_bytes)
{
	char *text = malloc(size_bytes + 1);

	if (text == NULL)
		return 0;
	if (size_bytes > 0)
		memcpy(text, data, size_bytes);
	text[size_bytes] = '\0';
	check_set(text, size_bytes);
	check_metadata(text, size_bytes);
	check_issuer(text);
	free(text);
	return 0;
}
