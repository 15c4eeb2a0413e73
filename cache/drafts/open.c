/* SPDX-License-Identifier: Apache-2.0 */
/*
 * cache/drafts/open.c - from a path to a draft: what it begins from.
 *
 * What may be read is opened (cache_open()), since the parts that nobody
 * writes come from there. What is cut to nothing, or has to be new, is only
 * looked up.
 */
#include "base/clock.h"
#include "cache/drafts/impl.h"
#include "cache/note.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

struct opening {
	struct drafts *drafts;
	struct ident ident;
	unsigned how;
	uint32_t mode;
	int may_create; /* 0, or why not */
	int may_modify;
	bool ended;   /* the token had, when that was asked */
	bool refused; /* its bytes may not be had: is it there? */
	drafts_open_fn answer;
	void *arg;
	struct draft *draft; /* while it is cut */
	char path[];
};

static void begin(struct opening *opening);
static void look(struct opening *opening);
static int may(struct opening *opening);

static void fail(struct opening *opening, int code)
{
	opening->answer(opening->arg, code, NULL, NULL);
	free(opening);
}

/* It is open. */
static void succeed(struct opening *opening, struct draft *draft)
{
	struct draft_attr attr;

	draft_attr(draft, &attr);
	opening->answer(opening->arg, 0, draft, &attr);
	free(opening);
}

/* ---- one that is there already ---- */

static void cut(void *arg, int code)
{
	struct opening *opening = arg;
	struct draft *draft = opening->draft;

	if (code == 0) {
		succeed(opening, draft);
		return;
	}
	draft_done(draft, &opening->ident);
	draft_put(draft);
	fail(opening, code);
}

/* @return whether there was one, and `opening` is taken care of. */
static bool join(struct opening *opening)
{
	struct drafts *drafts = opening->drafts;
	struct draft *draft;
	bool to_cut = false;
	int code = 0;

	drafts_lock_enter(drafts);
	draft = drafts_at(drafts, opening->ident.uid, opening->path);
	if (draft != NULL) {
		code =
		    draft->created ? opening->may_create : opening->may_modify;
		if ((opening->how & DRAFTS_OPEN_EXCLUSIVE) != 0)
			code = -EEXIST;
	}
	if (draft != NULL && code == 0) {
		draft_hold(draft);
		draft->writers++;
		draft_asked_by(draft, &opening->ident);
		to_cut = (opening->how & DRAFTS_OPEN_TRUNCATE) != 0 &&
		    (draft->size_bytes > 0 || draft->running != NULL ||
		        !list_is_empty(&draft->queue));
	}
	drafts_lock_leave(drafts);
	if (draft == NULL)
		return false;
	opening->draft = draft;
	if (code < 0)
		fail(opening, code);
	else if (to_cut)
		draft_truncate(draft, 0, cut, opening);
	else
		succeed(opening, draft);
	return true;
}

/* ---- a new one ---- */

/* What was set for the version that it begins from holds for it, too: the mode
 * as long as it lives, the time until it is changed. */
static void wear(struct draft *draft, const struct cache_attr *attr)
    REQUIRES(drafts_lock);
static void wear(struct draft *draft, const struct cache_attr *attr)
{
	struct drafts_worn worn;

	if (attr == NULL ||
	    !drafts_worn(draft->drafts, draft->path, attr, &worn))
		return;
	draft->mode = worn.mode;
	draft->has_mtime = worn.has_mtime;
	if (!worn.has_mtime)
		return;
	draft->mtime_s = worn.mtime_s;
	draft->mtime_ns = worn.mtime_ns;
}

/* What is to become of a base. */
static void fill_in(struct draft *draft, const struct opening *opening)
    REQUIRES(drafts_lock);
static void fill_in(struct draft *draft, const struct opening *opening)
{
	const struct base *base = &draft->base;

	draft->writers = 1;
	draft->created = !base->exists;
	if (draft->created)
		draft->mode = opening->mode;
	/* Of what nobody may look at it is not known whether it is empty. */
	if (base->exists &&
	    ((opening->how & DRAFTS_OPEN_TRUNCATE) == 0 ||
	        (base->known && base->version.size_bytes == 0)))
		return;
	draft->blank = true;
	draft->ahead_decided = false;
	draft->changed = true;
	draft->size_bytes = 0;
	draft->has_mtime = false;
	draft->mtime_ns = 0;
	draft->mtime_s = (int64_t)clock_wall_s(draft->drafts->config.clock);
	draft_settle(draft);
}

/* A new draft; NULL: out of memory, or somebody has been quicker. */
static struct draft *enter(struct opening *opening, struct base *base,
    const struct cache_attr *attr, bool *met)
{
	struct drafts *drafts = opening->drafts;
	struct draft *draft = NULL;

	drafts_lock_enter(drafts);
	*met = drafts_at(drafts, opening->ident.uid, opening->path) != NULL;
	if (!*met)
		draft = draft_new(drafts, &opening->ident, opening->path, base);
	if (draft != NULL) {
		draft->was = attr != NULL ? attr->version : 0;
		wear(draft, attr);
		fill_in(draft, opening);
	}
	drafts_lock_leave(drafts);
	return draft;
}

/* `base` is taken; `attr` of what it is, NULL: not known. */
static void make(
    struct opening *opening, struct base *base, const struct cache_attr *attr)
{
	struct draft *draft = NULL;
	bool met = false;
	int code = 0;

	/* The cache has waited for a newer token. */
	if (opening->ended)
		code = may(opening);
	if (code == 0)
		code = base->exists ? opening->may_modify : opening->may_create;
	if (code == 0)
		draft = enter(opening, base, attr, &met);
	if (draft != NULL) {
		succeed(opening, draft);
		return;
	}
	if (base->file != NULL)
		cache_close(base->file);
	if (!met)
		fail(opening, code < 0 ? code : -ENOMEM);
	else if (!join(opening))
		begin(opening);
}

