/* SPDX-License-Identifier: Apache-2.0 */
/*
 * tokens/door/skew.h - that this machine's clock is not the server's, told where
 * it explains what is thought of a token. Nothing is granted for it: a token
 * is judged by the clock of this machine, and by the server by its own.
 *
 * Threads: any; with or without the store's lock.
 */
#ifndef TOKENS_SKEW_H
#define TOKENS_SKEW_H

#include "base/attr.h"
#include "base/err.h"

#include <stdbool.h>

struct token;
struct tokens;

/** Add to a sentence about a token whose time is not now how far the clocks
 *  are apart, when that is worth a word; else it stays as it is. */
void skew_add(const struct tokens *tokens, struct err *err);

/**
 * Whether a server refused a token because by its clock the token has ended,
 * or has not begun.
 *
 * @param err  gets the reason and the remedy then.
 */
bool skew_explains(
    const struct tokens *tokens, const struct token *token, struct err *err);

#endif
