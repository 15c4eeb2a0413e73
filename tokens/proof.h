/* SPDX-License-Identifier: Apache-2.0 */
/*
 * tokens/proof.h - what servers said of tokens: a bounded memory of
 * refusals by (token, path, right), which a later success for the very same
 * clears.
 *
 * This is the single-user rule of the door to cached bytes: a token that has
 * not ended and that no server has refused for this path since. A refusal is
 * not forgotten by time, as only the server can take it back: who was told no
 * here asks the server again, and its 2xx opens the door. A refusal says
 * nothing of the paths below or above (servers refuse `/` and allow
 * `/alice`).
 *
 * When the memory is full the oldest refusal is forgotten; cached bytes are
 * then given to the user who owns them until the server says no again.
 *
 * Threads: the caller's lock.
 */
#ifndef TOKENS_PROOF_H
#define TOKENS_PROOF_H

#include "base/attr.h"
#include "tokens/tokens.h"

#include <stdint.h>

enum { PROOF_REFUSALS_MAX = 2048 };

struct proof_table;

/** An empty memory; NULL when out of memory. */
struct proof_table *proof_new(void);

void proof_free(struct proof_table *table);
DEFINE_FREEP(proof_table, proof_free)

/** Remember a server's answer: 401 and 403 are refusals, 2xx clears one,
 *  anything else says nothing of the token. */
void proof_note(struct proof_table *table, uint64_t token_id, const char *path,
    enum tokens_right right, int status);

/** The status of a refusal that stands, 0 when there is none. */
int proof_refusal(const struct proof_table *table, uint64_t token_id,
    const char *path, enum tokens_right right);

/** How many refusals stand. */
unsigned proof_count(const struct proof_table *table);

#endif
