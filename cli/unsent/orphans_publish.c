/* SPDX-License-Identifier: Apache-2.0 */
/*
 * cli/unsent/orphans_publish.c - one entry of which a person has decided is
 * sent; see orphans.h.
 */
#include "cache/spool/spool.h"
#include "fetch/change.h"

#include <errno.h>
#include <semaphore.h>

#include "cli/ask.h"
#include "cli/command.h"
#include "cli/say.h"
#include "cli/unsent/alone.h"
#include "cli/unsent/fill.h"
#include "cli/unsent/orphans.h"

/* What is to be done. */
struct publishing {
	const char *origin;
	struct spool_entry *entry;
	const struct spool_item *item;
	const char *path;
	bool overwrite;
};

/* An entry on its way: answered, and nobody reads it any more. */
struct publish {
	sem_t ended; /* twice */
	const struct spool_entry *entry;
	struct progress *bar;
	uint64_t size_bytes;
	int code;
	struct err *err;
	bool verified;
	bool left; /* a temporary name, on the server */
};

static int64_t give(
    void *arg, uint64_t offset_bytes, void *out, size_t size_bytes, bool nowait)
{
	struct publish *publish = arg;
	struct err err = ERR_INIT;

	return (nowait ? spool_read_nowait : spool_read)(
	    publish->entry, out, size_bytes, offset_bytes, &err);
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
	publish->left = published->leftover[0] != '\0';
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

/* It was not sent, and is not being sent any more. */
static void end_part(struct spool_entry *entry, bool left)
{
	struct spool_entry *part = NULL;
	struct err err = ERR_INIT;
	int code = left ? spool_split_part(entry, &part, &err)
	                : spool_part(entry, NULL, &err);

	/* Whoever looks after the spool finds the name at the entry. */
	if (code < 0)
		say("flush: %s", err.text);
	spool_release(part);
}

static int publish(
    struct alone *alone, const struct publishing *what, struct err *err)
{
	const struct spool_attr *attr = &what->item->attr;
	struct publish publish = {.entry = what->entry, .err = err};
	struct fetch *fetch = alone->layers.fetch;
	struct fetch_stat stat;
	struct err ignored = ERR_INIT;
	char temporary[PATH_BYTES_MAX];
	struct fetch_publish ask = {
	    .ident = &alone->layers.ident,
	    .path = what->path,
	    .bytes = {.size_bytes = attr->size_bytes,
	        .read = give,
	        .release = release,
	        .arg = &publish},
	    .mtime_s = attr->has_mtime ? attr->mtime_s : -1,
	    .temporary = temporary,
	};

	(void)sem_init(&publish.ended, 0, 0);
	set_condition(&ask, &stat, fetch, what->overwrite);
	fetch_temporary(fetch, ask.ident, ask.path, ask.condition, temporary);
	/* On a full disk sending is what helps. */
	if (spool_part(what->entry, temporary, &ignored) < 0)
		ignored.code = 0;
	(void)fetch_publish(fetch, &ask, is_published, &publish);
	await(&publish);
	await(&publish);
	(void)sem_destroy(&publish.ended);
	if (publish.code < 0)
		end_part(what->entry, publish.left);
	if (publish.code == 0 && !publish.verified)
		say("flush %s%s: sent; no token may look, so that the server's "
		    "word is all there is",
		    what->item->text[SPOOL_ORIGIN], what->path);
	return publish.code;
}

static int publish_here(struct alone *alone, const void *arg)
{
	const struct publishing *what = arg;
	struct err err = ERR_INIT;
	int code = 0;

	if (what->item->missing_bytes > 0)
		code = unsent_fill(alone->layers.fetch, &alone->layers.ident,
		    what->entry, what->item, &err);
	if (code == 0)
		code = publish(alone, what, &err);
	return code == 0
	    ? STATUS_OK
	    : say_exit(EX_IOERR, "flush %s%s: %s (%s)", what->origin,
	          what->path,
	          err.text[0] != '\0' ? err.text : err_message(code),
	          err_name(code));
}

int orphans_publish(const struct orphans_group *group,
    struct spool_entry *entry, const struct spool_item *item, const char *path,
    bool overwrite)
{
	const struct publishing what = {.origin = group->origin,
	    .entry = entry,
	    .item = item,
	    .path = path,
	    .overwrite = overwrite};

	/* The entry's lock is of both. What it is sent as is noted by the other
	 * one: this one writes nothing behind it. */
	return alone_run(group, LAYERS_FETCH, publish_here, &what);
}
