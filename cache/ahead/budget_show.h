/* SPDX-License-Identifier: Apache-2.0 */
/*
 * cache/ahead/budget_show.h - what was fetched and what was read of it, for
 * `status`: of the mount, and of those files of which most was fetched and not
 * read.
 *
 * Threads: any; takes cache_lock, which is held while the few files are
 * written into the caller's memory.
 */
#ifndef CACHE_AHEAD_BUDGET_SHOW_H
#define CACHE_AHEAD_BUDGET_SHOW_H

struct buf;
struct cache;

/** Append `,"amplification":...,"budget_bytes":...,"files":[...]`. */
void budget_show_json(struct cache *cache, struct buf *out);

/** The same for a person: how many bytes were fetched for each one read, as
 *  the rest of a line, and lines on files. */
void budget_show_text(struct cache *cache, struct buf *out);

#endif
