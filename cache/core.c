/* SPDX-License-Identifier: Apache-2.0 */
/* cache/core.c - see core.h. */
#include "cache/core.h"

#include "base/clock.h"
#include "fetch/fetch.h"

#include <errno.h>
#include <signal.h>
#include <string.h>

void todo_init(struct todo *todo)
{
	list_init(&todo->answers);
	list_init(&todo->runs);
	list_init(&todo->opens);
	list_init(&todo->closes);
	list_init(&todo->prefetches);
	todo->hurry_count = 0;
}

void todo_hurry(struct todo *todo, uint64_t number, uid_t uid)
{
	if (todo->hurry_count < HURRIES_MAX)
		todo->hurry[todo->hurry_count++] =
		    (struct todo_hurry){.number = number, .uid = uid};
}

UNCHECKED void cache_enter(struct cache *cache)
{
	(void)pthread_mutex_lock(&cache->mutex);
}

UNCHECKED void cache_exit(struct cache *cache)
{
	(void)pthread_mutex_unlock(&cache->mutex);
}

static struct object *object_of(struct list *item)
{
	struct disk_job *job = CONTAINER_OF(item, struct disk_job, place);

	return CONTAINER_OF(job, struct object, open_job);
}

/* What was done without the lock and has to be ended under it. */
struct did {
	struct list answered; /* of struct read */
	struct list looked;   /* of struct object, by open_job.place */
};

/* Without the lock: answer, look for bytes, close. */
static void do_todo(
    const struct cache *cache, struct todo *todo, struct did *did)
{
	struct list *item;

	while ((item = list_pop(&todo->answers)) != NULL) {
		read_answer(CONTAINER_OF(item, struct read, place));
		list_push(&did->answered, item);
	}
	for (unsigned i = 0; i < todo->hurry_count; i++)
		fetch_hurry(cache->config.fetch, todo->hurry[i].number,
		    todo->hurry[i].uid);
	todo->hurry_count = 0;
	while ((item = list_pop(&todo->runs)) != NULL)
		run_go(CONTAINER_OF(item, struct run, place));
	while ((item = list_pop(&todo->prefetches)) != NULL)
		prefetch_go_on(item);
	while ((item = list_pop(&todo->opens)) != NULL) {
		object_look(object_of(item));
		list_push(&did->looked, item);
	}
	while ((item = list_pop(&todo->closes)) != NULL)
		object_free(CONTAINER_OF(item, struct object, idle));
}

static bool is_done(const struct todo *todo)
{
	return list_is_empty(&todo->answers) && list_is_empty(&todo->runs) &&
	    list_is_empty(&todo->opens) && list_is_empty(&todo->closes) &&
	    list_is_empty(&todo->prefetches) && todo->hurry_count == 0;
}

static void end_did(struct cache *cache, struct did *did, struct todo *todo)
    REQUIRES(cache_lock);
static void end_did(struct cache *cache, struct did *did, struct todo *todo)
{
	struct list *item;

	while ((item = list_pop(&did->answered)) != NULL)
		read_free(cache, CONTAINER_OF(item, struct read, place), todo);
	while ((item = list_pop(&did->looked)) != NULL)
		object_looked(object_of(item), todo);
}

void cache_leave(struct cache *cache, struct todo *todo)
{
	struct did did;

	list_init(&did.answered);
	list_init(&did.looked);
	for (;;) {
		/* Buffers may have been given back. */
		if (readers_are_starved(&cache->reads))
			readers_feed(cache, todo);
		cache_exit(cache);
		if (is_done(todo))
			return;
		do_todo(cache, todo, &did);
		if (list_is_empty(&did.answered) && list_is_empty(&did.looked))
			return;
		cache_enter(cache);
		end_did(cache, &did, todo);
	}
}

int thread_start(
    pthread_t *out, const char *name, void *(*run)(void *arg), void *arg)
{
	sigset_t all;
	sigset_t old;
	int code;

	/* Signals are for the main thread. */
	(void)sigfillset(&all);
	(void)pthread_sigmask(SIG_SETMASK, &all, &old);
	code = pthread_create(out, NULL, run, arg);
	(void)pthread_sigmask(SIG_SETMASK, &old, NULL);
	if (code != 0)
		return -code;
	(void)pthread_setname_np(*out, name);
	return 0;
}

void thread_cond_init(pthread_cond_t *cond)
{
	pthread_condattr_t attr;

	(void)pthread_condattr_init(&attr);
	(void)pthread_condattr_setclock(&attr, CLOCK_MONOTONIC);
	(void)pthread_cond_init(cond, &attr);
	(void)pthread_condattr_destroy(&attr);
}

uint64_t cache_now_ms(const struct cache *cache)
{
	return clock_now_ms(cache->config.clock);
}

int cache_server_path(
    const struct cache *cache, char out[PATH_BYTES_MAX], const char *path)
{
	size_t root_bytes = strlen(cache->source_path);
	size_t path_bytes = strlen(path);

	if (strcmp(cache->source_path, "/") == 0)
		root_bytes = 0;
	else if (strcmp(path, "/") == 0)
		path_bytes = 0;
	if (root_bytes + path_bytes >= PATH_BYTES_MAX)
		return -ENAMETOOLONG;
	(void)memcpy(out, cache->source_path, root_bytes);
	(void)memcpy(out + root_bytes, path, path_bytes);
	out[root_bytes + path_bytes] = '\0';
	return 0;
}
