/* SPDX-License-Identifier: Apache-2.0 */
/*
 * cache/spool/ranges.h - which bytes of a file: ranges in order, those that
 * touch made one.
 *
 * Threads: one at a time.
 */
#ifndef CACHE_SPOOL_RANGES_H
#define CACHE_SPOOL_RANGES_H

#include "base/attr.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct range {
	uint64_t start;
	uint64_t end; /* first byte behind it */
};

struct ranges {
	struct range *list;
	size_t count;
	size_t room;
};

void ranges_fini(struct ranges *ranges);

/** Make sure that one more fits. @retval 0, -ENOMEM, -ENOSPC at
 *  SPOOL_RANGES_MAX */
NODISCARD int ranges_reserve(struct ranges *ranges);

/** Add a range, after ranges_reserve(). Empty ones add nothing. */
void ranges_add(struct ranges *ranges, uint64_t start, uint64_t end);

/** Forget everything from `limit` on. */
void ranges_cut(struct ranges *ranges, uint64_t limit);

/** Whether all of [start, end) is in it. */
bool ranges_cover(const struct ranges *ranges, uint64_t start, uint64_t end);

/** Whether `at` is in it; `*until` becomes the first byte where that is no
 *  longer so, UINT64_MAX when there is none. */
bool ranges_at(const struct ranges *ranges, uint64_t at, uint64_t *until);

/** The first that begins at or behind `at`. @retval false: there is none */
bool ranges_next(const struct ranges *ranges, uint64_t at, struct range *out);

/** Bytes in it. */
uint64_t ranges_bytes(const struct ranges *ranges);

#endif
