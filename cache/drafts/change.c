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

static struct change *change_new(size_t size_bytes, draft_fn to, void *arg)
{
	struct change *change;
	size_t all;

	if (__builtin_add_overflow(size_bytes, sizeof(*change), &all))
		return NULL;
	change = malloc(all);
	if (change != NULL)
		*change = (struct change){
		    .answer = to, .arg = arg, .size_bytes = size_bytes};
	return change;
}

/* ---- an entry of the spool ---- */

/* What of a draft goes into a new entry. */
struct begun {
	struct base base;
	struct ident ident;
	bool blank;
	uint32_t mode;
	bool has_mtime;
	int64_t mtime_s;
	uint32_t mtime_ns;
	int from;
	char path[PATH_BYTES_MAX];
	char credential[DRAFTS_CREDENTIAL_BYTES];
};

static int look_at(struct draft *draft, struct begun *out)
{
	struct drafts *drafts = draft->drafts;
	int code;

	drafts_lock_enter(drafts);
	out->base = draft->base;
	out->ident = draft->ident;
	out->blank = draft->blank;
	out->mode = draft->mode;
	out->has_mtime = draft->has_mtime;
	out->mtime_s = draft->mtime_s;
	out->mtime_ns = draft->mtime_ns;
	code = drafts_server_path(drafts, out->path, draft->path);
	drafts_lock_leave(drafts);
	out->from = SPOOL_FROM_DISCOVERY;
	out->credential[0] = '\0';
	if (code == 0 && drafts->config.credential != NULL)
		drafts->config.credential(drafts->config.arg, &out->ident,
		    out->path, &out->from, out->credential);
	return code;
}

static int create(
    struct draft *draft, struct spool_entry **out, struct err *err)
{
	struct drafts *drafts = draft->drafts;
	struct begun begun;
	struct spool_wish wish;
	struct spool_attr attr;
	int code = look_at(draft, &begun);

	if (code < 0)
		return err_set(err, code, "%s", err_message(code));
	wish = (struct spool_wish){
	    .kind = SPOOL_FILE,
	    .uid = begun.ident.uid,
	    .from = (enum spool_from)begun.from,
	    .origin = drafts->config.origin,
	    .path = begun.path,
	    .credential = begun.credential,
	    .base = {.exists = begun.base.exists, .mtime_s = -1},
	    .keep_base = begun.base.exists && !begun.blank,
	    .mode = begun.mode,
	};
	if (begun.base.known && begun.base.exists) {
		wish.base.size_bytes = begun.base.version.size_bytes;
		wish.base.mtime_s = begun.base.version.mtime_s;
		wish.base.etag = begun.base.version.etag;
	}
	code = spool_create(drafts->config.spool, &wish, out, err);
	if (code < 0 || !begun.has_mtime)
		return code;
	attr = spool_attr(*out);
	attr.has_mtime = true;
	attr.mtime_s = begun.mtime_s;
	attr.mtime_ns = begun.mtime_ns;
	code = spool_set(*out, &attr, err);
	if (code < 0) {
		struct err also = ERR_INIT;

		/* Nothing is lost with it. */
		(void)spool_remove(out, &also);
	}
	return code;
}

int draft_begin_change(struct draft *draft, struct err *err)
{
	struct spool_entry *entry;
	bool parted;
	int code = 0;

	drafts_lock_enter(draft->drafts);
	entry = draft->entry;
	parted = draft->parted && !draft->gone;
	drafts_lock_leave(draft->drafts);
	if (parted)
		return err_set(err, -ESTALE,
		    "the server has another version; what was written is kept "
		    "in the spool");
	if (entry == NULL) {
		code = create(draft, &entry, err);
	} else {
		enum spool_state state = spool_attr(entry).state;

		/* A flush failed: what it has is nothing to build on. */
		if (state == SPOOL_ASIDE)
			return err_set(err, -EIO,
			    "an earlier flush failed; what was written is put "
			    "aside in the spool");
		if (state != SPOOL_OPEN)
			code = spool_reopen(entry, err);
	}
	if (code < 0)
		return code;
	drafts_lock_enter(draft->drafts);
	/* Set once: who has seen it need not ask again. */
	if (draft->entry == NULL)
		draft->entry = entry;
	draft->kept = false;
	draft->again_ms = 0;
	list_remove(&draft->turn);
	drafts_lock_leave(draft->drafts);
	return 0;
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

		drafts_lock_enter(draft->drafts);
		draft->blank = false;
		has_changed(
		    draft, end > draft->size_bytes ? end : draft->size_bytes);
		drafts_lock_leave(draft->drafts);
	}
	finish(change, code < 0 ? code : (int)change->size_bytes);
}

void draft_write(struct draft *draft, const void *bytes, size_t size_bytes,
    uint64_t offset_bytes, bool append, draft_fn to, void *arg)
{
	struct change *change;

	if (size_bytes == 0 || size_bytes > INT32_MAX) {
		to(arg, size_bytes == 0 ? 0 : -EINVAL);
		return;
	}
	change = change_new(size_bytes, to, arg);
	if (change == NULL) {
		to(arg, -ENOMEM);
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
	}
	finish(change, code);
}

void draft_truncate(
    struct draft *draft, uint64_t size_bytes, draft_fn to, void *arg)
{
	struct change *change = change_new(0, to, arg);

	if (change == NULL) {
		to(arg, -ENOMEM);
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

void draft_set(
    struct draft *draft, const struct draft_set *set, draft_fn to, void *arg)
{
	struct change *change = change_new(0, to, arg);

	if (change == NULL) {
		to(arg, -ENOMEM);
		return;
	}
	change->set = *set;
	add(draft, change, false, run_set);
}
