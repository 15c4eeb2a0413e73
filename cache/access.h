/* SPDX-License-Identifier: Apache-2.0 */
/*
 * cache/access.h - the only door to cached bytes, names and attributes: may
 * this caller have them now?
 *
 * It judges no token: it asks cache_config.may, and when that says that the
 * token is missing or has ended, cache_config.await looks for a newer one until
 * the deadline. Where the door needs a proof that only the server can give for
 * a file's bytes, one byte is asked for (access_prove). Whoever waits is
 * answered once: by the token store, at the deadline (cache_tick), or when the
 * cache stops; a late answer of the token store finds its asker gone and
 * touches nothing, even after the cache has been freed.
 *
 * Threads: any. Called without cache_lock.
 */
#ifndef CACHE_ACCESS_H
#define CACHE_ACCESS_H

#include "base/ident.h"
#include "base/list.h"
#include "base/sync.h"
#include "cache/cache.h"

#include <pthread.h>
#include <stdbool.h>
#include <stdint.h>

struct cache;
struct fetch_version;

struct access {
	struct list waiting; /* of struct access_wait; under cache_lock */
	pthread_cond_t left; /* one has left the list */
};

struct access_ask {
	const struct ident *ident;
	const char *path; /* the server's */
	uint64_t deadline_ms;
	int code; /* what access_door() said */
	void (*answer)(void *arg, int code);
	void *arg;
};

void access_init(struct access *access);

/** 0: yes. Else a negative errno; see access_can_wait(). `ask` is set to
 *  whether the server may be asked with this caller's token; may be NULL. */
int access_door(const struct cache *cache, const struct ident *ident,
    const char *path, enum cache_want want, bool *ask);

/** Whether two requests are made with the same token for certain. */
bool access_same(
    const struct cache *cache, const struct ident *a, const struct ident *b);

/** Whether a newer token would open the door. */
bool access_can_wait(int code);

/** Whether the answer is no, to this token: by itself or by a server. */
bool access_is_refused(int code);

/** Whether an errno tells of the token it was got with, and of nobody
 *  else's. */
bool access_is_of_token(int code);

/** This code goes to the program that asked: when it is of their token, say so
 *  to whoever wants to know. */
void access_tell(const struct cache *cache, const struct ident *ident,
    const char *server_path, enum cache_want want, int code);

/** Wait for a newer token; `answer` is called once, with 0 when there is one
 *  (the door is to be asked again), on any thread, perhaps before this
 *  returns. */
void access_wait(struct cache *cache, const struct access_ask *ask);

/** Ask the server for a byte of this version with this caller's token: only
 *  that proves that they may read it. `answer` as above; all is copied. */
void access_prove(struct cache *cache, const struct ident *ident,
    const char *server_path, const struct fetch_version *version,
    void (*answer)(void *arg, int code), void *arg);

/** No server can be reached: have those whose ended token may do now ask the
 *  door again. */
void access_serve(struct cache *cache);

/** Answer those past their deadline with what the door said. */
void access_tick(struct cache *cache, uint64_t now_ms);

/** Answer all with -ECANCELED. */
void access_stop(struct cache *cache);

#endif
