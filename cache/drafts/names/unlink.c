/* SPDX-License-Identifier: Apache-2.0 */
/*
 * cache/drafts/names/unlink.c - unlink: on the server, of its drafts, in the
 * spool. See names.h.
 */
#include "base/log.h"
#include "cache/drafts/names/names.h"
#include "cache/note.h"

#include <errno.h>
#include <string.h>

/* Its own user's file of that name. */
static bool is_the_file(const struct names *names, const struct draft *draft)
{
	return strcmp(draft->path, names->from) == 0 &&
	    names_owns(names, draft);
}

static void on_buried(struct names *names)
{
	names_end(names, names->code);
}

static void bury(struct seat *seat)
{
	struct err err = ERR_INIT;
	int code = draft_bury(seat->draft, &err);

	if (code < 0)
		log_line(LOG_LEVEL_WARN, LOG_CACHE,
		    "removed file stays in the spool", "path=%s error=%s",
		    LOG_TEXT(seat->draft->path), LOG_TEXT(err.text));
	names_came(seat->names, code);
}

/* The server has it no more, or never had. */
static void follow_unlink(struct names *names)
{
	struct drafts *drafts = names->drafts;
	struct draft *draft;

	drafts_lock_enter(drafts);
	/* Also one that was opened meanwhile. */
	draft = drafts_at(drafts, names->ident.uid, names->from);
	if (draft != NULL) {
		draft_hold(draft);
		draft_go(draft);
		draft_let_go(draft);
	}
	drafts_lock_leave(drafts);
	worn_forget(drafts, names->from);
	names_each_seat(names, bury, on_buried);
}

static void on_deleted(void *arg, int code, const struct err *err)
{
	struct names *names = arg;
	struct cache *cache = names->drafts->config.cache;

	(void)err;
	/* What is seen here is removed, whoever was quicker there. */
	if (code == -ENOENT && !list_is_empty(&names->seats))
		code = 0;
	if (code == 0 || code == -ENOENT)
		cache_note_gone(cache, names->from);
	else
		cache_note_doubt(cache, names->from);
	if (code == 0)
		follow_unlink(names);
	else
		names_end(names, code);
}

static void unlink_kept(struct names *names)
{
	struct drafts *drafts = names->drafts;
	char path[PATH_BYTES_MAX];
	const struct draft *draft;
	bool here;
	int code = names->code;

	drafts_lock_enter(drafts);
	draft = drafts_at(drafts, names->ident.uid, names->from);
	here = draft != NULL && draft_is_here_alone(draft);
	drafts_lock_leave(drafts);
	if (code == 0)
		code = drafts_server_path(drafts, path, names->from);
	if (code < 0)
		names_end(names, code);
	else if (here)
		follow_unlink(names);
	else
		fetch_delete(drafts->config.fetch, &names->ident, path,
		    on_deleted, names);
}

static void unlink_seized(struct names *names)
{
	if (names->code < 0)
		names_end(names, names->code);
	else
		names_keep_base(names, names->from, unlink_kept);
}

static void begin_unlink(struct names *names)
{
	if (!names_seize(names, names->from, is_the_file, unlink_seized))
		unlink_kept(names);
}

void drafts_unlink(struct drafts *drafts, const struct ident *ident,
    const char *path, draft_fn answer, void *arg)
{
	struct names *names;

	if (strcmp(path, "/") == 0) {
		answer(arg, -EISDIR);
		return;
	}
	names = names_new(drafts, ident, path, NULL, answer, arg);
	if (names != NULL)
		names_go(names, begin_unlink);
}
