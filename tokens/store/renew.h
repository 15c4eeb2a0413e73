/* SPDX-License-Identifier: Apache-2.0 */
/*
 * tokens/store/renew.h - when to look for the next token. Pure.
 *
 * Threads: every function may be called from any thread.
 */
#ifndef TOKENS_RENEW_H
#define TOKENS_RENEW_H

#include "tokens/claims/token.h"

#include <stdint.h>

/** How long before its end a token that lives `life_s` seconds is renewed:
 *  min(max(20 % of its life, 120 s), 600 s, half its life). */
uint64_t renew_margin_s(uint64_t life_s);

/**
 * When (wall clock, seconds) to look for the next token for the first time:
 * at the margin, and up to a tenth of it earlier, so that the clients of a
 * site do not all ask in the same second.
 *
 * @param found_s  when the token was first seen: the beginning of its life
 *                 when it does not say when it was issued.
 * @return         UINT64_MAX when the token does not end.
 */
uint64_t renew_due_s(const struct token *token, uint64_t found_s);

/** When to look again after a look at `now_s` brought no newer one: the
 *  nearer the end the sooner, at least 1 s later. UINT64_MAX when the token
 *  has ended: then those who wait for one set the pace. */
uint64_t renew_again_s(const struct token *token, uint64_t now_s);

#endif
