/* SPDX-License-Identifier: Apache-2.0 */
/*
 * cli/options/names.h - a list that an option holds: "a;b", blanks around the
 * names dropped.
 *
 * Threads: a struct names belongs to one thread at a time.
 */
#ifndef CLI_OPTIONS_NAMES_H
#define CLI_OPTIONS_NAMES_H

#include "base/attr.h"
#include "base/err.h"

enum { NAMES_MAX = 64 };

struct names {
	unsigned count;
	const char *names[NAMES_MAX];
	char *text; /* owned; what the names point into */
};

/**
 * Take a list apart.
 *
 * @param text  NULL: no names.
 * @retval 0        to be released with names_fini().
 * @retval -EINVAL  more than NAMES_MAX names.
 * @retval -ENOMEM  out of memory.
 */
NODISCARD int names_split(
    struct names *out, const char *option, const char *text, struct err *err);

void names_fini(struct names *names);

#endif
