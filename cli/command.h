/* SPDX-License-Identifier: Apache-2.0 */
/*
 * cli/command.h - the commands of commands.tbl.h: each takes its arguments,
 * its own name first, and returns an exit status.
 *
 * Threads: main thread.
 */
#ifndef CLI_COMMAND_H
#define CLI_COMMAND_H

#include "base/err.h"

#include <sysexits.h> /* EX_UNAVAILABLE 69, EX_IOERR 74, EX_NOPERM 77 */

struct options;

enum {
	STATUS_OK = 0,
	STATUS_FAILED = 1,
	STATUS_USAGE = 2,
};

#define COMMAND(name, arguments, help) \
	int command_##name(int argc, char **argv);
#include "cli/commands.tbl.h"
#undef COMMAND

/** mount.bearerfs SOURCE DIR [-sfnv] [-o OPTIONS], as mount(8) calls it. */
int command_mount_helper(int argc, char **argv);

/** --help of the whole program, on stdout. */
int command_help_all(void);

/** --help of one command, on stdout. */
int command_help(const char *name);

/** The command that `word` resembles most, NULL when none. */
const char *command_nearest(const char *word);

/** Say a mistake in the arguments and how to get help; STATUS_USAGE. */
int command_usage(const char *name, const char *mistake);

/** Fill in options from a source (a URL, or a section's name) and the
 *  arguments of -o that were collected. Defaults stand in `options`. */
struct command_source {
	const char *source;    /* NULL: none given */
	const char *texts[16]; /* of -o, in order */
	unsigned text_count;
	int origin; /* enum options_origin */
};

/** Collect one -o. @retval 0, or -E2BIG. */
int command_add_text(struct command_source *from, const char *text);

/** @retval 0 or -errno with a sentence. */
int command_options(struct options *options, const struct command_source *from,
    struct err *err);

#endif
