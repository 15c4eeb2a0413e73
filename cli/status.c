/* SPDX-License-Identifier: Apache-2.0 */
/*
 * cli/status.c - `bearerfs status`: ask the daemons through their control
 * sockets and print what they say; add what lies unsent in their spools, and in
 * those of no mount. The mount points are never looked at.
 */
#include <errno.h>
#include <stdbool.h>
#include <string.h>
#include <unistd.h>

#include "cli/arguments.h"
#include "cli/command.h"
#include "cli/control/control.h"
#include "cli/mounts.h"
#include "cli/say.h"
#include "cli/unsent/list.h"
#include "cli/unsent/place.h"

enum {
	STATUS_BYTES_MAX = 64 * 1024 * 1024,
	SEEN_MAX = 256, /* mounts; those beyond may be shown twice */
};

struct status {
	bool json;
	const char *path; /* NULL: all that this user may ask about */
	struct buf out;
	unsigned count; /* mounts shown */
	int worst;      /* exit status */
	unsigned seen_count;
	unsigned seen[SEEN_MAX]; /* minors: bind mounts */
	struct unsent_places places;
};

/* Entries of a spool that belong to one mount, or to none. */
struct unsent {
	struct status *status;
	const char *dir;
	const struct unsent_mount *mount; /* NULL: of none */
	unsigned count;
	unsigned temporary_count; /* names left on the server; as text */
};

static const struct arguments_form form = {
    .command = "status",
    .letters = ":h",
    .json = true,
    .positions_max = 1,
    .positions = "at most one MOUNTPOINT",
};

/* Whether we may end it. */
static bool is_ours(const struct mount_entry *entry)
{
	return entry->owner == geteuid() || geteuid() == 0;
}

/* A mount whose daemon does not answer. */
static void add_silent(struct status *status, const struct mount_entry *entry,
    int code, const struct err *err)
{
	bool dead =
	    code == -ECONNREFUSED || code == -ENOENT || code == -ECONNRESET;

	status->worst = EX_UNAVAILABLE;
	if (status->json) {
		(void)buf_printf(&status->out,
		    "{\"state\":\"%s\",\"source\":", dead ? "dead" : "silent");
		(void)buf_json(&status->out, entry->source);
		(void)buf_printf(&status->out, ",\"mountpoint\":");
		(void)buf_json(&status->out, entry->point);
		(void)buf_printf(&status->out, ",\"problem\":");
		(void)buf_json(&status->out, err->text);
		(void)buf_printf(&status->out, "}\n");
		return;
	}
	(void)buf_printf(&status->out, "%s on %s\n%s: %s\n", entry->source,
	    entry->point, dead ? "dead" : "silent", err->text);
	if (is_ours(entry))
		say("status '%s': the daemon does not answer (%s); end it "
		    "with: bearerfs umount %s",
		    entry->point, err->text, entry->point);
	else
		say("status '%s': the daemon does not answer (%s); tell your "
		    "administrator",
		    entry->point, err->text);
}

static int add_unsent(void *arg, const struct spool_item *item)
{
	struct unsent *unsent = arg;
	struct buf *out = &unsent->status->out;

	if (unsent_places_owner(&unsent->status->places, unsent->dir, item) !=
	    unsent->mount)
		return 0;
	if (unsent->status->json) {
		if (unsent->count > 0)
			(void)buf_append(out, ",", 1);
		unsent_json(out, item, unsent->dir);
	} else if (item->kind == SPOOL_TEMPORARY) {
		unsent->temporary_count++;
		return 0;
	} else {
		if (unsent->count == 0 && unsent->mount != NULL)
			(void)buf_printf(out, "in the spool:\n");
		else if (unsent->count == 0)
			(void)buf_printf(out,
			    "%swritten and not sent, of no mount, in %s:\n",
			    unsent->status->count > 0 ? "\n" : "", unsent->dir);
		unsent_text(out, item, unsent->dir, unsent->mount);
	}
	unsent->count++;
	return 0;
}

static void list_unsent(struct unsent *unsent)
{
	struct err err = ERR_INIT;

	if (unsent_each(unsent->dir, add_unsent, unsent, &err) < 0) {
		unsent->status->worst = STATUS_FAILED;
		say("status: %s", err.text);
	}
	if (unsent->temporary_count > 0)
		(void)buf_printf(&unsent->status->out,
		    "temporary names that may be left on the server: %u; they "
		    "are removed when a token allows\n",
		    unsent->temporary_count);
}

