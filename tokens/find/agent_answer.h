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

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct token;

enum {
	AGENT_ACCOUNT_BYTES = 128,
	AGENT_SAID_BYTES = 160, /* of its words that go into a sentence */
};

/** Whether that may be an account: a short name, or an issuer's address. */
bool agent_account_ok(const char *account);

/** Whether it is an issuer's address rather than a short name. */
bool agent_account_is_issuer(const char *account);

/**
 * The answer to "access_token". Copies that are made of it are wiped; the
 * text itself is the caller's.
 *
 * @param account  for the remedy.
 *
 * @retval 0             *out is the caller's. An opaque token ends at the
 *                       answer's expires_at; a JWT's own exp counts.
 * @retval -EPROTO       no such answer.
 * @retval -ENOKEY, -EBUSY, -EKEYREVOKED, -EREMOTEIO  see agent.h.
 * @retval -ENOMEM       out of memory.
 */
NODISCARD int agent_answer_token(struct token **out, const char *text,
    size_t size_bytes, const char *account, struct err *err);

/**
 * The answer to "loaded_accounts": the only one.
 *
 * @retval 0        `out` is its short name.
 * @retval -ENOKEY  there is none, or there are several (named in `err`).
 * @retval others as above.
 */
NODISCARD int agent_answer_account(char out[AGENT_ACCOUNT_BYTES],
    const char *text, size_t size_bytes, struct err *err);

#endif
