/* SPDX-License-Identifier: Apache-2.0 */
/*
 * fetch/calls/share.h - whose call is sent next: calls that wait, by user.
 *
 * Readers that wait go before read-ahead. Where many users share a fetch, the
 * one with the fewest requests under way is next, those with as many take
 * turns, and nobody has more than three times as many as there are places
 * left: twelve of sixteen alone, six of two each. So there is a place for one
 * more user even while no server answers the others, as one does not that
 * brings a file from a tape.
 *
 * Threads: the fetch thread.
 */
#ifndef FETCH_CALLS_SHARE_H
#define FETCH_CALLS_SHARE_H

#include "base/attr.h"
#include "base/sync.h"

#include <stdbool.h>
#include <sys/queue.h>
#include <sys/types.h>

struct call;
struct fetch_server;

TAILQ_HEAD(call_list, call);

enum {
	SHARE_CALLS_MAX = 4096, /* of one user of many, on their way */
	SHARE_TIMES = 3,        /* the places that are left */
};

/** One user's; of all, where one user has all. */
struct share {
	TAILQ_ENTRY(share) link;
	uid_t uid;
	unsigned calls;          /* that are not answered */
	unsigned active;         /* requests under way */
	struct call_list demand; /* that wait to be sent */
	struct call_list ahead;
};

struct shares {
	bool apart;      /* many users */
	unsigned queued; /* calls that wait to be sent */
	/* The one who has waited longest for a turn first. */
	TAILQ_HEAD(share_list, share) all;
};

void shares_init(struct shares *shares, bool apart);

/** Count a call in; share_leave() must follow. @return NULL: out of memory. */
struct share *share_join(struct shares *shares, uid_t uid)
    REQUIRES(fetch_thread);

/** The last one out frees it. */
void share_leave(struct shares *shares, struct share *share)
    REQUIRES(fetch_thread);

/** Queue a call in its share; `first`: before those that wait there. */
void share_put(struct shares *shares, struct call *call, bool first)
    REQUIRES(fetch_thread);

/** Take it out of its queue. */
void share_remove(struct shares *shares, struct call *call)
    REQUIRES(fetch_thread);

/** Whether one of a share's may be sent beside those under way. */
bool share_may_start(const struct shares *shares, const struct share *share,
    const struct fetch_server *server);

/** The call whose turn it is, which stays queued; NULL: there is none. */
struct call *share_next(const struct shares *shares,
    const struct fetch_server *server) REQUIRES(fetch_thread);

#endif
