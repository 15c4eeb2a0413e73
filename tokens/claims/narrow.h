/* SPDX-License-Identifier: Apache-2.0 */
/*
 * tokens/claims/narrow.h - the least scope that one change needs: that of the
 * directory it is in, in the words of a token that may do more. Pure.
 *
 * Threads: every function may be called from any thread.
 * Source: WLCG token profile, section 2.2.1 (what may be in a scope's path).
 */
#ifndef TOKENS_NARROW_SCOPE_H
#define TOKENS_NARROW_SCOPE_H

#include "tokens/claims/reach.h"

#include <stdbool.h>

/* Of two directories, each byte of a name encoded. */
enum { NARROW_SCOPE_BYTES = 4096 };

/**
 * The scope for a change: "storage.create:/a" for what is made in /a,
 * "storage.modify:/a storage.modify:/b" for what moves from there to /b.
 * Where the token's own scope begins below the directory, it is the path
 * itself.
 *
 * @param token  with what its issuer allows, from which the words are.
 * @param asked  its right, path, `to` and `copies` count.
 * @return false: the token does not tell of such a scope, or no scope can
 *         name the path, or it is too long.
 */
bool narrow_scope(char out[NARROW_SCOPE_BYTES], const struct reach_root *root,
    const struct token *token, const struct tokens_query *asked);

#endif
