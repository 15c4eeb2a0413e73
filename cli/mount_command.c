/* SPDX-License-Identifier: Apache-2.0 */
/*
 * cli/mount_command.c - the arguments of `bearerfs mount` and of
 * mount.bearerfs, and the way from there to a daemon.
 */
#include "base/attr.h"

#include <errno.h>
#include <getopt.h>
#include <stdbool.h>
#include <string.h>
#include <unistd.h>

#include "cli/command.h"
#include "cli/daemon.h"
#include "cli/harden.h"
#include "cli/mount.h"
#include "cli/options.h"
#include "cli/plan.h"
#include "cli/say.h"

struct arguments {
	struct command_source from;
	const char *mountpoint;
	bool foreground;
	bool fake; /* mount -f: check everything and do not mount */
	bool help;
};

static const struct option long_options[] = {
    {"help", no_argument, NULL, 'h'}, {NULL, 0, NULL, 0}};

/* What stands between the options. */
static int take_positions(struct arguments *arguments, int argc, char **argv)
{
	if (argc - optind < 2)
		return command_usage("mount",
		    argc == optind ? "SOURCE and MOUNTPOINT are missing"
		                   : "MOUNTPOINT is missing");
	if (argc - optind > 2)
		return command_usage(
		    "mount", "more than SOURCE and MOUNTPOINT");
	arguments->from.source = argv[optind];
	arguments->mountpoint = argv[optind + 1];
	return STATUS_OK;
}

static int take_arguments(struct arguments *arguments, int argc, char **argv)
{
	int letter;

	opterr = 0;
	optind = 1;
	while ((letter = getopt_long(
	            argc, argv, ":fho:", long_options, NULL)) != -1) {
		switch (letter) {
		case 'f':
			arguments->foreground = true;
			break;
		case 'h':
			arguments->help = true;
			return STATUS_OK;
		case 'o':
			if (command_add_text(&arguments->from, optarg) < 0)
				return command_usage(
				    "mount", "-o stands there too often");
			break;
		case ':':
			return command_usage("mount", "-o needs options");
		default:
			return command_usage("mount",
			    "unknown argument; options such as ro stand "
			    "behind -o");
		}
	}
	return take_positions(arguments, argc, argv);
}

/* mount(8): TYPE SOURCE DIR [-sfnv] [-N NAMESPACE] [-o OPTIONS] [-t TYPE]. */
static int take_helper_arguments(
    struct arguments *arguments, int argc, char **argv)
{
	int letter;

	arguments->from.origin = OPTIONS_OF_MOUNT;
	opterr = 0;
	optind = 1;
	while ((letter = getopt_long(
	            argc, argv, ":fho:nst:v", long_options, NULL)) != -1) {
		switch (letter) {
		case 'f':
			arguments->fake = true;
			break;
		case 'h':
			arguments->help = true;
			return STATUS_OK;
		case 'o':
			if (command_add_text(&arguments->from, optarg) < 0)
				return command_usage(
				    "mount", "-o stands there too often");
			break;
		case 's':
			arguments->from.origin = OPTIONS_SLOPPY;
			break;
		case 'n': /* there is no mtab */
		case 't':
		case 'v':
			break;
		case ':':
			return command_usage("mount", "-o needs options");
		default:
			return command_usage("mount", "unknown argument");
		}
	}
	return take_positions(arguments, argc, argv);
}

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
	if (plan_new(&plan, options, arguments->mountpoint, &err) < 0)
		return say_exit(STATUS_FAILED, "%s", err.text);
	if (arguments->fake)
		return STATUS_OK;
	return run(plan, arguments->foreground);
}

static int mount_main(const struct arguments *arguments)
{
	struct options options;
	int status;

	if (arguments->help)
		return command_help("mount");
	if (options_init(&options) < 0)
		return say_exit(STATUS_FAILED, "mount: out of memory");
	status = mount_with(arguments, &options);
	options_fini(&options);
	return status;
}

int command_mount(int argc, char **argv)
{
	struct arguments arguments = {.from.origin = OPTIONS_OF_USER};
	int status = take_arguments(&arguments, argc, argv);

	return status != STATUS_OK ? status : mount_main(&arguments);
}

int command_mount_helper(int argc, char **argv)
{
	struct arguments arguments = {.from.origin = OPTIONS_OF_MOUNT};
	int status = take_helper_arguments(&arguments, argc, argv);

	return status != STATUS_OK ? status : mount_main(&arguments);
}
