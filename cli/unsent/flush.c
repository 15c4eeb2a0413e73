/* SPDX-License-Identifier: Apache-2.0 */
/*
 * cli/unsent/flush.c - `bearerfs flush`: wait until writes are on the server,
 * by asking the mounts; send what lies in the spool of none; decide what
 * becomes of one entry. The mount points are never looked at.
 */
#include "base/buf.h"
#include "base/clock.h"
#include "base/path.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "cli/arguments.h"
#include "cli/command.h"
#include "cli/mounts.h"
#include "cli/options/number.h"
#include "cli/options/options.h"
#include "cli/say.h"
#include "cli/unsent/entry.h"
#include "cli/unsent/list.h"
#include "cli/unsent/orphans.h"
#include "cli/unsent/place.h"
#include "cli/unsent/talk.h"

enum { GROUPS_MAX = 64 };

static const struct arguments_form form = {
    .command = "flush",
    .letters = ":ho:",
    .timeout = true,
    .entry = true,
    .positions_max = 1,
    .positions = "at most one PATH",
};

struct flush {
	const struct arguments *arguments;
	char *spool_dir; /* of -o; NULL: none */
	struct unsent_places places;
	uint64_t end_ms; /* UNSENT_FOREVER: none */
	int worst;       /* exit status */
};

static uint64_t left_ms(const struct flush *flush)
{
	uint64_t now_ms = clock_now_ms(clock_system());

	if (flush->end_ms == UNSENT_FOREVER)
		return UNSENT_FOREVER;
	return flush->end_ms > now_ms ? flush->end_ms - now_ms : 0;
}

/* Trouble with sending says more than a mount that does not answer. */
static void note(struct flush *flush, int status)
{
	if (flush->worst == STATUS_OK || status == EX_IOERR)
		flush->worst = status;
}

static void flush_mount(
    struct flush *flush, const struct mount_entry *entry, const char *path)
{
	struct unsent_wait wait = {.entry = entry,
	    .path = path,
	    .timeout_ms = left_ms(flush),
	    .signals_max = 1};
	struct err err = ERR_INIT;
	int code = unsent_wait(&wait, &err);

	if (code == 0)
		return;
	if (code == -EINTR)
		note(flush, EX_IOERR);
	else if (!wait.reached && code != -ETIMEDOUT)
		note(flush,
		    say_exit(EX_UNAVAILABLE,
		        "flush '%s': the mount does not answer (%s); what is "
		        "unsent stays in the spool",
		        entry->point, err.text));
	else
		note(flush,
		    say_exit(EX_IOERR,
		        "flush '%s': %s: %s; the data are in the spool, see "
		        "bearerfs status",
		        entry->point,
		        code == -ETIMEDOUT ? "not all is sent yet"
		                           : "not all could be sent",
		        err.text));
}

static void left_out(
    void *arg, const struct mount_entry *entry, const struct err *why)
{
	note(arg,
	    say_exit(EX_UNAVAILABLE,
	        "flush '%s': the mount does not answer (%s); what is unsent "
	        "stays in the spool",
	        entry->point, why->text));
}

/* What lies in one spool and belongs to no mount. */
struct orphanage {
	struct flush *flush;
	const char *dir;
	unsigned count;
	struct {
		char *origin;
		char *credential;
		enum spool_from from;
	} groups[GROUPS_MAX];
	int code;
};

static int add_group(struct orphanage *orphanage, const struct spool_item *item)
{
	const char *origin = item->text[SPOOL_ORIGIN];
	const char *credential = item->text[SPOOL_CREDENTIAL];
	unsigned i = orphanage->count;

	for (unsigned k = 0; k < i; k++) {
		if (strcmp(orphanage->groups[k].origin, origin) == 0 &&
		    strcmp(orphanage->groups[k].credential, credential) == 0 &&
		    orphanage->groups[k].from == item->from)
			return 0;
	}
	/* The next run has room again. */
	if (i == GROUPS_MAX)
		return 0;
	orphanage->groups[i].origin = strdup(origin);
	orphanage->groups[i].credential = strdup(credential);
	orphanage->groups[i].from = item->from;
	orphanage->count++;
	return orphanage->groups[i].origin == NULL ||
	        orphanage->groups[i].credential == NULL
	    ? -ENOMEM
	    : 0;
}

