/* SPDX-License-Identifier: Apache-2.0 */
/*
 * cli/options/option_value.h - the value of one option as a user wrote it:
 * checked against its row of options.tbl.h, and set.
 *
 * Threads: those of the options it belongs to.
 */
#ifndef CLI_OPTIONS_OPTION_VALUE_H
#define CLI_OPTIONS_OPTION_VALUE_H

#include "base/attr.h"
#include "base/err.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/** See options.tbl.h. */
enum option_kind {
	OPTION_FLAG,
	OPTION_PATH,
	OPTION_SERVER_PATH,
	OPTION_LIST,
	OPTION_SIZE,
	OPTION_TIME,
	OPTION_ID,
	OPTION_MODE,
	OPTION_LEVEL,
	OPTION_CHOICE,
};

struct option_row {
	const char *name;
	enum option_kind kind;
	uint64_t low, high;
	const char *argument;
	const char *fallback;
	const char *help;
	size_t offset; /* in struct options */
};

/** Whether it is a text of its own, freed with the options. */
bool option_is_text(enum option_kind kind);

/** Copy a text into a field in place of what is there; "" leaves NULL.
 *  @retval 0 or -ENOMEM. */
NODISCARD int option_text_set(char **field, const char *value);

/** Set a field, of the type that options.h gives the kind. @retval -EINVAL with
 *  a sentence; -ENOMEM. */
NODISCARD int option_value_set(void *field, const struct option_row *row,
    const char *value, struct err *err);

#endif
