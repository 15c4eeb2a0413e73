/* SPDX-License-Identifier: Apache-2.0 */
/*
 * cache/drafts/draft.c - one draft's life: references, attributes, its path,
 * its end.
 *
 * It ends when nobody has a reference any more; the table has one of what is
 * unsent. What was sent stays in the table, and is read here, until the cache
 * has its bytes: whoever opens it meanwhile has it again.
 */
#include "base/clock.h"
#include "base/log.h"
#include "cache/drafts/impl.h"
#include "cache/note.h"

#include <assert.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { FRESH_MS = 1000 }; /* what is believed of a draft's attributes */

/* A number that was never used, by splitmix64 (S. Vigna). */
static uint64_t next_number(struct drafts *drafts) REQUIRES(drafts_lock);
static uint64_t next_number(struct drafts *drafts)
{
	uint64_t mixed;

	do {
		drafts->seed += UINT64_C(0x9e3779b97f4a7c15);
		mixed = drafts->seed;
		mixed = (mixed ^ (mixed >> 30)) * UINT64_C(0xbf58476d1ce4e5b9);
		mixed = (mixed ^ (mixed >> 27)) * UINT64_C(0x94d049bb133111eb);
		mixed ^= mixed >> 31;
	} while (mixed == 0);
	return mixed;
}

/* The cache is given what the server has been given. */
static int64_t give(
    void *arg, uint64_t offset_bytes, void *out, size_t size_bytes)
{
	struct draft *draft = arg;
	struct err err = ERR_INIT;
	ssize_t n;
	bool wanted;

	/* Who wants to change it does not wait for this. */
	drafts_lock_enter(draft->drafts);
	wanted = list_is_empty(&draft->queue) && !draft->drafts->stopping;
	drafts_lock_leave(draft->drafts);
	if (!wanted)
		return -ECANCELED;
	n = spool_read(draft->entry, out, size_bytes, offset_bytes, &err);
	return n == 0 ? -EIO : n;
}

/* Whether the cache may have its bytes: they are the server's, all of them. */
static bool is_to_keep(const struct draft *draft) REQUIRES(drafts_lock);
static bool is_to_keep(const struct draft *draft)
{
	return draft->entry != NULL && !draft->kept && !draft->changed &&
	    !draft->gone && !draft->parted && draft->base.known &&
	    draft->base.exists && !draft->drafts->stopping &&
	    spool_attr(draft->entry).state == SPOOL_SENT;
}

/* Files of the cache under earlier paths. */
static void close_pasts(struct draft *draft)
{
	struct list *in;

	while ((in = list_pop(&draft->pasts)) != NULL) {
		struct past *past = CONTAINER_OF(in, struct past, in);

		cache_close(past->file);
		free(past);
	}
}

/* Nobody knows it any more. */
static void dispose(struct draft *draft)
{
	struct err err = ERR_INIT;

	if (draft->entry != NULL && (draft->gone || !draft->changed)) {
		if (spool_remove(&draft->entry, &err) < 0)
			log_line(LOG_LEVEL_WARN, LOG_CACHE,
			    "spool entry not removed", "path=%s error=%s",
			    LOG_TEXT(draft->path), LOG_TEXT(err.text));
	} else {
		spool_release(draft->entry);
	}
	if (draft->base.file != NULL)
		cache_close(draft->base.file);
	close_pasts(draft);
	free(draft->path);
	free(draft);
}

/* What is known of it goes to where those look who come after it. */
static void leave_table(struct draft *draft) REQUIRES(drafts_lock);
static void leave_table(struct draft *draft)
{
	struct draft_attr attr;
	bool sent;

	list_remove(&draft->turn);
	if (list_is_empty(&draft->in))
		return;
	if (!draft->changed && !draft->gone) {
		sent = draft->entry != NULL &&
		    spool_attr(draft->entry).state == SPOOL_SENT;
		draft_show(draft, &attr);
		if (sent && draft->base.known)
			attr.attr.told = cache_told(
			    draft->drafts->config.cache, &draft->base.version);
		/* What was only opened says nothing new. */
		if (sent || draft->mode != 0 || draft->has_mtime)
			worn_take(draft->drafts, draft->path,
			    sent ? draft->number : draft->was, &attr);
	}
	list_remove(&draft->in);
	draft->drafts->count--;
}

