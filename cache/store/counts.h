/* SPDX-License-Identifier: Apache-2.0 */
/*
 * cache/store/counts.h - what mounts count (base/stats.h) is added up in the
 * directory, so that it can be told when none is running.
 *
 * A process adds what came since it last did, each ten seconds and at its
 * end, under a lock of the file; a killed one loses as much.
 *
 * Threads: the writer's.
 */
#ifndef CACHE_STORE_COUNTS_H
#define CACHE_STORE_COUNTS_H

struct generation;
struct store;
struct upkeep_counts;

/** What was counted so far is none of this store's. */
void counts_begin(struct store *store);

/** Add what came since; while another process does, the next time. */
void counts_note(struct store *store, const struct generation *generation);

/** Read; zeros when there is nothing that can be read. */
void counts_read(
    const struct generation *generation, struct upkeep_counts *out);

#endif
