/* SPDX-License-Identifier: Apache-2.0 */
/* cache/access.c - see access.h. */
#include "cache/access.h"

#include "cache/core.h"
#include "fetch/fetch.h"
#include "fetch/sink.h"

#include <errno.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>

/* Who has answered, or will. */
enum { WAITING, ANSWERED, ABANDONED };

struct access_wait {
	struct list place;        /* access.waiting */
	struct access_wait *next; /* of those abandoned together */
	_Atomic int state;
	_Atomic int refs; /* whoever answers, and the token store */
	struct cache *cache;
	struct ident ident;
	char path[PATH_BYTES_MAX];
	uint64_t deadline_ms;
	int code;
	bool looked; /* by access_serve() */
	void (*answer)(void *arg, int code);
	void *arg;
};

void access_init(struct access *access)
{
	list_init(&access->waiting);
	thread_cond_init(&access->left);
}

int access_door(const struct cache *cache, const struct ident *ident,
    const char *path, enum cache_want want, bool *ask)
{
	bool unused;
	bool *asks = ask != NULL ? ask : &unused;
	int code =
	    cache->config.may(cache->config.arg, ident, path, want, asks);

	return code == -EKEYEXPIRED
	    ? offline_door(cache, ident, path, want, asks)
	    : code;
}

bool access_same(
    const struct cache *cache, const struct ident *a, const struct ident *b)
{
	return cache->config.shared ? ident_same(a, b) : a->uid == b->uid;
}

bool access_can_wait(int code)
{
	return code == -ENOKEY || code == -EKEYEXPIRED;
}

bool access_is_refused(int code)
{
	return code == -EACCES || code == -EKEYREJECTED;
}

bool access_is_of_token(int code)
{
	return access_can_wait(code) || access_is_refused(code);
}

void access_tell(const struct cache *cache, const struct ident *ident,
    const char *server_path, enum cache_want want, int code)
{
	if (access_is_of_token(code) && cache->config.refused != NULL)
		cache->config.refused(
		    cache->config.arg, ident, server_path, want, code);
}

static void wait_put(struct access_wait *wait, int refs)
{
	if (atomic_fetch_sub(&wait->refs, refs) == refs)
		free(wait);
}

static bool claim(struct access_wait *wait, int state)
{
	int expected = WAITING;

	return atomic_compare_exchange_strong(&wait->state, &expected, state);
}

/* The token store answers. Until the claim is won nothing but `wait` may be
 * touched: the cache may be gone. Once won, access_stop() waits for it. */
static void found(void *arg, int code)
{
	struct access_wait *wait = arg;
	struct cache *cache;

	if (!claim(wait, ANSWERED)) {
		wait_put(wait, 1);
		return;
	}
	cache = wait->cache;
	wait->answer(wait->arg, code);
	cache_enter(cache);
	list_remove(&wait->place);
	(void)pthread_cond_broadcast(&cache->access.left);
	cache_exit(cache);
	wait_put(wait, 2);
}

void access_wait(struct cache *cache, const struct access_ask *ask)
{
	struct access_wait *wait = malloc(sizeof(*wait));
	bool stopping;

	if (wait == NULL) {
		ask->answer(ask->arg, -ENOMEM);
		return;
	}
	list_init(&wait->place);
	atomic_init(&wait->state, WAITING);
	atomic_init(&wait->refs, 2);
	wait->cache = cache;
	wait->ident = *ask->ident;
	(void)snprintf(wait->path, sizeof(wait->path), "%s", ask->path);
	wait->deadline_ms = ask->deadline_ms;
	wait->code = ask->code;
	wait->looked = false;
	wait->answer = ask->answer;
	wait->arg = ask->arg;
	cache_enter(cache);
	stopping = cache->stopping;
	if (!stopping)
		list_push(&cache->access.waiting, &wait->place);
	cache_exit(cache);
	if (stopping) {
		free(wait);
		ask->answer(ask->arg, -ECANCELED);
		return;
	}
	if (ask->code == -EKEYEXPIRED)
		offline_ask(cache);
	cache->config.await(cache->config.arg, ask->ident, wait->path,
	    wait->deadline_ms, found, wait);
}

/* Take those out whose claim is won here. */
static struct access_wait *abandon(
    struct cache *cache, uint64_t now_ms, bool all) REQUIRES(cache_lock);
static struct access_wait *abandon(
    struct cache *cache, uint64_t now_ms, bool all)
{
	struct access_wait *first = NULL;
	struct list *item = cache->access.waiting.next;