static void end_run(struct work *work)
{
	struct draft *draft = work->draft;
	struct drafts *drafts = draft->drafts;
	struct fetch_version version;
	char path[PATH_BYTES_MAX];

	drafts_lock_enter(drafts);
	if (is_to_keep(draft)) {
		draft->kept = true;
		version = draft->base.version;
		(void)snprintf(path, sizeof(path), "%s", draft->path);
		drafts_lock_leave(drafts);
		/* Changes wait in its queue: the bytes are that version's. */
		cache_keep(drafts->config.cache, path, &version, give, draft);
		drafts_lock_enter(drafts);
	}
	if (draft->refs > 1) {
		/* Somebody has it again; the last of them comes here. */
		draft->refs--;
		work_end(draft, work);
		drafts_lock_leave(drafts);
		return;
	}
	leave_table(draft);
	drafts_lock_leave(drafts);
	dispose(draft);
	drafts_lock_enter(drafts);
	work_end_last(drafts);
	drafts_lock_leave(drafts);
}

struct draft *draft_new(struct drafts *drafts, const struct ident *ident,
    const char *path, struct base *base)
{
	struct draft *draft = calloc(1, sizeof(*draft));

	if (draft != NULL)
		draft->path = strdup(path);
	if (draft == NULL || draft->path == NULL) {
		free(draft);
		return NULL;
	}
	draft->drafts = drafts;
	draft->refs = 1;
	draft->ident = *ident;
	draft->number = next_number(drafts);
	draft->base = *base;
	draft->ahead_decided = base->exists && base->version.size_bytes > 0;
	if (base->exists) {
		draft->size_bytes = base->version.size_bytes;
		draft->mtime_s = base->version.mtime_s;
	}
	list_init(&draft->turn);
	list_init(&draft->queue);
	list_init(&draft->waiters);
	list_init(&draft->pasts);
	list_init(&draft->closing.in);
	list_init(&draft->ending.in);
	draft->ending.run = end_run;
	list_push(drafts_bucket(drafts, path), &draft->in);
	drafts->count++;
	return draft;
}

void draft_settle(struct draft *draft)
{
	bool hold = draft->changed && !draft->gone && !draft->parted;

	if (hold && !draft->held)
		draft_hold(draft);
	else if (!hold && draft->held)
		draft_let_go(draft);
	draft->held = hold;
}

void draft_part(struct draft *draft)
{
	assert(draft->refs > 1 || !draft->held);
	if (!list_is_empty(&draft->in)) {
		list_remove(&draft->in);
		draft->drafts->count--;
	}
	draft->parted = true;
	draft_settle(draft);
}

void draft_move(struct draft *draft, char **path)
{
	free(draft->path);
	draft->path = STEAL(*path);
	if (!list_is_empty(&draft->in)) {
		list_remove(&draft->in);
		list_push(
		    drafts_bucket(draft->drafts, draft->path), &draft->in);
	}
}

void draft_hold(struct draft *draft)
{
	draft->refs++;
}

void draft_let_go(struct draft *draft)
{
	assert(draft->refs > 0);
	/* That takes a reference again: the last. */
	if (--draft->refs == 0)
		work_add_at_leisure(draft, &draft->ending);
}

struct draft *draft_get(struct draft *draft)
{
	drafts_lock_enter(draft->drafts);
	draft_hold(draft);
	drafts_lock_leave(draft->drafts);
	return draft;
}

void draft_put(struct draft *draft)
{
	struct drafts *drafts = draft->drafts;

	drafts_lock_enter(drafts);
	draft_let_go(draft);
	drafts_lock_leave(drafts);
}

void draft_asked_by(struct draft *draft, const struct ident *ident)
{
	draft->ident = *ident;
	draft->elsewhere = false;
}

void draft_show(const struct draft *draft, struct draft_attr *out)
{
	const struct fetch_version *version = &draft->base.version;

	*out = (struct draft_attr){
	    .attr =
	        {
	            .kind = CACHE_FILE,
	            .size_bytes = draft->size_bytes,
	            .mtime_s = draft->mtime_s,
	            .version = draft->number,
	            .was = draft->was,
	            .fresh_until_ms =
	                clock_now_ms(draft->drafts->config.clock) + FRESH_MS,
	        },
	    .mtime_ns = draft->mtime_ns,
	    .mode = draft->mode,
	    .unsent = draft->changed && !draft->gone,
	    .code = draft->code,
	};
	/* What the server has says so itself. */
	if (!draft->changed && !draft->has_mtime && draft->base.known &&
	    draft->base.exists && version->mtime_s >= 0) {
		out->attr.mtime_s = version->mtime_s;
		out->mtime_ns = 0;
	}
}

void draft_attr(const struct draft *draft, struct draft_attr *out)
{
	drafts_lock_enter(draft->drafts);
	draft_show(draft, out);
	drafts_lock_leave(draft->drafts);
}

struct cache_file *draft_base_file(struct draft *draft)
{
	struct cache_file *file;

	drafts_lock_enter(draft->drafts);
	file = draft->base.file;
	drafts_lock_leave(draft->drafts);
	return file;
}
