/* SPDX-License-Identifier: Apache-2.0 */
/*
 * tokens/door/proof.h - what servers said of tokens, for one caller's token, one
 * path and one right: a bounded memory of refusals and of grants.
 *
 * A *refusal* is not forgotten by time, as only the server can take it back:
 * who was told no here asks the server again, and its 2xx opens the door. A
 * refusal says nothing of the paths below or above (servers refuse `/` and
 * allow `/alice`).
 *
 * A *grant* lasts until a moment that was fixed when it was proven; to use it
 * does not prolong it. It counts for the very (token, path, right)
 * and for nothing else, but that who may read a file's bytes, or a directory's
 * names, may see its attributes.
 *
 * When a memory is full its oldest entry is forgotten. A forgotten grant
 * costs a question to the server. A forgotten refusal gives cached bytes to
 * the user who owns the cache until the server says no again; where users
 * share a cache nothing is given without a grant.
 *
 * Threads: the caller's lock.
 */
#ifndef TOKENS_PROOF_H
#define TOKENS_PROOF_H

#include "base/attr.h"
#include "tokens/tokens.h"

#include <stdbool.h>
#include <stdint.h>

enum {
	PROOF_REFUSALS_MAX = 2048,
	PROOF_GRANTS_MAX = 16384,
	PROOF_PATHS_BYTES_MAX = 4 * 1024 * 1024, /* of each memory */
};

/** Whose token, for what. A token's number is one user's: two users who hold
 *  the same text have two. */
struct proof_key {
	uint64_t token_id;
	enum tokens_right right;
	const char *path; /* borrowed */
};

struct proof_table;

/** An empty memory; NULL when out of memory. */
struct proof_table *proof_new(void);

void proof_free(struct proof_table *table);
DEFINE_FREEP(proof_table, proof_free)

/**
 * Remember a server's answer. 401 and 403: a refusal, and no grant any more.
 * 2xx: takes a refusal back, and grants.
 *
 * Anything else says nothing of the token.
 *
 * @param until_ms  monotonic: how long the grant of a 2xx lasts; 0: grants
 *                  are not wanted here.
 */
void proof_note(struct proof_table *table, const struct proof_key *key,
    int status, uint64_t until_ms);

/** The status of a refusal that stands, 0 when there is none. A refusal of
 *  the bytes is one of the attributes, and the other way round; one of a
 *  directory's names is one of these alone, and a server that shows no
 *  attributes takes back the grant of names. */
int proof_refusal(const struct proof_table *table, const struct proof_key *key);

/** Whether a grant stands now. */
bool proof_granted(const struct proof_table *table, const struct proof_key *key,
    uint64_t now_ms);

/** How many refusals, and how many grants, are remembered. */
unsigned proof_refusals(const struct proof_table *table);
unsigned proof_grants(const struct proof_table *table);

#endif
