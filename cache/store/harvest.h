/* SPDX-License-Identifier: Apache-2.0 */
/*
 * cache/store/harvest.h - entries of a table in the order of the places that
 * they name: for who reads what they name, some at a time.
 *
 * Threads: a harvest belongs to one.
 */
#ifndef CACHE_STORE_HARVEST_H
#define CACHE_STORE_HARVEST_H

#include "base/attr.h"
#include "cache/store/table.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum { HARVEST_ENTRIES_MAX = 1 << 20 };

struct harvest {
	struct table_entry *entries; /* malloc'ed */
	size_t count;
	size_t room;
	uint32_t bucket; /* of the table that comes next */
	int code;        /* why it ended before its time; 0: it did not */
};

/** Is what lies at a place wanted? */
typedef bool (*harvest_fn)(const void *arg, struct place place);

void harvest_init(struct harvest *harvest);

/**
 * Collect the next entries, at most HARVEST_ENTRIES_MAX and those of a
 * bucket; may wait.
 * @retval true   there are some.
 * @retval false  the table has no more, or cannot be read, or there is no
 *                memory.
 */
NODISCARD bool harvest_next(struct harvest *harvest, const struct table *table,
    harvest_fn wanted, const void *arg);

void harvest_fini(struct harvest *harvest);

#endif
