/* SPDX-License-Identifier: Apache-2.0 */
/* cli/unsent/orphans.c - see orphans.h. */
#include "cli/unsent/orphans.h"

#include "base/clock.h"
#include "base/log.h"
#include "cache/cache.h"
#include "cache/drafts/drafts.h"
#include "cache/spool/spool.h"
#include "fetch/change.h"

#include <errno.h>
#include <semaphore.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "cli/ask.h"
#include "cli/command.h"
#include "cli/harden.h"
#include "cli/layers.h"
#include "cli/options.h"
#include "cli/plan.h"
#include "cli/progress.h"
#include "cli/say.h"
#include "cli/unsent/talk.h"

/* How a mount of it would be made. */
static int make_options(
    struct options *options, const struct orphans_group *group, struct err *err)
{
	char source[PATH_BYTES_MAX];
	int n = snprintf(source, sizeof(source), "%s/", group->origin);
	const char *name =
	    group->from == SPOOL_FROM_AGENT ? "account" : "token_file";
	int code;

	if (n < 0 || (size_t)n >= sizeof(source))
		return err_set(err, -ENAMETOOLONG, "origin: too long");
	code = options_set_source(options, source);
	if (code < 0)
		return err_set(err, code, "out of memory");
	code = options_set(options, "rw", "yes", err);
	/* An http:// origin was allowed when it was written. */
	if (code == 0 && strncmp(group->origin, "http://", 7) == 0)
		code = options_set(options, "insecure_http", "yes", err);
	if (code == 0 && group->credential[0] != '\0')
		code = options_set(options, name, group->credential, err);
	if (code == 0)
		code = command_options(options, group->with, err);
	return code;
}

/* Whom it may interest, in a process without threads. */
struct orphans {
	struct options options;
	struct plan *plan;
	struct layers layers;
	bool stopped;
};

static int make(struct orphans *orphans, const struct orphans_group *group,
    enum layers_upto upto, struct err *err)
{
	int code = options_init(&orphans->options);

	if (code < 0)
		return err_set(err, code, "out of memory");
	code = make_options(&orphans->options, group, err);
	if (code == 0)
		code = log_start(LOG_TO_STDERR, LOG_LEVEL_ERROR, NULL, err);
	if (code == 0)
		code = plan_without_mount(
		    &orphans->plan, &orphans->options, group->dir, err);
	return code < 0
	    ? code
	    : layers_make(&orphans->layers, orphans->plan, upto, -1, err);
}

static void stop(struct orphans *orphans)
{
	if (!orphans->stopped)
		layers_stop(&orphans->layers);
	orphans->stopped = true;
}

static void take_down(struct orphans *orphans)
{
	stop(orphans);
	layers_free(&orphans->layers);
	plan_free(orphans->plan);
	options_fini(&orphans->options);
}

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

/* @return of drafts_flush(), -EINTR */
static int flush(struct orphans *orphans, uint64_t timeout_ms, struct err *err)
{
	struct drafts *drafts = orphans->layers.drafts;
	uint64_t now_ms = clock_now_ms(clock_system());
	struct flushed flushed = {.err = err};
	struct progress bar;
	uint64_t all_bytes = 0;
	bool told = false;
	int signals = 0;

	(void)sem_init(&flushed.told, 0, 0);
	progress_begin(&bar, "sending", PROGRESS_BYTES);
	drafts_flush(drafts, "/",
	    timeout_ms > UINT64_MAX - now_ms ? UINT64_MAX : now_ms + timeout_ms,
	    is_flushed, &flushed);
	while (!told && signals == 0) {
		told = is_told(&flushed);
		drafts_tick(drafts);
		cache_tick(orphans->layers.cache);
		show(drafts, &bar, &all_bytes);
		signals = unsent_signals(NULL);
	}
	progress_clear(&bar);
	if (told) {
		(void)sem_destroy(&flushed.told);
		return flushed.code;
	}
	/* It is answered when they stop. */
	stop(orphans);
	while (sem_wait(&flushed.told) < 0)
		continue;
	(void)sem_destroy(&flushed.told);
	return err_set(err, -EINTR, "interrupted; the data stay in the spool");
}

static int send_here(const struct orphans_group *group, uint64_t timeout_ms)
{
	struct orphans orphans = {.plan = NULL};
	struct err err = ERR_INIT;
	int code = make(&orphans, group, LAYERS_DRAFTS, &err);
	int status = STATUS_OK;

	if (code < 0) {
		status = say_exit(
		    STATUS_FAILED, "flush %s: %s", group->origin, err.text);
	} else {
		code = flush(&orphans, timeout_ms, &err);
		if (code < 0)
			status = say_exit(EX_IOERR, "flush %s: %s",
			    group->origin,
			    err.text[0] != '\0' ? err.text : err_message(code));
	}
	take_down(&orphans);
	return status;
}

