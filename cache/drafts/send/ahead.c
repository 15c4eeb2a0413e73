/* SPDX-License-Identifier: Apache-2.0 */
/*
 * cache/drafts/send/ahead.c - a large file is sent while it is written, so that
 * its close has little left to wait for. It is new, or was cut to nothing (also
 * by `>` of a shell, which closes it once before anything is written).
 *
 * It goes as fetch_grown() says: under a temporary name that no server has
 * before the last byte, which is told when the file is closed and a flight
 * takes over (ahead_take()). Until then nothing of it can be seen or has to be
 * cleaned up, and all that is lost with it is what went over the line. So it
 * ends at once when what has gone is not what the file begins with any more.
 *
 *   begun    written from its begin to its end only, AHEAD_BEGIN_BYTES so far
 *   dropped  written elsewhere, cut, renamed, given a time, removed, too slow:
 *            sent as others are when it is closed. Programs that do so do it
 *            again: after each such file more are not begun, up to 63
 *   taken    closed: the flight has the answer
 */
#include "base/clock.h"
#include "cache/drafts/send/send.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum {
	AHEAD_BEGIN_BYTES = 4 * 1024 * 1024,
	AHEAD_MAX = 8,        /* at once; each has a connection */
	AHEAD_WASTED_MAX = 6, /* doublings of how many are not begun */
	AHEAD_PACE_MS = 5000, /* in such a time ... */
	AHEAD_PACE_BYTES = 1024 * 1024, /* ... it grows at least by this: the
	                                   server waits too, and not for long */
};

struct ahead {
	struct list in; /* sender->aheads */
	struct drafts *drafts;
	struct draft *draft; /* a reference */
	struct ident ident;
	struct work work; /* its end */
	/* Of these three the last one ends it. */
	bool asked GUARDED_BY(drafts_lock);
	bool answered GUARDED_BY(drafts_lock);
	bool released GUARDED_BY(drafts_lock);
	struct flight *taker GUARDED_BY(drafts_lock); /* NULL: not taken */
	uint64_t call GUARDED_BY(drafts_lock);        /* from `asked` on */
	enum fetch_condition condition;
	struct fetch_version version; /* of FETCH_IF_SAME */
	uint64_t sent_bytes GUARDED_BY(drafts_lock);
	uint64_t paced_bytes GUARDED_BY(drafts_lock); /* its size ... */
	uint64_t paced_ms GUARDED_BY(drafts_lock);    /* ... then */
	char path[PATH_BYTES_MAX];                    /* the server's */
	char temporary[PATH_BYTES_MAX];               /* first */
	char leftover[PATH_BYTES_MAX];                /* "": none */
};

/* ---- its end ---- */

static void end_run(struct work *work)
{
	struct ahead *ahead = CONTAINER_OF(work, struct ahead, work);
	struct drafts *drafts = ahead->drafts;

	if (ahead->leftover[0] != '\0')
		leftover_add(drafts, &ahead->ident, ahead->leftover);
	drafts_lock_enter(drafts);
	list_remove(&ahead->in);
	drafts->sender->ahead_count--;
	drafts->sending_count--;
	draft_let_go(ahead->draft);
	work_end_last(drafts);
	drafts_lock_leave(drafts);
	free(ahead);
}

static void part_over(struct ahead *ahead, bool *part)
{
	struct drafts *drafts = ahead->drafts;

	drafts_lock_enter(drafts);
	*part = true;
	if (ahead->asked && ahead->answered && ahead->released)
		work_chore(drafts, &ahead->work);
	drafts_lock_leave(drafts);
}

/* What went over the line was for nothing. */
static void note_wasted(struct sender *sender) REQUIRES(drafts_lock);
static void note_wasted(struct sender *sender)
{
	if (sender->ahead_wasted < AHEAD_WASTED_MAX)
		sender->ahead_wasted++;
	sender->ahead_skip = (1U << sender->ahead_wasted) - 1;
}

/* It is not to become that file. @return what is to be cancelled; 0: nothing */
static uint64_t detach(struct draft *draft) REQUIRES(drafts_lock);
static uint64_t detach(struct draft *draft)
{
	struct ahead *ahead = draft->ahead;

	draft->ahead = NULL;
	if (ahead == NULL || ahead->answered)
		return 0;
	note_wasted(draft->drafts->sender);
	return ahead->call;
}

static void cancel(struct drafts *drafts, uint64_t call)
{
	if (call != 0)
		fetch_cancel(drafts->config.fetch, call);
}

/* ---- what fetch asks for ---- */

