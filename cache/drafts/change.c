/* SPDX-License-Identifier: Apache-2.0 */
/*
 * cache/drafts/change.c - a file is changed: written, cut, its mode and time
 * set. Each change is a work of its draft's queue.
 */
#include "base/clock.h"
#include "cache/drafts/impl.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

struct change {
	struct work work;
	draft_fn answer;
	void *arg;
	uint64_t offset_bytes; /* or the size that it is to have */
	bool append;
	struct draft_set set;
	size_t size_bytes; /* of what follows */
	unsigned char bytes[];
};

static struct change *change_of(struct work *work)
{
	return CONTAINER_OF(work, struct change, work);
}

static void finish(struct change *change, int code)
{
	change->answer(change->arg, code);
	work_done(&change->work);
	free(change);
}

static void add(struct draft *draft, struct change *change, bool changes,
    void (*run)(struct work *work))
{
	change->work = (struct work){.run = run, .changes = changes};
	work_add(draft, &change->work);
}

static struct change *change_new(size_t size_bytes, draft_fn answer, void *arg)
{
	struct change *change;
	size_t all;

	if (__builtin_add_overflow(size_bytes, sizeof(*change), &all))
		return NULL;
	change = malloc(all);
	if (change != NULL)
		*change = (struct change){
		    .answer = answer, .arg = arg, .size_bytes = size_bytes};
	return change;
}

/* It is another than the server's from now on. */
static void has_changed(struct draft *draft, uint64_t size_bytes)
    REQUIRES(drafts_lock);
static void has_changed(struct draft *draft, uint64_t size_bytes)
{
	draft->size_bytes = size_bytes;
	draft->has_mtime = false;
	draft->mtime_s = (int64_t)clock_wall_s(draft->drafts->config.clock);
	draft->mtime_ns = 0;
	draft->changed = true;
	draft_settle(draft);
}

/* The time that was set holds no more, of what lies in the spool too. */
static int forget_time(struct draft *draft, struct err *err)
{
	struct spool_attr attr = spool_attr(draft->entry);

	if (!attr.has_mtime)
		return 0;
	attr.has_mtime = false;
	return spool_set(draft->entry, &attr, err);
}

/* ---- writing ---- */

static uint64_t size_of(struct draft *draft)
{
	uint64_t size;

	drafts_lock_enter(draft->drafts);
	size = draft->size_bytes;
	drafts_lock_leave(draft->drafts);
	return size;
}

static void run_write(struct work *work)
{
	struct change *change = change_of(work);
	struct draft *draft = work->draft;
	struct err err = ERR_INIT;
	uint64_t offset = change->offset_bytes;
	int code = draft_begin_change(draft, &err);

	/* Nobody else changes it now. */
	if (change->append)
		offset = size_of(draft);
	if (code == 0)
		code = forget_time(draft, &err);
	if (code == 0)
		code = spool_write(draft->entry, change->bytes,
		    change->size_bytes, offset, &err);
	if (code == 0) {
		uint64_t end = offset + change->size_bytes;
		uint64_t was;

		drafts_lock_enter(draft->drafts);
		draft->blank = false;
		was = draft->size_bytes;
		has_changed(draft, end > was ? end : was);
		drafts_lock_leave(draft->drafts);
		ahead_wrote(draft, offset, was);
	} else if (offset < size_of(draft)) {
		/* A part of it may be other bytes now than those that went. */
		ahead_cut(draft);
	}
	finish(change, code < 0 ? code : (int)change->size_bytes);
}

/* NOLINTNEXTLINE(readability-function-size): write(2)'s, and the answer's */
void draft_write(struct draft *draft, const void *bytes, size_t size_bytes,
    uint64_t offset_bytes, bool append, draft_fn answer, void *arg)
{
	struct change *change;

	if (size_bytes == 0 || size_bytes > INT32_MAX) {
		answer(arg, size_bytes == 0 ? 0 : -EINVAL);
		return;
	}
	change = change_new(size_bytes, answer, arg);
	if (change == NULL) {
		answer(arg, -ENOMEM);
		return;
	}
	change->offset_bytes = offset_bytes;
	change->append = append;
	(void)memcpy(change->bytes, bytes, size_bytes);
	add(draft, change, true, run_write);
}

/* ---- cutting ---- */

static void run_truncate(struct work *work)
{
	struct change *change = change_of(work);
	struct draft *draft = work->draft;
	struct err err = ERR_INIT;
	uint64_t size = change->offset_bytes;
	int code;

	/* As long as it is: nothing to send. */
	if (size == size_of(draft)) {
		finish(change, 0);
		return;
	}
	code = draft_begin_change(draft, &err);
	if (code == 0)
		code = forget_time(draft, &err);
	if (code == 0)
		code = spool_truncate(draft->entry, size, &err);
	if (code == 0) {
		drafts_lock_enter(draft->drafts);
		draft->blank = size == 0;
		has_changed(draft, size);
		drafts_lock_leave(draft->drafts);
		ahead_cut(draft);
	}
	finish(change, code);
}

void draft_truncate(
    struct draft *draft, uint64_t size_bytes, draft_fn answer, void *arg)
{
	struct change *change = change_new(0, answer, arg);

	if (change == NULL) {
		answer(arg, -ENOMEM);
		return;
	}
	change->offset_bytes = size_bytes;
	add(draft, change, true, run_truncate);
}

/* ---- attributes ---- */

static void run_set(struct work *work)
{
	struct change *change = change_of(work);
	struct draft *draft = work->draft;
	const struct draft_set *set = &change->set;
	struct err err = ERR_INIT;
	struct spool_attr attr;
	int code = 0;

	/* Without an entry they are put into it when there is one. */
	if (draft->entry != NULL) {
		attr = spool_attr(draft->entry);
		if (set->mode != DRAFT_KEEP)
			attr.mode = (uint32_t)set->mode;
		if (set->mtime_s != DRAFT_KEEP) {
			attr.has_mtime = true;
			attr.mtime_s = set->mtime_s;
			attr.mtime_ns = set->mtime_ns;
		}
		code = spool_set(draft->entry, &attr, &err);
	}
	if (code == 0) {
		drafts_lock_enter(draft->drafts);
		if (set->mode != DRAFT_KEEP)
			draft->mode = (uint32_t)set->mode;
		if (set->mtime_s != DRAFT_KEEP) {
			draft->has_mtime = true;
			draft->mtime_s = set->mtime_s;
			draft->mtime_ns = set->mtime_ns;
		}
		drafts_lock_leave(draft->drafts);
	}
	finish(change, code);
}

void draft_set(struct draft *draft, const struct draft_set *set,
    draft_fn answer, void *arg)
{
	struct change *change = change_new(0, answer, arg);

	if (change == NULL) {
		answer(arg, -ENOMEM);
		return;
	}
	change->set = *set;
	add(draft, change, false, run_set);
}