static int take_orphan(void *arg, const struct spool_item *item)
{
	struct orphanage *orphanage = arg;

	if (item->busy || item->cure != SPOOL_CURE_FLUSH ||
	    item->uid != geteuid())
		return 0;
	return add_group(orphanage, item);
}

/* @param mount  whose it is; NULL: nobody's */
static void note_unsent(struct flush *flush, const struct spool_item *item,
    const struct unsent_mount *mount)
{
	struct buf line;

	buf_init(&line, (size_t)16 * PATH_BYTES_MAX);
	unsent_line(&line, item, mount);
	note(flush,
	    say_exit(EX_IOERR, "flush: not sent: %s; see bearerfs status",
	        buf_text(&line)));
	buf_fini(&line);
}

/* What a person has to decide of is no success either. */
static int judge_rest(void *arg, const struct spool_item *item)
{
	struct orphanage *orphanage = arg;
	struct flush *flush = orphanage->flush;

	if (item->kind != SPOOL_FILE ||
	    (item->busy &&
	        unsent_places_owner(&flush->places, orphanage->dir, item) !=
	            NULL))
		return 0;
	note_unsent(flush, item, NULL);
	return 0;
}

static void flush_dir(struct flush *flush, const char *dir)
{
	struct orphanage orphanage = {.flush = flush, .dir = dir};
	struct err err = ERR_INIT;
	int code = unsent_each(dir, take_orphan, &orphanage, &err);

	for (unsigned i = 0; i < orphanage.count && code == 0; i++) {
		const struct orphans_group group = {.dir = dir,
		    .origin = orphanage.groups[i].origin,
		    .from = orphanage.groups[i].from,
		    .credential = orphanage.groups[i].credential,
		    .with = &flush->arguments->from};

		if (unsent_signals(NULL) == 0)
			note(flush, orphans_send(&group, left_ms(flush)));
	}
	for (unsigned i = 0; i < orphanage.count; i++) {
		free(orphanage.groups[i].origin);
		free(orphanage.groups[i].credential);
	}
	if (code == 0)
		code = unsent_each(dir, judge_rest, &orphanage, &err);
	if (code < 0)
		note(flush, say_exit(STATUS_FAILED, "flush: %s", err.text));
}

/* All own mounts, and what belongs to none. */
static int flush_all(struct flush *flush, struct err *err)
{
	int code = unsent_places_add_own(&flush->places, left_out, flush, err);

	if (code < 0)
		return code;
	for (unsigned i = 0; i < flush->places.mount_count; i++) {
		if (flush->places.mounts[i]->dir[0] != '\0')
			flush_mount(
			    flush, &flush->places.mounts[i]->entry, "/");
	}
	for (unsigned i = 0; i < flush->places.dir_count; i++)
		flush_dir(flush, flush->places.dirs[i]);
	return 0;
}

/* What lies below one path of a mount. */
struct below {
	struct flush *flush;
	const struct unsent_mount *mount;
	char server_path[PATH_BYTES_MAX];
};

/* Its mount does not try again what a person has to decide of. */
static int judge_below(void *arg, const struct spool_item *item)
{
	struct below *below = arg;

	if (item->kind != SPOOL_FILE || item->busy ||
	    !unsent_is_of(below->mount, below->mount->dir, item) ||
	    !path_is_within(item->text[SPOOL_PATH], below->server_path))
		return 0;
	note_unsent(below->flush, item, below->mount);
	return 0;
}

static void judge_path(
    struct flush *flush, const struct mount_entry *entry, const char *inside)
{
	struct below below = {.flush = flush};
	struct err err = ERR_INIT;

	/* Of another user's mount its spool cannot tell. */
	if (entry->owner != geteuid())
		return;
	/* flush_mount() has said that it does not answer. */
	below.mount = unsent_places_add(&flush->places, entry, &err);
	if (below.mount == NULL || below.mount->dir[0] == '\0')
		return;
	if (unsent_server_path(below.mount, below.server_path, inside) < 0)
		return;
	if (unsent_each(below.mount->dir, judge_below, &below, &err) < 0)
		note(flush, say_exit(STATUS_FAILED, "flush: %s", err.text));
}

