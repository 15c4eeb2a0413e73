/* SPDX-License-Identifier: Apache-2.0 */
/* cli/unsent/orphans.c - all of an origin is sent; see orphans.h. */
#include "cli/unsent/orphans.h"

#include "base/clock.h"
#include "cache/cache.h"
#include "cache/drafts/drafts.h"

#include <errno.h>
#include <semaphore.h>
#include <time.h>

#include "cli/command.h"
#include "cli/progress.h"
#include "cli/say.h"
#include "cli/unsent/alone.h"
#include "cli/unsent/talk.h"

struct flushed {
	sem_t told;
	int code;
	struct err *err;
};

static void is_flushed(void *arg, int code, const struct err *err)
{
	struct flushed *flushed = arg;

	flushed->code = code;
	if (code < 0 && err != NULL)
		*flushed->err = *err;
	(void)sem_post(&flushed->told);
}

static bool is_told(struct flushed *flushed)
{
	enum { STEP_MS = 100 };
	struct timespec until;

	(void)clock_gettime(CLOCK_REALTIME, &until);
	until.tv_nsec += STEP_MS * 1000000L;
	until.tv_sec += until.tv_nsec / 1000000000L;
	until.tv_nsec %= 1000000000L;
	return sem_timedwait(&flushed->told, &until) == 0;
}

static void show(struct drafts *drafts, struct progress *bar, uint64_t *all)
{
	struct drafts_count count;
	uint64_t left;

	drafts_count(drafts, &count);
	if (count.unsent_bytes > *all)
		*all = count.unsent_bytes;
	left = count.unsent_bytes -
	    (count.sent_bytes < count.unsent_bytes ? count.sent_bytes
	                                           : count.unsent_bytes);
	if (count.unsent_files > 0)
		progress_show(bar, *all - left, *all);
}

/* What was sent as something else before is to go from the server: once. */
static bool is_cleared(struct drafts *drafts, uint64_t end_ms)
{
	struct drafts_count count;

	drafts_count(drafts, &count);
	return count.untried == 0 || clock_now_ms(clock_system()) >= end_ms;
}

/* @return of drafts_flush(), -EINTR */
static int flush(struct alone *alone, uint64_t timeout_ms, struct err *err)
{
	struct drafts *drafts = alone->layers.drafts;
	uint64_t now_ms = clock_now_ms(clock_system());
	struct flushed flushed = {.err = err};
	struct progress bar;
	uint64_t end_ms =
	    timeout_ms > UINT64_MAX - now_ms ? UINT64_MAX : now_ms + timeout_ms;
	uint64_t all_bytes = 0;
	bool told = false;
	int signals = 0;

	(void)sem_init(&flushed.told, 0, 0);
	progress_begin(&bar, "sending", PROGRESS_BYTES);
	drafts_flush(drafts, "/", end_ms, is_flushed, &flushed);
	while ((!told || !is_cleared(drafts, end_ms)) && signals == 0) {
		told = is_told(&flushed) || told;
		drafts_tick(drafts);
		cache_tick(alone->layers.cache);
		show(drafts, &bar, &all_bytes);
		signals = unsent_signals(NULL);
	}
	progress_clear(&bar);
	if (told) {
		(void)sem_destroy(&flushed.told);
		return flushed.code;
	}
	/* It is answered when they stop. */
	alone_stop(alone);
	while (sem_wait(&flushed.told) < 0)
		continue;
	(void)sem_destroy(&flushed.told);
	return err_set(err, -EINTR, "interrupted; the data stay in the spool");
}

struct sending {
	const char *origin;
	uint64_t timeout_ms;
};

static int send_here(struct alone *alone, const void *arg)
{
	const struct sending *sending = arg;
	struct err err = ERR_INIT;
	int code = flush(alone, sending->timeout_ms, &err);

	return code == 0
	    ? STATUS_OK
	    : say_exit(EX_IOERR, "flush %s: %s", sending->origin,
	          err.text[0] != '\0' ? err.text : err_message(code));
}

int orphans_send(const struct orphans_group *group, uint64_t timeout_ms)
{
	const struct sending sending = {
	    .origin = group->origin, .timeout_ms = timeout_ms};

	return alone_run(group, LAYERS_DRAFTS, send_here, &sending);
}
