/* SPDX-License-Identifier: Apache-2.0 */
/*
 * cache/drafts/rename.c - rename(2): what stands at both names, what has to be
 * sent before, and the server's part. See names.h.
 *
 * A file that no server has is renamed here alone. Else the server gets first
 * what is finished and unsent (of what is still being written nothing that is
 * half done is published: it follows to its new name, and is sent there), and
 * then moves. A directory that is to be replaced is empty, and removed before:
 * WebDAV would take all that is in it.
 */
#include "base/log.h"
#include "cache/drafts/names.h"
#include "cache/note.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

/* ---- what stands at both names ---- */

static bool is_own(const struct names *names, const struct draft *draft)
{
	return !names->drafts->config.shared ||
	    draft->ident.uid == names->ident.uid;
}

/* Another user's file that no server has is not seen by who renames. */
static bool is_touched(const struct names *names, const struct draft *draft)
    REQUIRES(drafts_lock);
static bool is_touched(const struct names *names, const struct draft *draft)
{
	return strcmp(draft->path, names->from) != 0 || is_own(names, draft) ||
	    !draft_is_here_alone(draft);
}

static int is_below_to(void *arg, struct draft *draft) REQUIRES(drafts_lock);
static int is_below_to(void *arg, struct draft *draft)
{
	const struct names *names = arg;

	return draft->changed && strcmp(draft->path, names->to) != 0 ? 1 : 0;
}

static void send_first(struct names *names);

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
		send_first(names);
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

/* ---- what is sent before ---- */

/* A draft whose sending is waited for. */
struct hearing {
	struct waiter waiter;
	struct list in;
	struct names *names;
	struct draft *draft; /* one reference */
	bool must;           /* it has to be sent; else only to end */
};

static void heard(struct waiter *waiter, int code)
{
	struct hearing *hearing = CONTAINER_OF(waiter, struct hearing, waiter);
	struct draft *draft = hearing->draft;
	struct names *names = hearing->names;
	bool parted;

	drafts_lock_enter(draft->drafts);
	parted = draft->parted;
	draft_let_go(draft);
	drafts_lock_leave(draft->drafts);
	/* What is renamed here alone may be unsent, but not another's now. */
	if (!hearing->must && !parted)
		code = 0;
	free(hearing);
	names_came(names, code);
}

/* Whether its sending has begun. */
static bool is_flying(const struct draft *draft) REQUIRES(drafts_lock);
static bool is_flying(const struct draft *draft)
{
	return draft->sending == DRAFT_FILLING ||
	    draft->sending == DRAFT_SENDING;
}

/* Whether it is to be sent before, or its sending is to end. */
static bool is_to_wait(const struct names *names, const struct draft *draft,
    bool *must) REQUIRES(drafts_lock);
static bool is_to_wait(
    const struct names *names, const struct draft *draft, bool *must)
{
	enum spool_state state;

	*must = strcmp(draft->path, names->from) != 0 ||
	    !draft_is_here_alone(draft);
	if (!draft->changed || draft->entry == NULL)
		return false;
	if (!*must || is_flying(draft))
		return is_flying(draft);
	state = spool_attr(draft->entry).state;
	return state == SPOOL_CLOSED || state == SPOOL_FAILED;
}

struct hearings {
	struct names *names;
	struct list list;
};

static int gather(void *arg, struct draft *draft) REQUIRES(drafts_lock);
static int gather(void *arg, struct draft *draft)
{
	struct hearings *hearings = arg;
	struct hearing *hearing;
	bool must;

	if (!is_touched(hearings->names, draft) ||
	    !is_to_wait(hearings->names, draft, &must))
		return 0;
	hearing = malloc(sizeof(*hearing));
	if (hearing == NULL)
		return -ENOMEM;
	*hearing = (struct hearing){.waiter = {.sent = heard},
	    .names = hearings->names,
	    .draft = draft,
	    .must = must};
	list_init(&hearing->waiter.in);
	list_push(&hearings->list, &hearing->in);
	draft_hold(draft);
	names_expect(hearings->names);
	return 0;
}

static void seize(struct names *names);

static void send_first(struct names *names)
{
	struct drafts *drafts = names->drafts;
	struct hearings hearings = {.names = names};
	struct list *in;
	int code;

	list_init(&hearings.list);
	drafts_lock_enter(drafts);
	names->next = seize;
	names_expect(names);
	code = drafts_below(drafts, names->from, gather, &hearings);
	drafts_lock_leave(drafts);
	while ((in = list_pop(&hearings.list)) != NULL) {
		struct hearing *hearing = CONTAINER_OF(in, struct hearing, in);
		int sent = draft_send(hearing->draft, &hearing->waiter);

		if (sent < 0) {
			hearing->must = true;
			heard(&hearing->waiter, sent);
		}
	}
	names_came(names, code);
}

/* ---- the server ---- */

static void ask_server(struct names *names);

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

static void ask_server(struct names *names)
{
	struct drafts *drafts = names->drafts;
	const struct draft *draft;
	bool here;

	drafts_lock_enter(drafts);
	draft = drafts_at(drafts, names->ident.uid, names->from);
	here = draft != NULL && draft_is_here_alone(draft) &&
	    names_seat(names, draft) != NULL;
	drafts_lock_leave(drafts);
	if (names->code < 0)
		names_end(names, names->code);
	else if (here)
		rename_here(names);
	else if (names->kind == CACHE_DIRECTORY && names->to_exists)
		ask_rmdir(names);
	else
		ask_move(names);
}

/* ---- the drafts that it touches ---- */

static bool is_replaced(const struct names *names, const struct draft *draft)
{
	return strcmp(draft->path, names->to) == 0 && is_own(names, draft);
}

static void keep_replaced(struct names *names)
{
	if (names->code < 0)
		ask_server(names);
	else
		names_keep_base(names, names->to, ask_server);
}

static void seize_to(struct names *names)
{
	if (names->code < 0 ||
	    !names_seize(names, names->to, is_replaced, keep_replaced))
		ask_server(names);
}

static void seize(struct names *names)
{
	if (names->code < 0)
		names_end(names, names->code);
	else if (!names_seize(names, names->from, is_touched, seize_to))
		seize_to(names);
}

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
