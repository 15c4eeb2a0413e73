/* SPDX-License-Identifier: Apache-2.0 */
/*
 * cli/exec/exec.c - `bearerfs exec`: COMMAND with a mount that nobody else
 * sees.
 *
 *     bearerfs exec     waits, passes signals on, says how it ended
 *      |                                            (cli/exec/attend.c)
 *      +-- COMMAND      enters the namespaces, mounts, gives the descriptor
 *      |    |           away, waits until the mount answers, becomes COMMAND
 *      |    |                                       (cli/exec/child.c)
 *      |    +-- ...     what it starts; adopted by the first when it is left
 *      +-- the mount    serves the descriptor       (cli/mount/mount.c)
 *
 * Only COMMAND is in the namespaces. The mount is outside: it finds, re-reads
 * and judges token files, cache and spool as any mount does (in a user
 * namespace root's files have no owner that could be trusted), its control
 * socket is found by `bearerfs status` inside as outside, and it is forked
 * before it has a token. COMMAND stays in the process group, session and
 * terminal of the first; the mount has a session of its own, and neither
 * signals nor Ctrl-Z reach it.
 *
 * Order of the end: COMMAND ends -> the first asks the mount, by its control
 * socket, to send what is unsent, and waits for that (cli/exec/leave.c) -> it
 * tells the mount to end, which ends -> the first looks into the spool, tells
 * what was not sent, moves it where the batch system finds it, and returns
 * COMMAND's status, or 74. The namespace may be gone by
 * then; the mount is not, since the first holds its root. Who is left running
 * by COMMAND loses the mount. When the first is killed, the kernel kills
 * COMMAND, and the mount ends because its pipe does. When the mount is killed,
 * COMMAND goes on and gets ENOTCONN.
 *
 * Where namespaces are forbidden the mount mounts by itself, through
 * fusermount3, for all processes of the user to see.
 */
#include "base/attr.h"
#include "base/clock.h"
#include "base/log.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdbool.h>
#include <string.h>
#include <unistd.h>

#include "cli/arguments.h"
#include "cli/command.h"
#include "cli/env.h"
#include "cli/exec/attend.h"
#include "cli/exec/child.h"
#include "cli/exec/leave.h"
#include "cli/mount/daemon.h"
#include "cli/mount/mount.h"
#include "cli/options/options.h"
#include "cli/plan/plan.h"
#include "cli/say.h"

static const struct arguments_form form = {
    .command = "exec",
    .letters = ":ho:",
    .positions_min = 2,
    .positions_max = 2,
    .positions = "SOURCE MOUNTPOINT -- COMMAND",
};

/* In the process of the mount: nothing of the caller's stays open but stderr,
 * for what has to be said. */
static void leave_terminal(const int keep[], size_t count)
{
	int null_fd = open("/dev/null", O_RDWR | O_CLOEXEC);
	unsigned from = 3;

	(void)setsid();
	(void)!chdir("/");
	if (null_fd >= 0) {
		(void)dup2(null_fd, STDIN_FILENO);
		(void)dup2(null_fd, STDOUT_FILENO);
	}
	/* In order: few, and each is above 2. */
	for (;;) {
		unsigned next = ~0U;

		for (size_t i = 0; i < count; i++)
			if (keep[i] >= (int)from && (unsigned)keep[i] < next)
				next = (unsigned)keep[i];
		if (next > from)
			(void)close_range(from, next - (next != ~0U), 0);
		if (next == ~0U)
			return;
		from = next + 1;
	}
}

/* Fork the mount's process. @retval 1 in it, 0 here. */
static int fork_server(
    struct attend *attend, struct daemon *daemon, struct err *err)
{
	int report[2];
	int word[2];
	int code;

	if (pipe2(report, O_CLOEXEC) < 0)
		return err_set(
		    err, -errno, "exec: pipe: %s", err_message(errno));
	if (pipe2(word, O_CLOEXEC) < 0) {
		code = -errno;
		(void)close(report[0]);
		(void)close(report[1]);
		return err_set(err, code, "exec: pipe: %s", err_message(code));
	}
	attend->server = fork();
	if (attend->server == 0) {
		const int keep[] = {
		    report[1], word[0], attend->child->channel.fd};

		leave_terminal(keep, ARRAY_COUNT(keep));
		*daemon =
		    (struct daemon){.report_fd = report[1], .word_fd = word[0]};
		return 1;
	}
	code = attend->server < 0
	    ? err_set(err, -errno, "exec: fork: %s", err_message(errno))
	    : 0;
	(void)close(report[1]);
	(void)close(word[0]);
	attend->report_fd = report[0];
	attend->word_fd = word[1];
	return code;
}

/* COMMAND has ended, the mount serves. */
static void send_rest(void *arg)
{
	leave_flush(arg);
}