/* There is none. */
static void make_new(struct opening *opening)
{
	struct base base = {.known = true};

	if ((opening->how & DRAFTS_OPEN_CREATE) == 0)
		fail(opening, -ENOENT);
	else
		make(opening, &base, NULL);
}

/* No token may look. Whoever creates means a new one; who opens what must be
 * there already, and cuts it, means that, whatever it is. */
static void make_blindly(struct opening *opening)
{
	struct base base = {
	    .exists = (opening->how & DRAFTS_OPEN_CREATE) == 0,
	    .version = {.mtime_s = -1},
	};

	if (base.exists && (opening->how & DRAFTS_OPEN_TRUNCATE) == 0)
		fail(opening, -EACCES);
	else
		make(opening, &base, NULL);
}

static void opened(
    void *arg, int code, struct cache_file *file, const struct cache_attr *attr)
{
	struct opening *opening = arg;
	struct base base = {.known = true, .exists = true, .file = file};

	if (code == -ENOENT) {
		make_new(opening);
	} else if (code == -EACCES && !opening->refused) {
		opening->refused = true;
		look(opening);
	} else if (code < 0) {
		fail(opening, code);
	} else {
		cache_file_version(file, &base.version);
		make(opening, &base, attr);
	}
}

/* It is there, and is cut: of what is not opened() was told -EACCES. */
static void begin_empty(struct opening *opening, const struct cache_attr *attr)
{
	struct cache *cache = opening->drafts->config.cache;
	struct base base = {.known = true, .exists = true};
	bool cuts = (opening->how & DRAFTS_OPEN_TRUNCATE) != 0;

	if (cuts && cache_path_version(cache, opening->path, &base.version)) {
		make(opening, &base, attr);
	} else if (cuts && !opening->refused) {
		/* Forgotten again already: have it held. */
		opening->refused = true;
		cache_open(
		    cache, &opening->ident, opening->path, opened, opening);
	} else {
		fail(opening, -EACCES);
	}
}

static void looked(void *arg, int code, const struct cache_attr *attr)
{
	struct opening *opening = arg;

	if (code == -ENOENT) {
		make_new(opening);
	} else if (code == -EACCES) {
		make_blindly(opening);
	} else if (code < 0) {
		fail(opening, code);
	} else if ((opening->how & DRAFTS_OPEN_EXCLUSIVE) != 0) {
		fail(opening, -EEXIST);
	} else if (attr->kind != CACHE_FILE) {
		fail(opening, -EISDIR);
	} else {
		begin_empty(opening, attr);
	}
}

static void look(struct opening *opening)
{
	cache_lookup(opening->drafts->config.cache, &opening->ident,
	    opening->path, looked, opening);
}

static void begin(struct opening *opening)
{
	if ((opening->how & (DRAFTS_OPEN_TRUNCATE | DRAFTS_OPEN_EXCLUSIVE)) !=
	    0)
		look(opening);
	else
		cache_open(opening->drafts->config.cache, &opening->ident,
		    opening->path, opened, opening);
}

/* One that has ended is no reason yet: the look waits for a newer one, and so
 * does whoever sends what the spool has by then. */
static int may_one(
    struct opening *opening, const char *path, enum drafts_need need)
{
	const struct drafts_config *config = &opening->drafts->config;
	int code = config->may(config->arg, &opening->ident, path, need);

	if (code != -EKEYEXPIRED)
		return code;
	opening->ended = true;
	return 0;
}

/* What the token tells. @return 0, or why it can be neither of what is asked */
static int may(struct opening *opening)
{
	char path[PATH_BYTES_MAX];
	int code = drafts_server_path(opening->drafts, path, opening->path);

	opening->ended = false;
	if (code < 0 || opening->drafts->config.may == NULL)
		return code;
	opening->may_modify = may_one(opening, path, DRAFTS_MODIFY);
	opening->may_create = may_one(opening, path, DRAFTS_CREATE);
	if ((opening->how & DRAFTS_OPEN_CREATE) != 0 &&
	    opening->may_create == 0)
		return 0;
	return opening->may_modify;
}

bool drafts_may_create_blindly(
    struct drafts *drafts, const struct ident *ident, const char *path)
{
	const struct drafts_config *config = &drafts->config;
	char server_path[PATH_BYTES_MAX];

	return config->may != NULL &&
	    drafts_server_path(drafts, server_path, path) == 0 &&
	    config->may(config->arg, ident, server_path, DRAFTS_CREATE_TOLD) ==
	    0;
}

void drafts_open(struct drafts *drafts, const struct drafts_ask *ask,
    drafts_open_fn answer, void *arg)
{
	size_t path_bytes = strlen(ask->path) + 1;
	struct opening *opening = calloc(1, sizeof(*opening) + path_bytes);
	int code;

	if (opening == NULL) {
		answer(arg, -ENOMEM, NULL, NULL);
		return;
	}
	opening->drafts = drafts;
	opening->ident = *ask->ident;
	opening->how = ask->how;
	opening->mode = ask->mode;
	opening->answer = answer;
	opening->arg = arg;
	(void)memcpy(opening->path, ask->path, path_bytes);
	if ((opening->how & DRAFTS_OPEN_CREATE) == 0)
		opening->how &= ~(unsigned)DRAFTS_OPEN_EXCLUSIVE;
	code = may(opening);
	if (code < 0)
		fail(opening, code);
	else if (!join(opening))
		begin(opening);
}
