/* SPDX-License-Identifier: Apache-2.0 */
/*
 * tokens/verify/jws.h - a signed text in the compact form, and whether a key
 * has signed it.
 *
 * Two algorithms exist here: ES256 and RS256. Everything else is refused by
 * name before a key is looked at, `none` and every HMAC first of all: with
 * those whoever can read a public key could sign. Keys come from the caller;
 * header fields that bring or name one (jwk, jku, x5c, x5u) are not looked
 * at.
 *
 * Not here: what the payload means (profile.h), which key it should be
 * (jwks.h).
 *
 * Threads: every function may be called from any thread; a struct jws
 * belongs to one thread at a time.
 * Sources: RFC 7515, sections 2-5 and 7.1; RFC 7518, sections 3.1-3.4; WLCG
 * token profile, section 4.2.1 (which algorithms).
 */
#ifndef TOKENS_VERIFY_JWS_H
#define TOKENS_VERIFY_JWS_H

#include "base/attr.h"
#include "base/err.h"

#include <stddef.h>

enum {
	JWS_BYTES_MAX = 2 * 1024 * 1024, /* tokens are bounded much earlier */
	JWS_HEADER_BYTES_MAX = 16 * 1024,
	JWS_SIGNATURE_BYTES_MAX = 1024, /* RSA of 8192 bits */
	JWS_KID_BYTES_MAX = 1024,
};

enum jws_algorithm { JWS_ES256, JWS_RS256 };

struct jws {
	enum jws_algorithm algorithm;
	char *kid;               /* NULL: none */
	char *typ;               /* NULL: none */
	const char *signed_text; /* "header.payload", borrowed */
	size_t signed_bytes;
	unsigned char *payload; /* decoded; a NUL is put behind it */
	size_t payload_bytes;
	unsigned char signature[JWS_SIGNATURE_BYTES_MAX + 4];
	size_t signature_bytes;
};

/** "ES256", "RS256". */
const char *jws_algorithm_name(enum jws_algorithm algorithm);

/**
 * Take a compact JWS apart and see that it is one that could verify. No
 * signature has been checked after this.
 *
 * @param out   released with jws_fini() after 0 only; borrows `text`.
 * @param err   never holds a byte of the text but the name of an algorithm.
 * @retval 0         taken apart.
 * @retval -ENOMSG   no compact JWS: not of three parts, or its header is no
 *                   JSON object in base64url.
 * @retval -EINVAL   garbled: a part that is not strict base64url, a header
 *                   that names a member twice or is of the wrong kind, or
 *                   out of the bounds above.
 * @retval -ENOTSUP  an algorithm that is refused, or `crit` (RFC 7515,
 *                   section 4.1.11: no extension is understood here).
 * @retval -ENOMEM   out of memory.
 */
NODISCARD int jws_parse(
    struct jws *out, const char *text, size_t size_bytes, struct err *err);

void jws_fini(struct jws *jws);

struct jwk;

/** Make what jws_check() needs of a key beforehand.
 *  @retval 0 or -ENOMEM. */
NODISCARD int jws_prepare(struct jwk *key);

/**
 * Whether `key` has signed it.
 *
 * @retval 0              it has.
 * @retval -EKEYREJECTED  it has not, or is a key for another algorithm.
 * @retval -ENOMEM        out of memory.
 */
NODISCARD int jws_check(const struct jws *jws, const struct jwk *key);

#endif
