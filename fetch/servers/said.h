/* SPDX-License-Identifier: Apache-2.0 */
/*
 * fetch/servers/said.h - what was last said of a path when a user asked, for
 * `bearerfs explain`: a status, or that no answer came.
 *
 * Bounded: of two paths that share a place the later stays. What was said to
 * one user is told to no other.
 *
 * Threads: every function may be called from any thread.
 */
#ifndef FETCH_SERVERS_SAID_H
#define FETCH_SERVERS_SAID_H

#include "base/sync.h"
#include "fetch/fetch.h"

#include <pthread.h>

enum { SAID_PLACES = 1024 };

/** By whom something was said, and to whom. */
struct said_by {
	uid_t uid;
	unsigned server; /* 0: the origin; n: the nth cache */
};

struct said_place {
	uint64_t hash; /* of these and the path; 0: free */
	struct said_by by;
	struct fetch_said what;
};

struct said {
	pthread_mutex_t mutex;
	struct said_place places[SAID_PLACES] GUARDED_BY(fetch_queue_lock);
};

void said_init(struct said *said);
void said_fini(struct said *said);

/** Remember. */
void said_note(struct said *said, const struct said_by *by, const char *path,
    const struct fetch_said *what);

/** As fetch_said(). */
bool said_find(struct said *said, const struct said_by *by, const char *path,
    struct fetch_said *out);

#endif
