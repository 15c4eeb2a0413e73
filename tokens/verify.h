/* SPDX-License-Identifier: Apache-2.0 */
/*
 * tokens/verify.h - verify tokens from outside, for commands: the judgement
 * of a mount (verify/trust.h), with waiting for the keys and with the claims
 * as an answer.
 *
 * A public header of this folder, beside tokens.h.
 *
 * Threads: a verifier belongs to one thread at a time.
 */
#ifndef TOKENS_VERIFY_H
#define TOKENS_VERIFY_H

#include "base/attr.h"
#include "base/buf.h"
#include "base/err.h"
#include "tokens/tokens.h"

#include <stddef.h>

struct tokens_verifier;

struct tokens_verifier_config {
	const struct clock *clock;        /* borrowed */
	const struct tokens_trust *trust; /* as for a mount; copied */
	const char *scope;     /* "read:/path" that must be covered; NULL */
	const char *base_path; /* server path that scope "/" means */
	unsigned wait_ms;      /* for keys that must be fetched */
};

/**
 * Make one; keys are at hand when this returns, or could not be got.
 *
 * @retval 0
 * @retval -EINVAL  a configured value is unusable, the scope too.
 * @retval -errno   the key file; or -ENOMEM, -EAGAIN.
 */
NODISCARD int tokens_verifier_new(struct tokens_verifier **out,
    const struct tokens_verifier_config *config, struct err *err);

void tokens_verifier_free(struct tokens_verifier *verifier);
DEFINE_FREEP(tokens_verifier, tokens_verifier_free)

/** What was found; both borrowed until the next call. */
struct tokens_verified {
	const char *profile; /* NULL: not known */
	const char *claims;  /* JSON; NULL unless the token is valid */
};

/**
 * Verify a token.
 *
 * @retval 0              valid, and the scope is covered.
 * @retval -EKEYREJECTED  forged, of an issuer or audience that is not ours,
 *                        against its profile.
 * @retval -EKEYEXPIRED   ended, or not begun.
 * @retval -EACCES        good, and does not cover the scope.
 * @retval -EAGAIN        cannot be verified: opaque, or without keys.
 * @retval -EINVAL, -EMSGSIZE  no token at all.
 * @retval -ENOMEM        out of memory.
 */
NODISCARD int tokens_verify(struct tokens_verifier *verifier, const char *text,
    size_t size_bytes, struct tokens_verified *out, struct err *err);

/**
 * Check a compact JWS against the keys and append its payload, whatever it
 * is. Issuer, times and claims are not looked at.
 *
 * @retval 0              signed by one of the keys.
 * @retval -EKEYREJECTED  it is not, or in a way that is not accepted.
 * @retval -EAGAIN        there are no keys.
 * @retval -EINVAL        no compact JWS.
 * @retval -ENOMEM        out of memory.
 */
NODISCARD int tokens_verify_signature(struct tokens_verifier *verifier,
    const char *text, size_t size_bytes, struct buf *payload, struct err *err);

#endif
