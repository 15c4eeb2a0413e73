/* SPDX-License-Identifier: Apache-2.0 */
/*
 * cache/drafts/tell.c - what is unsent: counted, described, waited for.
 *
 * Who waits for all is answered when each draft below their path has been sent
 * or has been tried since they began to wait. A file that is still open and
 * written is unsent, and nobody sends half of it: it is waited for.
 */
#include "base/clock.h"
#include "cache/drafts/send/send.h"
#include "cache/spool/unsent.h"

#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

enum { DESCRIBE_FILES_MAX = 1000 };

static bool is_unsent(const struct draft *draft)
{
	return draft->changed && !draft->gone && !draft->parted;
}

static bool is_open(const struct draft *draft) REQUIRES(drafts_lock);
static bool is_open(const struct draft *draft)
{
	return draft->entry == NULL ||
	    spool_attr(draft->entry).state == SPOOL_OPEN;
}

/* ---- counting ---- */

static int count_one(void *arg, struct draft *draft) REQUIRES(drafts_lock);
static int count_one(void *arg, struct draft *draft)
{
	struct drafts_count *count = arg;

	if (!is_unsent(draft))
		return 0;
	count->unsent_files++;
	count->unsent_bytes += draft->size_bytes;
	count->sent_bytes += draft->sent_bytes;
	if (draft->code < 0)
		count->failed++;
	return 0;
}

static void count_parked(struct drafts *drafts, struct drafts_count *out)
    REQUIRES(drafts_lock);
static void count_parked(struct drafts *drafts, struct drafts_count *out)
{
	uint64_t bytes = 0;

	out->unsent_files += adopt_parked(drafts, &bytes);
	out->unsent_bytes += bytes;
}

void drafts_count(struct drafts *drafts, struct drafts_count *out)
{
	*out = (struct drafts_count){0};
	drafts_lock_enter(drafts);
	(void)drafts_below(drafts, "/", count_one, out);
	count_parked(drafts, out);
	out->conflicts = drafts->conflicts;
	out->untried = leftover_untried(drafts);
	drafts_lock_leave(drafts);
}

/* ---- describing ---- */

struct describing {
	struct drafts *drafts;
	struct buf *out;
	bool any_uid;
	uid_t uid;
	struct drafts_count count;
	unsigned listed;
	uint64_t now_ms;
};

static const char *state_of(const struct draft *draft) REQUIRES(drafts_lock);
static const char *state_of(const struct draft *draft)
{
	switch (draft->sending) {
	case DRAFT_QUEUED:
		return "queued";
	case DRAFT_FILLING:
		return "filling";
	case DRAFT_SENDING:
	case DRAFT_LATE:
		return "sending";
	case DRAFT_AT_REST:
		break;
	}
	if (draft->code < 0)
		return "failed";
	return is_open(draft) ? "open" : "closed";
}

static void describe_why(struct buf *out, const struct draft *draft)
    REQUIRES(drafts_lock);
static void describe_why(struct buf *out, const struct draft *draft)
{
	struct spool_item item = {0};

	if (draft->code < 0 && draft->entry != NULL &&
	    spool_item_of(draft->entry, &item) == 0)
		(void)buf_json(out, item.text[SPOOL_WHY]);
	else
		(void)buf_json(out, NULL);
	spool_item_fini(&item);
}

