/* SPDX-License-Identifier: Apache-2.0 */
/*
 * cache/drafts/send/flight.c - one try to send one draft, step by step
 * (send.h).
 *
 * From DRAFT_QUEUED on nobody else changes the entry. The path and whose it
 * is are those of the moment when fetch gets it: unsent drafts that no server
 * has may be renamed until then.
 */
#include "cache/drafts/send/send.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>

static void run(struct work *work)
{
	struct flight *flight = CONTAINER_OF(work, struct flight, work);

	flight->step(flight);
}

void flight_go(struct flight *flight, void (*step)(struct flight *flight))
{
	flight->step = step;
	work_again(&flight->work);
}

/* It ends like this, from a step or from an answer. */
static void fail(struct flight *flight, int code, const struct err *err)
{
	flight->code = code;
	flight->err = *err;
	flight_go(flight, flight_land);
}

bool flight_is_given_up(struct flight *flight)
{
	const struct draft *draft = flight->draft;

	if (!draft->giving_way && !draft->gone && !draft->drafts->stopping)
		return false;
	flight->code = err_set(&flight->err, -ECANCELED,
	    draft->drafts->stopping ? "unmounting"
	                            : "it is changed, or removed");
	return true;
}

/* ---- what fetch asks for ---- */

static void step_whole(struct flight *flight);

/* Whether a server that did not take it while it was written may do so when it
 * is told the length before. */
static bool is_to_go_whole(const struct flight *flight) REQUIRES(drafts_lock);
static bool is_to_go_whole(const struct flight *flight)
{
	int code = flight->code;

	return flight->ahead && !flight->published.sent &&
	    flight->draft->sending != DRAFT_LATE &&
	    (code == -EIO || code == -ENOTSUP || code == -EINVAL);
}

/* Of answer, release and return the last has come: it lands. */
static void part_over(struct flight *flight, bool *part)
{
	struct drafts *drafts = flight->drafts;
	bool whole;
	bool last;

	drafts_lock_enter(drafts);
	*part = true;
	last = flight->asked && flight->answered && flight->released;
	whole = last && is_to_go_whole(flight);
	drafts_lock_leave(drafts);
	if (last)
		flight_go(flight, whole ? step_whole : flight_land);
}

void flight_published(struct flight *flight, int code,
    const struct fetch_published *published, const struct err *err)
{
	flight->code = code;
	flight->err = *err;
	flight->published = *published;
	(void)snprintf(flight->leftover, sizeof(flight->leftover), "%s",
	    published->leftover);
	flight->published.leftover = flight->leftover;
	part_over(flight, &flight->answered);
}

void flight_released(struct flight *flight)
{
	part_over(flight, &flight->released);
}

static void published(void *arg, int code,
    const struct fetch_published *published, const struct err *err)
{
	flight_published(arg, code, published, err);
}

static void released(void *arg)
{
	flight_released(arg);
}

/* All of it is here, and stays as it is while it is read. */
int64_t flight_give(struct flight *flight, uint64_t offset_bytes, void *out,
    size_t size_bytes, bool nowait)
{
	struct draft *draft = flight->draft;
	struct err err = ERR_INIT;
	ssize_t n;
	bool late;

	drafts_lock_enter(flight->drafts);
	late = draft->sending == DRAFT_LATE;
	flight->reading = !late;
	drafts_lock_leave(flight->drafts);
	if (late)
		return -ECANCELED; /* it is another by now */
	n = (nowait ? spool_read_nowait : spool_read)(
	    draft->entry, out, size_bytes, offset_bytes, &err);
	drafts_lock_enter(flight->drafts);
	flight->reading = false;
	if (n > 0 && offset_bytes + (uint64_t)n > draft->sent_bytes)
		draft->sent_bytes = offset_bytes + (uint64_t)n;
	drafts_lock_leave(flight->drafts);
	return n != 0 ? n : -EIO;
}

static int64_t give(
    void *arg, uint64_t offset_bytes, void *out, size_t size_bytes, bool nowait)
{
	return flight_give(arg, offset_bytes, out, size_bytes, nowait);
}

/* ---- the steps ---- */

static void set_condition(struct flight *flight) REQUIRES(drafts_lock);
static void set_condition(struct flight *flight)
{
	const struct base *base = &flight->draft->base;

	flight->version = base->version;
	if (!base->exists)
		flight->condition = FETCH_IF_ABSENT;
	else if (base->known)
		flight->condition = FETCH_IF_SAME;
	else
		flight->condition = FETCH_IF_ANY;
}

