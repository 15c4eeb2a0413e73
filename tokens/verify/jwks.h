/* SPDX-License-Identifier: Apache-2.0 */
/*
 * tokens/verify/jwks.h - a set of public keys (JWKS) from an issuer or a file.
 *
 * A key that cannot be used (jwk.h) is passed over and counted, as RFC 7517, section 5
 * has it: one odd key must not take the others away.
 *
 * Threads: immutable once parsed, reference counted; any thread.
 * Sources: RFC 7517, section 5.
 */
#ifndef TOKENS_VERIFY_JWKS_H
#define TOKENS_VERIFY_JWKS_H

#include "base/attr.h"
#include "base/err.h"
#include "tokens/verify/jwk.h"

#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>

enum {
	JWKS_BYTES_MAX = 1024 * 1024,
	JWKS_KEYS_MAX = 64,
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