static int describe_one(void *arg, struct draft *draft) REQUIRES(drafts_lock);
static int describe_one(void *arg, struct draft *draft)
{
	struct describing *describing = arg;
	struct buf *out = describing->out;
	uint64_t now_ms = describing->now_ms;

	if (!describing->any_uid && draft->ident.uid != describing->uid)
		return 0;
	(void)count_one(&describing->count, draft);
	if (!is_unsent(draft) || describing->listed == DESCRIBE_FILES_MAX)
		return 0;
	(void)buf_printf(out, "%s{\"path\":", describing->listed++ ? "," : "");
	(void)buf_json(out, draft->path);
	(void)buf_printf(out,
	    ",\"size_bytes\":%" PRIu64 ",\"sent_bytes\":%" PRIu64
	    ",\"state\":\"%s\",\"errno\":",
	    draft->size_bytes, draft->sent_bytes, state_of(draft));
	(void)buf_json(out, draft->code < 0 ? err_name(draft->code) : NULL);
	(void)buf_printf(out, ",\"why\":");
	describe_why(out, draft);
	if (draft->again_ms > now_ms)
		(void)buf_printf(out, ",\"again_s\":%" PRIu64 "}",
		    (draft->again_ms - now_ms + 999) / 1000);
	else
		(void)buf_printf(out, ",\"again_s\":null}");
	return 0;
}

int drafts_describe(
    struct drafts *drafts, bool any_uid, uint32_t uid, struct buf *out)
{
	struct describing describing = {.drafts = drafts,
	    .out = out,
	    .any_uid = any_uid,
	    .uid = uid,
	    .now_ms = clock_now_ms(drafts->config.clock)};
	struct drafts_count *count = &describing.count;

	(void)buf_printf(out, "{\"files\":[");
	drafts_lock_enter(drafts);
	(void)drafts_below(drafts, "/", describe_one, &describing);
	count_parked(drafts, count);
	(void)buf_printf(out,
	    "],\"unsent_files\":%" PRIu64 ",\"unsent_bytes\":%" PRIu64
	    ",\"sent_bytes\":%" PRIu64 ",\"failed\":%" PRIu64
	    ",\"conflicts\":%" PRIu64 ",\"sending\":%u,\"leftovers\":%u"
	    ",\"unverified\":%" PRIu64 "}",
	    count->unsent_files, count->unsent_bytes, count->sent_bytes,
	    count->failed, drafts->conflicts, drafts->sending_count,
	    leftover_count(drafts), drafts->sender->unverified);
	drafts_lock_leave(drafts);
	return buf_code(out);
}

/* ---- waiting for all ---- */

struct flushing {
	struct list in;
	uint64_t deadline_ms;
	uint64_t begun; /* failures until then */
	drafts_flushed_fn answer;
	void *arg;
	int code;
	struct err err;
	char path[];
};

void flushes_note(struct draft *draft, int code, const struct err *err)
{
	struct list *all = &draft->drafts->flushes;

	for (struct list *in = all->next; in != all; in = in->next) {
		struct flushing *flushing =
		    CONTAINER_OF(in, struct flushing, in);

		if (flushing->code != 0 ||
		    !path_is_within(draft->path, flushing->path))
			continue;
		flushing->code = err_set(&flushing->err, code,
		    "'%.200s': %.300s", draft->path, err->text);
	}
}

/* The first that has not been sent and not been tried ends the walk. */
struct missing {
	const struct flushing *flushing;
	const struct draft *draft;
};

static int look_missing(void *arg, struct draft *draft) REQUIRES(drafts_lock);
static int look_missing(void *arg, struct draft *draft)
{
	struct missing *missing = arg;

	if (!is_unsent(draft) ||
	    (draft->sending == DRAFT_AT_REST && draft->code < 0 &&
	        draft->failed_at > missing->flushing->begun))
		return 0;
	missing->draft = draft;
	return 1;
}

/* Whether one is to be answered, with what. */
static bool is_over(struct drafts *drafts, struct flushing *flushing,
    uint64_t now_ms) REQUIRES(drafts_lock);
static bool is_over(
    struct drafts *drafts, struct flushing *flushing, uint64_t now_ms)
{
	struct missing missing = {.flushing = flushing};

