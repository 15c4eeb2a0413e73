/* SPDX-License-Identifier: Apache-2.0 */
/*
 * cache/drafts/names/rename_there.c - the server moves what is renamed. See
 * names.h.
 *
 * A directory that is to be replaced is empty, and removed before: WebDAV would
 * take all that is in it.
 */
#include "base/log.h"
#include "cache/drafts/names/names.h"
#include "cache/note.h"

#include <errno.h>

static void fail(struct names *names, int code)
{
	cache_note_doubt(names->drafts->config.cache, names->from);
	cache_note_doubt(names->drafts->config.cache, names->to);
	names_end(names, code);
}

/* The directory that was to be replaced is there again, or not. */
static void on_restored(void *arg, int code, const struct err *err)
{
	struct names *names = arg;

	if (code < 0)
		log_line(LOG_LEVEL_WARN, LOG_CACHE,
		    "empty directory was removed for a rename that failed",
		    "path=%s error=%s cure=\"mkdir\"", LOG_TEXT(names->to),
		    LOG_TEXT(err->text));
	fail(names, names->code);
}

static void on_moved(void *arg, int code, const struct err *err);

static void ask_move(struct names *names)
{
	struct drafts *drafts = names->drafts;
	char from[PATH_BYTES_MAX];
	char to[PATH_BYTES_MAX];
	int code = drafts_server_path(drafts, from, names->from);

	if (code == 0)
		code = drafts_server_path(drafts, to, names->to);
	if (code < 0)
		names_end(names, code);
	else
		fetch_move(drafts->config.fetch,
		    &(struct fetch_move){.ident = &names->ident,
		        .from = from,
		        .to = to,
		        .kind = names->kind == CACHE_FILE ? FETCH_FILE
		                                          : FETCH_DIRECTORY,
		        .replace = names->replace},
		    on_moved, names);
}

static void on_emptied(void *arg, int code, const struct err *err)
{
	struct names *names = arg;

	(void)err;
	if (code == 0) {
		names->to_empty = true;
		cache_note_gone(names->drafts->config.cache, names->to);
		worn_forget(names->drafts, names->to);
	}
	if (code == 0 || code == -ENOENT)
		ask_move(names);
	else
		fail(names, code);
}

static void ask_rmdir(struct names *names)
{
	struct drafts *drafts = names->drafts;
	char path[PATH_BYTES_MAX];
	int code = drafts_server_path(drafts, path, names->to);

	names->to_asked = true;
	if (code < 0)
		names_end(names, code);
	else
		fetch_rmdir(drafts->config.fetch, &names->ident, path,
		    on_emptied, names);
}

static void on_moved(void *arg, int code, const struct err *err)
{
	struct names *names = arg;
	struct drafts *drafts = names->drafts;
	char path[PATH_BYTES_MAX];

	(void)err;
	if (code == 0) {
		rename_follow(names);
	} else if (code == -EEXIST && names->replace && !names->to_asked &&
	    names->kind == CACHE_DIRECTORY) {
		/* One that was not known of. */
		ask_rmdir(names);
	} else if (names->to_empty &&
	    drafts_server_path(drafts, path, names->to) == 0) {
		names->code = code;
		fetch_mkcol(drafts->config.fetch, &names->ident, path,
		    on_restored, names);
	} else {
		fail(names, code);
	}
}

void rename_there(struct names *names)
{
	if (names->kind == CACHE_DIRECTORY && names->to_exists)
		ask_rmdir(names);
	else
		ask_move(names);
}
