/* SPDX-License-Identifier: Apache-2.0 */
/*
 * tokens/claims/macaroon.h - what a macaroon says of itself: when it ends, where it
 * reaches, and what for.
 *
 * Nothing is granted from this: only who made a macaroon can check it, so
 * the origin proves it. The caveats tell when a newer one must be at hand,
 * which names lead to what it opens, and what to say when it is refused.
 *
 * Read are version 1 (packets) and version 2 (binary and JSON), as they go
 * into a header: base64 in either alphabet, padded or not. Caveats: before:,
 * path:, activity:; all others, and those of third parties, are the server's
 * business. root: is one of them: it moves "/" for the bearer, who names
 * paths below the new one.
 *
 * Threads: every function may be called from any thread.
 * Sources: libmacaroons, doc/format.txt; dCache's user guide, "Macaroons"
 * (the caveats); XrdMacaroons (the same, with absolute paths).
 */
#ifndef TOKENS_MACAROON_H
#define TOKENS_MACAROON_H

#include "base/attr.h"
#include "base/err.h"

#include <stddef.h>
#include <stdint.h>

enum {
	MACAROON_CAVEATS_MAX = 1024,
	MACAROON_SIGNATURE_BYTES = 32, /* HMAC-SHA256 */
};

struct macaroon {
	unsigned version;   /* of its form: 1, 2 */
	uint64_t expires_s; /* the earliest before:; UINT64_MAX: none */
	unsigned rights;    /* bits 1u << enum tokens_right */
	char *path;         /* normal, of the server; NULL: not to be told */
};

/**
 * Read a macaroon.
 *
 * @param out  released with macaroon_fini() after 0 only.
 * @param err  filled for -EINVAL; never holds a byte of the token.
 *
 * @retval 0         read.
 * @retval -ENOMSG   this is no macaroon.
 * @retval -EINVAL   it begins as one and is cut short or garbled. Version 2
 *                   in binary begins with a single byte, which anything may
 *                   begin with: a broken one is taken for no macaroon.
 * @retval -ENOMEM   out of memory.
 */
NODISCARD int macaroon_parse(
    struct macaroon *out, const char *text, size_t size_bytes, struct err *err);

void macaroon_fini(struct macaroon *macaroon);

/**
 * What it opens in the words of a scope claim ("storage.read:/a"), so that
 * scope.h reads it: relative to "/" of the server, whatever the issuers'
 * base path is.
 *
 * @param out  to be freed; NULL when the reach is not to be told.
 * @retval 0        told or not.
 * @retval -ENOMEM  out of memory.
 */
NODISCARD int macaroon_scope(char **out, const struct macaroon *macaroon);

#endif