/* Add to what a mount of ours said of itself what lies in its spool. */
static void add_spool(struct status *status, const struct mount_entry *entry)
{
	struct err err = ERR_INIT;
	struct unsent unsent = {.status = status};
	struct buf *out = &status->out;

	/* Others' spools are closed. */
	if (entry->owner != geteuid())
		return;
	unsent.mount = unsent_places_add(&status->places, entry, &err);
	if (unsent.mount == NULL || unsent.mount->dir[0] == '\0')
		return;
	unsent.dir = unsent.mount->dir;
	if (!status->json) {
		list_unsent(&unsent);
		return;
	}
	if (out->size_bytes < 2 ||
	    strcmp(buf_text(out) + out->size_bytes - 2, "}\n") != 0)
		return;
	out->size_bytes -= 2;
	(void)buf_printf(out, ",\"unsent\":[");
	list_unsent(&unsent);
	(void)buf_printf(out, "]}\n");
}

/* What lies in spools of ours and belongs to no mount. */
static void add_orphans(struct status *status)
{
	for (unsigned i = 0; i < status->places.dir_count; i++) {
		struct unsent unsent = {
		    .status = status, .dir = status->places.dirs[i]};
		size_t before_bytes = status->out.size_bytes;

		if (status->json) {
			(void)buf_printf(&status->out,
			    "%s{\"state\":\"unmounted\",\"spool_dir\":",
			    status->count > 0 ? "," : "");
			(void)buf_json(&status->out, unsent.dir);
			(void)buf_printf(&status->out, ",\"unsent\":[");
		}
		list_unsent(&unsent);
		if (status->json && unsent.count > 0)
			(void)buf_printf(&status->out, "]}\n");
		else if (status->json)
			status->out.size_bytes = before_bytes;
		if (unsent.count > 0)
			status->count++;
	}
}

static void add_mount(struct status *status, const struct mount_entry *entry)
{
	struct buf answer;
	struct err err = ERR_INIT;
	int code;

	buf_init(&answer, CONTROL_ANSWER_BYTES_MAX);
	code = control_query(
	    entry, status->json ? "status json" : "status", &answer, &err);
	if (status->count++ > 0)
		(void)buf_printf(&status->out, status->json ? "," : "\n");
	if (code < 0)
		add_silent(status, entry, code, &err);
	else
		(void)buf_append(&status->out, answer.bytes, answer.size_bytes);
	if (code == 0)
		add_spool(status, entry);
	buf_fini(&answer);
}

static int add_if_ours(void *arg, const struct mount_entry *entry)
{
	struct status *status = arg;

	/* Root's shared ones are for everybody. */
	if (!mounts_is_bearerfs(entry) ||
	    (!is_ours(entry) && !(entry->shared && entry->owner == 0)))
		return 0;
	for (unsigned i = 0; i < status->seen_count; i++) {
		if (status->seen[i] == entry->minor)
			return 0;
	}
	if (status->seen_count < sizeof(status->seen) / sizeof(unsigned))
		status->seen[status->seen_count++] = entry->minor;
	add_mount(status, entry);
	return 0;
}

static int collect(struct status *status, struct err *err)
{
	struct mount_entry entry;
	int code;

	if (status->path == NULL) {
		if (status->json)
			(void)buf_printf(&status->out, "[");
		code = mounts_each(add_if_ours, status, err);
		if (code == 0)
			add_orphans(status);
		if (status->json)
			(void)buf_printf(&status->out, "]\n");
		else if (status->count == 0)
			(void)buf_printf(
			    &status->out, "no bearerfs mounts of yours\n");
		return code;
	}
	code = mounts_holding(&entry, NULL, status->path, err);
	if (code == 0)
		return err_set(err, -ENOENT,
		    "status '%s': no bearerfs mount there; bearerfs status "
		    "lists them",
		    status->path);
	if (code == 1)
		add_mount(status, &entry);
	return code < 0 ? code : 0;
}

int command_status(int argc, char **argv)
{
	struct status status = {.worst = STATUS_OK};
	struct arguments arguments;
	struct err err = ERR_INIT;
	int code = arguments_take(&arguments, &form, argc, argv);

	if (code != STATUS_OK)
		return code;
	if (arguments.help)
		return command_help("status");
	status.json = arguments.json;
	status.path = arguments.positions[0]; /* NULL: argv ends there */
	buf_init(&status.out, STATUS_BYTES_MAX);
	code = unsent_places_init(&status.places, NULL, &err);
	if (code == 0)
		code = collect(&status, &err);
	if (code == 0)
		code = buf_code(&status.out);
	if (code == 0)
		code = say_out(buf_text(&status.out));
	buf_fini(&status.out);
	unsent_places_fini(&status.places);
	if (code < 0)
		return say_exit(STATUS_FAILED, "%s",
		    err.code != 0 ? err.text : err_message(code));
	return status.worst;
}
