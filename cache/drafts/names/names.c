/* SPDX-License-Identifier: Apache-2.0 */
/*
 * cache/drafts/names/names.c - changes of names: who is next, what they touch.
 * See names.h.
 */
#include "cache/drafts/names/names.h"

#include "base/log.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

/* ---- one after the other ---- */

static bool meet(const char *a, const char *b)
{
	return path_is_within(a, b) || path_is_within(b, a);
}

static bool is_in_the_way(const struct names *first, const struct names *later)
{
	return meet(first->from, later->from) ||
	    (later->to[0] != '\0' && meet(first->from, later->to)) ||
	    (first->to[0] != '\0' && meet(first->to, later->from)) ||
	    (first->to[0] != '\0' && later->to[0] != '\0' &&
	        meet(first->to, later->to));
}

static bool is_free(struct drafts *drafts, const struct names *names)
    REQUIRES(drafts_lock);
static bool is_free(struct drafts *drafts, const struct names *names)
{
	for (struct list *in = drafts->names.next; in != &names->in;
	     in = in->next)
		if (is_in_the_way(CONTAINER_OF(in, struct names, in), names))
			return false;
	return true;
}

static struct names *next_free(struct drafts *drafts) REQUIRES(drafts_lock);
static struct names *next_free(struct drafts *drafts)
{
	for (struct list *in = drafts->names.next; in != &drafts->names;
	     in = in->next) {
		struct names *names = CONTAINER_OF(in, struct names, in);

		if (!names->going && is_free(drafts, names))
			return names;
	}
	return NULL;
}

/* Begin those that are free. Who comes while another does so leaves it to
 * them: what ends in its very begin does not nest. */
/* NOLINTNEXTLINE(misc-no-recursion): names_beginning ends it */
static void go_on(struct drafts *drafts)
{
	struct names *names;

	drafts_lock_enter(drafts);
	if (drafts->names_beginning) {
		drafts_lock_leave(drafts);
		return;
	}
	drafts->names_beginning = true;
	while ((names = next_free(drafts)) != NULL) {
		bool stopping = drafts->stopping;

		names->going = true;
		drafts_lock_leave(drafts);
		if (stopping)
			names_end(names, -ECANCELED);
		else
			names->begin(names);
		drafts_lock_enter(drafts);
	}
	drafts->names_beginning = false;
	drafts_lock_leave(drafts);
}

struct names *names_new(struct drafts *drafts, const struct ident *ident,
    const char *from, const char *to, draft_fn answer, void *arg)
{
	struct names *names = NULL;
	size_t from_bytes = strlen(from) + 1;
	size_t to_bytes = to == NULL ? 0 : strlen(to) + 1;
	bool fits = from_bytes <= PATH_BYTES_MAX && to_bytes <= PATH_BYTES_MAX;

	if (fits)
		names = calloc(1, sizeof(*names));
	if (names == NULL) {
		answer(arg, fits ? -ENOMEM : -ENAMETOOLONG);
		return NULL;
	}
	names->drafts = drafts;
	names->ident = *ident;
	names->answer = answer;
	names->arg = arg;
	list_init(&names->seats);
	(void)memcpy(names->from, from, from_bytes);
	if (to != NULL)
		(void)memcpy(names->to, to, to_bytes);
	return names;
}

void names_go(struct names *names, void (*begin)(struct names *names))
{
	struct drafts *drafts = names->drafts;

	names->begin = begin;
	drafts_lock_enter(drafts);
	list_push(&drafts->names, &names->in);
	drafts_lock_leave(drafts);
	go_on(drafts);
}

static void seat_free(struct seat *seat)
{
	free(seat->past);
	free(seat->path);
	free(seat);
}

/* With all that a change may need once the server has done it. */
static struct seat *seat_new(struct names *names, struct draft *draft)
    REQUIRES(drafts_lock);
static struct seat *seat_new(struct names *names, struct draft *draft)
{
	struct seat *seat = calloc(1, sizeof(*seat));
	size_t path_bytes = strlen(draft->path) + strlen(names->to) + 1;

	if (seat == NULL)
		return NULL;
	seat->names = names;
	seat->draft = draft;
	seat->past = calloc(1, sizeof(*seat->past));
	seat->path = malloc(path_bytes);
	if (seat->past == NULL || seat->path == NULL) {
		seat_free(seat);
		return NULL;
	}
	list_init(&seat->past->in);
	return seat;
}

/* What could be sent before is sent on, under whatever name it has now. */
static void leave_seat(struct seat *seat)
{
	struct draft *draft = seat->draft;
	struct drafts *drafts = draft->drafts;
	enum spool_state state = SPOOL_OPEN;

	drafts_lock_enter(drafts);
	draft->seized = false;
	if (draft->changed && !draft->gone && !draft->parted &&
	    !drafts->stopping && draft->entry != NULL)
		state = spool_attr(draft->entry).state;
	drafts_lock_leave(drafts);
	if ((state == SPOOL_CLOSED || state == SPOOL_FAILED) &&
	    draft_send(draft, NULL) < 0)
		log_line(LOG_LEVEL_WARN, LOG_CACHE,
		    "file not sent yet: out of memory", "path=%s",
		    LOG_TEXT(draft->path));
	work_done(&seat->work);
	seat_free(seat);
}

