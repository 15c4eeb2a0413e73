/* SPDX-License-Identifier: Apache-2.0 */
/*
 * cache/drafts/send/fail.c - what becomes of a draft that could not be sent:
 * the spool is told, whoever waits for all, and the log; it is tried again, or
 * has parted from its path.
 */
#include "base/clock.h"
#include "base/log.h"
#include "cache/drafts/send/send.h"
#include "cache/note.h"

#include <assert.h>
#include <errno.h>
#include <stdio.h>

enum { TELL_MS = 1000 }; /* one line of a kind */

bool send_is_conflict(int code)
{
	return code == -EEXIST || code == -ESTALE;
}

/* The first of its kind: what, why, where the data are, and the cure. */
static void tell_failed(
    const char *path, uint32_t pause_ms, int code, const struct err *err)
{
	static struct log_limit failed;
	static struct log_limit parted;

	if (send_is_conflict(code))
		log_limited(&parted, TELL_MS, LOG_LEVEL_WARN, LOG_CACHE,
		    "file not sent: the server has another version",
		    "path=%s errno=%s why=%s kept=spool cure=%s",
		    LOG_TEXT(path), err_name(code), LOG_TEXT(err->text),
		    LOG_TEXT("bearerfs status lists it, with what sends it "
		             "under another name or replaces the other"));
	else
		log_limited(&failed, TELL_MS, LOG_LEVEL_WARN, LOG_CACHE,
		    "file not sent",
		    "path=%s errno=%s why=%s kept=spool again_s=%u cure=%s",
		    LOG_TEXT(path), err_name(code), LOG_TEXT(err->text),
		    pause_ms / 1000,
		    pause_ms > 0
		        ? LOG_TEXT("it is tried again; bearerfs flush does so "
		                   "at once")
		        : LOG_TEXT("set right what is named, then bearerfs "
		                   "flush"));
}

/* Where many share the mount their processes have the tokens, and this one may
 * have ended: what fails for want of one is tried next with whatever its user
 * has elsewhere, and if nobody has any, with its own once more. */
static void look_elsewhere(struct draft *draft, int code) REQUIRES(drafts_lock);
static void look_elsewhere(struct draft *draft, int code)
{
	if (draft->drafts->config.shared &&
	    (code == -ENOKEY || code == -EKEYEXPIRED))
		draft->elsewhere = !draft->elsewhere;
}

/* What follows of a failure for the draft.
 * @return whether it is one that was not told yet */
static bool note_failed(struct draft *draft, uint32_t pause_ms, int code,
    const struct err *err) REQUIRES(drafts_lock);
static bool note_failed(
    struct draft *draft, uint32_t pause_ms, int code, const struct err *err)
{
	struct drafts *drafts = draft->drafts;
	bool news = draft->code != code;

	draft->code = code;
	draft->tries++;
	draft->perhaps |= code == -ETIMEDOUT || code == -EIO;
	look_elsewhere(draft, code);
	draft->failed_at = ++drafts->sender->failures;
	if (code == -EHOSTUNREACH || code == -ETIMEDOUT)
		drafts->sender->down = true;
	flushes_note(draft, code, err);
	if (send_is_conflict(code)) {
		drafts->conflicts++;
		draft_part(draft);
	} else if (pause_ms > 0 && !draft->gone) {
		draft->again_ms = clock_now_ms(drafts->config.clock) + pause_ms;
		send_leave_turn(draft);
		list_push(&drafts->again, &draft->turn);
	}
	return news;
}

void send_failed(struct draft *draft, int code, const struct err *err)
{
	struct drafts *drafts = draft->drafts;
	struct err stop = ERR_INIT;
	char path[PATH_BYTES_MAX];
	uint32_t pause_ms;
	bool news;

	assert(code < 0);
	if (spool_stop(draft->entry,
	        send_is_conflict(code) ? SPOOL_CONFLICT : SPOOL_FAILED, code,
	        err->text, &stop) < 0)
		log_line(LOG_LEVEL_ERROR, LOG_CACHE,
		    "file not sent, and the spool cannot say so",
		    "errno=%s error=%s", err_name(code), LOG_TEXT(stop.text));
	drafts_lock_enter(drafts);
	(void)snprintf(path, sizeof(path), "%s", draft->path);
	pause_ms = again_after_ms(draft->tries, code);
	news = note_failed(draft, pause_ms, code, err);
	drafts_lock_leave(drafts);
	if (send_is_conflict(code))
		cache_note_doubt(drafts->config.cache, path);
	if (news)
		tell_failed(path, pause_ms, code, err);
}

int send_failed_written(struct flight *flight)
{
	struct drafts *drafts = flight->drafts;
	bool news;

	drafts_lock_enter(drafts);
	news = note_failed(flight->draft, 0, flight->code, &flight->err);
	drafts_lock_leave(drafts);
	if (news)
		tell_failed(flight->path, DRAFTS_AGAIN_FIRST_MS, flight->code,
		    &flight->err);
	return flight->code;
}
