/* SPDX-License-Identifier: Apache-2.0 */
/* cli/help.c - what --help says, from the tables; see command.h. */
#include "base/attr.h"
#include "base/buf.h"

#include <stdbool.h>
#include <string.h>

#include "cli/command.h"
#include "cli/options/nearest.h"
#include "cli/options/options.h"
#include "cli/say.h"

enum { HELP_BYTES_MAX = 64 * 1024 };

static const struct {
	const char *name;
	const char *arguments;
	const char *help;
} commands[] = {
#define COMMAND(name, arguments, help) {#name, arguments, help},
#include "cli/commands.tbl.h"
#undef COMMAND
};

static int print(struct buf *text)
{
	int code = buf_code(text);

	if (code == 0)
		code = say_out(buf_text(text));
	buf_fini(text);
	if (code < 0)
		return say_exit(STATUS_FAILED, "help: %s", err_message(code));
	return STATUS_OK;
}

static void add_mount_options(struct buf *text)
{
	(void)buf_printf(text,
	    "\nSOURCE is https://HOST[:PORT]/PATH or the name of a section "
	    "of the\nconfiguration (bearerfs.conf(5)).\n\n"
	    "  -f  stay in the foreground, log to stderr (mount)\n"
	    "  -o  options, commas between; the same names stand in the\n"
	    "      configuration; sizes take K M G T, times s m h d:\n\n");
	(void)options_help(text);
}

int command_help(const char *name)
{
	struct buf text;

	buf_init(&text, HELP_BYTES_MAX);
	for (size_t i = 0; i < ARRAY_COUNT(commands); i++) {
		if (strcmp(commands[i].name, name) != 0)
			continue;
		(void)buf_printf(&text, "usage: bearerfs %s %s\n\n%s\n",
		    commands[i].name, commands[i].arguments, commands[i].help);
	}
	if (strcmp(name, "mount") == 0 || strcmp(name, "exec") == 0)
		add_mount_options(&text);
	(void)buf_printf(&text, "\nSee bearerfs(1).\n");
	return print(&text);
}

int command_help_all(void)
{
	struct buf text;

	buf_init(&text, HELP_BYTES_MAX);
	(void)buf_printf(&text,
	    "usage: bearerfs SOURCE MOUNTPOINT [-o OPTION[,OPTION...]] [-f]\n"
	    "       bearerfs COMMAND [ARGUMENT...]\n\n"
	    "Mounts data that only a bearer token may read, and keeps what "
	    "was read.\n\n");
	for (size_t i = 0; i < ARRAY_COUNT(commands); i++)
		(void)buf_printf(&text, "  %s %s\n      %s\n", commands[i].name,
		    commands[i].arguments, commands[i].help);
	(void)buf_printf(&text,
	    "\n  COMMAND --help\n      more on one command; the options are "
	    "under mount --help\n"
	    "  --version\n      which version this is\n"
	    "\nSee bearerfs(1).\n");
	return print(&text);
}

const char *command_nearest(const char *word)
{
	const char *names[ARRAY_COUNT(commands)];

	for (size_t i = 0; i < ARRAY_COUNT(commands); i++)
		names[i] = commands[i].name;
	return nearest_word(word, names, ARRAY_COUNT(names));
}

int command_usage(const char *name, const char *mistake)
{
	if (name == NULL)
		return say_exit(
		    STATUS_USAGE, "%s; see bearerfs --help", mistake);
	return say_exit(STATUS_USAGE, "%s: %s; see bearerfs %s --help", name,
	    mistake, name);
}