static void published(void *arg, int code,
    const struct fetch_published *published, const struct err *err)
{
	struct ahead *ahead = arg;
	struct drafts *drafts = ahead->drafts;
	struct flight *taker;

	drafts_lock_enter(drafts);
	taker = ahead->taker;
	if (ahead->draft->ahead == ahead)
		ahead->draft->ahead = NULL;
	/* Of what is there already some are content with one condition. */
	if (code == -ENOTSUP && ahead->condition == FETCH_IF_ABSENT)
		drafts->sender->ahead_never = true;
	drafts_lock_leave(drafts);
	if (taker != NULL)
		flight_published(taker, code, published, err);
	else
		(void)snprintf(ahead->leftover, sizeof(ahead->leftover), "%s",
		    published->leftover);
	part_over(ahead, &ahead->answered);
}

static void released(void *arg)
{
	struct ahead *ahead = arg;
	struct flight *taker;

	drafts_lock_enter(ahead->drafts);
	taker = ahead->taker;
	drafts_lock_leave(ahead->drafts);
	if (taker != NULL)
		flight_released(taker);
	part_over(ahead, &ahead->released);
}

static int64_t give(
    void *arg, uint64_t offset_bytes, void *out, size_t size_bytes, bool nowait)
{
	struct ahead *ahead = arg;
	struct flight *taker;
	struct err err = ERR_INIT;
	ssize_t n;

	drafts_lock_enter(ahead->drafts);
	taker = ahead->taker;
	drafts_lock_leave(ahead->drafts);
	if (taker != NULL)
		return flight_give(
		    taker, offset_bytes, out, size_bytes, nowait);
	n = (nowait ? spool_read_nowait : spool_read)(
	    ahead->draft->entry, out, size_bytes, offset_bytes, &err);
	if (n <= 0)
		return n < 0 ? n : -EIO;
	drafts_lock_enter(ahead->drafts);
	if (offset_bytes + (uint64_t)n > ahead->sent_bytes)
		ahead->sent_bytes = offset_bytes + (uint64_t)n;
	if (ahead->taker != NULL) /* meanwhile */
		ahead->draft->sent_bytes = ahead->sent_bytes;
	drafts_lock_leave(ahead->drafts);
	return n;
}

/* ---- its begin ---- */

/* Whether it is one to begin with now; decided once. */
static bool may_begin(struct draft *draft) REQUIRES(drafts_lock);
static bool may_begin(struct draft *draft)
{
	struct drafts *drafts = draft->drafts;
	struct sender *sender = drafts->sender;

	if (draft->ahead_decided || draft->size_bytes < AHEAD_BEGIN_BYTES)
		return false;
	draft->ahead_decided = true;
	if (draft->sending != DRAFT_AT_REST || sender->ahead_never ||
	    sender->down || drafts->stopping ||
	    (draft->base.exists && !draft->base.known) || draft->gone ||
	    draft->parted || sender->ahead_count >= AHEAD_MAX)
		return false;
	if (sender->ahead_skip == 0)
		return true;
	sender->ahead_skip--;
	return false;
}

/* Ask for it. Nobody else changes the draft meanwhile. */
static void start(struct ahead *ahead, uint64_t size_bytes)
{
	struct drafts *drafts = ahead->drafts;
	struct fetch_publish ask = {.ident = &ahead->ident,
	    .path = ahead->path,
	    .temporary = ahead->temporary,
	    .bytes = {.size_bytes = size_bytes,
	        .grows = true,
	        .read = give,
	        .release = released,
	        .arg = ahead},
	    .condition = ahead->condition,
	    .version = &ahead->version,
	    .mtime_s = -1};
	uint64_t call;
	bool late;

	fetch_temporary(drafts->config.fetch, &ahead->ident, ahead->path,
	    ahead->condition, ahead->temporary);
	call = fetch_publish(drafts->config.fetch, &ask, published, ahead);
	drafts_lock_enter(drafts);
	ahead->call = call;
	late = drafts->stopping;
	drafts_lock_leave(drafts);
	if (late)
		cancel(drafts, call);
	part_over(ahead, &ahead->asked);
}

static void begin(struct draft *draft) UNCHECKED
{
	struct drafts *drafts = draft->drafts;
	struct ahead *ahead = calloc(1, sizeof(*ahead));
	uint64_t size_bytes;

	if (ahead == NULL)
		return;
	ahead->drafts = drafts;
	ahead->work.run = end_run;
	drafts_lock_enter(drafts);
	if (drafts_server_path(drafts, ahead->path, draft->path) < 0) {
		drafts_lock_leave(drafts);
		free(ahead);
		return;
	}
	ahead->ident = draft->ident;
	ahead->condition = draft->base.exists ? FETCH_IF_SAME : FETCH_IF_ABSENT;
	ahead->version = draft->base.version;
	ahead->draft = draft;
	draft_hold(draft);
	draft->ahead = ahead;
	size_bytes = draft->size_bytes;
	ahead->paced_bytes = size_bytes;
	ahead->paced_ms = clock_now_ms(drafts->config.clock);
	list_push(&drafts->sender->aheads, &ahead->in);
	drafts->sender->ahead_count++;
	drafts->sending_count++;
	drafts_lock_leave(drafts);
	start(ahead, size_bytes);
}

