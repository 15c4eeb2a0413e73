/* SPDX-License-Identifier: Apache-2.0 */
/*
 * cache/walk_look.h - files that are looked up by name where nobody has
 * listed the directory: when several are found one soon after the other, its
 * listing costs less than to go on asking for each.
 *
 * No more is asked for than the looks themselves have cost: the listing may
 * have so many entries for each file that was found, and the next one of the
 * same directory is due after several times as many. What is remembered of a
 * directory may be lost to another one: that costs a listing, or looks.
 *
 * Pure: files that were found in, bounds out.
 *
 * Threads: under the lock of whoever owns the struct.
 */
#ifndef CACHE_WALK_LOOK_H
#define CACHE_WALK_LOOK_H

#include <stdint.h>

enum {
	WALK_LOOKS_FIRST = 8,        /* files found that make a walk */
	WALK_LOOKS_WITHIN_MS = 5000, /* of each other */
	WALK_LOOKS_GROW = 8,         /* times as many for the next listing */
	WALK_LOOKS_MAX = 32 * 1024,  /* and not more */
	WALK_LOOKS_FORGOTTEN_MS = 60000, /* then it is the first one again */
	/* A request costs a server as much as so many entries of a listing:
	 * measured, 75 us and below 1 us. */
	WALK_LOOK_ENTRIES = 128,
	WALK_LOOK_PLACES = 64, /* directories that are remembered */
};

/** Of one directory. */
struct walk_look {
	uint64_t hash;     /* of its path */
	uint64_t since_ms; /* the first one that was found */
	uint64_t asked_ms; /* when its listing was asked for */
	uint32_t found;    /* since then */
	uint32_t wanted; /* so many more for a listing; 0: none was asked for */
};

struct walk_looks {
	struct walk_look place[WALK_LOOK_PLACES];
};

/** A server was asked for a file of the directory whose path hashes to `hash`,
 *  and has it. @return entries that its listing may have, when that is
 *  worth a request; 0: it is not. */
uint32_t walk_looks_found(
    struct walk_looks *looks, uint64_t hash, uint64_t now_ms);

#endif
