/* SPDX-License-Identifier: Apache-2.0 */
/* tokens/verify/jws.c - see jws.h. */
#include "tokens/verify/jws.h"

#include "base/utf8.h"
#include "tokens/claims/base64.h"
#include "tokens/claims/json.h"
#include "tokens/verify/jwk.h"

#include <errno.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include <openssl/err.h>
#include <openssl/evp.h>
#include <openssl/rsa.h>

enum {
	P256_BYTES = 32, /* of r and of s: RFC 7518, section 3.4 */
	DER_BYTES_MAX = 2 + 2 * (2 + 1 + P256_BYTES),
	SHA256_BYTES = 32,
};

static const char *const names[] = {
    [JWS_ES256] = "ES256", [JWS_RS256] = "RS256"};

/* What is refused by name: RFC 7518, section 3.1; RFC 8037, section 3.1. */
static const char *const refused_names[] = {"none", "HS256", "HS384", "HS512",
    "RS384", "RS512", "PS256", "PS384", "PS512", "ES384", "ES512", "ES256K",
    "EdDSA", "Ed25519"};

const char *jws_algorithm_name(enum jws_algorithm algorithm)
{
	return names[algorithm];
}

/* The text's three parts, borrowed. */
struct parts {
	const char *text[3];
	size_t size_bytes[3];
};

static int split(struct parts *parts, const char *text, size_t size_bytes)
{
	const char *end = text + size_bytes;

	for (unsigned i = 0;; i++) {
		const char *dot = memchr(text, '.', (size_t)(end - text));

		if (i == 3)
			return -ENOMSG;
		parts->text[i] = text;
		parts->size_bytes[i] =
		    (size_t)((dot != NULL ? dot : end) - text);
		if (dot == NULL)
			return i == 2 ? 0 : -ENOMSG;
		text = dot + 1;
	}
}

static int choose_algorithm(
    struct jws *out, const cJSON *header, struct err *err)
{
	const cJSON *item = NULL;

	if (token_json_member(&item, header, "alg") < 0 ||
	    !cJSON_IsString(item))
		return err_set(
		    err, -EINVAL, "its header names no algorithm ('alg')");
	for (size_t i = 0; i < ARRAY_COUNT(names); i++) {
		if (strcmp(item->valuestring, names[i]) == 0) {
			out->algorithm = (enum jws_algorithm)i;
			return 0;
		}
	}
	for (size_t i = 0; i < ARRAY_COUNT(refused_names); i++) {
		if (strcmp(item->valuestring, refused_names[i]) == 0)
			return err_set(err, -ENOTSUP,
			    "signed with '%s'; only ES256 and RS256 are "
			    "accepted",
			    refused_names[i]);
	}
	return err_set(err, -ENOTSUP,
	    "signed with an unknown algorithm; only ES256 and RS256 are "
	    "accepted");
}

static int read_text(
    char **out, const cJSON *header, const char *name, struct err *err)
{
	const cJSON *item = NULL;

	if (token_json_member(&item, header, name) < 0 ||
	    (item != NULL && !cJSON_IsString(item)) ||
	    (item != NULL && strlen(item->valuestring) > JWS_KID_BYTES_MAX))
		return err_set(err, -EINVAL,
		    "its header's '%s' is no text or too long", name);
	if (item == NULL)
		return 0;
	*out = strdup(item->valuestring);
	return *out != NULL ? 0 : -ENOMEM;
}

static int read_header(struct jws *out, const cJSON *header, struct err *err)
{
	int code = token_json_unique(header);

	if (code == -EINVAL)
		return err_set(err, code, "its header names a field twice");
	if (code == 0)
		code = choose_algorithm(out, header, err);
	if (code < 0)
		return code;
	/* Whatever is in it: no extension is understood here. */
	for (const cJSON *at = header->child; at != NULL; at = at->next) {
		if (strcmp(at->string, "crit") == 0)
			return err_set(err, -ENOTSUP,
			    "its header asks for extensions ('crit') that "
			    "are not understood here");
	}
	code = read_text(&out->kid, header, "kid", err);
	if (code == 0)
		code = read_text(&out->typ, header, "typ", err);
	return code;
}

static bool is_utf8(const unsigned char *text)
{
	while (*text != '\0') {
		size_t n = utf8_size_bytes(text);

		if (n == 0)
			return false;
		text += n;
	}
	return true;
}

/* The first part; -ENOMSG when it is not what a JWS begins with. */
static int parse_header(
    struct jws *out, const char *text, size_t size_bytes, struct err *err)
{
	__attribute__((cleanup(token_json_freep))) cJSON *header = NULL;
	unsigned char *bytes;
	ssize_t n;
	int code = -ENOMSG;

	if (size_bytes > JWS_HEADER_BYTES_MAX)
		return err_set(err, -EINVAL, "its header is longer than %d KiB",
		    JWS_HEADER_BYTES_MAX / 1024);
	bytes = malloc(token_base64_room_bytes(size_bytes));
	if (bytes == NULL)
		return -ENOMEM;
	n = token_base64_decode(bytes, text, size_bytes);
	/* A NUL is refused by the parser: is_utf8() sees all of it. */
	if (n >= 0 && is_utf8(bytes))
		code = token_json_parse_object(
		    &header, (const char *)bytes, (size_t)n);
	free(bytes);
	if (code == -EINVAL)
		code = -ENOMSG;
	return code < 0 ? code : read_header(out, header, err);
}