	while (item != &cache->access.waiting) {
		struct access_wait *wait =
		    CONTAINER_OF(item, struct access_wait, place);

		item = item->next;
		if (!all && now_ms < wait->deadline_ms)
			continue;
		if (!claim(wait, ABANDONED))
			continue;
		list_remove(&wait->place);
		wait->next = first;
		first = wait;
	}
	return first;
}

static void answer_all(struct access_wait *wait, int code)
{
	while (wait != NULL) {
		struct access_wait *next = wait->next;

		wait->answer(wait->arg, code < 0 ? code : wait->code);
		wait_put(wait, 1);
		wait = next;
	}
}

void access_tick(struct cache *cache, uint64_t now_ms)
{
	struct access_wait *late;

	cache_enter(cache);
	late = abandon(cache, now_ms, false);
	cache_exit(cache);
	answer_all(late, 0);
}

/* Those who wait because their token has ended, each once; one reference
 * each. */
static struct access_wait *not_looked_at(struct cache *cache)
    REQUIRES(cache_lock);
static struct access_wait *not_looked_at(struct cache *cache)
{
	struct access_wait *first = NULL;

	for (struct list *item = cache->access.waiting.next;
	     item != &cache->access.waiting; item = item->next) {
		struct access_wait *wait =
		    CONTAINER_OF(item, struct access_wait, place);

		if (wait->looked || wait->code != -EKEYEXPIRED)
			continue;
		wait->looked = true;
		(void)atomic_fetch_add(&wait->refs, 1);
		wait->next = first;
		first = wait;
	}
	return first;
}

void access_serve(struct cache *cache)
{
	struct access_wait *wait;

	cache_enter(cache);
	wait = not_looked_at(cache);
	cache_exit(cache);
	while (wait != NULL) {
		struct access_wait *next = wait->next;

		/* Asked again, the door opens or tells another reason. */
		if (access_door(cache, &wait->ident, wait->path, CACHE_LOOK,
		        NULL) != -EKEYEXPIRED &&
		    claim(wait, ABANDONED)) {
			cache_enter(cache);
			list_remove(&wait->place);
			cache_exit(cache);
			wait->answer(wait->arg, 0);
			wait_put(wait, 1);
		}
		/* NOLINTNEXTLINE(clang-analyzer-unix.Malloc): counted */
		wait_put(wait, 1);
		wait = next;
	}
}

static void wait_until_left(struct cache *cache) REQUIRES(cache_lock);
static void wait_until_left(struct cache *cache)
{
	while (!list_is_empty(&cache->access.waiting))
		(void)pthread_cond_wait(&cache->access.left, &cache->mutex);
}

void access_stop(struct cache *cache)
{
	struct access_wait *all;

	cache_enter(cache);
	all = abandon(cache, 0, true);
	wait_until_left(cache);
	cache_exit(cache);
	answer_all(all, -ECANCELED);
}

/* Proving. */

struct proof {
	void (*answer)(void *arg, int code);
	void *arg;
};

static int proof_begin(void *arg, const char *etag)
{
	(void)arg;
	(void)etag;
	return 0;
}

static void proof_write(
    void *arg, uint64_t offset_bytes, const void *bytes, size_t size_bytes)
{
	(void)arg;
	(void)offset_bytes;
	(void)bytes;
	(void)size_bytes;
}

static void proof_done(void *arg, int code, const struct err *err)
{
	struct proof *proof = arg;

	(void)err; /* fetch has logged it */
	proof->answer(proof->arg, code);
	free(proof);
}

void access_prove(struct cache *cache, const struct ident *ident,
    const char *server_path, const struct fetch_version *version,
    void (*answer)(void *arg, int code), void *arg)
{
	struct proof *proof;

	if (version->size_bytes == 0) {
		answer(arg, 0); /* nothing is in it */
		return;
	}
	proof = malloc(sizeof(*proof));
	if (proof == NULL) {
		answer(arg, -ENOMEM);
		return;
	}
	*proof = (struct proof){.answer = answer, .arg = arg};
	(void)fetch_range(cache->config.fetch,
	    &(struct fetch_range){
	        .ident = ident,
	        .path = server_path,
	        .version = version,
	        .length_bytes = 1,
	        .only = FETCH_ONLY_ORIGIN,
	        .demand = true,
	        .deadline_ms = cache_now_ms(cache) + cache->config.timeout_ms,
	    },
	    &(struct fetch_sink){
	        .begin = proof_begin,
	        .write = proof_write,
	        .done = proof_done,
	        .arg = proof,
	    });
}
