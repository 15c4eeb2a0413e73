/* SPDX-License-Identifier: Apache-2.0 */
/* tokens/verify/jwk.c - see jwk.h. */
#include "tokens/verify/jwk.h"

#include "tokens/claims/base64.h"

#include <errno.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include <openssl/bn.h>
#include <openssl/core_names.h>
#include <openssl/err.h>
#include <openssl/evp.h>
#include <openssl/param_build.h>

enum {
	P256_BYTES = 32,
	NUMBER_BYTES_MAX = JWK_RSA_BITS_MAX / 8 + 8, /* leading zeros */
};

/* A number of a key, big-endian. */
struct number {
	unsigned char bytes[NUMBER_BYTES_MAX + 4];
	size_t size_bytes;
};

static bool read_number(
    struct number *out, const cJSON *object, const char *name)
{
	const cJSON *item = NULL;
	size_t length;
	ssize_t n;

	if (token_json_member(&item, object, name) < 0 || !cJSON_IsString(item))
		return false;
	length = strlen(item->valuestring);
	if (length == 0 || length > (size_t)NUMBER_BYTES_MAX / 3 * 4)
		return false;
	n = token_base64_decode(out->bytes, item->valuestring, length);
	out->size_bytes = n > 0 ? (size_t)n : 0;
	return n > 0;
}

/* A key of its parameters, checked; NULL when it is none. `*code` becomes
 * -ENOMEM when that is why. */
static EVP_PKEY *make_key(const char *kind, OSSL_PARAM_BLD *builder, int *code)
{
	EVP_PKEY_CTX *context = EVP_PKEY_CTX_new_from_name(NULL, kind, NULL);
	OSSL_PARAM *params = OSSL_PARAM_BLD_to_param(builder);
	EVP_PKEY *key = NULL;

	if (context == NULL || params == NULL)
		*code = -ENOMEM;
	else if (EVP_PKEY_fromdata_init(context) != 1 ||
	    EVP_PKEY_fromdata(context, &key, EVP_PKEY_PUBLIC_KEY, params) != 1)
		key = NULL;
	OSSL_PARAM_free(params);
	EVP_PKEY_CTX_free(context);
	if (key == NULL)
		return NULL;
	/* Off its curve, an even modulus, ...: SP 800-56A and 56B. */
	context = EVP_PKEY_CTX_new_from_pkey(NULL, key, NULL);
	if (context == NULL)
		*code = -ENOMEM;
	if (context == NULL || EVP_PKEY_public_check(context) != 1) {
		EVP_PKEY_free(key);
		key = NULL;
	}
	EVP_PKEY_CTX_free(context);
	return key;
}

static EVP_PKEY *make_ec(const cJSON *object, int *code)
{
	unsigned char point[1 + 2 * P256_BYTES] = {0x04}; /* uncompressed */
	OSSL_PARAM_BLD *builder;
	const cJSON *curve = NULL;
	struct number x;
	struct number y;
	EVP_PKEY *key = NULL;

	/* RFC 7518, section 6.2.1.2: the full length, leading zeros too. */
	if (token_json_member(&curve, object, "crv") < 0 ||
	    !cJSON_IsString(curve) ||
	    strcmp(curve->valuestring, "P-256") != 0 ||
	    !read_number(&x, object, "x") || x.size_bytes != P256_BYTES ||
	    !read_number(&y, object, "y") || y.size_bytes != P256_BYTES)
		return NULL;
	memcpy(point + 1, x.bytes, P256_BYTES);
	memcpy(point + 1 + P256_BYTES, y.bytes, P256_BYTES);
	builder = OSSL_PARAM_BLD_new();
	if (builder == NULL ||
	    OSSL_PARAM_BLD_push_utf8_string(
	        builder, OSSL_PKEY_PARAM_GROUP_NAME, "prime256v1", 0) != 1 ||
	    OSSL_PARAM_BLD_push_octet_string(
	        builder, OSSL_PKEY_PARAM_PUB_KEY, point, sizeof(point)) != 1)
		*code = -ENOMEM;
	else
		key = make_key("EC", builder, code);
	OSSL_PARAM_BLD_free(builder);
	return key;
}

static bool rsa_is_sound(const BIGNUM *modulus, const BIGNUM *exponent)
{
	int bits = BN_num_bits(modulus);
	int exponent_bits = BN_num_bits(exponent);

	return bits >= JWK_RSA_BITS_MIN && bits <= JWK_RSA_BITS_MAX &&
	    BN_is_odd(modulus) && exponent_bits >= JWK_RSA_EXPONENT_BITS_MIN &&
	    exponent_bits <= JWK_RSA_EXPONENT_BITS_MAX && BN_is_odd(exponent);
}

