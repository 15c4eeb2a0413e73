/* SPDX-License-Identifier: Apache-2.0 */
/*
 * cache/drafts/names/rename_here.c - what is renamed on the server, or here
 * alone: drafts and their entries follow. See names.h.
 *
 * Files that are open for writing follow as well, and go on reading what they
 * began from: its bytes are asked for under the new name from then on. A file
 * that was replaced is gone; who has it open reads it to the end.
 */
#include "base/log.h"
#include "cache/drafts/names/names.h"
#include "cache/note.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

/* The path of what was at or below `from`. @retval -ENAMETOOLONG */
static int new_path(
    char out[PATH_BYTES_MAX], const struct names *names, const char *path)
{
	size_t from_bytes = strlen(names->from);
	size_t to_bytes = strlen(names->to);
	size_t rest_bytes = strlen(path) - from_bytes + 1;

	if (to_bytes + rest_bytes > PATH_BYTES_MAX)
		return -ENAMETOOLONG;
	(void)memcpy(out, names->to, to_bytes);
	(void)memcpy(out + to_bytes, path + from_bytes, rest_bytes);
	return 0;
}

/* ---- a base under a new name ---- */

/* Who wants bytes of the base opens it under its new name. Somebody may read
 * from the old one still. */
static void leave_base(struct seat *seat) REQUIRES(drafts_lock);
static void leave_base(struct seat *seat)
{
	struct draft *draft = seat->draft;
	struct past *past;

	if (draft->base.file == NULL)
		return;
	past = STEAL(seat->past);
	past->file = STEAL(draft->base.file);
	list_push(&draft->pasts, &past->in);
}

/* ---- after the server ---- */

static void on_followed(struct names *names)
{
	names_end(names, names->code);
}

static void warn(
    const struct draft *draft, const struct names *names, const struct err *err)
{
	log_line(LOG_LEVEL_ERROR, LOG_CACHE,
	    "renamed, but its unsent data still lie under the old name",
	    "path=%s from=%s to=%s error=%s cure=\"close and rename again\"",
	    LOG_TEXT(draft->path), LOG_TEXT(names->from), LOG_TEXT(names->to),
	    LOG_TEXT(err->text));
}

/* On a work thread: what the spool has of it follows, or goes. */
static void follow(struct seat *seat)
{
	struct names *names = seat->names;
	struct draft *draft = seat->draft;
	struct drafts *drafts = names->drafts;
	char path[PATH_BYTES_MAX];
	struct err err = ERR_INIT;
	bool gone;
	int code;

	drafts_lock_enter(drafts);
	gone = draft->gone;
	code = drafts_server_path(drafts, path, draft->path);
	drafts_lock_leave(drafts);
	if (gone)
		code = draft_bury(draft, &err);
	else if (code < 0)
		(void)err_set(&err, code, "its path is too long");
	else if (draft->entry != NULL)
		code = spool_rename(draft->entry, path, &err);
	if (code < 0)
		warn(draft, names, &err);
	names_came(names, code);
}

/* Whether it goes with its name; what is not seized is new since. */
static bool is_left(const struct names *names, const struct draft *draft)
    REQUIRES(drafts_lock);
static bool is_left(const struct names *names, const struct draft *draft)
{
	return strcmp(draft->path, names->from) != 0 ||
	    !names->drafts->config.shared ||
	    draft->ident.uid == names->ident.uid || !draft_is_here_alone(draft);
}

/* There is room for it. */
static void take_path(struct seat *seat, const char *path)
    REQUIRES(drafts_lock);
static void take_path(struct seat *seat, const char *path)
{
	(void)memcpy(seat->path, path, strlen(path) + 1);
	draft_move(seat->draft, &seat->path);
}

/* Those that it has seized get their new paths. */
static int move_seats(struct names *names) REQUIRES(drafts_lock);
static int move_seats(struct names *names)
{
	struct drafts *drafts = names->drafts;
	char path[PATH_BYTES_MAX];
	int code = 0;

	for (struct list *in = names->seats.next; in != &names->seats;
	     in = in->next) {
		struct seat *seat = CONTAINER_OF(in, struct seat, in);
		struct draft *draft = seat->draft;
		int moved;

		if (draft->gone || draft->parted ||
		    !path_is_within(draft->path, names->from))
			continue;
		moved = new_path(path, names, draft->path);
		/* Another user has another file of that name. */
		if (moved == 0 &&
		    drafts_at(drafts, draft->ident.uid, path) != NULL)
			continue;
		if (moved < 0) {
			code = moved;
		} else {
			take_path(seat, path);
			leave_base(seat);
		}
	}
	return code;
}

/* Another has its name now. */
static void replace(struct draft *draft) REQUIRES(drafts_lock);
static void replace(struct draft *draft)
{
	draft_hold(draft);
	draft_go(draft);
	draft_let_go(draft);
}

/* Everything below has been seized. */
static void follow_all(struct names *names)
{
	struct drafts *drafts = names->drafts;
	struct draft *there;
	int code;

	drafts_lock_enter(drafts);
	there = drafts_at(drafts, names->ident.uid, names->to);
	if (there != NULL)
		replace(there);
	code = move_seats(names);
	if (code < 0 && names->code == 0)
		names->code = code;
	drafts_lock_leave(drafts);
	if (code < 0)
		log_line(LOG_LEVEL_ERROR, LOG_CACHE,
		    "renamed, but unsent files keep their old names",
		    "from=%s to=%s error=%s cure=\"close them, and copy them\"",
		    LOG_TEXT(names->from), LOG_TEXT(names->to), err_name(code));
	names_each_seat(names, follow, on_followed);
}

