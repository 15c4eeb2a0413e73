/* SPDX-License-Identifier: Apache-2.0 */
/*
 * cache/ahead/walk_ask.h - what is asked for ahead of a walk: collected under
 * walk_lock, asked for without it.
 *
 * Threads: any.
 */
#ifndef CACHE_AHEAD_WALK_ASK_H
#define CACHE_AHEAD_WALK_ASK_H

#include "base/ident.h"
#include "base/list.h"
#include "cache/paths/meta.h"
#include "cache/paths/question.h"

#include <stdint.h>

struct cache;

enum {
	/* Of a file, ahead of its reader; one that reads on is fetched ahead
	 * as any reader (stream.h). */
	WALK_FILE_BYTES = 128 * 1024,
};

/** Add a listing that is given up beyond so many entries, or a file; without
 *  memory it is not asked for. */
void walk_ask_listing(
    struct list *asks, const char *path, uint32_t entries_max);

/** The same of a directory whose files are being looked up. */
void walk_ask_lent(struct list *asks, const char *path, uint32_t entries_max,
    enum question_lend lend);

void walk_ask_file(
    struct list *asks, const char *path, const struct meta_attr *attr);

/** Ask for all, in order, with this ident's token. */
void walk_ask_all(
    struct cache *cache, const struct ident *ident, struct list *asks);

#endif