/* COMMAND's own failure wins. */
static int conclude(const struct attend *attend, const struct leave *leave)
{
	int status = attend_status(attend->command_how);
	bool unsent;

	if (attend->given_up != 0)
		return CHILD_SIGNALLED + attend->given_up;
	/* It never began; why has been said. */
	if (!attend->began)
		return STATUS_FAILED;
	unsent = leave_settle(leave);
	return status == 0 && unsent ? EX_IOERR : status;
}

/* Both processes are there, and the mount is made or will be. */
static int look_after(struct attend *attend, struct leave *leave)
{
	int null_fd = open("/dev/null", O_RDWR | O_CLOEXEC);

	/* Who reads COMMAND's output waits for COMMAND alone. */
	if (null_fd >= 0) {
		(void)dup2(null_fd, STDIN_FILENO);
		(void)dup2(null_fd, STDOUT_FILENO);
		(void)close(null_fd);
	}
	if (attend->child->channel.fd >= 0)
		(void)close(attend->child->channel.fd);
	attend->child->channel.fd = -1;
	attend->ended = send_rest;
	attend->arg = leave;
	attend_run(attend);
	child_close(attend->child);
	if (attend->left > 0)
		say("exec: what COMMAND left running (pid %d) loses the mount",
		    (int)attend->left);
	return conclude(attend, leave);
}

/* Have COMMAND's process made: with a mount of its own, or where that is
 * forbidden without. */
static int make_child(
    struct child *child, struct child_config *config, struct err *err)
{
	int code;

	config->private = true;
	code = child_fork(child, config, err);
	if (code >= 0 || geteuid() == 0 || !env_on_path("fusermount3") ||
	    access("/dev/fuse", R_OK | W_OK) < 0)
		return code;
	say("exec: %s; mounted through fusermount3 instead, where all your "
	    "processes see it",
	    err->text);
	config->private = false;
	return child_fork(child, config, err);
}

static int run(struct plan *plan, char **command)
{
	struct attend attend;
	struct child child;
	struct child_config config = {.plan = plan, .command = command};
	struct daemon daemon;
	struct leave leave = {
	    .plan = plan, .began_s = clock_wall_s(clock_system())};
	struct err err = ERR_INIT;
	int code = attend_begin(&attend, &err);

	if (code < 0)
		return say_exit(STATUS_FAILED, "%s", err.text);
	config.mask = &attend.before;
	config.ignores_ends = attend.ignored_ends;
	code = make_child(&child, &config, &err);
	if (code < 0)
		return say_exit(STATUS_FAILED, "exec: %s", err.text);
	attend.child = &child;
	leave.private = config.private;
	plan->channel = config.private ? &child.channel : NULL;
	code = fork_server(&attend, &daemon, &err);
	if (code == 1)
		return mount_run(plan, &daemon);
	if (code < 0) {
		child_close(&child);
		return say_exit(STATUS_FAILED, "%s", err.text);
	}
	return look_after(&attend, &leave);
}

/* No descriptor of ours may be one of the first three, where the caller has
 * closed those; COMMAND finds them closed again. */
static void fill_first_three(void)
{
	int fd;

	do {
		fd = open("/dev/null", O_RDWR | O_CLOEXEC);
	} while (fd >= 0 && fd <= STDERR_FILENO);
	if (fd >= 0)
		(void)close(fd);
}

static int exec_with(
    const struct arguments *arguments, struct options *options, char **command)
{
	AUTO(plan) plan = NULL;
	struct err err = ERR_INIT;

	/* What a job starts without it would only miss later; and what it is
	 * told stands between COMMAND's own lines. */
	options->check = true;
	options->log = LOG_LEVEL_WARN;
	if (command_options(options, &arguments->from, &err) < 0)
		return say_exit(STATUS_FAILED, "%s", err.text);
	if (options->allow_other)
		return say_exit(STATUS_USAGE,
		    "option allow_other: exec mounts for its COMMAND alone; "
		    "leave it out");
	if (plan_new(&plan, options, arguments->positions[1], &err) < 0)
		return say_exit(STATUS_FAILED, "%s", err.text);
	return run(plan, command);
}

/* Where "--" stands; argc when nowhere. */
static int find_end(int argc, char **argv)
{
	int at = 1;

	while (at < argc && strcmp(argv[at], "--") != 0)
		at++;
	return at;
}

int command_exec(int argc, char **argv)
{
	struct arguments arguments;
	struct options options;
	int end = find_end(argc, argv);
	int status = arguments_take(&arguments, &form, end, argv);

	if (status != STATUS_OK)
		return status;
	if (arguments.help)
		return command_help("exec");
	if (end + 1 >= argc)
		return command_usage("exec", "no COMMAND behind --");
	fill_first_three();
	arguments.from.source = arguments.positions[0];
	if (options_init(&options) < 0)
		return say_exit(STATUS_FAILED, "exec: out of memory");
	status = exec_with(&arguments, &options, argv + end + 1);
	options_fini(&options);
	return status;
}
