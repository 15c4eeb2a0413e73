/* SPDX-License-Identifier: Apache-2.0 */
/*
 * tests/unit/tokens/sign.h - keys, key sets and signed tokens for tests, by
 * OpenSSL: the issuer's side.
 */
#ifndef TESTS_UNIT_TOKENS_SIGN_H
#define TESTS_UNIT_TOKENS_SIGN_H

#include "tests/unit/tokens/make.h"

#include <stddef.h>

/** A private key; made anew in each run. */
struct sign_key;

/** "P-256", "P-384", or the bits of an RSA key: "2048". */
struct sign_key *sign_key_new(const char *kind);
void sign_key_free(struct sign_key *key);

/** Its public JWK. @param more  further members, `,"kid":"a"`, or "". */
void sign_jwk(char out[MAKE_BYTES], struct sign_key *key, const char *more);

/** A JWKS of up to three JWKs; NULL ends them. */
void sign_jwks(
    char out[MAKE_BYTES], const char *a, const char *b, const char *c);

/** A compact JWS: header and payload as they are, signed with SHA-256, or,
 *  for P-384, SHA-384. */
void sign_jws(char out[MAKE_BYTES], struct sign_key *key, const char *header,
    const char *payload);

/** base64url of bytes. */
void sign_base64(char out[MAKE_BYTES], const void *bytes, size_t size_bytes);

#endif
