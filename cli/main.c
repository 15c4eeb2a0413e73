/* SPDX-License-Identifier: Apache-2.0 */
/*
 * cli/main.c - which command is meant.
 *
 * `bearerfs COMMAND ...`, `bearerfs SOURCE MOUNTPOINT ...`, and
 * mount.bearerfs as mount(8) calls it.
 */
#include "base/attr.h"

#include <stdbool.h>
#include <stdio.h>
#include <string.h>

#include "cli/command.h"
#include "cli/mount/harden.h"
#include "cli/say.h"
#include "cli/version.h"

static const struct {
	const char *name;
	int (*run)(int argc, char **argv);
} commands[] = {
#define COMMAND(name, arguments, help) {#name, command_##name},
#include "cli/commands.tbl.h"
#undef COMMAND
};

static int print_version(void)
{
	if (say_out("bearerfs " CLI_VERSION "\n") < 0)
		return STATUS_FAILED;
	return STATUS_OK;
}

/* The default form: the first word is a source. */
static int mount_or_mistake(int argc, char **argv)
{
	const char *nearest;

	if (argc >= 3 || strstr(argv[1], "://") != NULL)
		return command_mount(argc, argv);
	nearest = command_nearest(argv[1]);
	if (nearest != NULL)
		return say_exit(STATUS_USAGE,
		    "command '%s': unknown; did you mean '%s'?", argv[1],
		    nearest);
	return say_exit(STATUS_USAGE,
	    "'%s': neither a command nor a source with a mount point; see "
	    "bearerfs --help",
	    argv[1]);
}

static int dispatch(int argc, char **argv)
{
	const char *slash = strrchr(argv[0], '/');
	const char *called = slash != NULL ? slash + 1 : argv[0];

	if (strncmp(called, "mount.", 6) == 0)
		return command_mount_helper(argc, argv);
	if (argc < 2)
		return command_usage(NULL, "no command");
	if (strcmp(argv[1], "--version") == 0 || strcmp(argv[1], "-V") == 0)
		return print_version();
	if (strcmp(argv[1], "--help") == 0 || strcmp(argv[1], "-h") == 0 ||
	    strcmp(argv[1], "help") == 0)
		return command_help_all();
	for (size_t i = 0; i < ARRAY_COUNT(commands); i++) {
		if (strcmp(argv[1], commands[i].name) == 0)
			return commands[i].run(argc - 1, argv + 1);
	}
	return mount_or_mistake(argc, argv);
}

int main(int argc, char **argv)
{
	int status;

	if (argc < 1)
		return STATUS_USAGE;
	harden_begin();
	status = dispatch(argc, argv);
	harden_end();
	return status;
}
