/* SPDX-License-Identifier: Apache-2.0 */
/*
 * tokens/verify/jwk.h - one public key (JWK), ready to verify with.
 *
 * Private members are not looked at.
 *
 * Threads: immutable once read; any thread.
 * Sources: RFC 7517, section 4; RFC 7518, sections 6.2 and 6.3.
 */
#ifndef TOKENS_VERIFY_JWK_H
#define TOKENS_VERIFY_JWK_H

#include "base/attr.h"
#include "tokens/claims/json.h"
#include "tokens/verify/jws.h"

enum {
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

/**
 * Read a key.
 *
 * @param out  released by jwk_fini() when it is one.
 * @retval 1        a key that can be used.
 * @retval 0        none: of another kind, for encryption, too small, off its
 *                  curve, garbled.
 * @retval -ENOMEM  out of memory.
 */
NODISCARD int jwk_read(struct jwk *out, const cJSON *object);

/** Release what jwk_read() made. */
void jwk_fini(struct jwk *key);

#endif
