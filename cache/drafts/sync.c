/* SPDX-License-Identifier: Apache-2.0 */
/*
 * cache/drafts/sync.c - fsync, close, RELEASE: what has to be sent, and when
 * that is answered.
 *
 * All are works of the draft's queue, so that what was written before them is
 * in the spool, and what comes after them waits.
 */
#include "base/log.h"
#include "cache/drafts/impl.h"

#include <assert.h>
#include <errno.h>
#include <stdatomic.h>
#include <stdlib.h>

/* A question that the server may have to answer. */
struct question {
	struct work work;
	struct waiter waiter;
	/* The work and the waiter; the last one frees it. */
	atomic_uint holders;
	struct ident ident;
	bool through; /* the server's answer is waited for */
	bool sync;    /* durable in the spool first */
	draft_fn answer;
	void *arg;
};

static void drop(struct question *question)
{
	if (atomic_fetch_sub(&question->holders, 1) == 1)
		free(question);
}

/* Whether a blank file is not sent before it is closed for good: where nobody
 * waits for it, what is written next would have to; and a token that may only
 * create could not replace it by that. */
static bool is_for_later(struct draft *draft, bool waited)
{
	struct drafts *drafts = draft->drafts;
	const struct drafts_config *config = &drafts->config;
	char path[PATH_BYTES_MAX];
	struct ident ident;
	bool blank;

	drafts_lock_enter(drafts);
	blank = draft->blank && draft->created && draft->size_bytes == 0 &&
	    drafts_server_path(drafts, path, draft->path) == 0;
	ident = draft->ident;
	drafts_lock_leave(drafts);
	if (!blank || !waited)
		return blank;
	return config->may != NULL &&
	    config->may(config->arg, &ident, path, DRAFTS_MODIFY) == -EACCES &&
	    config->may(config->arg, &ident, path, DRAFTS_CREATE) == 0;
}

/* What is unsent of it is in an entry that can be sent. */
static int finish(struct draft *draft, struct err *err)
{
	struct spool_entry *entry;
	enum draft_sending sending;
	enum spool_state state;
	bool unsent;
	int code;

	drafts_lock_enter(draft->drafts);
	sending = draft->sending;
	entry = draft->entry;
	unsent = draft->changed && !draft->gone && !draft->parted;
	drafts_lock_leave(draft->drafts);
	/* Its content is what is sent already: changes wait. */
	if (!unsent || (sending != DRAFT_AT_REST && sending != DRAFT_LATE))
		return 0;
	if (entry == NULL) {
		/* Created or cut to nothing, and nothing else. */
		code = draft_begin_change(draft, err);
		if (code < 0)
			return code;
		entry = draft->entry;
	}
	state = spool_attr(entry).state;
	if (state == SPOOL_ASIDE)
		return err_set(err, -EIO,
		    "an earlier flush failed; what was written is put aside "
		    "in the spool");
	return state == SPOOL_OPEN ? spool_finish(entry, SPOOL_TO_KILL, err)
	                           : 0;
}

/* Have it sent. @return as send_want() */
static int want(
    struct draft *draft, const struct ident *ident, struct waiter *waiter)
{
	int code;

	drafts_lock_enter(draft->drafts);
	if (ident != NULL)
		draft_asked_by(draft, ident);
	code = send_want(draft, waiter);
	drafts_lock_leave(draft->drafts);
	if (code > 0)
		send_next(draft->drafts);
	return code;
}

/* ---- close and fsync ---- */

static void has_sent(struct waiter *waiter, int code)
{
	struct question *question =
	    CONTAINER_OF(waiter, struct question, waiter);

	question->answer(question->arg, code);
	drop(question);
}

/* fsync: what there is of it survives the machine. */
static int make_durable(struct draft *draft, struct err *err)
{
	bool unsent;
	int code = 0;

	drafts_lock_enter(draft->drafts);
	/* What the server has needs no flush here, nor what is unlinked. */
	unsent = draft->changed && !draft->gone;
	if (draft->parted && !draft->gone)
		code = draft->code;
	drafts_lock_leave(draft->drafts);
	if (!unsent || code < 0)
		return code;
	if (draft->entry == NULL)
		code = draft_begin_change(draft, err);
	return code < 0 ? code : spool_sync(draft->entry, err);
}

/* What it has is finished and wanted sent, unless that is for later. */
static int send_soon(struct question *question, struct draft *draft)
{
	bool through = question->through;
	struct err err = ERR_INIT;
	int code;

	if (is_for_later(draft, through))
		return 0;
	code = finish(draft, &err);
	if (code == 0)
		code = want(draft, &question->ident,
		    through ? &question->waiter : NULL);
	/* The spool has it, the next mount sends it. */
	return code == -ECANCELED && !through ? 0 : code;
}

static void run_question(struct work *work)
{
	struct question *question = CONTAINER_OF(work, struct question, work);
	struct draft *draft = work->draft;
	bool through = question->through;
	struct err err = ERR_INIT;
	int code = 0;

	if (question->sync)
		code = make_durable(draft, &err);
	if (code == 0 && (!question->sync || through))
		code = send_soon(question, draft);
	if (!through || code <= 0) {
		question->answer(question->arg, code < 0 ? code : 0);
		drop(question); /* there is no waiter */
	}
	/* NOLINTNEXTLINE(clang-analyzer-unix.Malloc): counted */
	work_done(work);
	drop(question);
}

/* What a close is told without a look at the disk. @return whether it is. */
static bool is_known(struct draft *draft, int *code)
{
	bool known;

	drafts_lock_enter(draft->drafts);
	known = list_is_empty(&draft->queue) && draft->running == NULL &&
	    (!draft->changed || draft->gone || draft->parted);
	*code = draft->parted && !draft->gone ? draft->code : 0;
	drafts_lock_leave(draft->drafts);
	return known;
}

