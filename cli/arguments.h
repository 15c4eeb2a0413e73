/* SPDX-License-Identifier: Apache-2.0 */
/*
 * cli/arguments.h - the arguments of a command: one reader for all.
 *
 * Threads: main thread, before any other.
 */
#ifndef CLI_ARGUMENTS_H
#define CLI_ARGUMENTS_H

#include "base/attr.h"

#include <stdbool.h>

#include "cli/command.h"

/* What getopt(3) gives for the long forms without a letter. */
enum {
	ARGUMENT_JSON = 256,
	ARGUMENT_ALL,
	ARGUMENT_TIMEOUT,
	ARGUMENT_NUMBER,
	ARGUMENT_AS,
	ARGUMENT_OVERWRITE,
	ARGUMENT_EXPORT,
	ARGUMENT_DROP,
};

struct arguments {
	struct command_source from; /* -o; its source is the caller's to set */
	bool help;
	bool foreground; /* -f of mount */
	bool fake;       /* -f of mount.bearerfs: check and do not mount */
	bool json;
	bool lazy;
	bool all;
	const char *timeout; /* as given; NULL: not, as those that follow */
	const char *number;
	const char *as;
	const char *export_dir;
	bool overwrite;
	bool drop;
	int position_count; /* what stands between the options */
	char **positions;
};

/** What a command takes. */
struct arguments_form {
	const char *command;
	const char *letters; /* as for getopt(3), ':' first */
	bool json;           /* --json */
	bool lazy;           /* --lazy */
	bool all;            /* --all */
	bool timeout;        /* --timeout */
	bool entry;          /* --number and what to do with it */
	bool helper;         /* called by mount(8) */
	int positions_min;
	int positions_max;
	const char *positions; /* "SOURCE and MOUNTPOINT", for the sentence */
};

/** Read them. @return STATUS_OK, or STATUS_USAGE after a sentence. With
 *  --help nothing else is checked. */
NODISCARD int arguments_take(struct arguments *out,
    const struct arguments_form *form, int argc, char **argv);

#endif
