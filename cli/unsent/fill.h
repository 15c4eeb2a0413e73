/* SPDX-License-Identifier: Apache-2.0 */
/*
 * cli/unsent/fill.h - what an entry has not of the version that it began from
 * is fetched, for a command that sends it: from that very version or not at
 * all.
 *
 * Threads: main thread; the fetch thread answers.
 */
#ifndef CLI_UNSENT_FILL_H
#define CLI_UNSENT_FILL_H

#include "base/attr.h"
#include "base/err.h"

struct fetch;
struct ident;
struct spool_entry;
struct spool_item;

/** Bring it. What came stays here for this process alone.
 *  @retval 0       all of the file is here.
 *  @retval -ESTALE the server has that version no more, or nobody can tell.
 *  @retval -errno  of the fetch, or the spool; `err` says what can be done. */
NODISCARD int unsent_fill(struct fetch *fetch, const struct ident *ident,
    struct spool_entry *entry, const struct spool_item *item, struct err *err);

#endif
