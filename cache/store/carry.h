/* SPDX-License-Identifier: Apache-2.0 */
/*
 * cache/store/carry.h - what was used of packs that go is copied into a
 * proven one.
 *
 * A pack has no list of what it holds: the tables are read once for all packs
 * of a round. What is copied is verified first; its entry in the table then
 * names the new place. Maps still name the old one: who finds it gone looks
 * its blocks up by their address (moved.h).
 *
 * Threads: the writer's, while it holds the evictor's lock.
 */
#ifndef CACHE_STORE_CARRY_H
#define CACHE_STORE_CARRY_H

#include "base/attr.h"
#include "cache/store/format.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct generation;
struct store;

enum { CARRY_PACKS = 16 };

struct carry_pack {
	uint64_t number;
	int fd; /* holds its lock */
	uint64_t used[FORMAT_USE_WORDS];
};

struct carry {
	struct store *store;
	struct generation *generation;
	uint64_t made_bytes; /* reserved by packs that were made for it */
	uint8_t *chunk;      /* STORE_SCRATCH_BYTES, while it copies */
	unsigned count;
	struct carry_pack packs[CARRY_PACKS];
};

void carry_init(
    struct carry *carry, struct store *store, struct generation *generation);

static inline bool carry_is_full(const struct carry *carry)
{
	return carry->count == CARRY_PACKS;
}

/** Lock a pack for it. False: somebody writes that pack, or it is gone. */
NODISCARD bool carry_add(struct carry *carry, uint64_t number);

/** Copy what was used, as far as there is room and memory; may wait. */
void carry_over(struct carry *carry);

/** Let go of the packs. */
void carry_end(struct carry *carry);

#endif
