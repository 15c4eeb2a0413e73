/* SPDX-License-Identifier: Apache-2.0 */
/* tests/unit/tokens/sign.c - see sign.h. */
#include "tests/unit/tokens/sign.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>
#include <openssl/bn.h>
#include <openssl/core_names.h>
#include <openssl/ec.h>
#include <openssl/ecdsa.h>
#include <openssl/evp.h>
#include <openssl/rsa.h>

struct sign_key {
	EVP_PKEY *key;
	int number_bytes; /* of a coordinate; 0: RSA */
};

void sign_base64(char out[MAKE_BYTES], const void *bytes, size_t size_bytes)
{
	static const char alphabet[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZ"
	                               "abcdefghijklmnopqrstuvwxyz"
	                               "0123456789-_";
	const unsigned char *p = bytes;
	size_t used = 0;

	assert_true(size_bytes < MAKE_BYTES / 2);
	for (size_t i = 0; i < size_bytes; i += 3) {
		size_t left = size_bytes - i;
		unsigned bits = (unsigned)p[i] << 16;

		if (left > 1)
			bits |= (unsigned)p[i + 1] << 8;
		if (left > 2)
			bits |= p[i + 2];
		for (size_t k = 0; k < 4 && k <= left; k++)
			out[used++] = alphabet[bits >> (18 - 6 * k) & 63];
	}
	out[used] = '\0';
}

struct sign_key *sign_key_new(const char *kind)
{
	struct sign_key *key = malloc(sizeof(*key));

	assert_non_null(key);
	key->number_bytes = 0;
	if (strcmp(kind, "P-256") == 0)
		key->number_bytes = 32;
	else if (strcmp(kind, "P-384") == 0)
		key->number_bytes = 48;
	if (key->number_bytes > 0)
		key->key = EVP_EC_gen(kind);
	else
		key->key = EVP_RSA_gen((unsigned)strtoul(kind, NULL, 10));
	assert_non_null(key->key);
	return key;
}

void sign_key_free(struct sign_key *key)
{
	EVP_PKEY_free(key->key);
	free(key);
}

static void number(
    char out[MAKE_BYTES], const struct sign_key *key, const char *name)
{
	unsigned char bytes[1100];
	BIGNUM *value = NULL;
	int n = key->number_bytes;

	assert_int_equal(EVP_PKEY_get_bn_param(key->key, name, &value), 1);
	if (n == 0)
		n = BN_num_bytes(value);
	assert_true(n <= (int)sizeof(bytes));
	assert_int_equal(BN_bn2binpad(value, bytes, n), n);
	sign_base64(out, bytes, (size_t)n);
	BN_free(value);
}

void sign_jwk(char out[MAKE_BYTES], struct sign_key *key, const char *more)
{
	char a[MAKE_BYTES];
	char b[MAKE_BYTES];
	int n;

	if (key->number_bytes > 0) {
		number(a, key, OSSL_PKEY_PARAM_EC_PUB_X);
		number(b, key, OSSL_PKEY_PARAM_EC_PUB_Y);
		n = snprintf(out, MAKE_BYTES,
		    "{\"kty\":\"EC\",\"crv\":\"%s\",\"x\":\"%s\",\"y\":\"%s\""
		    "%s}",
		    key->number_bytes == 32 ? "P-256" : "P-384", a, b, more);
	} else {
		number(a, key, OSSL_PKEY_PARAM_RSA_N);
		number(b, key, OSSL_PKEY_PARAM_RSA_E);
		n = snprintf(out, MAKE_BYTES,
		    "{\"kty\":\"RSA\",\"n\":\"%s\",\"e\":\"%s\"%s}", a, b,
		    more);
	}
	assert_true(n > 0 && n < MAKE_BYTES);
}

void sign_jwks(
    char out[MAKE_BYTES], const char *a, const char *b, const char *c)
{
	int n = snprintf(out, MAKE_BYTES, "{\"keys\":[%s%s%s%s%s]}",
	    a != NULL ? a : "", b != NULL ? "," : "", b != NULL ? b : "",
	    c != NULL ? "," : "", c != NULL ? c : "");

	assert_true(n > 0 && n < MAKE_BYTES);
}

/* DER to r||s. */
static size_t make_raw(unsigned char *bytes, size_t size_bytes, int half)
{
	const unsigned char *p = bytes;
	ECDSA_SIG *parsed = d2i_ECDSA_SIG(NULL, &p, (long)size_bytes);

	assert_non_null(parsed);
	assert_int_equal(
	    BN_bn2binpad(ECDSA_SIG_get0_r(parsed), bytes, half), half);
	assert_int_equal(
	    BN_bn2binpad(ECDSA_SIG_get0_s(parsed), bytes + half, half), half);
	ECDSA_SIG_free(parsed);
	return (size_t)half * 2;
}

void sign_jws(char out[MAKE_BYTES], struct sign_key *key, const char *header,
    const char *payload)
{
	char a[MAKE_BYTES];
	char b[MAKE_BYTES];
	unsigned char bytes[1100];
	size_t size = sizeof(bytes);
	EVP_MD_CTX *context = EVP_MD_CTX_new();
	int n;

	sign_base64(a, header, strlen(header));
	sign_base64(b, payload, strlen(payload));
	n = snprintf(out, MAKE_BYTES, "%s.%s", a, b);
	assert_true(n > 0 && n < MAKE_BYTES);
	assert_int_equal(
	    EVP_DigestSignInit(context, NULL,
	        key->number_bytes == 48 ? EVP_sha384() : EVP_sha256(), NULL,
	        key->key),
	    1);
	assert_int_equal(EVP_DigestSign(context, bytes, &size,
	                     (const unsigned char *)out, strlen(out)),
	    1);
	EVP_MD_CTX_free(context);
	if (key->number_bytes > 0)
		size = make_raw(bytes, size, key->number_bytes);
	sign_base64(a, bytes, size);
	assert_true(strlen(out) + strlen(a) + 2 < MAKE_BYTES);
	(void)strcat(out, ".");
	(void)strcat(out, a);
}