	if (drafts_below(drafts, flushing->path, look_missing, &missing) == 0 &&
	    !adopt_is_parked(drafts, flushing->path))
		return true;
	if (now_ms < flushing->deadline_ms)
		return false;
	flushing->code = err_set(&flushing->err, -ETIMEDOUT,
	    "'%.300s' and what comes after it is not on the server yet: %s",
	    missing.draft == NULL ? flushing->path : missing.draft->path,
	    missing.draft != NULL && missing.draft->sending == DRAFT_AT_REST &&
	            is_open(missing.draft)
	        ? "it is open and written"
	        : "it is being sent");
	return true;
}

static void answer_all(struct list *over)
{
	struct list *in;

	while ((in = list_pop(over)) != NULL) {
		struct flushing *flushing =
		    CONTAINER_OF(in, struct flushing, in);

		flushing->answer(flushing->arg, flushing->code, &flushing->err);
		free(flushing);
	}
}

void flushes_look(struct drafts *drafts, uint64_t now_ms)
{
	struct list *all = &drafts->flushes;
	struct list over;
	struct list *next;

	list_init(&over);
	drafts_lock_enter(drafts);
	for (struct list *in = all->next; in != all; in = next) {
		struct flushing *flushing =
		    CONTAINER_OF(in, struct flushing, in);

		next = in->next;
		if (!is_over(drafts, flushing, now_ms))
			continue;
		list_remove(in);
		list_push(&over, in);
	}
	drafts_lock_leave(drafts);
	answer_all(&over);
}

void flushes_stop(struct drafts *drafts)
{
	struct list over;

	list_init(&over);
	drafts_lock_enter(drafts);
	list_move_all(&over, &drafts->flushes);
	for (struct list *in = over.next; in != &over; in = in->next) {
		struct flushing *flushing =
		    CONTAINER_OF(in, struct flushing, in);

		flushing->code =
		    err_set(&flushing->err, -ECANCELED, "unmounting");
	}
	drafts_lock_leave(drafts);
	answer_all(&over);
}

/* Drafts that are to be tried at once, held. */
struct kicked {
	struct draft **list;
	size_t count;
	size_t room;
};

static int kick(void *arg, struct draft *draft) REQUIRES(drafts_lock);
static int kick(void *arg, struct draft *draft)
{
	struct kicked *kicked = arg;

	if (!is_unsent(draft) || draft->sending != DRAFT_AT_REST ||
	    (draft->writers > 0 && is_open(draft)) ||
	    kicked->count == kicked->room)
		return 0;
	draft_hold(draft);
	kicked->list[kicked->count++] = draft;
	return 0;
}

void drafts_flush(struct drafts *drafts, const char *path, uint64_t deadline_ms,
    drafts_flushed_fn answer, void *arg)
{
	size_t path_bytes = strlen(path) + 1;
	struct flushing *flushing = calloc(1, sizeof(*flushing) + path_bytes);
	struct kicked kicked = {0};
	struct err err = ERR_INIT;
	bool stopping;

	if (flushing == NULL) {
		answer(arg, err_set(&err, -ENOMEM, "out of memory"), &err);
		return;
	}
	(void)memcpy(flushing->path, path, path_bytes);
	flushing->deadline_ms = deadline_ms;
	flushing->answer = answer;
	flushing->arg = arg;
	drafts_lock_enter(drafts);
	stopping = drafts->stopping;
	flushing->begun = drafts->sender->failures;
	list_push(&drafts->flushes, &flushing->in);
	kicked.room = drafts->count;
	kicked.list = calloc(kicked.room + 1, sizeof(struct draft *));
	if (kicked.list != NULL)
		(void)drafts_below(drafts, path, kick, &kicked);
	drafts_lock_leave(drafts);
	for (size_t i = 0; i < kicked.count; i++) {
		/* Without memory it is tried when its pause is over. */
		if (draft_send(kicked.list[i], NULL) < 0)
			again_soon(kicked.list[i]);
		draft_put(kicked.list[i]);
	}
	free(kicked.list);
	if (stopping)
		flushes_stop(drafts);
	else
		flushes_look(drafts, clock_now_ms(drafts->config.clock));
}
