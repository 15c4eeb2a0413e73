/* SPDX-License-Identifier: Apache-2.0 */
/*
 * cache/drafts/names/directory.c - mkdir, rmdir. See names.h.
 */
#include "cache/drafts/names/names.h"
#include "cache/note.h"

#include <errno.h>
#include <string.h>

/* The server's path, when no draft at or below the mount's is `against` it.
 * @return false: it has ended. */
static bool is_clear(struct names *names,
    int (*against)(void *arg, struct draft *draft), char path[PATH_BYTES_MAX])
{
	struct drafts *drafts = names->drafts;
	int code;

	drafts_lock_enter(drafts);
	code = drafts_below(drafts, names->from, against, names);
	drafts_lock_leave(drafts);
	if (code == 0)
		code = drafts_server_path(drafts, path, names->from);
	if (code < 0)
		names_end(names, code);
	return code == 0;
}

/* ---- mkdir ---- */

static int is_there(void *arg, struct draft *draft) REQUIRES(drafts_lock);
static int is_there(void *arg, struct draft *draft)
{
	const struct names *names = arg;

	/* Another user's file of that very name is not seen by this one. */
	if (strcmp(draft->path, names->from) == 0 && !names_owns(names, draft))
		return 0;
	return draft->changed || draft->base.exists ? -EEXIST : 0;
}

static void on_made(void *arg, int code, const struct err *err)
{
	struct names *names = arg;
	struct cache *cache = names->drafts->config.cache;

	(void)err; /* told where it came from */
	if (code == 0)
		cache_note_directory(cache, names->from);
	else
		cache_note_doubt(cache, names->from);
	names_end(names, code);
}

static void begin_mkdir(struct names *names)
{
	char path[PATH_BYTES_MAX];

	if (is_clear(names, is_there, path))
		fetch_mkcol(names->drafts->config.fetch, &names->ident, path,
		    on_made, names);
}

void drafts_mkdir(struct drafts *drafts, const struct ident *ident,
    const char *path, draft_fn answer, void *arg)
{
	struct names *names;

	if (strcmp(path, "/") == 0) {
		answer(arg, -EEXIST);
		return;
	}
	names = names_new(drafts, ident, path, NULL, answer, arg);
	if (names != NULL)
		names_go(names, begin_mkdir);
}

/* ---- rmdir ---- */

/* Whether a directory is not empty on account of it. */
static int is_inside(void *arg, struct draft *draft) REQUIRES(drafts_lock);
static int is_inside(void *arg, struct draft *draft)
{
	const struct names *names = arg;

	if (strcmp(draft->path, names->from) != 0)
		return draft->changed ? -ENOTEMPTY : 0;
	return names_owns(names, draft) ? -ENOTDIR : 0;
}

static void on_removed(void *arg, int code, const struct err *err)
{
	struct names *names = arg;
	struct cache *cache = names->drafts->config.cache;

	(void)err;
	if (code == 0) {
		cache_note_gone(cache, names->from);
		worn_forget(names->drafts, names->from);
	} else {
		cache_note_doubt(cache, names->from);
	}
	names_end(names, code);
}

static void begin_rmdir(struct names *names)
{
	char path[PATH_BYTES_MAX];

	if (is_clear(names, is_inside, path))
		fetch_rmdir(names->drafts->config.fetch, &names->ident, path,
		    on_removed, names);
}

void drafts_rmdir(struct drafts *drafts, const struct ident *ident,
    const char *path, draft_fn answer, void *arg)
{
	struct names *names;

	if (strcmp(path, "/") == 0) {
		answer(arg, -EBUSY);
		return;
	}
	names = names_new(drafts, ident, path, NULL, answer, arg);
	if (names != NULL)
		names_go(names, begin_rmdir);
}