/* Of numbers that are not NULL; as make_key(). */
static EVP_PKEY *join_rsa(
    const BIGNUM *modulus, const BIGNUM *exponent, int *code)
{
	OSSL_PARAM_BLD *builder;
	EVP_PKEY *key = NULL;

	if (!rsa_is_sound(modulus, exponent))
		return NULL;
	builder = OSSL_PARAM_BLD_new();
	if (builder == NULL ||
	    OSSL_PARAM_BLD_push_BN(builder, OSSL_PKEY_PARAM_RSA_N, modulus) !=
	        1 ||
	    OSSL_PARAM_BLD_push_BN(builder, OSSL_PKEY_PARAM_RSA_E, exponent) !=
	        1)
		*code = -ENOMEM;
	else
		key = make_key("RSA", builder, code);
	OSSL_PARAM_BLD_free(builder);
	return key;
}

static EVP_PKEY *make_rsa(const cJSON *object, int *code)
{
	struct number n;
	struct number e;
	BIGNUM *modulus;
	BIGNUM *exponent;
	EVP_PKEY *key = NULL;

	if (!read_number(&n, object, "n") || !read_number(&e, object, "e"))
		return NULL;
	modulus = BN_bin2bn(n.bytes, (int)n.size_bytes, NULL);
	exponent = BN_bin2bn(e.bytes, (int)e.size_bytes, NULL);
	if (modulus == NULL || exponent == NULL)
		*code = -ENOMEM;
	else
		key = join_rsa(modulus, exponent, code);
	BN_free(modulus);
	BN_free(exponent);
	return key;
}

/* Whether a member is absent or this text. */
static bool is_or_absent(
    const cJSON *object, const char *name, const char *wanted)
{
	const cJSON *item = NULL;

	if (token_json_member(&item, object, name) < 0)
		return false;
	return item == NULL ||
	    (cJSON_IsString(item) && strcmp(item->valuestring, wanted) == 0);
}

/* RFC 7517, section 4.3. */
static bool may_verify(const cJSON *object)
{
	const cJSON *list = NULL;

	if (token_json_member(&list, object, "key_ops") < 0)
		return false;
	if (list == NULL)
		return true;
	if (!cJSON_IsArray(list))
		return false;
	for (const cJSON *at = list->child; at != NULL; at = at->next) {
		if (cJSON_IsString(at) &&
		    strcmp(at->valuestring, "verify") == 0)
			return true;
	}
	return false;
}

static bool kind_of(enum jws_algorithm *out, const cJSON *object)
{
	const cJSON *kind = NULL;

	if (token_json_member(&kind, object, "kty") < 0 ||
	    !cJSON_IsString(kind))
		return false;
	if (strcmp(kind->valuestring, "EC") == 0)
		*out = JWS_ES256;
	else if (strcmp(kind->valuestring, "RSA") == 0)
		*out = JWS_RS256;
	else
		return false;
	return true;
}

void jwk_fini(struct jwk *key)
{
	free(key->kid);
	EVP_PKEY_CTX_free(key->context);
	EVP_PKEY_free(key->key);
	*key = (struct jwk){.kid = NULL};
}

int jwk_read(struct jwk *out, const cJSON *object)
{
	const cJSON *kid = NULL;
	int code = token_json_unique(object);

	*out = (struct jwk){.kid = NULL};
	if (code < 0)
		return code == -ENOMEM ? code : 0;
	if (!kind_of(&out->algorithm, object) ||
	    !is_or_absent(object, "use", "sig") || !may_verify(object) ||
	    !is_or_absent(object, "alg", jws_algorithm_name(out->algorithm)) ||
	    token_json_member(&kid, object, "kid") < 0 ||
	    (kid != NULL && !cJSON_IsString(kid)) ||
	    (kid != NULL && strlen(kid->valuestring) > JWS_KID_BYTES_MAX))
		return 0;
	out->key = out->algorithm == JWS_ES256 ? make_ec(object, &code)
	                                       : make_rsa(object, &code);
	if (out->key == NULL) {
		ERR_clear_error();
		return code;
	}
	code = jws_prepare(out);
	if (code == 0 && kid != NULL) {
		out->kid = strdup(kid->valuestring);
		code = out->kid != NULL ? 0 : -ENOMEM;
	}
	ERR_clear_error();
	if (code == 0)
		return 1;
	jwk_fini(out);
	return code;
}
