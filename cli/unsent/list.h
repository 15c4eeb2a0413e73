/* SPDX-License-Identifier: Apache-2.0 */
/*
 * cli/unsent/list.h - what lies in a spool, told to a person or a program:
 * what, for where, why it is not sent, and the commands that cure that.
 *
 * Threads: main thread; looks at local files.
 */
#ifndef CLI_UNSENT_LIST_H
#define CLI_UNSENT_LIST_H

#include "base/attr.h"
#include "base/buf.h"
#include "base/err.h"
#include "cache/spool/unsent.h"

#include <stdbool.h>

struct unsent_mount;

/** Each unsent entry in the spool at `dir`; what nobody needs any more is left
 *  out. Nothing is made or changed. @retval 0 (also when there is no spool),
 *  what `each` returned, -errno with a sentence */
NODISCARD int unsent_each(
    const char *dir, spool_item_fn each, void *arg, struct err *err);

/** Open the spool at `dir` to take entries. @retval -ENOENT: there is none */
struct spool;
NODISCARD int unsent_open(struct spool **out, const char *dir, struct err *err);

/** "failed", "conflict", ... */
const char *unsent_state(enum spool_state state);

/** Whether there is a command that helps; append the one that helps first. */
bool unsent_has_cure(const struct spool_item *item);
void unsent_cure(
    struct buf *out, const struct spool_item *item, const char *dir);

/** Append a JSON object. */
void unsent_json(
    struct buf *out, const struct spool_item *item, const char *dir);

/** Append what and why, without an end of line: "/mnt/x, 17 bytes, failed:
 *  EACCES: why". */
void unsent_line(struct buf *out, const struct spool_item *item,
    const struct unsent_mount *mount);

/** Append a few lines. @param mount  to which it belongs: its paths are shown;
 *  NULL: none */
void unsent_text(struct buf *out, const struct spool_item *item,
    const char *dir, const struct unsent_mount *mount);

#endif
