/* SPDX-License-Identifier: Apache-2.0 */
/*
 * tokens/store/hoard.h - all tokens of a user, of all their processes: each
 * text once, and how much they occupy.
 *
 * A token is in its user's hoard as long as anybody has a reference to it;
 * then it leaves by itself.
 *
 * Threads: hoards_* under the store's lock; the rest from any thread.
 */
#ifndef TOKENS_HOARD_H
#define TOKENS_HOARD_H

#include "base/attr.h"
#include "base/sync.h"
#include "tokens/claims/token.h"

#include <stddef.h>
#include <sys/types.h>

struct hoard;
struct hoards;

/** None; NULL when out of memory. */
struct hoards *hoards_new(void);

/** Forget them; each goes with its last token. NULL is allowed. */
void hoards_free(struct hoards *hoards);

/** That of a user, borrowed, made when there is none; NULL: no memory. */
struct hoard *hoards_of(struct hoards *hoards, uid_t uid) REQUIRES(tokens_lock);

/** Forget those that are empty. */
void hoards_tidy(struct hoards *hoards) REQUIRES(tokens_lock);

/** What the texts of all take. */
size_t hoards_bytes(const struct hoards *hoards) REQUIRES(tokens_lock);

/** What the texts of a user's take. */
size_t hoard_bytes(struct hoard *hoard);

/** The token with the very text of `token`, a reference; NULL: none. */
struct token *hoard_find(struct hoard *hoard, const struct token *token);

/** Put a token in that is in none. */
void hoard_add(struct hoard *hoard, struct token *token);

#endif
