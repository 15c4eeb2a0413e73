/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Any bytes as a compact JWS; and as the header, and as the claims, of a
 * token that is well formed otherwise: no crash, no leak, nothing verifies
 * that nobody signed, and claims are refused with a sentence.
 */
#include "tokens/claims/json.h"
#include "tokens/verify/jwks.h"
#include "tokens/verify/jws.h"
#include "tokens/verify/profile.h"

#include <assert.h>
#include <errno.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size_bytes);

/* RFC 7515, A.2 and A.3. What they signed there, and only that, may verify.
 */
static const char keys_text[] =
    "{\"keys\":[{\"kty\":\"RSA\",\"n\":\"ofgWCuLjybRlzo0tZWJjNiuSfb4p4fAkd_wW"
    "JcyQoTbji9k0l8W26mPddxHmfHQp-Vaw-4qPCJrcS2mJPMEzP1Pt0Bm4d4QlL-yRT-SFd2l"
    "ZS-pCgNMsD1W_YpRPEwOWvG6b32690r2jZ47soMZo9wGzjb_7OMg0LOL-bSf63kpaSHSXnd"
    "S5z5rexMdbBYUsLA9e-KXBdQOS-UTo7WTBEMa2R2CapHg665xsmtdVMTBQY4uDZlxvb3qCo"
    "5ZwKh9kG4LT6_I5IhlJH7aGhyxXFvUK-DWNmoudF8NAco9_h9iaGNj8q2ethFkMLs91kzk2"
    "PAcDTW9gb54h4FRWyuXpoQ\",\"e\":\"AQAB\"},{\"kty\":\"EC\",\"crv\":\"P-256"
    "\",\"x\":\"f83OJ3D2xF1Bg8vub9tLe1gHMzV76e8Tus9uPHvRVEU\",\"y\":"
    "\"x_FEzRu9m36HLN_tue659LNpXW6pCyStikYjKIWI5a0\"}]}";
static const char signed_payload[] =
    "{\"iss\":\"joe\",\r\n \"exp\":1300819380,\r\n "
    "\"http://example.com/is_root\":true}";

static const struct jwks *keys(void)
{
	static struct jwks *set;
	struct err err = ERR_INIT;

	if (set == NULL &&
	    jwks_parse(&set, keys_text, sizeof(keys_text) - 1, &err) < 0)
		abort();
	return set;
}

static void check_text(const char *text, size_t size_bytes)
{
	struct err err = ERR_INIT;
	struct jws jws;
	int code = jws_parse(&jws, text, size_bytes, &err);

	assert(code == 0 || (err.code == code && err.text[0] != '\0'));
	if (code < 0)
		return;
	assert(jws.signed_bytes < size_bytes);
	assert(jws.payload_bytes < size_bytes);
	assert(jws.signature_bytes <= JWS_SIGNATURE_BYTES_MAX);
	assert(jws.payload[jws.payload_bytes] == '\0');
	if (jwks_check(keys(), &jws, &err) == 0)
		assert(strcmp((char *)jws.payload, signed_payload) == 0);
	jws_fini(&jws);
}

/* base64url, with room for it; returns the bytes written. */
static size_t encode(char *out, const uint8_t *data, size_t size_bytes)
{
	static const char alphabet[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZ"
	                               "abcdefghijklmnopqrstuvwxyz"
	                               "0123456789-_";
	size_t used = 0;

	for (size_t i = 0; i < size_bytes; i += 3) {
		size_t left = size_bytes - i;
		uint32_t bits = (uint32_t)data[i] << 16;

		if (left > 1)
			bits |= (uint32_t)data[i + 1] << 8;
		if (left > 2)
			bits |= data[i + 2];
		for (size_t k = 0; k < 4 && k <= left; k++)
			out[used++] = alphabet[bits >> (18 - 6 * k) & 63];
	}
	return used;
}

static void check_header(const uint8_t *data, size_t size_bytes)
{
	static const char rest[] = ".e30.c2ln";
	char *text = malloc(size_bytes * 4 / 3 + 4 + sizeof(rest));
	size_t used;

	if (text == NULL)
		return;
	used = encode(text, data, size_bytes);
	memcpy(text + used, rest, sizeof(rest));
	check_text(text, used + sizeof(rest) - 1);
	free(text);
}

static void check_claims(const char *text, size_t size_bytes)
{
	static const char *const audiences[] = {"https://store.example"};
	static const char *const types[] = {NULL, "at+jwt"};
	const struct profile_rules rules = {
	    .audiences = audiences, .audience_count = 1};
	cJSON *claims = NULL;

	if (token_json_parse_object(&claims, text, size_bytes) < 0)
		return;
	for (size_t i = 0; i < ARRAY_COUNT(types); i++) {
		struct err err = ERR_INIT;
		enum profile profile;
		int code =
		    profile_check(&profile, claims, types[i], &rules, &err);

		assert(code == 0 || code == -EKEYREJECTED || code == -ENOMEM);
		assert(code == err.code);
		if (code == 0)
			assert(cJSON_GetObjectItemCaseSensitive(
			           claims, "iss") != NULL);
	}
	cJSON_Delete(claims);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size_bytes)
{
	char *text = malloc(size_bytes + 1);

	if (text == NULL)
		return 0;
	if (size_bytes > 0)
		memcpy(text, data, size_bytes);
	text[size_bytes] = '\0';
	check_text(text, size_bytes);
	check_claims(text, size_bytes);
	if (size_bytes <= 2 * JWS_HEADER_BYTES_MAX)
		check_header(data, size_bytes);
	free(text);
	return 0;
}
