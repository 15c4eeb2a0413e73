/* SPDX-License-Identifier: Apache-2.0 */
/*
 * cli/metrics.c - `bearerfs metrics`: ask the daemons through their control
 * sockets for what Prometheus reads. The mount points are never looked at.
 *
 * A family stands in the output once, with the samples of all mounts, as the
 * format wants it: so answers are taken apart and put together again.
 */
#include <errno.h>
#include <stdbool.h>
#include <string.h>
#include <sysexits.h>
#include <unistd.h>

#include "cli/arguments.h"
#include "cli/command.h"
#include "cli/control/control.h"
#include "cli/mounts.h"
#include "cli/say.h"

enum {
	METRICS_BYTES_MAX = 64 * 1024 * 1024,
	FAMILIES_MAX = 256,
	SEEN_MAX = 256, /* mounts; those beyond may be told twice */
};

static const char help_word[] = "# HELP ";

struct family {
	char name[128];
	struct buf text; /* HELP, TYPE and samples */
};

struct metrics {
	struct family families[FAMILIES_MAX];
	unsigned family_count;
	unsigned seen_count;
	unsigned seen[SEEN_MAX]; /* minors: bind mounts */
	int worst;               /* exit status */
};

static const struct arguments_form form = {
    .command = "metrics",
    .letters = ":h",
    .positions_max = 1,
    .positions = "at most one MOUNTPOINT",
};

/* The family that a HELP line begins; NULL: there is no room. */
static struct family *family_of(
    struct metrics *metrics, const char *line, bool *known)
{
	const char *name = line + sizeof(help_word) - 1;
	size_t size_bytes = strcspn(name, " \n");
	struct family *family;

	for (unsigned i = 0; i < metrics->family_count; i++) {
		family = &metrics->families[i];
		*known = strncmp(family->name, name, size_bytes) == 0 &&
		    family->name[size_bytes] == '\0';
		if (*known)
			return family;
	}
	if (metrics->family_count == FAMILIES_MAX ||
	    size_bytes >= sizeof(family->name))
		return NULL;
	family = &metrics->families[metrics->family_count++];
	memcpy(family->name, name, size_bytes);
	family->name[size_bytes] = '\0';
	buf_init(&family->text, METRICS_BYTES_MAX);
	return family;
}

/* Sort one mount's answer into the families. */
static int sort_in(struct metrics *metrics, const char *text)
{
	struct family *family = NULL;
	bool known = false;

	while (*text != '\0') {
		size_t size_bytes = strcspn(text, "\n");

		if (strncmp(text, help_word, sizeof(help_word) - 1) == 0)
			family = family_of(metrics, text, &known);
		if (family == NULL || text[size_bytes] == '\0')
			return -EPROTO;
		if (*text != '#' || !known)
			(void)buf_append(&family->text, text, size_bytes + 1);
		text += size_bytes + 1;
	}
	return 0;
}

static void add_mount(struct metrics *metrics, const struct mount_entry *entry)
{
	struct buf answer;
	struct err err = ERR_INIT;
	int code;

	buf_init(&answer, CONTROL_ANSWER_BYTES_MAX);
	code = control_query(entry, "metrics", &answer, &err);
	if (code == 0)
		code = sort_in(metrics, buf_text(&answer));
	if (code < 0) {
		metrics->worst = EX_UNAVAILABLE;
		say("metrics '%s': %s", entry->point,
		    err.code != 0 ? err.text : err_message(code));
	}
	buf_fini(&answer);
}

static int add_if_ours(void *arg, const struct mount_entry *entry)
{
	struct metrics *metrics = arg;

	if (!mounts_is_bearerfs(entry) ||
	    (entry->owner != geteuid() && geteuid() != 0))
		return 0;
	for (unsigned i = 0; i < metrics->seen_count; i++) {
		if (metrics->seen[i] == entry->minor)
			return 0;
	}
	if (metrics->seen_count < SEEN_MAX)
		metrics->seen[metrics->seen_count++] = entry->minor;
	add_mount(metrics, entry);
	return 0;
}

static int collect(struct metrics *metrics, const char *path, struct err *err)
{
	struct mount_entry entry;
	int code;

	if (path == NULL)
		return mounts_each(add_if_ours, metrics, err);
	code = mounts_holding(&entry, NULL, path, err);
	if (code == 0)
		return err_set(err, -ENOENT,
		    "metrics '%s': no bearerfs mount there; bearerfs status "
		    "lists them",
		    path);
	if (code == 1)
		add_mount(metrics, &entry);
	return code < 0 ? code : 0;
}

int command_metrics(int argc, char **argv)
{
	static struct metrics metrics; /* one command a process */
	struct arguments arguments;
	struct err err = ERR_INIT;
	int code = arguments_take(&arguments, &form, argc, argv);

	if (code != STATUS_OK)
		return code;
	if (arguments.help)
		return command_help("metrics");
	metrics.worst = STATUS_OK;
	code = collect(&metrics, arguments.positions[0], &err);
	for (unsigned i = 0; i < metrics.family_count; i++) {
		struct buf *text = &metrics.families[i].text;

		if (code == 0)
			code = buf_code(text);
		if (code == 0)
			code = say_out(buf_text(text));
		buf_fini(text);
	}
	if (code < 0)
		return say_exit(STATUS_FAILED, "%s",
		    err.code != 0 ? err.text : err_message(code));
	return metrics.worst;
}
