/* SPDX-License-Identifier: Apache-2.0 */
/*
 * cli/umount.c - `bearerfs umount`: have what was written sent, end a mount and
 * wait until it has ended; say what could not be sent.
 *
 * The mount point is never looked at: the list of mounts tells what lies
 * there, the control socket asks the daemon, umount2(2) and fusermount3 work
 * on the name. So it works on a mount that hangs and on one whose daemon has
 * died.
 */
#include "base/clock.h"

#include <errno.h>
#include <poll.h>
#include <stdbool.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "cli/arguments.h"
#include "cli/command.h"
#include "cli/control/control.h"
#include "cli/mounts.h"
#include "cli/options/number.h"
#include "cli/say.h"
#include "cli/unsent/list.h"
#include "cli/unsent/place.h"
#include "cli/unsent/talk.h"

enum {
	BUSY_WAIT_MS = 3000, /* a read of a killed process may still end */
	BUSY_STEP_MS = 100,
	ANSWER_WAIT_S = 5, /* the daemon says that it has heard */
	END_WAIT_S = 60,   /* it writes its cache and ends */
	STEP_MS = 1000,
};

static const struct arguments_form form = {
    .command = "umount",
    .letters = ":hl",
    .lazy = true,
    .timeout = true,
    .positions_min = 1,
    .positions_max = 1,
    .positions = "one MOUNTPOINT",
};

static void pause_ms(long ms)
{
	struct timespec time = {
	    .tv_sec = ms / 1000, .tv_nsec = ms % 1000 * 1000000};

	(void)nanosleep(&time, NULL);
}

/* Take the mount out of the name space unless files are open in it. */
static int detach_politely(const char *point, struct err *err)
{
	uint64_t end_ms = clock_now_ms(clock_system()) + BUSY_WAIT_MS;
	int code;

	do {
		code = mounts_detach(point, MOUNTS_POLITE, err);
		if (code != -EBUSY)
			return code;
		pause_ms(BUSY_STEP_MS);
	} while (clock_now_ms(clock_system()) < end_ms);
	return err_set(err, -EBUSY,
	    "umount '%s': files are open there (fuser -vm %s shows whose); "
	    "close them, or use --lazy",
	    point, point);
}

static int still_mounted(const struct mount_entry *entry)
{
	struct mount_entry now;
	struct err err = ERR_INIT;

	return mounts_at(&now, entry->point, &err) == 1 &&
	    now.major == entry->major && now.minor == entry->minor;
}

/* The connection has ended, which is the last thing but one that a daemon
 * does. */
static void await_process(int process_fd)
{
	struct pollfd poll_fd = {.fd = process_fd, .events = POLLIN};

	if (process_fd >= 0)
		(void)poll(&poll_fd, 1, ANSWER_WAIT_S * 1000);
}

/* Ask the daemon to stop and wait for the end of its process. */
static int stop_daemon(int fd, const char *point, struct err *err)
{
	bool heard = false;
	int code = control_tell(fd, "stop");

	for (unsigned s = 0; code == 0; s++) {
		code = control_await_end(fd, &heard);
		if (code != -ETIMEDOUT)
			break; /* the connection has ended: so has the daemon */
		if (s >= (heard ? END_WAIT_S : ANSWER_WAIT_S))
			return err_set(err, code,
			    "umount '%s': is unmounted, but its process %s; "
			    "see its log",
			    point,
			    heard ? "has not ended yet" : "does not answer");
		if (s == 1 && heard && isatty(STDERR_FILENO))
			say("umount '%s': waiting for the cache to be "
			    "written",
			    point);
		code = 0;
	}
	return 0;
}

static int detach_lazily(const struct mount_entry *entry, struct err *err)
{
	return still_mounted(entry)
	    ? mounts_detach(entry->point, MOUNTS_LAZY, err)
	    : 0;
}

static void close_both(int fd, int process_fd)
{
	if (fd >= 0)
		(void)close(fd);
	if (process_fd >= 0)
		(void)close(process_fd);
}

static int end_mount(
    const struct mount_entry *entry, bool lazy, struct err *err)
{
	struct err detach_err = ERR_INIT;
	int process_fd;
	int code = 0;
	int fd = control_connect(
	    entry->major, entry->minor, entry->owner, STEP_MS, err);

	if (fd == -ECONNREFUSED) { /* the daemon has died */
		control_sweep(entry->major, entry->minor, entry->owner);
		return mounts_detach(entry->point, MOUNTS_LAZY, err);
	}
	process_fd = fd >= 0 ? control_process(fd) : -1;
	if (!lazy)
		code = detach_politely(entry->point, err);
	if (code < 0) {
		close_both(fd, process_fd);
		return code;
	}
	if (fd >= 0) {
		code = stop_daemon(fd, entry->point, err);
		if (code == 0)
			await_process(process_fd);
	}
	close_both(fd, process_fd);
	/* A daemon that does not answer has not unmounted either. */
	if (code < 0)
		return detach_lazily(entry, &detach_err) < 0
		    ? err_set(err, detach_err.code, "%s", detach_err.text)
		    : code;
	return detach_lazily(entry, err);
}

