/* SPDX-License-Identifier: Apache-2.0 */
/*
 * cache/drafts/copy.c - a whole file copied by the server, into one that was
 * created just now and of which nothing is written.
 *
 * It is a change of that draft: nothing is written meanwhile, nothing sent. The
 * server makes the file new or not at all (FETCH_IF_ABSENT in effect). What
 * stands there then is looked at, and is what the draft begins from. Whatever
 * is in the way, the program copies by hand (-EXDEV).
 */
#include "base/log.h"
#include "cache/drafts/impl.h"
#include "cache/note.h"

#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

typedef void (*copy_fn)(void *arg, int64_t code);

struct copy {
	struct work work; /* of the draft that it is copied to */
	struct draft *draft;
	struct ident ident;
	copy_fn answer;
	void *arg;
	uint64_t size_bytes; /* of what is copied */
	int64_t code;
	void (*step)(struct copy *copy); /* on a work thread */
	char to[PATH_BYTES_MAX];         /* the mount's, as it is copied */
	char from[];                     /* the mount's */
};

static void finish(struct copy *copy)
{
	copy->answer(copy->arg, copy->code);
	work_done(&copy->work);
	free(copy);
}

static void go(struct copy *copy, void (*step)(struct copy *copy))
{
	copy->step = step;
	work_again(&copy->work);
}

/* By hand, unless the answer would be the same then. */
static int64_t by_hand(int code)
{
	return code == -ETIMEDOUT || code == -EHOSTUNREACH ||
	        code == -ECANCELED || code == -ENOMEM || code == -EDQUOT
	    ? code
	    : -EXDEV;
}

/* It may be copied to still. */
static bool is_new(const struct draft *draft) REQUIRES(drafts_lock);
static bool is_new(const struct draft *draft)
{
	return draft->created && draft->blank && draft->size_bytes == 0 &&
	    !draft->base.exists && !draft->gone && !draft->parted &&
	    draft->sending == DRAFT_AT_REST && draft->tries == 0;
}

/* ---- after it ---- */

static void on_undone(void *arg, int code, const struct err *err)
{
	struct copy *copy = arg;

	if (code < 0 && code != -ENOENT)
		log_line(LOG_LEVEL_WARN, LOG_CACHE,
		    "copy that cannot be looked at stays on the server",
		    "path=%s error=%s cure=\"remove it there\"",
		    LOG_TEXT(copy->to), LOG_TEXT(err->text));
	cache_note_doubt(copy->draft->drafts->config.cache, copy->to);
	go(copy, finish);
}

/* What came of it is not known: it goes, and is copied by hand. */
static void undo(struct copy *copy)
{
	struct drafts *drafts = copy->draft->drafts;
	char path[PATH_BYTES_MAX];

	copy->code = -EXDEV;
	if (drafts_server_path(drafts, path, copy->to) == 0)
		fetch_delete(
		    drafts->config.fetch, &copy->ident, path, on_undone, copy);
	else
		go(copy, finish);
}

/* On a work thread: the draft begins from the copy. */
static void take_over(struct copy *copy)
{
	struct draft *draft = copy->draft;
	struct drafts *drafts = draft->drafts;
	struct spool_entry *entry;
	struct err err = ERR_INIT;
	struct fetch_version version;
	bool known =
	    cache_path_version(drafts->config.cache, copy->to, &version);

	if (!known || version.size_bytes != copy->size_bytes) {
		undo(copy);
		return;
	}
	cache_note_file(
	    drafts->config.cache, copy->to, &version, draft->number);
	drafts_lock_enter(drafts);
	entry = draft->entry;
	draft->entry = NULL;
	draft->base.known = true;
	draft->base.exists = true;
	draft->base.version = version;
	draft->created = false;
	draft->blank = false;
	draft->changed = false;
	draft->size_bytes = version.size_bytes;
	draft->mtime_s = version.mtime_s < 0 ? 0 : version.mtime_s;
	draft->mtime_ns = 0;
	draft_settle(draft);
	drafts_lock_leave(drafts);
	if (entry != NULL && spool_remove(&entry, &err) < 0)
		log_line(LOG_LEVEL_WARN, LOG_CACHE, "spool entry not removed",
		    "path=%s error=%s", LOG_TEXT(copy->to), LOG_TEXT(err.text));
	copy->code =
	    copy->size_bytes > INT_MAX ? INT_MAX : (int64_t)copy->size_bytes;
	finish(copy);
}

