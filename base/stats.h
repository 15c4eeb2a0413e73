/* SPDX-License-Identifier: Apache-2.0 */
/*
 * base/stats.h - counters of one process: name, kind, help; from one table.
 *
 * Threads: relaxed atomics; any thread may add, any may read. A gauge is
 * added to and taken from.
 */
#ifndef BASE_STATS_H
#define BASE_STATS_H

#include <stdint.h>

enum stats_counter {
#define COUNTER(name, kind, help) STATS_##name,
#include "base/stats.tbl.h"
#undef COUNTER
	STATS_COUNT
};

/** Add to a counter (a gauge may be given a negative number). */
void stats_add(enum stats_counter counter, int64_t amount);

/** The value now. */
uint64_t stats_get(enum stats_counter counter);

/** The name as `status --json` and the metrics show it, e.g. "cache_hits". */
const char *stats_name(enum stats_counter counter);

/** "counter" or "gauge". */
const char *stats_kind(enum stats_counter counter);

/** One sentence with its unit. */
const char *stats_help(enum stats_counter counter);

#endif
