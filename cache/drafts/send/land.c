/* SPDX-License-Identifier: Apache-2.0 */
/*
 * cache/drafts/send/land.c - what becomes of a draft whose sending has ended:
 * the spool is told, then the cache, then whoever waits.
 */
#include "base/clock.h"
#include "base/log.h"
#include "base/stats.h"
#include "cache/drafts/send/send.h"
#include "cache/note.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>

enum { TELL_MS = 1000 }; /* one line of a kind */

bool version_is_known(const struct fetch_version *version)
{
	return version->mtime_s >= 0 || version->etag[0] != '\0';
}

/* It stands there, as far as fetch knows. */
static struct fetch_version version_of(const struct flight *flight)
{
	if (flight->published.version_known && !flight->published.removed)
		return flight->published.version;
	return (struct fetch_version){
	    .size_bytes = flight->published.removed ? 0 : flight->size_bytes,
	    .mtime_s = -1};
}

/* What is compared with from now on. */
static int set_base(struct flight *flight, uint64_t changes, struct err *err)
{
	struct draft *draft = flight->draft;
	struct fetch_version version = version_of(flight);
	bool exists = !flight->published.removed;
	int code = spool_sent(draft->entry, changes,
	    &(struct spool_version){.exists = exists,
	        .size_bytes = version.size_bytes,
	        .mtime_s = version.mtime_s,
	        .etag = version.etag},
	    err);

	drafts_lock_enter(flight->drafts);
	draft->base.exists = exists;
	draft->base.known = !exists || version_is_known(&version);
	draft->base.version = version;
	drafts_lock_leave(flight->drafts);
	return code;
}

/* What was not answered for long answers again: no need to wait longer. */
static void server_is_up(struct drafts *drafts, uint64_t now_ms)
    REQUIRES(drafts_lock);
static void server_is_up(struct drafts *drafts, uint64_t now_ms)
{
	struct list *again = &drafts->again;

	if (!drafts->sender->down)
		return;
	drafts->sender->down = false;
	for (struct list *in = again->next; in != again; in = in->next) {
		struct draft *draft = CONTAINER_OF(in, struct draft, turn);

		if (draft->code == -EHOSTUNREACH || draft->code == -ETIMEDOUT)
			draft->again_ms = now_ms;
	}
}

static void tell_sent(struct flight *flight, unsigned tries)
{
	static struct log_limit limit;
	static struct log_limit unverified;

	if (flight->published.proof == FETCH_UNVERIFIED)
		log_limited(&unverified, TELL_MS, LOG_LEVEL_INFO, LOG_CACHE,
		    "file sent unverified", "path=%s why=%s",
		    LOG_TEXT(flight->path),
		    LOG_TEXT("the server said yes to all of its bytes, and no "
		             "token may look at it"));
	if (tries > 0)
		log_limited(&limit, TELL_MS, LOG_LEVEL_INFO, LOG_CACHE,
		    "file sent after all", "path=%s tries=%u",
		    LOG_TEXT(flight->path), tries + 1);
}

/* The server has it. @return what whoever waits hears */
static int land_sent(struct flight *flight)
{
	struct drafts *drafts = flight->drafts;
	struct draft *draft = flight->draft;
	struct fetch_version version = version_of(flight);
	struct err err = ERR_INIT;
	int code = set_base(flight, flight->changes, &err);
	bool changed = code == 0;
	unsigned tries;

	cache_note_file(drafts->config.cache, flight->path,
	    version_is_known(&version) ? &version : NULL, draft->number);
	if (changed && !flight->in_turn) {
		code = err_set(&err, -EIO,
		    "it was changed while it was sent; it is sent again");
		send_failed(draft, code, &err);
		return code;
	}
	stats_add(STATS_drafts_sent_files, 1);
	stats_add(STATS_drafts_sent_bytes, (int64_t)flight->size_bytes);
	if (code < 0)
		/* It is there: whether it is sent again is all that the
		 * spool's next reader does not know. */
		log_line(LOG_LEVEL_WARN, LOG_CACHE,
		    "file sent, and the spool cannot say so",
		    "path=%s error=%s", LOG_TEXT(flight->path),
		    LOG_TEXT(err.text));
	drafts_lock_enter(drafts);
	tries = draft->tries;
	draft->created = false;
	draft->adopted = false;
	draft->perhaps = false;
	draft->changed = changed;
	draft->blank = draft->blank && changed;
	draft->kept = false;
	draft->code = 0;
	draft->tries = 0;
	draft->again_ms = 0;
	if (flight->published.proof == FETCH_UNVERIFIED)
		drafts->sender->unverified++;
	server_is_up(drafts, clock_now_ms(drafts->config.clock));
	draft_settle(draft);
	drafts_lock_leave(drafts);
	tell_sent(flight, tries);
	return 0;
}

/* It was ended for a change, or at the end of the mount: to be sent as before.
 * @return what whoever waits hears */
