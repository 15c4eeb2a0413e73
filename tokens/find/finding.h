/* SPDX-License-Identifier: Apache-2.0 */
/*
 * tokens/find/finding.h - what one look for tokens has brought: the one to
 * use, or of HTCondor's several those that are good, of which the path
 * decides (tokens/store/pick.h).
 *
 * Threads: one at a time; the tokens themselves are immutable.
 */
#ifndef TOKENS_FINDING_H
#define TOKENS_FINDING_H

#include "base/attr.h"
#include "base/err.h"
#include "base/path.h"
#include "tokens/claims/token.h"

enum {
	FINDING_TOKENS_MAX = 16,
	/* Each with its place; a sentence; and what lies around them. */
	FINDING_BYTES_MAX =
	    FINDING_TOKENS_MAX * (TOKENS_TEXT_BYTES_MAX + PATH_BYTES_MAX + 64) +
	    ERR_TEXT_BYTES + 64,
};

struct finding {
	unsigned count; /* 0: none was found */
	/* References, the finding's, in the order in which they are to be
	 * tried. A single one may have ended, or not have begun: the best
	 * there is. */
	struct token *tokens[FINDING_TOKENS_MAX];
	struct err problem; /* the first thing that was wrong on the way, with
			       its remedy; code 0: nothing */
};

/** Add a token; the reference is consumed, also when there is no room. */
void finding_add(struct finding *finding, struct token *token);

/** The same with references of its own. */
void finding_copy(struct finding *out, const struct finding *from);

/** Release the tokens; leaves an empty one. */
void finding_fini(struct finding *finding);

/** The first one, borrowed; NULL: none. */
struct token *finding_first(const struct finding *finding);

/**
 * Write a finding as bytes, for finding_decode() in another process of this
 * very program.
 *
 * @param out  at most FINDING_BYTES_MAX bytes, which hold tokens: the caller
 *             wipes and frees them.
 * @retval -ENOMEM  out of memory.
 */
NODISCARD int finding_encode(
    const struct finding *finding, char **out, size_t *size_bytes);

/**
 * Read what finding_encode() wrote, or what somebody made up: the process
 * that wrote it read what a user chose.
 *
 * @param out  overwritten; empty on failure.
 * @retval 0         the very tokens, places and sentence that were encoded.
 * @retval -EBADMSG  it is no finding.
 * @retval -ENOMEM   out of memory.
 */
NODISCARD int finding_decode(
    struct finding *out, const char *bytes, size_t size_bytes);

#endif
