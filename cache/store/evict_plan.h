/* SPDX-License-Identifier: Apache-2.0 */
/*
 * cache/store/evict_plan.h - which pack goes next. Pure.
 *
 * S3-FIFO (Yang et al., SOSP 2023) over packs. What is new is written into
 * fresh packs, which may take a tenth of the cache: the oldest goes, unless a
 * quarter of it was read again, which makes it a proven one. Proven packs are
 * looked at in turn by a hand that is kept on disk: one of which a quarter was
 * read since the last look is spared, others go. What was read of a pack that
 * goes is carried over into a proven one. What was evicted and is asked for
 * again is written into a proven pack at once (share.c).
 *
 * So a scan of any length passes through the tenth, and what is used again
 * and again stays; yet a set of files that is larger than the tenth and is
 * read in turn is proven by its second reading. Measured against the least
 * recently used pack: tests/unit/cache/store/test_evict_plan.c.
 *
 * Threads: pure.
 */
#ifndef CACHE_STORE_EVICT_PLAN_H
#define CACHE_STORE_EVICT_PLAN_H

#include "base/attr.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum {
	EVICT_FRESH_PERCENT = 10, /* of the bound, for what is new */
	EVICT_CARRY_PERCENT = 25, /* of a pack, at most */
};

struct evict_pack {
	uint64_t number;
	uint64_t bytes; /* that its going frees */
	unsigned used_percent;
	bool proven;
};

enum evict_action {
	EVICT_NOTHING, /* there is none left that could go */
	EVICT_DROP,    /* unlink it */
	EVICT_CARRY,   /* copy what was used, unlink it */
	EVICT_PROVE,   /* it is proven from now on, its uses forgotten */
	EVICT_SPARE,   /* it stays, its uses forgotten, the hand past it */
};

struct evict_step {
	enum evict_action action;
	const struct evict_pack *pack; /* borrowed, until evict_plan_fini() */
};

/** Rings of packs in the order in which they are looked at. */
struct evict_ring {
	struct evict_pack *packs; /* malloc'ed */
	size_t first;
	size_t count;
	size_t room;
};

struct evict_plan {
	struct evict_ring fresh;
	struct evict_ring proven;
	uint64_t fresh_bytes;
	uint64_t fresh_bytes_max;
	struct evict_pack now; /* of the last step */
};

/**
 * Begin.
 * @param packs  in any order; copied.
 * @param hand   the proven pack that was looked at last; 0: none.
 * @retval 0, -ENOMEM
 */
NODISCARD int evict_plan_init(struct evict_plan *plan,
    const struct evict_pack packs[], size_t count, uint64_t bound_bytes,
    uint64_t hand);

/** The next step. Each is taken for done, but see below. */
struct evict_step evict_plan_next(struct evict_plan *plan);

/** The last step could not be done: somebody writes that pack. It is not
 *  looked at again. */
void evict_plan_refused(struct evict_plan *plan);

void evict_plan_fini(struct evict_plan *plan);

#endif