/* Wait until what was written is on the server, or the user has waited enough:
 * the data stay in the spool. @return whether all was sent */
static bool send_first(const struct mount_entry *entry, uint64_t timeout_ms)
{
	enum { ENOUGH = 2 }; /* signals: the first one only asks */
	struct unsent_wait wait = {.entry = entry,
	    .path = "/",
	    .timeout_ms = timeout_ms,
	    .signals_max = ENOUGH};
	struct err err = ERR_INIT;
	int code = unsent_wait(&wait, &err);

	/* Of a mount that does not answer the list of what is left tells. */
	if (code < 0 && (wait.reached || code == -ETIMEDOUT))
		say("umount '%s': not all was sent: %s", entry->point,
		    err.text);
	return code == 0;
}

struct left {
	const struct unsent_mount *mount;
	unsigned count;
};

/* One line for each. */
static int tell_one(void *arg, const struct spool_item *item)
{
	struct left *left = arg;
	struct buf line;

	if (item->kind != SPOOL_FILE ||
	    !unsent_is_of(left->mount, left->mount->dir, item))
		return 0;
	left->count++;
	buf_init(&line, (size_t)16 * PATH_BYTES_MAX);
	unsent_line(&line, item, left->mount);
	say("umount: not sent: %s", buf_text(&line));
	buf_fini(&line);
	return 0;
}

/* Say what is still unsent of a mount that has ended. @return exit status */
static int tell_left(const struct unsent_mount *mount)
{
	struct left left = {.mount = mount};
	struct err err = ERR_INIT;

	if (mount->dir[0] == '\0')
		return STATUS_OK;
	if (unsent_each(mount->dir, tell_one, &left, &err) < 0)
		return say_exit(STATUS_FAILED, "umount: %s", err.text);
	if (left.count == 0)
		return STATUS_OK;
	return say_exit(EX_IOERR,
	    "umount '%s': unmounted; %u %s in the spool '%s'; the next mount "
	    "of the source sends what can be sent, and so does bearerfs flush; "
	    "bearerfs status tells the rest",
	    mount->entry.point, left.count,
	    left.count == 1 ? "file is unsent and stays"
	                    : "files are unsent and stay",
	    mount->dir);
}

/* @return exit status */
static int umount(
    const struct mount_entry *entry, const struct arguments *arguments)
{
	static struct unsent_mount mount; /* one command a process */
	uint64_t timeout_ms = UNSENT_FOREVER;
	struct err err = ERR_INIT;
	struct err ignored = ERR_INIT;
	bool sent = true;

	if (arguments->timeout != NULL &&
	    number_parse(arguments->timeout, NUMBER_TIME, &timeout_ms) < 0)
		return command_usage("umount", "--timeout needs a time: 30s");
	/* A mount that does not answer is ended all the same. */
	if (arguments->lazy || unsent_mount_ask(&mount, entry, &ignored) < 0)
		mount.dir[0] = '\0';
	if (mount.dir[0] != '\0') {
		unsent_catch_signals();
		sent = send_first(entry, timeout_ms);
	}
	if (end_mount(entry, arguments->lazy, &err) < 0)
		return say_exit(STATUS_FAILED, "%s", err.text);
	/* Of another user's mount its spool cannot tell. */
	if (mount.dir[0] != '\0' && entry->owner != geteuid())
		return sent ? STATUS_OK : EX_IOERR;
	return tell_left(&mount);
}

int command_umount(int argc, char **argv)
{
	struct arguments arguments;
	struct mount_entry entry;
	struct err err = ERR_INIT;
	int status = arguments_take(&arguments, &form, argc, argv);
	int code;

	if (status != STATUS_OK)
		return status;
	if (arguments.help)
		return command_help("umount");
	code = mounts_holding(&entry, NULL, arguments.positions[0], &err);
	if (code == 0)
		return say_exit(STATUS_FAILED,
		    "umount '%s': no bearerfs mount there; bearerfs status "
		    "lists them",
		    arguments.positions[0]);
	if (code < 0)
		return say_exit(STATUS_FAILED, "%s", err.text);
	return umount(&entry, &arguments);
}
