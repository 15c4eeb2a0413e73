/* SPDX-License-Identifier: Apache-2.0 */
/*
 * cli/options/config.h - the configuration file: one [NAME] section per source,
 * with `source = URL` and the options of options.tbl.h.
 *
 *     # comment
 *     [ligo]
 *     source = https://origin.example.org/ligo
 *     attr_ttl = 5m
 *     immutable
 *
 * A file is read whole and every section of it is checked, also those that
 * nobody asked for: a mistake is found when it is made.
 *
 * Threads: every function may be called from any thread.
 */
#ifndef CLI_OPTIONS_CONFIG_H
#define CLI_OPTIONS_CONFIG_H

#include "base/attr.h"
#include "base/err.h"

#include <stddef.h>
#include <sys/types.h>

struct options;

enum {
	CONFIG_BYTES_MAX = 1024 * 1024,
	CONFIG_LINE_BYTES_MAX = 8192,
	CONFIG_NAME_BYTES_MAX = 64, /* of a section, the NUL included */
	CONFIG_SECTIONS_MAX = 512,  /* of all files together */
};

/** The sections seen so far and the one that is wanted. */
struct config {
	char wanted[CONFIG_NAME_BYTES_MAX]; /* "": none, only check */
	struct options *options; /* borrowed: gets the wanted section */
	int found;               /* whether the wanted one was there */
	unsigned name_count;
	char names[CONFIG_SECTIONS_MAX][CONFIG_NAME_BYTES_MAX];
};

/** Whether `word` can name a section: 1-63 letters, digits, '-', '_', '.'. */
int config_name_ok(const char *word);

/**
 * Read the text of a file. Call it again for the next file: what stands
 * there later wins.
 *
 * @param file  its name, for error texts.
 * @retval 0        read.
 * @retval -EINVAL  a mistake: `err` names file, line and, where there is
 *                  one, the nearest valid name.
 * @retval -ENOMEM  out of memory.
 */
NODISCARD int config_parse(struct config *config, const char *file,
    const char *text, size_t size_bytes, struct err *err);

/**
 * Read a file that may be missing.
 * @retval 0       read, or there is none.
 * @retval -errno  as config_parse(), or the file cannot be read.
 */
NODISCARD int config_read(
    struct config *config, const char *file, struct err *err);

/**
 * Read /etc/bearerfs.conf, then the user's file, and fill in the section
 * `name` ("" to only check).
 *
 * @retval -ENOENT  no such section; `err` has the nearest one.
 * @retval -errno   as config_read().
 */
NODISCARD int config_load(
    struct options *options, const char *name, struct err *err);

#endif