static void on_looked(void *arg, int code, const struct cache_attr *attr)
{
	struct copy *copy = arg;

	if (code == 0 && attr->kind == CACHE_FILE)
		go(copy, take_over);
	else
		undo(copy);
}

static void on_copied(void *arg, int code, const struct err *err)
{
	struct copy *copy = arg;
	struct cache *cache = copy->draft->drafts->config.cache;

	(void)err; /* by hand it comes again */
	cache_note_doubt(cache, copy->to);
	if (code < 0) {
		copy->code = by_hand(code);
		go(copy, finish);
		return;
	}
	cache_lookup(cache, &copy->ident, copy->to, on_looked, copy);
}

/* ---- before it ---- */

static void run(struct work *work)
{
	struct copy *copy = CONTAINER_OF(work, struct copy, work);
	struct draft *draft = work->draft;
	struct drafts *drafts = draft->drafts;
	char from[PATH_BYTES_MAX];
	char to[PATH_BYTES_MAX];
	bool fit;

	if (copy->step != NULL) {
		copy->step(copy);
		return;
	}
	drafts_lock_enter(drafts);
	fit = is_new(draft) && !drafts->stopping &&
	    drafts_server_path(drafts, to, draft->path) == 0 &&
	    drafts_server_path(drafts, from, copy->from) == 0;
	if (fit)
		(void)snprintf(copy->to, sizeof(copy->to), "%s", draft->path);
	drafts_lock_leave(drafts);
	if (!fit)
		finish(copy);
	else
		fetch_copy(drafts->config.fetch,
		    &(struct fetch_move){.ident = &copy->ident,
		        .from = from,
		        .to = to,
		        .kind = FETCH_FILE},
		    on_copied, copy);
}

static void give_up(struct copy *copy, int64_t code)
{
	struct draft *draft = copy->draft;

	copy->answer(copy->arg, code);
	free(copy);
	draft_put(draft);
}

static void begin(void *arg, int code, const struct cache_attr *attr)
{
	struct copy *copy = arg;
	struct draft *draft = copy->draft;

	if (code < 0 || attr->kind != CACHE_FILE || attr->size_bytes == 0) {
		give_up(copy, -EXDEV);
		return;
	}
	copy->size_bytes = attr->size_bytes;
	copy->work.run = run;
	copy->work.changes = true;
	copy->work.asks = true;
	work_add(draft, &copy->work);
	draft_put(draft);
}

void drafts_copy(struct drafts *drafts, const struct ident *ident,
    const char *from, struct draft *to, copy_fn answer, void *arg)
{
	size_t from_bytes = strlen(from) + 1;
	struct copy *copy = calloc(1, sizeof(*copy) + from_bytes);
	const struct draft *unsent;
	bool fit;

	if (copy == NULL) {
		answer(arg, -ENOMEM);
		return;
	}
	copy->draft = draft_get(to);
	copy->ident = *ident;
	copy->answer = answer;
	copy->arg = arg;
	copy->code = -EXDEV;
	(void)memcpy(copy->from, from, from_bytes);
	drafts_lock_enter(drafts);
	unsent = drafts_at(drafts, ident->uid, from);
	fit = is_new(to) && (unsent == NULL || !unsent->changed) &&
	    strlen(to->path) < PATH_BYTES_MAX;
	drafts_lock_leave(drafts);
	if (fit)
		cache_lookup(drafts->config.cache, ident, from, begin, copy);
	else
		give_up(copy, -EXDEV);
}
