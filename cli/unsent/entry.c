/* SPDX-License-Identifier: Apache-2.0 */
/* cli/unsent/entry.c - see entry.h. */
#include "cli/unsent/entry.h"

#include "base/buf.h"
#include "cache/spool/spool.h"
#include "cache/spool/unsent.h"

#include <errno.h>
#include <inttypes.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>

#include "cli/command.h"
#include "cli/say.h"
#include "cli/unsent/list.h"
#include "cli/unsent/orphans.h"
#include "cli/unsent/place.h"

enum { LINE_BYTES = 3 * PATH_BYTES_MAX };

struct found {
	uint64_t number;
	bool there;
};

static int is_number(void *arg, const struct spool_item *item)
{
	struct found *found = arg;

	found->there = found->there || item->serial == found->number;
	return found->there;
}

/* The directory that has the entry; NULL: none. */
static const char *find(
    const struct unsent_places *places, uint64_t number, struct err *err)
{
	for (unsigned i = 0; i < places->dir_count; i++) {
		struct found found = {.number = number};
		int code = unsent_each(places->dirs[i], is_number, &found, err);

		if (code < 0)
			return NULL;
		if (found.there)
			return places->dirs[i];
	}
	(void)err_set(err, -ENOENT,
	    "there is none; bearerfs status lists them (-o spool_dir=DIR for "
	    "another spool)");
	return NULL;
}

/* Where "--as PATH" is on the server of the entry. */
static int resolve(char out[PATH_BYTES_MAX], const char *path,
    const struct spool_item *item, struct err *err)
{
	struct unsent_mount mount;
	struct mount_entry entry;
	char inside[PATH_BYTES_MAX];
	int code = mounts_holding(&entry, inside, path, err);

	if (code < 0)
		return code;
	if (code == 0) {
		if (!path_is_normal(path) || strcmp(path, "/") == 0)
			return err_set(err, -EINVAL,
			    "--as '%s': neither in a mount nor an absolute "
			    "path of the server",
			    path);
		(void)snprintf(out, PATH_BYTES_MAX, "%s", path);
		return 0;
	}
	code = unsent_mount_ask(&mount, &entry, err);
	if (code < 0)
		return code;
	if (strcmp(mount.origin, item->text[SPOOL_ORIGIN]) != 0)
		return err_set(err, -EXDEV,
		    "--as '%s': is on %s, and the data are for %s; take them "
		    "out with --export DIR and copy them",
		    path, mount.origin, item->text[SPOOL_ORIGIN]);
	return unsent_server_path(&mount, out, inside);
}

static int check(const struct spool_item *item, struct err *err)
{
	if (item->kind != SPOOL_FILE)
		return err_set(err, -EINVAL, "is no file; only --drop is left");
	return 0;
}

/* @return an exit status */
static int send_entry(const struct entry_order *order, const char *dir,
    struct spool_entry **entry, const struct spool_item *item)
{
	const struct orphans_group group = {.dir = dir,
	    .origin = item->text[SPOOL_ORIGIN],
	    .from = item->from,
	    .credential = item->text[SPOOL_CREDENTIAL],
	    .with = order->with};
	char path[PATH_BYTES_MAX];
	struct err err = ERR_INIT;
	int code = check(item, &err);
	int status;

	if (code == 0 && order->what == ENTRY_AS)
		code = resolve(path, order->argument, item, &err);
	else if (code == 0)
		(void)snprintf(
		    path, sizeof(path), "%s", item->text[SPOOL_PATH]);
	if (code < 0)
		return say_exit(STATUS_FAILED, "flush --number %" PRIu64 ": %s",
		    order->number, err.text);
	status = orphans_publish(
	    &group, *entry, item, path, order->what == ENTRY_OVERWRITE);
	if (status != STATUS_OK)
		return status;
	/* The server has it. */
	if (spool_remove(entry, &err) < 0)
		return say_exit(STATUS_FAILED,
		    "flush --number %" PRIu64 ": sent, but %s", order->number,
		    err.text);
	return STATUS_OK;
}

/* What it was being sent as is to go from the server without it. */
static int split(uint64_t number, struct spool_entry *entry)
{
	struct spool_entry *part = NULL;
	struct err err = ERR_INIT;
	int code = spool_split_part(entry, &part, &err);

	spool_release(part);
	return code < 0
	    ? say_exit(STATUS_FAILED, "flush --number %" PRIu64 ": %s", number,
	          err.text)
	    : STATUS_OK;
}

static int take_out(const struct entry_order *order, struct spool_entry **entry)
{
	char name[SPOOL_TEXT_BYTES_MAX + 32];
	char line[LINE_BYTES];
	struct err err = ERR_INIT;
	int code = spool_export(entry, order->argument, name, &err);

	if (code < 0)
		return say_exit(STATUS_FAILED, "flush --number %" PRIu64 ": %s",
		    order->number, err.text);
	(void)snprintf(line, sizeof(line), "%s/%s\n", order->argument, name);
	return say_out(line) < 0 ? STATUS_FAILED : STATUS_OK;
}

static int drop(uint64_t number, struct spool_entry **entry)
{
	struct err err = ERR_INIT;

	return spool_remove(entry, &err) < 0
	    ? say_exit(STATUS_FAILED, "flush --number %" PRIu64 ": %s", number,
	          err.text)
	    : STATUS_OK;
}

static int decide(const struct entry_order *order, const char *dir,
    struct spool_entry **entry)
{
	struct spool_item item;
	int status = split(order->number, *entry);

	if (status != STATUS_OK)
		return status;
	if (order->what == ENTRY_DROP)
		return drop(order->number, entry);
	if (order->what == ENTRY_EXPORT)
		return take_out(order, entry);
	if (spool_item_of(*entry, &item) < 0)
		return say_exit(STATUS_FAILED, "flush: out of memory");
	status = send_entry(order, dir, entry, &item);
	spool_item_fini(&item);
	return status;
}

static const char *why_not(int code, const struct err *err)
{
	if (code == -EBUSY)
		return "a living mount or command has it; write in the mount "
		       "what you want (mv, rm), send it with bearerfs flush "
		       "PATH, or unmount first";
	if (code == -EBADMSG)
		return "it is damaged and cannot be understood; bearerfs status "
		       "tells its place";
	return err->text;
}

int entry_decide(
    const struct entry_order *order, const struct unsent_places *places)
{
	struct spool *spool = NULL;
	struct spool_entry *entry = NULL;
	struct err err = ERR_INIT;
	const char *dir = find(places, order->number, &err);
	int status;
	int code = dir == NULL ? err.code : unsent_open(&spool, dir, &err);

	if (code == 0)
		code = spool_take(spool, order->number, &entry, &err);
	if (code < 0)
		status =
		    say_exit(STATUS_FAILED, "flush --number %" PRIu64 ": %s",
		        order->number, why_not(code, &err));
	else
		status = decide(order, dir, &entry);
	spool_release(entry);
	spool_close(spool);
	return status;
}