static void ask(struct draft *draft, const struct ident *ident, bool sync,
    bool through, draft_fn answer, void *arg)
{
	struct question *question = malloc(sizeof(*question));

	if (question == NULL) {
		answer(arg, -ENOMEM);
		return;
	}
	*question = (struct question){
	    .work = {.run = run_question},
	    .waiter = {.sent = has_sent},
	    .ident = *ident,
	    .through = through,
	    .sync = sync,
	    .answer = answer,
	    .arg = arg,
	};
	atomic_init(&question->holders, 2);
	list_init(&question->waiter.in);
	work_add(draft, &question->work);
}

void draft_sync(
    struct draft *draft, const struct ident *ident, draft_fn answer, void *arg)
{
	ask(draft, ident, true, draft->drafts->config.sync_server, answer, arg);
}

void draft_flush(
    struct draft *draft, const struct ident *ident, draft_fn answer, void *arg)
{
	int code;

	if (is_known(draft, &code))
		answer(arg, code);
	else
		ask(draft, ident, false, !draft->drafts->config.back, answer,
		    arg);
}

/* ---- behind the back of those who wrote ---- */

/* It could not even be finished. */
static void cannot_finish(struct draft *draft, int code, const struct err *err)
{
	bool dropped;
	bool empty;

	drafts_lock_enter(draft->drafts);
	empty = draft->entry == NULL;
	/* Who has it open again is told at the next close. */
	dropped = empty && draft->writers == 0;
	if (dropped) {
		/* Nothing was written, nothing is kept: as if it had never
		 * been opened. */
		draft->gone = true;
		draft_part(draft);
	}
	drafts_lock_leave(draft->drafts);
	if (dropped)
		log_line(LOG_LEVEL_WARN, LOG_CACHE, "empty file not sent",
		    "path=%s error=%s", LOG_TEXT(draft->path),
		    LOG_TEXT(err->text));
	if (!empty)
		send_failed(draft, code, err);
}

static void run_closing(struct work *work)
{
	struct draft *draft = work->draft;
	struct err err = ERR_INIT;
	bool unsent;
	int code;

	drafts_lock_enter(draft->drafts);
	draft->closing_waits = false;
	unsent = draft->changed && !draft->gone && !draft->parted &&
	    draft->writers == 0;
	/* Its closer has been told; it is tried again in time. */
	if (unsent && draft->entry != NULL &&
	    spool_attr(draft->entry).state == SPOOL_FAILED)
		unsent = false;
	drafts_lock_leave(draft->drafts);
	if (unsent) {
		code = finish(draft, &err);
		if (code < 0)
			cannot_finish(draft, code, &err);
		else
			(void)want(draft, NULL, NULL);
	}
	work_done(work);
}

/* Whether something may be unsent, now or when what is in the queue has been
 * done: truncate(2) of a path comes to the draft without a handle. */
static bool may_be_unsent(const struct draft *draft) REQUIRES(drafts_lock);
static bool may_be_unsent(const struct draft *draft)
{
	return !draft->gone && !draft->parted &&
	    (draft->changed || draft->running != NULL ||
	        !list_is_empty(&draft->queue));
}

void draft_done(struct draft *draft, const struct ident *ident)
{
	drafts_lock_enter(draft->drafts);
	assert(draft->writers > 0);
	draft->writers--;
	draft->used = true;
	if (draft->writers == 0 && may_be_unsent(draft) &&
	    !draft->closing_waits) {
		draft_asked_by(draft, ident);
		draft->closing_waits = true;
		draft->closing.run = run_closing;
		work_add_quietly(draft, &draft->closing);
	}
	drafts_lock_leave(draft->drafts);
}

/* Whether all that there is of it is that it was opened once. */
static bool is_only_opened(const struct draft *draft) REQUIRES(drafts_lock);
static bool is_only_opened(const struct draft *draft)
{
	return draft->writers == 1 && !draft->used && draft->entry == NULL &&
	    draft->running == NULL && list_is_empty(&draft->queue) &&
	    draft->sending == DRAFT_AT_REST;
}

void draft_unused(struct draft *draft, const struct ident *ident)
{
	bool only;

	drafts_lock_enter(draft->drafts);
	only = is_only_opened(draft);
	if (only) {
		draft->writers = 0;
		draft->gone = true;
		draft_part(draft);
	}
	drafts_lock_leave(draft->drafts);
	if (!only)
		draft_done(draft, ident);
}

/* ---- for the other files ---- */

struct errand {
	struct work work;
	struct waiter *waiter;
};

static void run_errand(struct work *work)
{
	struct errand *errand = CONTAINER_OF(work, struct errand, work);
	struct draft *draft = work->draft;
	struct err err = ERR_INIT;
	int code = 0;
	bool late;

	drafts_lock_enter(draft->drafts);
	late = draft->sending == DRAFT_LATE;
	drafts_lock_leave(draft->drafts);
	/* Who writes a late one finishes it. */
	if (!late)
		code = finish(draft, &err);
	if (code < 0)
		cannot_finish(draft, code, &err);
	else
		code = want(draft, NULL, errand->waiter);
	if (code <= 0 && errand->waiter != NULL)
		errand->waiter->sent(errand->waiter, code);
	work_done(work);
	free(errand);
}

int draft_send(struct draft *draft, struct waiter *waiter)
{
	struct errand *errand = malloc(sizeof(*errand));

	if (errand == NULL)
		return -ENOMEM;
	*errand =
	    (struct errand){.work = {.run = run_errand}, .waiter = waiter};
	work_add(draft, &errand->work);
	return 0;
}