/* NOLINTNEXTLINE(misc-no-recursion): see go_on() */
void names_end(struct names *names, int code)
{
	struct drafts *drafts = names->drafts;
	draft_fn answer = names->answer;
	void *arg = names->arg;
	struct list *in;

	while ((in = list_pop(&names->seats)) != NULL)
		leave_seat(CONTAINER_OF(in, struct seat, in));
	drafts_lock_enter(drafts);
	list_remove(&names->in);
	drafts_lock_leave(drafts);
	free(names);
	answer(arg, code);
	go_on(drafts);
}

void names_expect(struct names *names)
{
	names->waiting++;
}

void names_came(struct names *names, int code)
{
	struct drafts *drafts = names->drafts;
	bool last;

	drafts_lock_enter(drafts);
	if (code < 0 && names->code == 0)
		names->code = code;
	last = --names->waiting == 0;
	drafts_lock_leave(drafts);
	if (last)
		names->next(names);
}

/* ---- drafts that a change touches ---- */

struct seat *names_seat(struct names *names, const struct draft *draft)
{
	for (struct list *in = names->seats.next; in != &names->seats;
	     in = in->next) {
		struct seat *seat = CONTAINER_OF(in, struct seat, in);

		if (seat->draft == draft)
			return seat;
	}
	return NULL;
}

static void has_turn(struct work *work)
{
	struct seat *seat = CONTAINER_OF(work, struct seat, work);

	if (seat->step != NULL)
		seat->step(seat);
	else
		names_came(seat->names, 0);
}

struct seizing {
	struct names *names;
	bool (*wanted)(const struct names *names, const struct draft *draft);
	struct list fresh; /* of struct seat, each with a reference */
};

static int gather(void *arg, struct draft *draft) REQUIRES(drafts_lock);
static int gather(void *arg, struct draft *draft)
{
	struct seizing *seizing = arg;
	struct seat *seat;

	if (draft->seized || !seizing->wanted(seizing->names, draft))
		return 0;
	seat = seat_new(seizing->names, draft);
	if (seat == NULL)
		return -ENOMEM;
	seat->work.run = has_turn;
	seat->work.changes = true;
	seat->work.asks = true;
	draft->seized = true;
	draft_hold(draft);
	list_push(&seizing->fresh, &seat->in);
	names_expect(seizing->names);
	return 0;
}

bool names_seize(struct names *names, const char *path,
    bool (*wanted)(const struct names *names, const struct draft *draft),
    void (*next)(struct names *names))
{
	struct drafts *drafts = names->drafts;
	struct seizing seizing = {.names = names, .wanted = wanted};
	struct list *in;
	int code;

	list_init(&seizing.fresh);
	drafts_lock_enter(drafts);
	names->next = next;
	names_expect(names);
	code = drafts_below(drafts, path, gather, &seizing);
	drafts_lock_leave(drafts);
	if (code == 0 && list_is_empty(&seizing.fresh)) {
		drafts_lock_enter(drafts);
		names->waiting--;
		drafts_lock_leave(drafts);
		return false;
	}
	while ((in = list_pop(&seizing.fresh)) != NULL) {
		struct seat *seat = CONTAINER_OF(in, struct seat, in);

		list_push(&names->seats, in);
		work_add(seat->draft, &seat->work);
		draft_put(seat->draft);
	}
	names_came(names, code);
	return true;
}

void names_each_seat(struct names *names, void (*step)(struct seat *seat),
    void (*next)(struct names *names))
{
	struct list *after;

	drafts_lock_enter(names->drafts);
	names->next = next;
	names_expect(names);
	for (struct list *in = names->seats.next; in != &names->seats;
	     in = in->next)
		names_expect(names);
	drafts_lock_leave(names->drafts);
	for (struct list *in = names->seats.next; in != &names->seats;
	     in = after) {
		struct seat *seat = CONTAINER_OF(in, struct seat, in);

		/* It stays: we have not come yet. */
		after = in->next;
		seat->step = step;
		work_again(&seat->work);
	}
	names_came(names, 0);
}

bool names_owns(const struct names *names, const struct draft *draft)
{
	return !names->drafts->config.shared ||
	    draft->ident.uid == names->ident.uid;
}

bool draft_is_here_alone(const struct draft *draft)
{
	return draft->created && !draft->base.exists && !draft->perhaps;
}

void draft_go(struct draft *draft)
{
	draft->gone = true;
	draft_part(draft);
}

int draft_bury(struct draft *draft, struct err *err)
{
	struct drafts *drafts = draft->drafts;
	struct spool_entry *entry;
	bool alone;

	drafts_lock_enter(drafts);
	entry = draft->entry;
	/* The work that does this has it, and nobody else finds it. */
	alone = draft->refs == 1;
	if (alone)
		draft->entry = NULL;
	drafts_lock_leave(drafts);
	if (entry == NULL)
		return 0;
	if (alone)
		return spool_remove(&entry, err);
	/* Somebody reads or writes it still. */
	return spool_attr(entry).state == SPOOL_SENT ? 0
	                                             : spool_drop(entry, err);
}