static int land_cancelled(struct flight *flight)
{
	struct drafts *drafts = flight->drafts;
	struct draft *draft = flight->draft;
	enum spool_promise promise = SPOOL_TO_KILL;
	struct err err = ERR_INIT;
	bool gone;

	drafts_lock_enter(drafts);
	gone = draft->gone;
	if (!draft->giving_way && !gone) {
		/* Fetch has ended. What is to come is tried for as long as we
		 * live, and by the next mount. */
		promise = SPOOL_TO_POWER;
		draft->code = flight->code;
		flushes_note(draft, flight->code, &flight->err);
		draft->failed_at = ++drafts->sender->failures;
		draft->again_ms =
		    clock_now_ms(drafts->config.clock) + DRAFTS_AGAIN_FIRST_MS;
		list_push(&drafts->again, &draft->turn);
	}
	drafts_lock_leave(drafts);
	if (gone)
		return 0;
	/* Who has begun to change a late one finishes it. */
	if (spool_attr(draft->entry).state != SPOOL_OPEN &&
	    spool_finish(draft->entry, promise, &err) < 0)
		log_line(LOG_LEVEL_ERROR, LOG_CACHE,
		    "unsent file not kept as it should", "path=%s error=%s",
		    LOG_TEXT(flight->path), LOG_TEXT(err.text));
	return flight->code;
}

/* @return what whoever waits hears */
static int judge(struct flight *flight)
{
	struct err err = ERR_INIT;

	if (flight->code == 0)
		return land_sent(flight);
	/* Ours, if not as it should be, or nothing any more, by our own doing:
	 * that is no conflict. The spool keeps it unsent, since these are not
	 * its changes. */
	if (flight->by_fetch &&
	    (flight->published.sent || flight->published.removed) &&
	    set_base(flight, UINT64_MAX, &err) < 0)
		log_line(LOG_LEVEL_WARN, LOG_CACHE,
		    "what stands on the server cannot be noted in the spool",
		    "path=%s error=%s", LOG_TEXT(flight->path),
		    LOG_TEXT(err.text));
	if (flight->published.removed)
		cache_note_doubt(flight->drafts->config.cache, flight->path);
	if (flight->code == -ECANCELED)
		return land_cancelled(flight);
	if (flight->in_turn && !send_is_conflict(flight->code) &&
	    spool_attr(flight->draft->entry).state == SPOOL_OPEN)
		return send_failed_written(flight);
	send_failed(flight->draft, flight->code, &flight->err);
	return flight->code;
}

/* Whether it is to be sent again at once: for waiters that came after it had
 * begun to give way, or because of what was closed while it was late. */
static bool is_to_go_on(const struct flight *flight, int told)
    REQUIRES(drafts_lock);
static bool is_to_go_on(const struct flight *flight, int told)
{
	const struct draft *draft = flight->draft;
	enum spool_state state;

	if (!flight->in_turn)
		return draft->giving_way && told == -ECANCELED &&
		    !list_is_empty(&draft->waiters);
	state = spool_attr(draft->entry).state;
	return (told == 0 || told == -ECANCELED) && draft->changed &&
	    (state == SPOOL_CLOSED || state == SPOOL_FAILED);
}

/* Nobody sends it any more.
 * @return what its waiters hear */
static int take_off(struct flight *flight, int told, struct list *waiters)
    REQUIRES(drafts_lock);
static int take_off(struct flight *flight, int told, struct list *waiters)
{
	struct drafts *drafts = flight->drafts;
	struct draft *draft = flight->draft;
	bool goes_on = is_to_go_on(flight, told);

	drafts->sending_count--;
	drafts->sender->large_count -= flight->large;
	drafts->sender->quiet_count -= flight->quiet;
	draft->flight = NULL;
	draft->call = 0;
	draft->sent_bytes = 0;
	draft->giving_way = false;
	draft->sending = DRAFT_AT_REST;
	if (goes_on) {
		int code = send_want(draft, NULL);

		if (code == 1) {
			draft_let_go(draft); /* it has another one */
			return told;
		}
		told = code < 0 ? code : told;
	}
	list_move_all(waiters, &draft->waiters);
	work_resume(draft);
	draft_let_go(draft);
	return told;
}

void flight_land(struct flight *flight)
{
	struct drafts *drafts = flight->drafts;
	struct list waiters;
	struct list *in;
	bool idle;
	int told;

	if (late_takes_turn(flight))
		return;
	/* What is late may have other bytes by now. */
	if (send_is_conflict(flight->code) && flight->in_turn)
		own_look_later(flight);
	else if (send_is_conflict(flight->code) && own_look(flight))
		return;
	/* Until the spool has an entry of it, it is that of the draft. */
	if (flight->leftover[0] != '\0')
		leftover_add(drafts, &flight->ident, flight->leftover);
	told = judge(flight);
	list_init(&waiters);
	drafts_lock_enter(drafts);
	told = take_off(flight, told, &waiters);
	/* To look through all of many after each is for drafts_tick(). */
	idle = drafts->sending_count == 0;
	drafts_lock_leave(drafts);
	while ((in = list_pop(&waiters)) != NULL) {
		struct waiter *waiter = CONTAINER_OF(in, struct waiter, in);

		waiter->sent(waiter, told);
	}
	send_next(drafts);
	if (idle)
		flushes_look(drafts, clock_now_ms(drafts->config.clock));
	if (flight->in_turn)
		return;
	work_done(&flight->work);
	free(flight);
}
