/* SPDX-License-Identifier: Apache-2.0 */
/*
 * cache/drafts/names/rename.c - rename(2), step by step: what stands at both
 * names; what has to be sent before (rename_first.c); the drafts that it
 * touches; then the server (rename_there.c), or, of a file that no server has,
 * here alone (rename_here.c). See names.h.
 */
#include "cache/drafts/names/names.h"
#include "cache/note.h"

#include <errno.h>
#include <string.h>

/* ---- what stands at both names ---- */

static int is_below_to(void *arg, struct draft *draft) REQUIRES(drafts_lock);
static int is_below_to(void *arg, struct draft *draft)
{
	const struct names *names = arg;

	return draft->changed && strcmp(draft->path, names->to) != 0 ? 1 : 0;
}

static void seize(struct names *names);

/* Whether rename(2) may do this, as far as is known. */
static void judge(struct names *names)
{
	struct drafts *drafts = names->drafts;
	bool directory = names->kind == CACHE_DIRECTORY;
	bool filled;
	int code = 0;

	drafts_lock_enter(drafts);
	filled = drafts_below(drafts, names->to, is_below_to, names) != 0;
	drafts_lock_leave(drafts);
	if (filled) {
		names->to_exists = true;
		names->to_kind = CACHE_DIRECTORY;
	}
	if (!names->to_exists)
		names->to_kind = names->kind;
	if (names->to_exists && !names->replace)
		code = -EEXIST;
	else if (directory && names->to_kind == CACHE_FILE)
		code = -ENOTDIR;
	else if (!directory && names->to_kind == CACHE_DIRECTORY)
		code = -EISDIR;
	else if (filled)
		code = -ENOTEMPTY;
	if (code < 0)
		names_end(names, code);
	else
		rename_send_first(names, seize);
}

static void on_to(void *arg, int code, const struct cache_attr *attr)
{
	struct names *names = arg;

	/* What cannot be looked at is the server's to judge. */
	if (code == 0) {
		names->to_exists = true;
		names->to_kind = attr->kind;
		names->to_known = cache_path_version(
		    names->drafts->config.cache, names->to, &names->to_version);
	}
	judge(names);
}

static void look_at_to(struct names *names)
{
	struct drafts *drafts = names->drafts;

	if (strcmp(names->from, names->to) == 0) {
		names_end(names, names->replace ? 0 : -EEXIST);
		return;
	}
	drafts_lock_enter(drafts);
	if (drafts_at(drafts, names->ident.uid, names->to) != NULL) {
		names->to_exists = true;
		names->to_kind = CACHE_FILE;
	}
	drafts_lock_leave(drafts);
	if (names->to_exists)
		judge(names);
	else
		cache_lookup(drafts->config.cache, &names->ident, names->to,
		    on_to, names);
}

static void on_from(void *arg, int code, const struct cache_attr *attr)
{
	struct names *names = arg;

	if (code < 0) {
		names_end(names, code);
		return;
	}
	names->kind = attr->kind;
	look_at_to(names);
}

static void begin(struct names *names)
{
	struct drafts *drafts = names->drafts;
	bool here;

	drafts_lock_enter(drafts);
	here = drafts_at(drafts, names->ident.uid, names->from) != NULL;
	drafts_lock_leave(drafts);
	names->kind = CACHE_FILE;
	if (here)
		look_at_to(names);
	else
		cache_lookup(drafts->config.cache, &names->ident, names->from,
		    on_from, names);
}

/* ---- the drafts that it touches ---- */

/* As far as the cache has been told since. */
static void on_left(void *arg, int code, const struct cache_attr *attr)
{
	struct names *names = arg;

	if (code == -ENOENT)
		names->to_exists = false;
	else if (code == 0 && attr->kind == CACHE_FILE)
		names->to_known = cache_path_version(
		    names->drafts->config.cache, names->to, &names->to_version);
	rename_here(names);
}

/* Whether the draft that was at the new name is no more, and what it has put
 * on the server stands there. */
static bool is_left(const struct names *names) REQUIRES(drafts_lock);
static bool is_left(const struct names *names)
{
	return names->to_exists && !names->to_known &&
	    drafts_at(names->drafts, names->ident.uid, names->to) == NULL;
}

static void move(struct names *names)
{
	struct drafts *drafts = names->drafts;
	const struct draft *draft;
	bool here;
	bool left;

	drafts_lock_enter(drafts);
	draft = drafts_at(drafts, names->ident.uid, names->from);
	here = draft != NULL && draft_is_here_alone(draft) &&
	    names_seat(names, draft) != NULL;
	left = is_left(names);
	drafts_lock_leave(drafts);
	if (names->code < 0)
		names_end(names, names->code);
	else if (here && left)
		cache_lookup(drafts->config.cache, &names->ident, names->to,
		    on_left, names);
	else if (here)
		rename_here(names);
	else
		rename_there(names);
}

static bool is_replaced(const struct names *names, const struct draft *draft)
{
	return strcmp(draft->path, names->to) == 0 && names_owns(names, draft);
}

static void keep_replaced(struct names *names)
{
	if (names->code < 0)
		move(names);
	else
		names_keep_base(names, names->to, move);
}

static void seize_to(struct names *names)
{
	if (names->code < 0 ||
	    !names_seize(names, names->to, is_replaced, keep_replaced))
		move(names);
}

static void seize(struct names *names)
{
	if (names->code < 0)
		names_end(names, names->code);
	else if (!names_seize(names, names->from, rename_touches, seize_to))
		seize_to(names);
}

/* NOLINTNEXTLINE(readability-function-size): rename(2)'s, and the answer's */
void drafts_rename(struct drafts *drafts, const struct ident *ident,
    const char *from, const char *to, bool replace, draft_fn answer, void *arg)
{
	struct names *names;

	if (strcmp(from, "/") == 0 || strcmp(to, "/") == 0) {
		answer(arg, -EBUSY);
		return;
	}
	if (strcmp(from, to) != 0 && path_is_within(to, from)) {
		answer(arg, -EINVAL);
		return;
	}
	names = names_new(drafts, ident, from, to, answer, arg);
	if (names == NULL)
		return;
	names->replace = replace;
	names_go(names, begin);
}
