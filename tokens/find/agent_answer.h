/* SPDX-License-Identifier: Apache-2.0 */
/*
 * tokens/find/agent_answer.h - what an agent's answers say.
 *
 * Threads: every function may be called from any thread.
 * Source: oidc-agent 4.2.6, docs/api/api-ipc.md.
 */
#ifndef TOKENS_AGENT_ANSWER_H
#define TOKENS_AGENT_ANSWER_H

#include "base/attr.h"
#include "base/err.h"

#include <stddef.h>
#include <stdint.h>

struct token;

enum {
	AGENT_ACCOUNT_BYTES = 128,
	AGENT_ACCOUNTS_MAX = 64,
	AGENT_SAID_BYTES = 160, /* of its words that go into a sentence */
};

/**
 * The answer to "access_token".
 *
 * @param text  wiped where it held the token, also on failure.
 * @param account  the account's, short or an issuer, for the remedy.
 *
 * @retval 0             *out is the caller's. An opaque token ends at the
 *                       answer's expires_at; a JWT's own exp counts.
 * @retval -EPROTO       no such answer.
 * @retval -ENOKEY, -EBUSY, -EKEYREVOKED, -EREMOTEIO  see agent.h.
 * @retval -ENOMEM       out of memory.
 */
NODISCARD int agent_answer_token(struct token **out, char *text,
    size_t size_bytes, const char *account, struct err *err);

/**
 * The answer to "loaded_accounts": the only one.
 *
 * @retval 0        `out` is its short name.
 * @retval -ENOKEY  there is none, or there are several (named in `err`).
 * @retval others as above.
 */
NODISCARD int agent_answer_account(char out[AGENT_ACCOUNT_BYTES], char *text,
    size_t size_bytes, struct err *err);

#endif