static int decode_rest(
    struct jws *out, const struct parts *parts, struct err *err)
{
	ssize_t n;

	/* Before it is decoded: four characters are three bytes. */
	if (parts->size_bytes[2] > JWS_SIGNATURE_BYTES_MAX / 3 * 4 + 2)
		return err_set(err, -EINVAL, "its signature is too long");
	n = token_base64_decode(
	    out->signature, parts->text[2], parts->size_bytes[2]);
	if (n < 0)
		return err_set(
		    err, -EINVAL, "its signature is cut short or garbled");
	out->signature_bytes = (size_t)n;
	out->payload = malloc(token_base64_room_bytes(parts->size_bytes[1]));
	if (out->payload == NULL)
		return -ENOMEM;
	n = token_base64_decode(
	    out->payload, parts->text[1], parts->size_bytes[1]);
	if (n < 0)
		return err_set(
		    err, -EINVAL, "its payload is cut short or garbled");
	out->payload_bytes = (size_t)n;
	return 0;
}

int jws_parse(
    struct jws *out, const char *text, size_t size_bytes, struct err *err)
{
	struct parts parts;
	int code = -ENOMSG;

	*out = (struct jws){.signed_text = text};
	if (size_bytes > JWS_BYTES_MAX)
		return err_set(
		    err, -EINVAL, "longer than %d KiB", JWS_BYTES_MAX / 1024);
	if (split(&parts, text, size_bytes) == 0)
		code =
		    parse_header(out, parts.text[0], parts.size_bytes[0], err);
	if (code == 0) {
		out->signed_bytes =
		    parts.size_bytes[0] + 1 + parts.size_bytes[1];
		code = decode_rest(out, &parts, err);
	}
	if (code == -ENOMSG)
		(void)err_set(err, code, "not a signed token (no compact JWS)");
	if (code == -ENOMEM)
		(void)err_set(err, code, "out of memory");
	if (code < 0)
		jws_fini(out);
	return code;
}

void jws_fini(struct jws *jws)
{
	free(jws->kid);
	free(jws->typ);
	free(jws->payload);
	*jws = (struct jws){.kid = NULL};
}

/* One INTEGER of a DER signature. */
static size_t put_integer(unsigned char *out, const unsigned char *number)
{
	size_t n = P256_BYTES;
	bool pad;

	while (n > 1 && *number == 0) {
		number++;
		n--;
	}
	pad = (*number & 0x80) != 0;
	out[0] = 0x02;
	out[1] = (unsigned char)(n + pad);
	out[2] = 0;
	memcpy(out + 2 + pad, number, n);
	return 2 + pad + n;
}

/* r and s, raw, as a DER sequence (RFC 3279, section 2.2.3). */
static size_t put_signature(
    unsigned char out[DER_BYTES_MAX], const unsigned char *raw)
{
	size_t n = 2;

	n += put_integer(out + n, raw);
	n += put_integer(out + n, raw + P256_BYTES);
	out[0] = 0x30;
	out[1] = (unsigned char)(n - 2);
	return n;
}

int jws_prepare(struct jwk *key)
{
	EVP_PKEY_CTX *context =
	    EVP_PKEY_CTX_new_from_pkey(NULL, key->key, NULL);

	/* A key that was checked: it is for want of memory that it fails. */
	if (context == NULL || EVP_PKEY_verify_init(context) != 1 ||
	    EVP_PKEY_CTX_set_signature_md(context, EVP_sha256()) != 1 ||
	    (key->algorithm == JWS_RS256 &&
	        EVP_PKEY_CTX_set_rsa_padding(context, RSA_PKCS1_PADDING) !=
	            1)) {
		EVP_PKEY_CTX_free(context);
		return -ENOMEM;
	}
	key->context = context;
	return 0;
}

static int verify(const struct jwk *key, const struct jws *jws,
    const unsigned char *signature, size_t signature_bytes)
{
	unsigned char digest[SHA256_BYTES];
	EVP_PKEY_CTX *context;
	int good;

	if (EVP_Digest(jws->signed_text, jws->signed_bytes, digest, NULL,
	        EVP_sha256(), NULL) != 1)
		return -ENOMEM;
	context = EVP_PKEY_CTX_dup(key->context);
	if (context == NULL)
		return -ENOMEM;
	good = EVP_PKEY_verify(
	    context, signature, signature_bytes, digest, sizeof(digest));
	EVP_PKEY_CTX_free(context);
	ERR_clear_error();
	return good == 1 ? 0 : -EKEYREJECTED;
}

int jws_check(const struct jws *jws, const struct jwk *key)
{
	unsigned char der[DER_BYTES_MAX];

	if (jws->algorithm != key->algorithm)
		return -EKEYREJECTED;
	if (jws->algorithm == JWS_RS256) {
		if (jws->signature_bytes != (size_t)EVP_PKEY_get_size(key->key))
			return -EKEYREJECTED;
		return verify(key, jws, jws->signature, jws->signature_bytes);
	}
	if (jws->signature_bytes != (size_t)2 * P256_BYTES)
		return -EKEYREJECTED;
	return verify(key, jws, der, put_signature(der, jws->signature));
}
