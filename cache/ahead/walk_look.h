/* SPDX-License-Identifier: Apache-2.0 */
/*
 * cache/ahead/walk_look.h - files that are looked up by name, and directories
 * that are listed, where nobody has listed the directory that they are in: when
 * several are taken one soon after the other, its listing costs less than to go
 * on asking for each file, and tells which directories follow.
 *
 * No more is asked for than the looks themselves have cost: the listing may
 * have so many entries for each one that was taken, and the next one of the
 * same directory is due after several times as many. What is remembered of a
 * directory may be lost to another one: that costs a listing, or looks.
 *
 * Pure: what was taken in, bounds out.
 *
 * Threads: under the lock of whoever owns the struct.
 */
#ifndef CACHE_AHEAD_WALK_LOOK_H
#define CACHE_AHEAD_WALK_LOOK_H

#include <stdint.h>

enum {
	WALK_LOOKS_FIRST = 8,  /* files found that make a walk */
	WALK_LISTED_FIRST = 2, /* and directories listed that do */
	WALK_MADE_FIRST = 4,   /* and files made */
	WALK_MADE_MAX = 64, /* for the next listing, twice as many each time */
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
	uint64_t hash;     /* of its path, of what is taken and by whom */
	uint64_t last;     /* hash of the name that was taken last */
	uint64_t since_ms; /* the first one that was found */
	uint64_t asked_ms; /* when its listing was asked for */
	uint32_t found;    /* since then */
	uint32_t wanted; /* so many more for a listing; 0: none was asked for */
};

struct walk_looks {
	struct walk_look place[WALK_LOOK_PLACES];
};

/**
 * A server was asked for one of a directory's entries, and has it.
 *
 * @param hash   of the directory's path, of what is taken of it and by whom.
 * @param name   hash of the entry's name; the same one again does not count.
 * @param first  so many make a walk: WALK_..._FIRST.
 * @return       entries that the directory's listing may have, when that is
 *               worth a request; 0: it is not.
 */
uint32_t walk_looks_found(struct walk_looks *looks, uint64_t hash,
    uint64_t name, uint32_t first, uint64_t now_ms);

/** A file was made in a directory (`hash`, of its path alone). */
void walk_looks_made(struct walk_looks *looks, uint64_t hash, uint64_t now_ms);

/** A server was asked for a name in it, and has none.
 *  @return entries that its listing may have, when files are being made there:
 *          each of them costs such a question; 0: it is not worth it. */
uint32_t walk_looks_missed(
    struct walk_looks *looks, uint64_t hash, uint64_t now_ms);

#endif
