/* SPDX-License-Identifier: Apache-2.0 */
/*
 * tokens/find/agent_kept.h - what an agent has given for one want, and when it
 * is asked again.
 *
 * The agent keeps nothing when a scope or an audience is asked for, and goes
 * to the issuer each time: so it is asked in a token's renewal margin, after a
 * refusal, and after a failure at growing distances.
 *
 * Threads: as agent.h.
 */
#ifndef TOKENS_FIND_AGENT_KEPT_H
#define TOKENS_FIND_AGENT_KEPT_H

#include "base/err.h"

#include <stdbool.h>
#include <stdint.h>

struct clock;
struct token;

struct agent_kept {
	bool used;
	char *scope;         /* NULL: what the account has */
	char *audience;      /* NULL: none */
	struct token *token; /* the last good one; may have ended since */
	uint64_t took_s;     /* wall clock */
	uint64_t used_ms;
	uint64_t again_ms;   /* not asked before */
	uint64_t refused_ms; /* no newer one for a refusal before */
	unsigned failures;   /* in a row, told by the agent */
	struct err problem;  /* of the last question */
};

/** Free what it holds; it is unused then. */
void agent_kept_empty(struct agent_kept *kept);

/** Whether the agent is to be asked now; `force`: the token at hand was
 *  refused. */
bool agent_kept_is_due(
    struct agent_kept *kept, bool force, const struct clock *clock);

/** How long the answer has to be good, in seconds. The agent keeps the very
 *  token that is kept here, so a newer one has to be better than that.
 *  @param held_s  a token that is not kept here lives so long; 0: none. */
uint64_t agent_kept_valid_s(
    const struct agent_kept *kept, uint32_t held_s, bool force, uint64_t now_s);

/** It was asked, with this result (agent_ask()): when it may be again. Soon
 *  after trouble on the way, because an operation may be waiting; less and
 *  less often while it tells of failures, because each question goes on to
 *  the issuer. */
void agent_kept_pace(
    struct agent_kept *kept, int code, const struct clock *clock);

#endif
