/* SPDX-License-Identifier: Apache-2.0 */
/*
 * cache/drafts/drafts.c - the drafts of a mount begin and end; the table of
 * their paths.
 */
#include "cache/drafts/drafts.h"

#include "base/clock.h"
#include "base/log.h"
#include "cache/drafts/impl.h"

#include <assert.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

void drafts_lock_enter(struct drafts *drafts) UNCHECKED
{
	(void)pthread_mutex_lock(&drafts->mutex);
}

void drafts_lock_leave(struct drafts *drafts) UNCHECKED
{
	struct worker *called[DRAFTS_THREADS];
	unsigned count = drafts->called_count;

	if (count == 0) {
		(void)pthread_mutex_unlock(&drafts->mutex);
		return;
	}
	for (unsigned i = 0; i < count; i++)
		called[i] = drafts->called[i];
	drafts->called_count = 0;
	/* They stay as long as somebody may wake them (work_stop()). */
	atomic_fetch_add(&drafts->waking, 1);
	(void)pthread_mutex_unlock(&drafts->mutex);
	for (unsigned i = 0; i < count; i++)
		(void)sem_post(&called[i]->wake);
	atomic_fetch_sub(&drafts->waking, 1);
}

int drafts_server_path(
    const struct drafts *drafts, char out[PATH_BYTES_MAX], const char *path)
{
	const char *root = drafts->source_path;
	size_t root_bytes = strcmp(root, "/") == 0 ? 0 : strlen(root);
	size_t path_bytes = strcmp(path, "/") == 0 ? 0 : strlen(path);

	if (root_bytes + path_bytes == 0) {
		(void)memcpy(out, "/", sizeof("/"));
		return 0;
	}
	if (root_bytes + path_bytes >= PATH_BYTES_MAX)
		return -ENAMETOOLONG;
	(void)memcpy(out, root, root_bytes);
	(void)memcpy(out + root_bytes, path, path_bytes);
	out[root_bytes + path_bytes] = '\0';
	return 0;
}

/* ---- the table ---- */

struct list *drafts_bucket(struct drafts *drafts, const char *path)
{
	/* FNV-1a; that names can be chosen to meet costs their chooser. */
	uint64_t hash = UINT64_C(0xcbf29ce484222325);

	for (const char *at = path; *at != '\0'; at++)
		hash = (hash ^ (unsigned char)*at) * UINT64_C(0x100000001b3);
	hash ^= hash >> 32;
	return &drafts->buckets[hash % DRAFTS_BUCKETS];
}

struct draft *drafts_at(struct drafts *drafts, uid_t uid, const char *path)
{
	struct list *bucket = drafts_bucket(drafts, path);

	for (struct list *in = bucket->next; in != bucket; in = in->next) {
		struct draft *draft = CONTAINER_OF(in, struct draft, in);

		if (strcmp(draft->path, path) == 0 &&
		    (!drafts->config.shared || draft->ident.uid == uid))
			return draft;
	}
	return NULL;
}

int drafts_below(struct drafts *drafts, const char *path,
    int (*each)(void *arg, struct draft *draft), void *arg)
{
	struct list *next;
	int code = 0;

	for (unsigned i = 0; i < DRAFTS_BUCKETS && drafts->count > 0; i++) {
		struct list *bucket = &drafts->buckets[i];

		/* `each` may take this one out, and no other. */
		for (struct list *in = bucket->next; in != bucket; in = next) {
			struct draft *draft =
			    CONTAINER_OF(in, struct draft, in);

			next = in->next;
			if (path_is_within(draft->path, path))
				code = each(arg, draft);
			if (code != 0)
				return code;
		}
	}
	return 0;
}

struct draft *drafts_find(
    struct drafts *drafts, const struct ident *ident, const char *path)
{
	struct draft *draft;

	drafts_lock_enter(drafts);
	draft = drafts_at(drafts, ident->uid, path);
	if (draft != NULL)
		draft_hold(draft);
	drafts_lock_leave(drafts);
	return draft;
}

/* ---- begin and end ---- */

/* Nobody else knows them yet. */
static struct drafts *make(const struct drafts_config *config) UNCHECKED
{
	struct drafts *drafts = calloc(1, sizeof(*drafts));

