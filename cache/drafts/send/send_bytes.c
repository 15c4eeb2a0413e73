/* SPDX-License-Identifier: Apache-2.0 */
/*
 * cache/drafts/send/send_bytes.c - what a draft has of the version that it
 * began from, and nobody wrote, is brought into its entry: read from the cache
 * in steps, several at once, put by a work thread.
 *
 * A *step* is at most CACHE_READ_BYTES_MAX, ends where a multiple of that
 * does, and begins with bytes that are missing. Memory is what the steps in
 * flight have: FILL_STEPS_MAX of them, of one draft and of sixteen.
 */
#include "cache/drafts/send/send.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

enum {
	FILL_STEPS_MAX = 16,  /* of all that are filled at once */
	FILL_STEPS_ONE = 4,   /* of one */
	FILL_LOOKS_MAX = 256, /* pieces looked at under the lock */
};

struct fill {
	struct drafts *drafts;
	struct draft *draft; /* one reference */
	struct ident ident;
	struct cache_file *file;
	void (*done)(struct draft *draft, int code, const struct err *err);
	unsigned users GUARDED_BY(drafts_lock); /* steps, and who makes them */
	unsigned steps GUARDED_BY(drafts_lock);
	uint64_t at_bytes GUARDED_BY(drafts_lock); /* up to here it is done, or
	                                              on its way */
	int code GUARDED_BY(drafts_lock);
	struct err err GUARDED_BY(drafts_lock);
};

struct step {
	struct work work;
	struct fill *fill;
	uint64_t offset_bytes;
	size_t size_bytes;
	size_t got_bytes;
	int code;
	uint8_t bytes[];
};

static void fail(struct fill *fill, int code, const struct err *err)
{
	drafts_lock_enter(fill->drafts);
	if (fill->code == 0) {
		fill->code = code;
		fill->err = *err;
	}
	drafts_lock_leave(fill->drafts);
}

/* Nobody uses it any more. */
static void end(struct fill *fill)
{
	struct err err;
	int code;

	drafts_lock_enter(fill->drafts);
	code = fill->code;
	err = fill->err;
	drafts_lock_leave(fill->drafts);
	fill->done(fill->draft, code, &err);
	draft_put(fill->draft);
	free(fill);
}

/* ---- which bytes ---- */

enum found {
	FOUND_STEP,
	FOUND_HERE, /* all that was looked at is here: look further */
	FOUND_NONE, /* to the end */
};

static uint64_t smaller(uint64_t a, uint64_t b)
{
	return a < b ? a : b;
}

/* The first that are missing from an offset on, as a step. Never waits. */
static enum found find_step(const struct spool_entry *entry, uint64_t at_bytes,
    uint64_t *start, uint64_t *end)
{
	uint64_t limit = UINT64_MAX;
	enum found found = FOUND_HERE;

	*end = at_bytes;
	for (unsigned i = 0; i < FILL_LOOKS_MAX && at_bytes < limit; i++) {
		struct spool_piece piece = spool_map(entry, at_bytes);

		if (piece.where == SPOOL_END)
			return found == FOUND_STEP ? found : FOUND_NONE;
		if (piece.where == SPOOL_BASE && found == FOUND_HERE) {
			found = FOUND_STEP;
			*start = at_bytes;
			limit = at_bytes - at_bytes % CACHE_READ_BYTES_MAX +
			    CACHE_READ_BYTES_MAX;
		}
		at_bytes += piece.size_bytes;
		if (piece.where == SPOOL_BASE || found == FOUND_HERE)
			*end = smaller(at_bytes, limit);
	}
	return found;
}

/* Take the next step; false: there is none, or not now. */
static bool take_step(struct fill *fill, uint64_t *start, uint64_t *end)
{
	struct drafts *drafts = fill->drafts;
	unsigned most;
	enum found found = FOUND_HERE;

	drafts_lock_enter(drafts);
	most = FILL_STEPS_MAX /
	    (drafts->sending_count > 0 ? drafts->sending_count : 1);
	if (most > FILL_STEPS_ONE)
		most = FILL_STEPS_ONE;
	if (most == 0)
		most = 1;
	if (fill->code == 0 && (fill->draft->giving_way || drafts->stopping))
		fill->code = err_set(&fill->err, -ECANCELED,
		    drafts->stopping ? "unmounting" : "it is changed");
	while (found == FOUND_HERE && fill->code == 0 && fill->steps < most) {
		found =
		    find_step(fill->draft->entry, fill->at_bytes, start, end);
		if (found == FOUND_NONE)
			break;
		fill->at_bytes = *end;
		if (found == FOUND_STEP) {
			fill->steps++;
			fill->users++;
			break;
		}
		/* Others want the lock, too. */
		drafts_lock_leave(drafts);
		drafts_lock_enter(drafts);
	}
	drafts_lock_leave(drafts);
	return found == FOUND_STEP;
}

