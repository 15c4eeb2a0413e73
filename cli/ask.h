/* SPDX-License-Identifier: Apache-2.0 */
/*
 * cli/ask.h - questions to a server that a command waits for, ASK_WAIT_MS
 * each at most.
 *
 * Threads: any but the fetch thread, which answers.
 */
#ifndef CLI_ASK_H
#define CLI_ASK_H

#include "base/attr.h"
#include "base/err.h"
#include "base/path.h"
#include "fetch/abilities.h"
#include "fetch/fetch.h"

#include <stdbool.h>

enum {
	ASK_WAIT_MS = 5000,
	ASK_LISTED_MAX = 1000, /* names of a directory that are looked at */
};

/** Attributes of a path; `ident` NULL: without a token. @retval 0 or what
 *  fetch_stat() gave */
NODISCARD int ask_stat(struct fetch *fetch, const struct ident *ident,
    const char *path, struct fetch_stat *out, struct err *err);

/** What a directory holds. */
struct ask_listing {
	unsigned count;
	bool more; /* than ASK_LISTED_MAX */
	/* The first of each; "" when there is none. A file that is known to be
	 * empty only when there is no other. */
	char file[PATH_NAME_BYTES_MAX + 1];
	char directory[PATH_NAME_BYTES_MAX + 1];
};

/** List a directory. @retval 0 or what fetch_list() gave */
NODISCARD int ask_list(struct fetch *fetch, const struct ident *ident,
    const char *path, struct ask_listing *out, struct err *err);

/** What the server does right. @retval 0 or what fetch_abilities() gave */
NODISCARD int ask_abilities(struct fetch *fetch, const struct ident *ident,
    const char *path, const struct fetch_version *version,
    struct fetch_abilities *out, struct err *err);

/** Read the first byte of a file that has one.
 *
 * @param of    ident, path, version, only.
 * @param etag  the strong ETag that came with it, "" when none did.
 * @retval 0 or what fetch_range() gave */
NODISCARD int ask_byte(struct fetch *fetch, const struct fetch_range *of,
    char etag[FETCH_ETAG_BYTES], struct err *err);

#endif
