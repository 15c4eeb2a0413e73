/* SPDX-License-Identifier: Apache-2.0 */
/*
 * cache/ahead/walk_place.h - the directories whose entries are being taken: a
 * few, the least recently used one goes first.
 *
 * What is remembered of the entries belongs to one listing; with another one
 * it begins anew. The listing itself is the metadata's (meta.h).
 *
 * Threads: under walk_lock.
 */
#ifndef CACHE_AHEAD_WALK_PLACE_H
#define CACHE_AHEAD_WALK_PLACE_H

#include "base/attr.h"
#include "base/list.h"
#include "base/sync.h"
#include "cache/ahead/walk_track.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct cache_listing;
struct walks;

enum { WALK_PLACES_MAX = 64 };

/** What is taken of a directory's entries. */
enum walk_kind {
	WALK_LISTINGS, /* of the directories in it */
	WALK_FILES,    /* bytes of its files */
	WALK_KINDS,
};

struct walk_place {
	struct list place; /* walks.recent */
	uint64_t hash;     /* of the path */

	uint64_t asked_ms; /* when its listing was; 0: none */
	uint32_t count;    /* of entries */
	uint8_t *bits;     /* of entry i: 2i taken, 2i+1 asked for */
	struct walk_track track[WALK_KINDS];

	/* For the directories in it, from the one that was in use last. */
	uint32_t heritage[WALK_KINDS];
	uint32_t entries; /* that its listing had */

	char path[];
};

/** The place of a path; NULL: there is none. */
struct walk_place *walk_place_find(struct walks *walks, const char *path)
    REQUIRES(walk_lock);

/** The same, made when there is none; NULL: out of memory. */
struct walk_place *walk_place_obtain(struct walks *walks, const char *path)
    REQUIRES(walk_lock);

/** Have what is remembered be of this listing; false: out of memory. */
NODISCARD bool walk_place_use(struct walk_place *place,
    const struct cache_listing *listing) REQUIRES(walk_lock);

bool walk_place_is_taken(const struct walk_place *place, uint32_t index);
bool walk_place_is_asked(const struct walk_place *place, uint32_t index);
void walk_place_set_taken(struct walk_place *place, uint32_t index);
void walk_place_set_asked(struct walk_place *place, uint32_t index);

#endif
