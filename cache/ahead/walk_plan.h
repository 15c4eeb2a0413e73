/* SPDX-License-Identifier: Apache-2.0 */
/*
 * cache/ahead/walk_plan.h - which entries are asked for ahead of a step.
 *
 * Threads: under walk_lock.
 */
#ifndef CACHE_AHEAD_WALK_PLAN_H
#define CACHE_AHEAD_WALK_PLAN_H

#include "base/list.h"
#include "base/sync.h"
#include "cache/ahead/walk_place.h"

#include <stdbool.h>
#include <stdint.h>

struct cache;
struct cache_listing;

struct walk_plan {
	struct cache *cache;
	uint64_t now_ms;
	struct list asks; /* walk_ask.h */
};

/** Whether an entry is one of this kind. */
bool walk_is_of(
    const struct cache_listing *listing, uint32_t index, enum walk_kind kind);

/** Whether a walk goes through the directories of a place. */
bool walk_goes_through(const struct walk_place *place);

/** Ask for what follows from entry `from` on, as far as there is room. */
void walk_plan_on(struct walk_plan *plan, struct walk_place *place,
    const struct cache_listing *listing, enum walk_kind kind, uint32_t from)
    REQUIRES(walk_lock);

#endif