static void seize_left(struct names *names)
{
	if (!names_seize(names, names->from, is_left, seize_left))
		follow_all(names);
}

void rename_follow(struct names *names)
{
	cache_note_moved(names->drafts->config.cache, names->from, names->to);
	worn_move(names->drafts, names->from, names->to);
	seize_left(names);
}

/* ---- here alone ---- */

/* What a file that is renamed here takes over from what it replaces. */
struct heritage {
	struct base base;
	unsigned try_count; /* of what is unsent there */
	struct spool_try tries[SPOOL_TRIES_MAX];
};

/* What stands at the new name on the server: it will be replaced when this is
 * sent, as long as it is the same; or what a try of ours may have put there. */
static void look_there(struct names *names, struct heritage *heritage)
    REQUIRES(drafts_lock);
static void look_there(struct names *names, struct heritage *heritage)
{
	const struct draft *there =
	    drafts_at(names->drafts, names->ident.uid, names->to);
	struct base *out = &heritage->base;

	*heritage = (struct heritage){.base = {.known = true}};
	if (there != NULL) {
		*out = there->base;
		out->file = NULL;
		if (there->entry != NULL)
			heritage->try_count =
			    spool_tries(there->entry, heritage->tries);
	} else if (names->to_exists) {
		out->exists = true;
		out->known = names->to_known;
		out->version = names->to_version;
	}
}

/* In the spool: its new path, and what it replaces. */
static int rename_entry(struct names *names, struct draft *draft,
    const struct heritage *heritage, struct err *err)
{
	const struct base *base = &heritage->base;
	struct spool_version version = {.exists = base->exists, .mtime_s = -1};
	char from[PATH_BYTES_MAX];
	char to[PATH_BYTES_MAX];
	int code = drafts_server_path(names->drafts, from, names->from);

	if (code == 0)
		code = drafts_server_path(names->drafts, to, names->to);
	if (code < 0)
		return err_set(err, code, "its path is too long");
	if (draft->entry == NULL)
		return 0;
	code = spool_rename(draft->entry, to, err);
	if (code < 0)
		return code;
	if (base->exists && base->known) {
		version.size_bytes = base->version.size_bytes;
		version.mtime_s = base->version.mtime_s;
		version.etag = base->version.etag;
	}
	if (base->exists)
		code = spool_rebase(draft->entry, &version, err);
	for (unsigned i = 0; i < heritage->try_count; i++)
		spool_note_try(draft->entry, &heritage->tries[i]);
	if (code < 0) {
		struct err also = ERR_INIT;

		if (spool_rename(draft->entry, from, &also) < 0)
			warn(draft, names, &also);
	}
	return code;
}

/* The spool knows: so does the table. */
static void take_name(struct seat *seat, const struct base *base)
{
	struct names *names = seat->names;
	struct draft *draft = seat->draft;
	struct drafts *drafts = names->drafts;
	struct draft *there;

	drafts_lock_enter(drafts);
	there = drafts_at(drafts, names->ident.uid, names->to);
	take_path(seat, names->to);
	if (there != NULL)
		replace(there);
	if (base->exists) {
		draft->base.known = base->known;
		draft->base.exists = true;
		draft->base.version = base->version;
	}
	drafts_lock_leave(drafts);
	worn_move(drafts, names->from, names->to);
}

/* On a work thread. */
static void follow_here(struct seat *seat)
{
	struct names *names = seat->names;
	struct drafts *drafts = names->drafts;
	struct draft *draft = seat->draft;
	struct err err = ERR_INIT;
	struct heritage heritage;
	int code;

	drafts_lock_enter(drafts);
	look_there(names, &heritage);
	drafts_lock_leave(drafts);
	code = rename_entry(names, draft, &heritage, &err);
	if (code < 0)
		log_line(LOG_LEVEL_WARN, LOG_CACHE,
		    "unsent file not renamed in the spool",
		    "from=%s to=%s error=%s", LOG_TEXT(names->from),
		    LOG_TEXT(names->to), LOG_TEXT(err.text));
	else
		take_name(seat, &heritage.base);
	names_came(names, code);
}

static void bury_replaced(struct seat *seat)
{
	struct names *names = seat->names;
	struct drafts *drafts = names->drafts;
	struct err err = ERR_INIT;
	int code = 0;
	bool gone;

	drafts_lock_enter(drafts);
	gone = seat->draft->gone;
	drafts_lock_leave(drafts);
	if (gone)
		code = draft_bury(seat->draft, &err);
	if (code < 0)
		log_line(LOG_LEVEL_WARN, LOG_CACHE,
		    "replaced file stays in the spool", "path=%s error=%s",
		    LOG_TEXT(names->to), LOG_TEXT(err.text));
	names_came(names, code);
}

static void bury_all(struct names *names)
{
	if (names->code < 0)
		names_end(names, names->code);
	else
		names_each_seat(names, bury_replaced, on_followed);
}

static void rename_one(struct seat *seat)
{
	struct names *names = seat->names;
	struct drafts *drafts = names->drafts;
	bool is_it;

	drafts_lock_enter(drafts);
	is_it = drafts_at(drafts, names->ident.uid, names->from) == seat->draft;
	drafts_lock_leave(drafts);
	if (is_it)
		follow_here(seat);
	else
		names_came(names, 0);
}

void rename_here(struct names *names)
{
	names_each_seat(names, rename_one, bury_all);
}
