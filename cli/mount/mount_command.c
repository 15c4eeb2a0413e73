/* SPDX-License-Identifier: Apache-2.0 */
/*
 * cli/mount/mount_command.c - the arguments of `bearerfs mount` and of
 * mount.bearerfs, and the way from there to a daemon.
 */
#include "base/attr.h"

#include <errno.h>
#include <stdbool.h>
#include <string.h>
#include <unistd.h>

#include "cli/arguments.h"
#include "cli/command.h"
#include "cli/mount/daemon.h"
#include "cli/mount/harden.h"
#include "cli/mount/mount.h"
#include "cli/options/options.h"
#include "cli/plan/plan.h"
#include "cli/say.h"

static const struct arguments_form mount_form = {
    .command = "mount",
    .letters = ":fho:",
    .positions_min = 2,
    .positions_max = 2,
    .positions = "SOURCE and MOUNTPOINT",
};

/* mount(8): SOURCE DIR [-sfnv] [-o OPTIONS] [-t TYPE]. */
static const struct arguments_form helper_form = {
    .command = "mount",
    .letters = ":fho:nst:v",
    .helper = true,
    .positions_min = 2,
    .positions_max = 2,
    .positions = "SOURCE and DIR",
};

/* In the child, or in the foreground: descriptors that a shell or a batch
 * system left open (locks, pipes) must not be held for the mount's life. */
static int run(const struct plan *plan, bool foreground)
{
	struct daemon daemon;
	struct err err = ERR_INIT;
	int status = STATUS_FAILED;
	int code;

	if (foreground) {
		daemon_stay(&daemon);
		return mount_run(plan, &daemon);
	}
	(void)close_range(3, ~0U, 0);
	code = daemon_fork(&daemon, &status, &err);
	if (code < 0)
		return say_exit(STATUS_FAILED, "%s", err.text);
	if (code == 0)
		return status;
	return mount_run(plan, &daemon);
}

/* A word that is no source may be a mistyped command: "unmount". */
static int refuse(const struct arguments *arguments, const struct err *err)
{
	const char *nearest = NULL;

	if (err->code == -ENOENT)
		nearest = command_nearest(arguments->from.source);
	if (nearest != NULL)
		return say_exit(STATUS_USAGE,
		    "%s; or did you mean the command '%s'?", err->text,
		    nearest);
	return say_exit(STATUS_FAILED, "%s", err->text);
}

static int mount_with(
    const struct arguments *arguments, struct options *options)
{
	AUTO(plan) plan = NULL;
	struct err err = ERR_INIT;

	if (command_options(options, &arguments->from, &err) < 0)
		return refuse(arguments, &err);
	if (plan_new(&plan, options, arguments->positions[1], &err) < 0)
		return say_exit(STATUS_FAILED, "%s", err.text);
	if (arguments->fake)
		return STATUS_OK;
	return run(plan, arguments->foreground);
}

static int mount_main(const struct arguments_form *form, int argc, char **argv)
{
	struct arguments arguments;
	struct options options;
	int status = arguments_take(&arguments, form, argc, argv);

	if (status != STATUS_OK)
		return status;
	if (arguments.help)
		return command_help("mount");
	arguments.from.source = arguments.positions[0];
	if (options_init(&options) < 0)
		return say_exit(STATUS_FAILED, "mount: out of memory");
	status = mount_with(&arguments, &options);
	options_fini(&options);
	return status;
}

int command_mount(int argc, char **argv)
{
	return mount_main(&mount_form, argc, argv);
}

int command_mount_helper(int argc, char **argv)
{
	return mount_main(&helper_form, argc, argv);
}
