/* SPDX-License-Identifier: Apache-2.0 */
/* cache/ahead/walk_track.c - see walk_track.h. */
#include "cache/ahead/walk_track.h"

static uint32_t smaller(uint32_t a, uint32_t b)
{
	return a < b ? a : b;
}

static uint32_t larger(uint32_t a, uint32_t b)
{
	return a > b ? a : b;
}

void walk_track_take(
    struct walk_track *track, const struct walk_step *step, uint32_t window_max)
{
	uint32_t window = track->window;

	track->forward = track->taken == 0 || step->index > track->last;
	track->next = step->next;
	track->passed += step->passed;
	/* One that comes late was not left behind. */
	if (step->hit && !track->forward && track->passed > 0)
		track->passed--;
	track->taken++;
	track->last = step->index;
	if (step->hit) {
		track->hits++;
		window += WALK_WINDOW_GROWS;
	} else if (step->next) {
		window = larger(window, WALK_WINDOW_FIRST);
	} else if (track->taken >= WALK_ANY_ORDER) {
		/* As much again as was taken, at most. */
		window = larger(window, track->taken);
	}
	track->window = smaller(window, window_max);
}

void walk_track_again(struct walk_track *track, const struct walk_step *step)
{
	track->forward = step->index > track->last;
	track->next = step->next;
	track->last = step->index;
}

uint32_t walk_track_room(const struct walk_track *track)
{
	uint32_t open = track->asked - track->hits;

	return track->window > open ? track->window - open : 0;
}

uint32_t walk_track_heritage(const struct walk_track *track)
{
	if (!track->forward && track->asked > 0)
		return (uint32_t)((uint64_t)track->window * track->hits /
		    track->asked);
	return track->window > track->passed ? track->window - track->passed
	                                     : 0;
}

void walk_track_inherit(struct walk_track *track, uint32_t room)
{
	track->window = larger(track->window, room);
}