static int flush_path(struct flush *flush, const char *path, struct err *err)
{
	struct mount_entry entry;
	char inside[PATH_BYTES_MAX];
	int code = mounts_holding(&entry, inside, path, err);

	if (code == 0)
		return err_set(err, -ENOENT,
		    "flush '%s': no bearerfs mount there; bearerfs status "
		    "lists them",
		    path);
	if (code < 0)
		return code;
	flush_mount(flush, &entry, inside);
	judge_path(flush, &entry, inside);
	return 0;
}

/* One entry. @return an exit status */
static int decide(struct flush *flush)
{
	const struct arguments *arguments = flush->arguments;
	struct entry_order order = {.with = &arguments->from};
	struct err err = ERR_INIT;
	unsigned count = 0;

	if (number_parse(arguments->number, NUMBER_PLAIN, &order.number) < 0 ||
	    order.number == 0)
		return command_usage(
		    "flush", "--number needs one that bearerfs status tells");
	if (arguments->as != NULL) {
		order.what = ENTRY_AS;
		order.argument = arguments->as;
		count++;
	}
	if (arguments->export_dir != NULL) {
		order.what = ENTRY_EXPORT;
		order.argument = arguments->export_dir;
		count++;
	}
	if (arguments->overwrite) {
		order.what = ENTRY_OVERWRITE;
		count++;
	}
	if (arguments->drop) {
		order.what = ENTRY_DROP;
		count++;
	}
	if (count != 1 || arguments->position_count != 0)
		return command_usage("flush",
		    "--number goes with one of --as, --overwrite, --export and "
		    "--drop, and without PATH");
	if (unsent_places_add_own(&flush->places, NULL, NULL, &err) < 0)
		return say_exit(STATUS_FAILED, "%s", err.text);
	return entry_decide(&order, &flush->places);
}

/* What -o says of the spool; all of it is checked. */
static int take_options(struct flush *flush, struct err *err)
{
	struct options options;
	int code = options_init(&options);

	if (code < 0)
		return err_set(err, code, "out of memory");
	code = command_options(&options, &flush->arguments->from, err);
	if (code == 0 && options.spool_dir != NULL) {
		flush->spool_dir = options.spool_dir;
		options.spool_dir = NULL;
	}
	options_fini(&options);
	return code;
}

static int take_timeout(struct flush *flush)
{
	uint64_t timeout_ms = 0;

	flush->end_ms = UNSENT_FOREVER;
	if (flush->arguments->timeout == NULL)
		return STATUS_OK;
	if (number_parse(flush->arguments->timeout, NUMBER_TIME, &timeout_ms) <
	    0)
		return command_usage("flush", "--timeout needs a time: 30s");
	flush->end_ms = clock_now_ms(clock_system()) + timeout_ms;
	return STATUS_OK;
}

static int run(struct flush *flush)
{
	const struct arguments *arguments = flush->arguments;
	bool entry = arguments->as != NULL || arguments->export_dir != NULL ||
	    arguments->overwrite || arguments->drop;
	struct err err = ERR_INIT;
	int code = take_options(flush, &err);
	int status = take_timeout(flush);

	if (status != STATUS_OK)
		return status;
	if (code == 0)
		code =
		    unsent_places_init(&flush->places, flush->spool_dir, &err);
	if (code < 0)
		return say_exit(STATUS_FAILED, "flush: %s", err.text);
	if (arguments->number != NULL)
		return decide(flush);
	if (entry)
		return command_usage("flush", "that goes with --number N");
	unsent_catch_signals();
	code = arguments->position_count == 1
	    ? flush_path(flush, arguments->positions[0], &err)
	    : flush_all(flush, &err);
	if (code < 0)
		return say_exit(STATUS_FAILED, "%s", err.text);
	return flush->worst;
}

int command_flush(int argc, char **argv)
{
	struct arguments arguments;
	struct flush flush = {.arguments = &arguments, .worst = STATUS_OK};
	int status = arguments_take(&arguments, &form, argc, argv);

	if (status != STATUS_OK)
		return status;
	if (arguments.help)
		return command_help("flush");
	status = run(&flush);
	unsent_places_fini(&flush.places);
	free(flush.spool_dir);
	unsent_end_by_signal();
	return status;
}