/* Run in a process of its own. */
static int end_of(pid_t pid)
{
	int status = 0;

	if (pid < 0)
		return say_exit(
		    STATUS_FAILED, "flush: no process: %s", err_message(errno));
	while (waitpid(pid, &status, 0) < 0) {
		if (errno != EINTR)
			return say_exit(
			    STATUS_FAILED, "flush: %s", err_message(errno));
	}
	if (WIFEXITED(status))
		return WEXITSTATUS(status);
	return say_exit(EX_IOERR,
	    "flush: ended by signal %d; the data stay in the spool",
	    WIFSIGNALED(status) ? WTERMSIG(status) : 0);
}

static _Noreturn void end_child(int status)
{
	harden_end();
	exit(status);
}

int orphans_send(const struct orphans_group *group, uint64_t timeout_ms)
{
	pid_t pid = fork();

	if (pid == 0)
		end_child(send_here(group, timeout_ms));
	return end_of(pid);
}

/* An entry on its way: answered, and nobody reads it any more. */
struct publish {
	sem_t ended; /* twice */
	const struct spool_entry *entry;
	struct progress *bar;
	uint64_t size_bytes;
	int code;
	struct err *err;
	bool verified;
};

static int64_t give(
    void *arg, uint64_t offset_bytes, void *out, size_t size_bytes)
{
	struct publish *publish = arg;
	struct err err = ERR_INIT;

	return spool_read(publish->entry, out, size_bytes, offset_bytes, &err);
}

static void release(void *arg)
{
	struct publish *publish = arg;

	(void)sem_post(&publish->ended);
}

static void is_published(void *arg, int code,
    const struct fetch_published *published, const struct err *err)
{
	struct publish *publish = arg;

	publish->code = code;
	publish->verified = code == 0 && published->proof != FETCH_UNVERIFIED;
	if (code < 0 && err != NULL)
		*publish->err = *err;
	(void)sem_post(&publish->ended);
}

static void await(struct publish *publish)
{
	while (sem_wait(&publish->ended) < 0)
		continue;
}

/* What stands there now is what is replaced; who may not look replaces
 * whatever is there. */
static void set_condition(struct fetch_publish *ask, struct fetch_stat *stat,
    struct fetch *fetch, bool overwrite)
{
	struct err ignored = ERR_INIT;
	int code;

	ask->condition = FETCH_IF_ABSENT;
	if (!overwrite)
		return;
	code = ask_stat(fetch, ask->ident, ask->path, stat, &ignored);
	if (code == -ENOENT)
		return;
	ask->condition =
	    code == 0 && stat->exact ? FETCH_IF_SAME : FETCH_IF_ANY;
	ask->version = code == 0 && stat->exact ? &stat->version : NULL;
}

static int publish(struct orphans *orphans, struct spool_entry *entry,
    const struct spool_item *item, const char *path, bool overwrite,
    struct err *err)
{
	struct publish publish = {.entry = entry, .err = err};
	struct fetch_stat stat;
	struct fetch_publish ask = {
	    .ident = &orphans->layers.ident,
	    .path = path,
	    .bytes = {.size_bytes = item->attr.size_bytes,
	        .read = give,
	        .release = release,
	        .arg = &publish},
	    .mtime_s = item->attr.has_mtime ? item->attr.mtime_s : -1,
	};

	(void)sem_init(&publish.ended, 0, 0);
	set_condition(&ask, &stat, orphans->layers.fetch, overwrite);
	(void)fetch_publish(
	    orphans->layers.fetch, &ask, is_published, &publish);
	await(&publish);
	await(&publish);
	(void)sem_destroy(&publish.ended);
	if (publish.code == 0 && !publish.verified)
		say("flush %s%s: sent; no token may look, so that the server's "
		    "word is all there is",
		    item->text[SPOOL_ORIGIN], path);
	return publish.code;
}

static int publish_here(const struct orphans_group *group,
    struct spool_entry *entry, const struct spool_item *item, const char *path,
    bool overwrite)
{
	struct orphans orphans = {.plan = NULL};
	struct err err = ERR_INIT;
	int code = make(&orphans, group, LAYERS_FETCH, &err);
	int status = STATUS_OK;

	if (code < 0) {
		status = say_exit(
		    STATUS_FAILED, "flush %s: %s", group->origin, err.text);
	} else {
		code = publish(&orphans, entry, item, path, overwrite, &err);
		if (code < 0)
			status = say_exit(EX_IOERR, "flush %s%s: %s (%s)",
			    group->origin, path,
			    err.text[0] != '\0' ? err.text : err_message(code),
			    err_name(code));
	}
	take_down(&orphans);
	return status;
}

int orphans_publish(const struct orphans_group *group,
    struct spool_entry *entry, const struct spool_item *item, const char *path,
    bool overwrite)
{
	/* The entry's lock is this process's: another one only reads. */
	pid_t pid = fork();

	if (pid == 0)
		end_child(publish_here(group, entry, item, path, overwrite));
	return end_of(pid);
}
