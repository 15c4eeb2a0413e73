/* SPDX-License-Identifier: Apache-2.0 */
/*
 * tokens/verify/jwk.h - a set of public keys (JWKS) from an issuer or a file.
 *
 * A key that cannot be used (of another kind, for encryption, too small, off
 * its curve, garbled) is passed over and counted, as RFC 7517, section 5
 * has it: one odd key must not take the others away. Private members are not
 * looked at.
 *
 * Threads: immutable once parsed, reference counted; any thread.
 * Sources: RFC 7517, sections 4 and 5; RFC 7518, sections 6.2 and 6.3.
 */
#ifndef TOKENS_VERIFY_JWK_H
#define TOKENS_VERIFY_JWK_H

#include "base/attr.h"
#include "base/err.h"
#include "tokens/verify/jws.h"

#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>

enum {
	JWKS_BYTES_MAX = 1024 * 1024,
	JWKS_KEYS_MAX = 64,
	/* RFC 7518, section 3.3: 2048 at least. Above 8192 a verification
	 * costs more than a millisecond. */
	JWK_RSA_BITS_MIN = 2048,
	JWK_RSA_BITS_MAX = 8192,
	/* A public exponent: 65537 at least (the small ones forgive padding
	 * mistakes), odd, and not so long that a key could be made to be
	 * slow. */
	JWK_RSA_EXPONENT_BITS_MIN = 17,
	JWK_RSA_EXPONENT_BITS_MAX = 64,
};

struct jwk {
	enum jws_algorithm algorithm; /* the one that it is for */
	char *kid;                    /* NULL: none */
	void *key;                    /* EVP_PKEY */
	void *context;                /* EVP_PKEY_CTX, ready to verify; copied
	                                 for each use, which is cheaper than
	                                 to make one */
};

struct jwks {
	atomic_uint references;
	unsigned count;
	unsigned skipped; /* keys that cannot be used */
	struct jwk keys[];
};

/**
 * Parse a JWKS.
 *
 * @param out  one reference, the caller's; NULL on failure.
 * @retval 0         at least one key can be used.
 * @retval -EINVAL   no JWKS.
 * @retval -EMSGSIZE larger, or more keys, than the bounds above.
 * @retval -ENOKEY   a JWKS without a key that can be used.
 * @retval -ENOMEM   out of memory.
 */
NODISCARD int jwks_parse(
    struct jwks **out, const char *text, size_t size_bytes, struct err *err);

/** Another reference; returns `set`. */
struct jwks *jwks_get(struct jwks *set);

/** Release a reference. NULL is allowed. */
void jwks_put(struct jwks *set);
DEFINE_FREEP(jwks, jwks_put)

/**
 * Check a signature with the key of the set that the text names: the one
 * with its `kid` and algorithm; without a `kid`, the only one of its
 * algorithm.
 *
 * @retval 0              signed by that key.
 * @retval -ENOKEY        the set has no such key, or cannot tell which.
 * @retval -EKEYREJECTED  not signed by it.
 * @retval -ENOMEM        out of memory.
 */
NODISCARD int jwks_check(
    const struct jwks *set, const struct jws *jws, struct err *err);

/** Whether a set and another hold the same keys under the same names. */
bool jwks_same(const struct jwks *a, const struct jwks *b);

#endif