/* ---- one step ---- */

static void go_on(struct fill *fill);

static void put_run(struct work *work)
{
	struct step *step = CONTAINER_OF(work, struct step, work);
	struct fill *fill = step->fill;
	struct err err = ERR_INIT;
	int code = step->code;

	if (code < 0)
		(void)err_set(&err, code,
		    "the bytes that it keeps of the server's version cannot "
		    "be read: %s",
		    err_message(code));
	else if (step->got_bytes < step->size_bytes)
		code = err_set(
		    &err, -EIO, "the server's version is shorter than it was");
	else
		code = spool_fill(fill->draft->entry, step->bytes,
		    step->size_bytes, step->offset_bytes, &err);
	if (code < 0)
		fail(fill, code, &err);
	drafts_lock_enter(fill->drafts);
	fill->steps--;
	drafts_lock_leave(fill->drafts);
	go_on(fill);
	work_done(&step->work);
	free(step);
}

static void came(
    void *arg, int code, const struct iovec *vectors, int vector_count)
{
	struct step *step = arg;

	step->code = code;
	for (int i = 0; code >= 0 && i < vector_count; i++) {
		size_t size = vectors[i].iov_len;

		if (size > step->size_bytes - step->got_bytes)
			size = step->size_bytes - step->got_bytes;
		(void)memcpy(
		    step->bytes + step->got_bytes, vectors[i].iov_base, size);
		step->got_bytes += size;
	}
	step->work.run = put_run;
	step->work.unordered = true;
	work_add(step->fill->draft, &step->work);
}

static void make_step(struct fill *fill, uint64_t start, uint64_t end)
{
	size_t size_bytes = (size_t)(end - start);
	struct step *step = calloc(1, sizeof(*step) + size_bytes);
	struct err err = ERR_INIT;

	if (step == NULL) {
		fail(fill, err_set(&err, -ENOMEM, "out of memory"), &err);
		drafts_lock_enter(fill->drafts);
		fill->steps--;
		fill->users--; /* not the last: we are one */
		drafts_lock_leave(fill->drafts);
		return;
	}
	step->fill = fill;
	step->offset_bytes = start;
	step->size_bytes = size_bytes;
	cache_read(fill->file, &fill->ident, start, size_bytes, came, step);
}

/* Make as many steps as there is room for. Who calls is one of the users, and
 * is none afterwards. */
static void go_on(struct fill *fill)
{
	uint64_t start;
	uint64_t end_bytes;
	bool last;

	while (take_step(fill, &start, &end_bytes))
		make_step(fill, start, end_bytes);
	drafts_lock_enter(fill->drafts);
	last = --fill->users == 0;
	drafts_lock_leave(fill->drafts);
	if (last)
		end(fill);
}

/* ---- where from ---- */

static void has_base(void *arg, int code)
{
	struct fill *fill = arg;
	struct err err = ERR_INIT;

	drafts_lock_enter(fill->drafts);
	fill->file = fill->draft->base.file;
	drafts_lock_leave(fill->drafts);
	if (code == -ESTALE)
		fail(fill,
		    err_set(&err, code,
		        "it keeps bytes of a version that the server has no "
		        "more; take out what is here, and look at it"),
		    &err);
	else if (code < 0)
		fail(fill,
		    err_set(&err, code,
		        "the version that it began from cannot be opened: %s",
		        err_message(code)),
		    &err);
	go_on(fill);
}

static struct fill *fill_new(struct draft *draft,
    void (*done)(
        struct draft *draft, int code, const struct err *err)) UNCHECKED
{
	struct fill *fill = calloc(1, sizeof(*fill));

	if (fill == NULL)
		return NULL;
	fill->drafts = draft->drafts;
	fill->draft = draft_get(draft);
	fill->done = done;
	fill->users = 1;
	drafts_lock_enter(fill->drafts);
	fill->ident = draft->ident;
	drafts_lock_leave(fill->drafts);
	return fill;
}

void send_fill(struct draft *draft,
    void (*done)(struct draft *draft, int code, const struct err *err))
{
	struct fill *fill;
	uint64_t at_bytes = 0;
	uint64_t start;
	struct err err = ERR_INIT;
	enum found found = FOUND_HERE;

	while (found == FOUND_HERE)
		found = find_step(draft->entry, at_bytes, &start, &at_bytes);
	if (found == FOUND_NONE) {
		done(draft, 0, &err);
		return;
	}
	fill = fill_new(draft, done);
	if (fill == NULL)
		done(draft, err_set(&err, -ENOMEM, "out of memory"), &err);
	else
		draft_open_base(draft, has_base, fill);
}