/* ---- for the other files ---- */

void ahead_wrote(struct draft *draft, uint64_t offset_bytes, uint64_t was_bytes)
{
	struct drafts *drafts = draft->drafts;
	uint64_t call = 0;
	bool begins = false;

	drafts_lock_enter(drafts);
	if (offset_bytes != was_bytes) {
		draft->ahead_decided = true;
		call = detach(draft);
	} else if (draft->ahead == NULL) {
		begins = may_begin(draft);
	} else if (draft->ahead->asked && !draft->ahead->answered &&
	    fetch_grown(drafts->config.fetch, draft->ahead->call,
	        draft->size_bytes, false) < 0) {
		call = detach(draft);
	}
	drafts_lock_leave(drafts);
	cancel(drafts, call);
	if (begins)
		begin(draft);
}

void ahead_cut(struct draft *draft)
{
	uint64_t call;

	drafts_lock_enter(draft->drafts);
	/* What is written anew from its begin may be begun with anew. */
	draft->ahead_decided = draft->size_bytes > 0;
	call = detach(draft);
	drafts_lock_leave(draft->drafts);
	cancel(draft->drafts, call);
}

/* Whether it may still become that file. */
static bool is_of(const struct ahead *ahead, const struct draft *draft,
    const char *path) REQUIRES(drafts_lock);
static bool is_of(
    const struct ahead *ahead, const struct draft *draft, const char *path)
{
	return ahead != NULL && !ahead->answered && !draft->has_mtime &&
	    strcmp(path, ahead->path) == 0;
}

bool ahead_temporary(
    struct draft *draft, const char *path, char out[PATH_BYTES_MAX])
{
	bool there;

	drafts_lock_enter(draft->drafts);
	there = is_of(draft->ahead, draft, path);
	if (there)
		(void)snprintf(
		    out, PATH_BYTES_MAX, "%s", draft->ahead->temporary);
	drafts_lock_leave(draft->drafts);
	return there;
}

uint64_t ahead_take(struct flight *flight, const char *path)
{
	struct draft *draft = flight->draft;
	struct sender *sender = flight->drafts->sender;
	struct ahead *ahead;
	uint64_t dropped = 0;
	uint64_t call = 0;

	drafts_lock_enter(flight->drafts);
	ahead = draft->ahead;
	if (is_of(ahead, draft, path) &&
	    flight->condition == ahead->condition &&
	    (flight->condition == FETCH_IF_ABSENT ||
	        fetch_version_equal(&flight->version, &ahead->version)) &&
	    flight->ident.uid == ahead->ident.uid &&
	    fetch_grown(flight->drafts->config.fetch, ahead->call,
	        flight->size_bytes, true) == 0) {
		ahead->taker = flight;
		call = ahead->call;
		draft->ahead = NULL;
		draft->sent_bytes = ahead->sent_bytes;
		sender->ahead_wasted = 0;
	} else {
		dropped = detach(draft);
	}
	drafts_lock_leave(flight->drafts);
	cancel(flight->drafts, dropped);
	return call;
}

/* Whether it is to go on while its file is written. */
static bool keeps_pace(struct ahead *ahead, uint64_t now_ms)
    REQUIRES(drafts_lock);
static bool keeps_pace(struct ahead *ahead, uint64_t now_ms)
{
	const struct draft *draft = ahead->draft;

	if (draft->gone || draft->parted)
		return false;
	if (draft->sending != DRAFT_AT_REST ||
	    now_ms - ahead->paced_ms < AHEAD_PACE_MS)
		return true;
	if (draft->size_bytes - ahead->paced_bytes < AHEAD_PACE_BYTES)
		return false;
	ahead->paced_bytes = draft->size_bytes;
	ahead->paced_ms = now_ms;
	return true;
}

void ahead_tick(struct drafts *drafts, uint64_t now_ms)
{
	struct list *all = &drafts->sender->aheads;
	uint64_t calls[AHEAD_MAX];
	unsigned count = 0;

	drafts_lock_enter(drafts);
	for (struct list *in = all->next; in != all; in = in->next) {
		struct ahead *ahead = CONTAINER_OF(in, struct ahead, in);

		if (ahead->draft->ahead == ahead && ahead->asked &&
		    (drafts->stopping || !keeps_pace(ahead, now_ms)))
			calls[count++] = detach(ahead->draft);
	}
	drafts_lock_leave(drafts);
	for (unsigned i = 0; i < count; i++)
		cancel(drafts, calls[i]);
}
