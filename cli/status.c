/* SPDX-License-Identifier: Apache-2.0 */
/*
 * cli/status.c - `bearerfs status`: ask the daemons through their control
 * sockets and print what they say. The mount points are never looked at.
 */
#include <errno.h>
#include <getopt.h>
#include <stdbool.h>
#include <string.h>
#include <unistd.h>

#include "cli/command.h"
#include "cli/control.h"
#include "cli/mounts.h"
#include "cli/say.h"

struct status {
	bool json;
	bool help;
	const char *path; /* NULL: all of this user's mounts */
	struct buf out;
	unsigned count; /* mounts shown */
	int worst;      /* exit status */
	unsigned seen_count;
	unsigned seen[CONTROL_CLIENTS_MAX * 32]; /* minors: bind mounts */
};

enum { STATUS_BYTES_MAX = 64 * 1024 * 1024 };

static int take_arguments(struct status *status, int argc, char **argv)
{
	static const struct option long_options[] = {
	    {"help", no_argument, NULL, 'h'}, {"json", no_argument, NULL, 'j'},
	    {NULL, 0, NULL, 0}};
	int letter;

	opterr = 0;
	optind = 1;
	while (
	    (letter = getopt_long(argc, argv, "h", long_options, NULL)) != -1) {
		switch (letter) {
		case 'h':
			status->help = true;
			return STATUS_OK;
		case 'j':
			status->json = true;
			break;
		default:
			return command_usage("status", "unknown argument");
		}
	}
	if (argc - optind > 1)
		return command_usage("status", "more than one MOUNTPOINT");
	status->path = argv[optind];
	return STATUS_OK;
}

/* A mount whose daemon does not answer. */
static void add_silent(struct status *status, const struct mount_entry *entry,
    int code, const struct err *err)
{
	bool dead = code == -ECONNREFUSED || code == -ENOENT;

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
	say("status '%s': the daemon does not answer (%s); end it with: "
	    "bearerfs umount %s",
	    entry->point, err->text, entry->point);
}

static int ask(const struct mount_entry *entry, bool json, struct buf *answer,
    struct err *err)
{
	int code = control_connect(
	    entry->major, entry->minor, entry->owner, CONTROL_DEADLINE_MS, err);
	int fd = code;

	if (fd < 0)
		return code;
	code = control_ask(fd, json ? "status json" : "status", answer, err);
	(void)close(fd);
	return code;
}

static void add_mount(struct status *status, const struct mount_entry *entry)
{
	struct buf answer;
	struct err err = ERR_INIT;
	int code;

	buf_init(&answer, CONTROL_ANSWER_BYTES_MAX);
	code = ask(entry, status->json, &answer, &err);
	if (status->count++ > 0)
		(void)buf_printf(&status->out, status->json ? "," : "\n");
	if (code < 0)
		add_silent(status, entry, code, &err);
	else
		(void)buf_append(&status->out, answer.bytes, answer.size_bytes);
	buf_fini(&answer);
}

static int add_if_ours(void *arg, const struct mount_entry *entry)
{
	struct status *status = arg;

	if (!mounts_is_bearerfs(entry) ||
	    (entry->owner != geteuid() && geteuid() != 0))
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
		if (status->json)
			(void)buf_printf(&status->out, "]\n");
		else if (status->count == 0)
			(void)buf_printf(
			    &status->out, "no bearerfs mounts of yours\n");
		return code;
	}
	code = mounts_holding(&entry, status->path, err);
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
	struct err err = ERR_INIT;
	int code = take_arguments(&status, argc, argv);

	if (code != STATUS_OK)
		return code;
	if (status.help)
		return command_help("status");
	buf_init(&status.out, STATUS_BYTES_MAX);
	code = collect(&status, &err);
	if (code == 0)
		code = buf_code(&status.out);
	if (code == 0)
		code = say_out(buf_text(&status.out));
	buf_fini(&status.out);
	if (code < 0)
		return say_exit(STATUS_FAILED, "%s",
		    err.code != 0 ? err.text : err_message(code));
	return status.worst;
}
