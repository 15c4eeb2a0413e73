/* SPDX-License-Identifier: Apache-2.0 */
/*
 * cli/options/options.h - the options of a mount, from one table
 * (options.tbl.h): defaults, parser, bounds, nearest name, help.
 *
 * Not the configuration file's syntax (config.h) and not the meaning of an
 * option (mount.c).
 *
 * Threads: a struct options belongs to one thread at a time.
 */
#ifndef CLI_OPTIONS_OPTIONS_H
#define CLI_OPTIONS_OPTIONS_H

#include "base/attr.h"
#include "base/buf.h"
#include "base/err.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum {
	OPTIONS_TEXT_BYTES_MAX = 64 * 1024, /* all of -o */
	OPTION_VALUE_BYTES_MAX = 4096,
	OPTION_NAME_BYTES_MAX = 64,
};

#define OPTION_TIME_UNSET UINT64_MAX

/** The words of `offline`. */
enum { OPTION_OFFLINE_NO, OPTION_OFFLINE_YES, OPTION_OFFLINE_AUTO };
/** Those of `write` and of `fsync`. */
enum { OPTION_WRITE_THROUGH, OPTION_WRITE_BACK };
enum { OPTION_FSYNC_SPOOL, OPTION_FSYNC_SERVER };

#define OPTION_TYPE_FLAG        bool
#define OPTION_TYPE_PATH        char * /* NULL: not set */
#define OPTION_TYPE_SERVER_PATH char *
#define OPTION_TYPE_LIST        char *
#define OPTION_TYPE_SIZE        uint64_t /* bytes */
#define OPTION_TYPE_TIME        uint64_t /* milliseconds; or not set: */
#define OPTION_TYPE_ID          int64_t  /* -1: not set */
#define OPTION_TYPE_MODE        uint64_t
#define OPTION_TYPE_LEVEL       uint64_t /* enum log_level */
#define OPTION_TYPE_CHOICE      uint64_t /* which of the words, from 0 */

struct options {
	bool immutable_given; /* it was set, and is not the default */
	bool umask_given;
	char *source; /* as given, or a section's; NULL: not known yet */
#define OPTION(name, kind, low, high, argument, fallback, help) \
	OPTION_TYPE_##kind name;
#define GENERIC(name, help)
#include "cli/options/options.tbl.h"
#undef OPTION
#undef GENERIC
};

/** Fill in the defaults of the table. @retval 0 or -ENOMEM. */
NODISCARD int options_init(struct options *options);

/** Free what the options hold. */
void options_fini(struct options *options);

/**
 * Set one option as a user wrote it.
 *
 * @param value  NULL: the name stood alone (a flag that is switched on).
 * @retval 0        set.
 * @retval -ENOENT  no such option; the text names the nearest one.
 * @retval -EINVAL  a bad value, or none where one is needed.
 * @retval -ENOMEM  out of memory.
 */
NODISCARD int options_set(struct options *options, const char *name,
    const char *value, struct err *err);

/** How an option string came here. */
enum options_origin {
	OPTIONS_OF_USER,  /* bearerfs mount -o */
	OPTIONS_OF_MOUNT, /* mount(8), which puts `rw` in front by itself:
	                     only `rw=yes` counts */
	OPTIONS_SLOPPY,   /* mount -s: unknown names are passed over */
};

/**
 * Set options from the argument of -o: names and values with commas between;
 * "\," is a comma inside a value. Results as options_set(), and -EMSGSIZE.
 */
NODISCARD int options_parse(struct options *options, const char *text,
    enum options_origin origin, struct err *err);

/** Set the source. @retval 0 or -ENOMEM. */
NODISCARD int options_set_source(struct options *options, const char *source);

/** Append one line per option: name, argument, help, default. */
int options_help(struct buf *out);

#endif
