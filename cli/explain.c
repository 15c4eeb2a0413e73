/* SPDX-License-Identifier: Apache-2.0 */
/*
 * cli/explain.c - `bearerfs explain`: why a path of a mount gives what it
 * gives. The daemon is asked through its control socket; the mount point and
 * what lies below it are never looked at.
 */
#include <errno.h>
#include <inttypes.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "cli/arguments.h"
#include "cli/command.h"
#include "cli/control/control.h"
#include "cli/mounts.h"
#include "cli/say.h"

enum { EXPLAIN_BYTES_MAX = CONTROL_ANSWER_BYTES_MAX };

static const struct arguments_form form = {
    .command = "explain",
    .letters = ":h",
    .json = true,
    .positions_min = 1,
    .positions_max = 1,
    .positions = "one PATH",
};

/* Whether a process is stopped: its state behind its name, which may hold
 * anything. Source: proc_pid_stat(5). */
static bool is_stopped(pid_t pid)
{
	char path[32];
	char text[512];
	const char *end;
	FILE *file;
	size_t n;

	(void)snprintf(path, sizeof(path), "/proc/%d/stat", (int)pid);
	file = fopen(path, "re");
	if (file == NULL)
		return false;
	n = fread(text, 1, sizeof(text) - 1, file);
	(void)fclose(file);
	text[n] = '\0';
	end = strrchr(text, ')');
	return end != NULL && (end[2] == 'T' || end[2] == 't');
}

/* Why there is no answer, and what to do. */
static void judge_silence(struct err *verdict, const struct mount_entry *entry,
    pid_t pid, const struct err *why)
{
	bool ours = entry->owner == geteuid() || geteuid() == 0;

	if (pid > 0 && is_stopped(pid))
		(void)err_set(verdict, -ETIMEDOUT,
		    "the mount's process %d is stopped; continue it with: kill "
		    "-CONT %d",
		    (int)pid, (int)pid);
	else if (why->code == -EACCES)
		(void)err_set(verdict, -EACCES,
		    "the mount is of user %u, who alone may ask",
		    (unsigned)entry->owner);
	else if (why->code == -EPROTO)
		(void)err_set(verdict, why->code, "%s", why->text);
	else if (!ours)
		(void)err_set(verdict, why->code,
		    "the mount's process does not answer (%s); tell your "
		    "administrator",
		    why->text);
	else
		(void)err_set(verdict, why->code,
		    "the mount's process does not answer (%s); end it with: "
		    "bearerfs umount --lazy %.200s, and mount again",
		    why->text, entry->point);
}

static void add_silence(struct buf *out, const struct mount_entry *entry,
    const char *path, bool json, const struct err *verdict)
{
	bool dead = verdict->code == -ECONNREFUSED ||
	    verdict->code == -ECONNRESET || verdict->code == -ENOENT;
	const char *state = dead ? "dead" : "silent";

	if (!json) {
		(void)buf_visible(out, path);
		(void)buf_printf(out, "\nmount: ");
		(void)buf_visible(out, entry->source);
		(void)buf_append(out, " on ", 4);
		(void)buf_visible(out, entry->point);
		(void)buf_printf(
		    out, ", %s\nverdict: %s: ", state, err_name(verdict->code));
		(void)buf_visible(out, verdict->text);
		(void)buf_append(out, "\n", 1);
		return;
	}
	(void)buf_printf(out, "{\"state\":\"%s\",\"path\":", state);
	(void)buf_json(out, path);
	(void)buf_printf(out, ",\"mountpoint\":");
	(void)buf_json(out, entry->point);
	(void)buf_printf(out, ",\"source\":");
	(void)buf_json(out, entry->source);
	(void)buf_printf(out, ",\"ok\":false,\"errno\":\"%s\",\"verdict\":",
	    err_name(verdict->code));
	(void)buf_json(out, verdict->text);
	(void)buf_printf(out, "}\n");
}

/* Ask the daemon. @return as control_ask(); `pid` is set as soon as it is
 * known. */
static int ask(const struct mount_entry *entry, const char *inside, bool json,
    struct buf *answer, pid_t *pid, struct err *err)
{
	int fd = control_reach(entry, err);
	struct buf request;
	int code;

	if (fd < 0)
		return fd;
	*pid = control_pid(fd);
	buf_init(&request, CONTROL_REQUEST_BYTES_MAX);
	(void)buf_printf(&request, json ? "explain json " : "explain ");
	(void)path_encode(&request, inside);
	code = buf_code(&request);
	if (code < 0)
		(void)err_set(err, code, "explain: %s", err_message(code));
	else
		code = control_ask(fd, buf_text(&request), answer, err);
	buf_fini(&request);
	(void)close(fd);
	return code;
}

/* Write what the daemon said behind its first word. */
static int print(const struct buf *answer)
{
	const char *text = buf_text(answer);
	const char *end = strchr(text, '\n');
	bool well = strncmp(text, "well\n", 5) == 0;

	if (end == NULL)
		return say_exit(STATUS_FAILED,
		    "explain: an answer that is not understood; is the mount "
		    "of another version?");
	if (say_out(end + 1) < 0)
		return say_exit(STATUS_FAILED, "explain: %s", err_message(EIO));
	return well ? STATUS_OK : STATUS_FAILED;
}

static int explain(const char *path, bool json)
{
	struct mount_entry entry;
	struct err err = ERR_INIT;
	struct err verdict = ERR_INIT;
	struct buf answer;
	char inside[PATH_BYTES_MAX];
	pid_t pid = 0;
	int status = STATUS_FAILED;
	int code = mounts_holding(&entry, inside, path, &err);

	if (code == 0)
		return say_exit(STATUS_FAILED,
		    "explain '%s': no bearerfs mount there; bearerfs status "
		    "lists them",
		    path);
	if (code < 0)
		return say_exit(STATUS_FAILED, "explain: %s", err.text);
	buf_init(&answer, EXPLAIN_BYTES_MAX);
	code = ask(&entry, inside, json, &answer, &pid, &err);
	if (code == 0) {
		status = print(&answer);
	} else {
		judge_silence(&verdict, &entry, pid, &err);
		buf_clear(&answer);
		add_silence(&answer, &entry, path, json, &verdict);
		if (buf_code(&answer) < 0 || say_out(buf_text(&answer)) < 0)
			status = say_exit(STATUS_FAILED, "%s", verdict.text);
	}
	buf_fini(&answer);
	return status;
}

int command_explain(int argc, char **argv)
{
	struct arguments arguments;
	int status = arguments_take(&arguments, &form, argc, argv);

	if (status != STATUS_OK)
		return status;
	if (arguments.help)
		return command_help("explain");
	return explain(arguments.positions[0], arguments.json);
}