/* The call has a number: whoever waits to change it may have come already. */
static void note_call(struct flight *flight, uint64_t number)
{
	struct drafts *drafts = flight->drafts;
	struct draft *draft = flight->draft;
	bool cancel = false;

	drafts_lock_enter(drafts);
	if (!flight->answered) {
		draft->call = number;
		cancel =
		    draft->giving_way && draft->sent_bytes < draft->size_bytes;
	}
	drafts_lock_leave(drafts);
	if (cancel)
		fetch_cancel(drafts->config.fetch, number);
}

struct ident flight_sender(const struct draft *draft)
{
	return draft->elsewhere
	    ? ident_of_user(draft->ident.uid, draft->ident.gid)
	    : draft->ident;
}

static void step_publish(struct flight *flight)
{
	struct drafts *drafts = flight->drafts;
	struct draft *draft = flight->draft;
	char path[PATH_BYTES_MAX];
	char temporary[PATH_BYTES_MAX] = "";
	struct fetch_publish ask = {.ident = &flight->ident,
	    .path = path,
	    .temporary = temporary,
	    .bytes = {.read = give, .release = released, .arg = flight},
	    .version = &flight->version};
	uint64_t call;
	bool given_up;

	flight->code = 0;
	drafts_lock_enter(drafts);
	given_up = flight_is_given_up(flight);
	if (!given_up) {
		draft->sending = DRAFT_SENDING;
		draft->sent_bytes = 0;
		(void)snprintf(
		    flight->path, sizeof(flight->path), "%s", draft->path);
		flight->ident = flight_sender(draft);
		set_condition(flight);
		ask.mtime_s = draft->has_mtime ? draft->mtime_s : -1;
	}
	drafts_lock_leave(drafts);
	if (!given_up)
		flight->code = drafts_server_path(drafts, path, flight->path);
	if (!given_up && flight->code < 0)
		(void)err_set(
		    &flight->err, flight->code, "its path is too long");
	if (flight->code == 0) {
		tries_note(flight);
		if (!ahead_temporary(draft, path, temporary))
			fetch_temporary(drafts->config.fetch, &flight->ident,
			    path, flight->condition, temporary);
		flight->code = spool_sending(
		    draft->entry, temporary, &flight->changes, &flight->err);
	}
	if (flight->code < 0) {
		flight_land(flight);
		return;
	}
	flight->size_bytes = spool_attr(draft->entry).size_bytes;
	ask.bytes.size_bytes = flight->size_bytes;
	ask.condition = flight->condition;
	call = ahead_take(flight, path);
	flight->ahead = call != 0;
	flight->by_fetch = true;
	if (call == 0)
		call = fetch_publish(
		    drafts->config.fetch, &ask, published, flight);
	note_call(flight, call);
	part_over(flight, &flight->asked);
}

/* What went was for nothing: as if it had not. */
static void step_whole(struct flight *flight)
{
	if (flight->leftover[0] != '\0')
		leftover_add(flight->drafts, &flight->ident, flight->leftover);
	flight->leftover[0] = '\0';
	drafts_lock_enter(flight->drafts);
	flight->asked = flight->answered = flight->released = false;
	drafts_lock_leave(flight->drafts);
	flight->by_fetch = false;
	step_publish(flight);
}

void flight_publish_again(struct flight *flight)
{
	drafts_lock_enter(flight->drafts);
	flight->lands = false;
	drafts_lock_leave(flight->drafts);
	flight->code = 0;
	flight->err = (struct err)ERR_INIT;
	flight->published = (struct fetch_published){.sent = false};
	step_whole(flight);
}

static void filled(struct draft *draft, int code, const struct err *err)
{
	struct flight *flight = draft->flight;

	if (code < 0)
		fail(flight, code, err);
	else
		flight_go(flight, step_publish);
}

void flight_fill(struct flight *flight)
{
	send_fill(flight->draft, filled);
}

bool flight_begin(struct draft *draft)
{
	struct drafts *drafts = draft->drafts;
	struct sender *sender = drafts->sender;
	struct flight *flight = calloc(1, sizeof(*flight));

	if (flight == NULL)
		return false;
	flight->drafts = drafts;
	flight->draft = draft;
	flight->step = flight_look;
	flight->large = draft->size_bytes > SEND_LARGE_BYTES;
	flight->quiet = list_is_empty(&draft->waiters);
	flight->work.run = run;
	flight->work.unordered = true;
	send_leave_turn(draft);
	draft->sending = DRAFT_FILLING;
	draft->flight = flight;
	drafts->sending_count++;
	sender->large_count += flight->large;
	sender->quiet_count += flight->quiet;
	work_add_quietly(draft, &flight->work);
	return true;
}
