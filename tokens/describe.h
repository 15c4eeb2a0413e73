/* SPDX-License-Identifier: Apache-2.0 */
/*
 * tokens/describe.h - what a token says of itself, for programs and people.
 * Never its text.
 *
 * Threads: every function may be called from any thread.
 */
#ifndef TOKENS_DESCRIBE_H
#define TOKENS_DESCRIBE_H

#include "base/buf.h"
#include "tokens/claims/token.h"

/** Append a JSON object without the brace that ends it. `token` may be NULL:
 *  there is none. */
void describe_token(struct buf *out, const struct token *token, uint64_t now_s);

/** Append some lines. */
void describe_token_text(
    struct buf *out, const struct token *token, uint64_t now_s);

#endif
