/* SPDX-License-Identifier: Apache-2.0 */
/*
 * tokens/find/agent.h - access tokens from a token agent (oidc-agent's
 * protocol): what was asked for is kept here, by account, scope and
 * audience, because the agent itself keeps nothing that was asked for with a
 * scope or an audience.
 *
 * The agent holds the refresh token and talks to the issuer; this side sees
 * access tokens only. It is asked when a token is wanted and none is at hand,
 * when the margin of renew.h has come, and once after a refusal; never more
 * often. What it says wrongly, or does not say in time, costs its deadline
 * and one sentence: the last good token serves until its own end.
 *
 * Threads: one at a time; a thread that asks on its own makes an agent of
 * its own. No globals. Blocks as long as the caller allows.
 * Source: oidc-agent 4.2.6, docs/api/api-ipc.md, src/oidc-agent/oidcp.
 */
#ifndef TOKENS_AGENT_H
#define TOKENS_AGENT_H

#include "base/attr.h"
#include "base/err.h"
#include "tokens/find/file.h"

#include <stdbool.h>
#include <stdint.h>

struct agent;
struct clock;
struct token;

enum {
	AGENT_LOOK_MS = 1800, /* in a look, below what a look may take */
	AGENT_UPLOAD_MS =
	    10000,            /* with a scope the issuer is asked each time */
	AGENT_CACHE_MAX = 16, /* (scope, audience) pairs that are kept */
	AGENT_NAME_BYTES = 256,
	AGENT_AGAIN_MS_MIN = 1000, /* between questions after trouble, */
	AGENT_AGAIN_MS_MAX = 8000, /* doubled while it tells of failures */
	AGENT_REFUSED_MS = 60000,  /* between newer ones after refusals */
	AGENT_PENDING_MS = 30000,  /* an answer is waited for, look by look */
	AGENT_FIRST_VALID_S = 60,  /* least life of the first token */
};

/** Which agent; everything is copied. */
struct agent_config {
	const struct clock *clock; /* borrowed for the agent's life */
	const char *socket;        /* absolute path */
	bool in_fds;               /* as struct agent_place has it */
	uint32_t held_s; /* a token that is not kept here lives so long, and a
			    newer one is wanted; 0: any will do */
	struct file_rules rules; /* whose agent it must be (or root's), and
				    where no socket may lie */
	const char *account; /* short name, or https://... of the issuer; NULL:
				the only one that is loaded */
};

/** What is wanted. */
struct agent_want {
	const char *scope;    /* NULL: what the account has */
	const char *audience; /* NULL: none */
	bool force;           /* a newer one, though one is at hand */
	unsigned wait_ms;     /* longest to block */
};

/**
 * @retval 0        made; nothing was asked yet.
 * @retval -EINVAL  the socket's path is not absolute or too long, or the
 *                  account's name is none.
 * @retval -ENOMEM  out of memory.
 */
NODISCARD int agent_new(
    struct agent **out, const struct agent_config *config, struct err *err);

void agent_free(struct agent *agent);
DEFINE_FREEP(agent, agent_free)

/**
 * The token for a want: from what was kept, or from the agent.
 *
 * @param out  a reference of the caller's; NULL when there is none. It may
 *             have ended: then there was no newer one to be had.
 * @param err  what is wrong with the agent, with the remedy; code 0: nothing.
 *             Of:
 *
 * @retval 0              a token.
 * @retval -ECONNREFUSED  no agent listens there.
 * @retval -EPERM         what is there is no socket, or someone else's.
 * @retval -ETIMEDOUT     no answer yet.
 * @retval -EPROTO        an answer that makes no sense.
 * @retval -ENOKEY        it has no such account loaded, or several.
 * @retval -EBUSY         it is locked.
 * @retval -EKEYREVOKED   the issuer does not renew that account any more.
 * @retval -EREMOTEIO     it says that something else failed.
 * @retval -ENOMEM        out of memory.
 */
NODISCARD int agent_ask(struct agent *agent, const struct agent_want *want,
    struct token **out, struct err *err);

/** Forget the token of a want: an upload is done. */
void agent_drop(struct agent *agent, const struct agent_want *want);

/** "agent:NAME", or "agent:" as long as the account is not known. Borrowed
 *  until the next call. */
const char *agent_name(const struct agent *agent);

#endif
