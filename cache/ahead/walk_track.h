/* SPDX-License-Identifier: Apache-2.0 */
/*
 * cache/ahead/walk_track.h - whether a program goes through a directory, and
 * how much may be asked for ahead of it.
 *
 * A window is opened by two entries taken one after the other, or by several
 * in any order, and grows with each entry that is taken after it was asked
 * for ahead. What was asked for and is not taken fills the window until there
 * is no room: a guess that was wrong costs a window, once.
 *
 * Pure: entries in, room out.
 *
 * Threads: under the lock of whoever owns the struct.
 */
#ifndef CACHE_AHEAD_WALK_TRACK_H
#define CACHE_AHEAD_WALK_TRACK_H

#include <stdbool.h>
#include <stdint.h>

enum {
	WALK_WINDOW_FIRST = 4,
	WALK_WINDOW_GROWS = 2, /* by an entry that was well guessed */
	WALK_ANY_ORDER = 4,    /* entries in any order that make a walk */
};

struct walk_track {
	uint32_t last; /* index of the entry that was taken last */
	bool forward;  /* behind the one before */
	bool next;     /* and nothing between the two */
	/* Counts. */
	uint32_t taken;
	uint32_t asked;  /* ahead */
	uint32_t hits;   /* taken of these */
	uint32_t passed; /* of these, left behind by a walk that goes forward */
	uint32_t window; /* asked and not taken, at most */
};

/** How an entry was taken. */
struct walk_step {
	uint32_t index;
	bool next;       /* the one after the last */
	bool hit;        /* it was asked for ahead */
	uint32_t passed; /* asked for and not taken, between the last and it */
};

void walk_track_take(struct walk_track *track, const struct walk_step *step,
    uint32_t window_max);

/** One is taken that had been before: the walk is there now. */
void walk_track_again(struct walk_track *track, const struct walk_step *step);

/** How many more may be asked for at present. */
uint32_t walk_track_room(const struct walk_track *track);

/** How much room a walk that leaves takes along. */
uint32_t walk_track_heritage(const struct walk_track *track);

/** A walk comes with so much room. */
void walk_track_inherit(struct walk_track *track, uint32_t room);

#endif