	if (drafts == NULL)
		return NULL;
	(void)pthread_mutex_init(&drafts->mutex, NULL);
	(void)pthread_cond_init(&drafts->quiet, NULL);
	for (unsigned i = 0; i < DRAFTS_BUCKETS; i++)
		list_init(&drafts->buckets[i]);
	list_init(&drafts->ready);
	list_init(&drafts->idle);
	list_init(&drafts->again);
	list_init(&drafts->flushes);
	list_init(&drafts->names);
	clock_random(&drafts->seed, sizeof(drafts->seed));
	drafts->config = *config;
	drafts->origin = strdup(config->origin);
	drafts->source_path = strdup(config->source_path);
	drafts->worn = worn_new();
	drafts->sender = sender_new();
	if (drafts->origin == NULL || drafts->source_path == NULL ||
	    drafts->worn == NULL || drafts->sender == NULL) {
		drafts_free(drafts);
		return NULL;
	}
	drafts->config.origin = drafts->origin;
	drafts->config.source_path = drafts->source_path;
	return drafts;
}

int drafts_new(
    struct drafts **out, const struct drafts_config *config, struct err *err)
{
	struct drafts *drafts = make(config);
	int code;

	if (drafts == NULL)
		return err_set(err, -ENOMEM, "out of memory");
	code = work_start(drafts, err);
	if (code == 0)
		code = adopt_all(drafts, err);
	if (code < 0) {
		drafts_stop(drafts);
		drafts_free(drafts);
		return code;
	}
	*out = drafts;
	return 0;
}

/* An unsent one goes to a list of its own: nobody else has turns any more. */
static int note_unsent(void *arg, struct draft *draft) REQUIRES(drafts_lock);
static int note_unsent(void *arg, struct draft *draft)
{
	struct list *unsent = arg;

	if (draft->entry == NULL || !draft->changed)
		return 0;
	draft_hold(draft);
	list_remove(&draft->turn);
	list_push(unsent, &draft->turn);
	return 0;
}

/* It survives the machine, as it is. */
static void make_durable(struct draft *draft)
{
	struct err err = ERR_INIT;
	int code;

	if (spool_attr(draft->entry).state == SPOOL_CLOSED)
		code = spool_finish(draft->entry, SPOOL_TO_POWER, &err);
	else
		code = spool_sync(draft->entry, &err);
	if (code < 0)
		log_line(LOG_LEVEL_ERROR, LOG_CACHE,
		    "unsent file not flushed to the disk", "path=%s error=%s",
		    LOG_TEXT(draft->path), LOG_TEXT(err.text));
}

void drafts_stop(struct drafts *drafts)
{
	struct list unsent;
	struct list *first;

	list_init(&unsent);
	drafts_lock_enter(drafts);
	drafts->stopping = true;
	drafts_lock_leave(drafts);
	flushes_stop(drafts);
	send_stop(drafts);
	ahead_tick(drafts, clock_now_ms(drafts->config.clock));
	work_drain(drafts);
	work_stop(drafts);
	drafts_lock_enter(drafts);
	(void)drafts_below(drafts, "/", note_unsent, &unsent);
	drafts_lock_leave(drafts);
	while ((first = list_pop(&unsent)) != NULL) {
		struct draft *draft = CONTAINER_OF(first, struct draft, turn);

		make_durable(draft);
		draft_put(draft);
	}
	work_drain(drafts);
}

/* What the table still holds is unsent. */
static int let_go(void *arg, struct draft *draft) REQUIRES(drafts_lock);
static int let_go(void *arg, struct draft *draft)
{
	(void)arg;
	assert(draft->refs == 1 && draft->held);
	draft_hold(draft);
	draft_part(draft);
	draft_let_go(draft);
	return 0;
}

void drafts_free(struct drafts *drafts)
{
	if (drafts == NULL)
		return;
	/* Those that were open until now have been closed since. */
	work_drain(drafts);
	drafts_lock_enter(drafts);
	(void)drafts_below(drafts, "/", let_go, NULL);
	drafts_lock_leave(drafts);
	work_drain(drafts);
	sender_free(drafts->sender);
	worn_free(drafts->worn);
	free(drafts->origin);
	free(drafts->source_path);
	(void)pthread_cond_destroy(&drafts->quiet);
	(void)pthread_mutex_destroy(&drafts->mutex);
	free(drafts);
}

void drafts_tick(struct drafts *drafts)
{
	again_tick(drafts, clock_now_ms(drafts->config.clock));
}
