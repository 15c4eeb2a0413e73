/* SPDX-License-Identifier: Apache-2.0 */
/* fetch/calls/share.c - see share.h. */
#include "fetch/calls/share.h"

#include "fetch/calls/call.h"
#include "fetch/servers/server.h"

#include <assert.h>
#include <stdlib.h>

void shares_init(struct shares *shares, bool apart)
{
	*shares = (struct shares){.apart = apart};
	TAILQ_INIT(&shares->all);
}

struct share *share_join(struct shares *shares, uid_t uid)
{
	struct share *share;

	if (!shares->apart)
		uid = 0;
	TAILQ_FOREACH(share, &shares->all, link)
	{
		if (share->uid == uid) {
			share->calls++;
			return share;
		}
	}
	share = calloc(1, sizeof(*share));
	if (share == NULL)
		return NULL;
	share->uid = uid;
	share->calls = 1;
	TAILQ_INIT(&share->demand);
	TAILQ_INIT(&share->ahead);
	/* Who comes next has waited longest. */
	TAILQ_INSERT_HEAD(&shares->all, share, link);
	return share;
}

void share_leave(struct shares *shares, struct share *share)
{
	assert(share->calls > 0);
	if (--share->calls > 0)
		return;
	assert(share->active == 0);
	TAILQ_REMOVE(&shares->all, share, link);
	free(share);
}

static struct call_list *queue_of(const struct call *call)
{
	return call->demand ? &call->share->demand : &call->share->ahead;
}

void share_put(struct shares *shares, struct call *call, bool first)
{
	if (first)
		TAILQ_INSERT_HEAD(queue_of(call), call, queue_link);
	else
		TAILQ_INSERT_TAIL(queue_of(call), call, queue_link);
	shares->queued++;
}

void share_remove(struct shares *shares, struct call *call)
{
	TAILQ_REMOVE(queue_of(call), call, queue_link);
	shares->queued--;
	/* Whoever has had a turn waits for the next one. */
	TAILQ_REMOVE(&shares->all, call->share, link);
	TAILQ_INSERT_TAIL(&shares->all, call->share, link);
}

bool share_may_start(const struct shares *shares, const struct share *share,
    const struct fetch_server *server)
{
	return !shares->apart ||
	    (server->active < SERVER_REQUESTS_MAX &&
	        share->active <
	            SHARE_TIMES * (SERVER_REQUESTS_MAX - server->active));
}

static struct call *pick(
    const struct shares *shares, const struct fetch_server *server, bool demand)
{
	const struct share *share;
	const struct share *best = NULL;
	struct call *call = NULL;

	TAILQ_FOREACH(share, &shares->all, link)
	{
		struct call *first = demand ? TAILQ_FIRST(&share->demand)
		                            : TAILQ_FIRST(&share->ahead);

		if (first == NULL || !share_may_start(shares, share, server) ||
		    (best != NULL && share->active >= best->active))
			continue;
		best = share;
		call = first;
	}
	return call;
}

struct call *share_next(
    const struct shares *shares, const struct fetch_server *server)
{
	struct call *call = pick(shares, server, true);

	return call != NULL ? call : pick(shares, server, false);
}
