/* SPDX-License-Identifier: Apache-2.0 */
/*
 * cache/drafts/names/keep_base.c - a file that is removed or replaced while
 * somebody has it open is still read, whole. See names.h.
 *
 * Its server is about to have these bytes no more, and no place where they
 * could wait: so what was not written here is brought into the spool first, as
 * for sending. That costs time and room, so it is done only of what somebody
 * has open, and up to KEEP_BASE_BYTES_MAX. When it is larger, or cannot be had,
 * the change goes on, and who reads on is told -ESTALE where bytes are missing.
 */
#include "base/log.h"
#include "cache/drafts/names/names.h"
#include "cache/drafts/send/send.h"

#include <errno.h>
#include <string.h>

/* Somebody besides its seat and the table has it, and bytes of it are only on
 * the server. */
static bool is_to_keep(const struct draft *draft) REQUIRES(drafts_lock);
static bool is_to_keep(const struct draft *draft)
{
	unsigned others = draft->refs - (draft->held ? 1U : 0U);

	return others > 1 && draft->base.exists && draft->base.known &&
	    !draft->gone && !draft->parted && !draft->blank &&
	    draft->base.version.size_bytes > 0 &&
	    draft->base.version.size_bytes <= KEEP_BASE_BYTES_MAX;
}

static void say(const struct draft *draft, const struct err *err)
{
	log_line(LOG_LEVEL_INFO, LOG_CACHE,
	    "removed while it is open: not all of it can be read any more",
	    "path=%s error=%s", LOG_TEXT(draft->path), LOG_TEXT(err->text));
}

static void kept(struct draft *draft, int code, const struct err *err)
{
	struct seat *seat;

	if (code < 0)
		say(draft, err);
	drafts_lock_enter(draft->drafts);
	seat = STEAL(draft->seat);
	drafts_lock_leave(draft->drafts);
	names_came(seat->names, 0);
}

/* On a work thread, in the draft's turn. */
static void keep(struct seat *seat)
{
	struct draft *draft = seat->draft;
	struct drafts *drafts = draft->drafts;
	struct err err = ERR_INIT;
	bool wanted;
	int code = 0;

	drafts_lock_enter(drafts);
	wanted =
	    strcmp(draft->path, seat->names->keeps) == 0 && is_to_keep(draft);
	if (wanted)
		draft->seat = seat;
	drafts_lock_leave(drafts);
	if (!wanted) {
		names_came(seat->names, 0);
		return;
	}
	/* What has an entry has a place for them. */
	if (draft->entry == NULL)
		code = draft_begin_change(draft, &err);
	if (code < 0)
		kept(draft, code, &err);
	else
		send_fill(draft, kept);
}

static void on_kept(struct names *names)
{
	names->kept(names);
}

void names_keep_base(
    struct names *names, const char *path, void (*next)(struct names *names))
{
	names->keeps = path;
	names->kept = next;
	names_each_seat(names, keep, on_kept);
}
