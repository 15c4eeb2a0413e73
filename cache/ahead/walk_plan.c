/* SPDX-License-Identifier: Apache-2.0 */
/* cache/ahead/walk_plan.c - see walk_plan.h. */
#include "cache/ahead/walk_plan.h"

#include "base/path.h"
#include "cache/ahead/walk.h"
#include "cache/ahead/walk_ask.h"
#include "cache/core.h"
#include "cache/paths/listing.h"

#include <string.h>

bool walk_is_of(
    const struct cache_listing *listing, uint32_t index, enum walk_kind kind)
{
	return listing_is_directory(listing, index) == (kind == WALK_LISTINGS);
}

bool walk_goes_through(const struct walk_place *place)
{
	return place->track[WALK_LISTINGS].window > 0;
}

/* Ask for one entry ahead; false: nor will the others be asked for. */
static bool ask_for(struct walk_plan *plan, const struct walk_place *place,
    const struct cache_listing *listing, uint32_t index, enum walk_kind kind)
{
	char path[PATH_BYTES_MAX];
	struct meta_attr attr;

	if (path_join(path, place->path, listing_name(listing, index)) < 0)
		return true; /* nobody can take it either */
	if (kind == WALK_LISTINGS) {
		walk_ask_listing(&plan->asks, path, WALK_ENTRIES_MAX);
		return true;
	}
	/* What was changed here is not fetched ahead. */
	if (meta_is_changed(plan->cache, path, listing_serial(listing)))
		return true;
	listing_attr(listing, index, &attr);
	/* What is not believed any more has to be looked up first. */
	if (!attr.exact || plan->now_ms >= attr.fresh_until_ms)
		return false;
	if (attr.version.size_bytes > 0 &&
	    (attr.version.mtime_s >= 0 || attr.version.etag[0] != '\0'))
		walk_ask_file(&plan->asks, path, &attr);
	return true;
}

/* Ask for up to `room` entries in [from, until). @return how many. */
static uint32_t pick(struct walk_plan *plan, struct walk_place *place,
    const struct cache_listing *listing, enum walk_kind kind, uint32_t from,
    uint32_t room) REQUIRES(walk_lock);
static uint32_t pick(struct walk_plan *plan, struct walk_place *place,
    const struct cache_listing *listing, enum walk_kind kind, uint32_t from,
    uint32_t room)
{
	uint32_t until = place->count;
	uint32_t asked = 0;

	if (until - from > WALK_LOOK_MAX)
		until = from + WALK_LOOK_MAX;
	for (uint32_t i = from; i < until && asked < room; i++) {
		if (!walk_is_of(listing, i, kind) ||
		    walk_place_is_taken(place, i) ||
		    walk_place_is_asked(place, i))
			continue;
		if (!ask_for(plan, place, listing, i, kind))
			break;
		walk_place_set_asked(place, i);
		asked++;
	}
	place->track[kind].asked += asked;
	return asked;
}

/* The directory behind entry *index. */
static bool next_directory(const struct cache_listing *listing, uint32_t *index)
{
	size_t count = cache_listing_count(listing);

	for (uint32_t k = 0; k < WALK_LOOK_MAX && ++*index < count; k++)
		if (listing_is_directory(listing, *index))
			return true;
	return false;
}

/* Ask for files of the directory `path`, from its first one on. @return how
 * much of the room is left; 0 also where its files are not known yet. */
static uint32_t pick_in(struct walk_plan *plan, const char *path, uint32_t room)
    REQUIRES(walk_lock);
static uint32_t pick_in(struct walk_plan *plan, const char *path, uint32_t room)
{
	struct cache_listing *listing =
	    meta_find_old_listing(plan->cache, path);
	struct walk_place *place;
	uint32_t open = room;

	if (listing == NULL)
		return 0;
	place = walk_place_obtain(&plan->cache->walks, path);
	if (place != NULL && walk_place_use(place, listing)) {
		struct walk_track *track = &place->track[WALK_FILES];

		walk_track_inherit(track, room);
		(void)pick(plan, place, listing, WALK_FILES, 0,
		    walk_track_room(track));
		open = track->asked - track->hits;
	}
	cache_listing_put(listing);
	return room > open ? room - open : 0;
}

/* Its files have all been asked for: on to those of the directories that
 * follow it. */
static void hop(struct walk_plan *plan, const struct walk_place *place,
    uint32_t room) REQUIRES(walk_lock);
static void hop(
    struct walk_plan *plan, const struct walk_place *place, uint32_t room)
{
	char path[PATH_BYTES_MAX];
	char above[PATH_BYTES_MAX];
	struct cache_listing *listing;
	const struct walk_place *up;
	uint32_t index;

	path_parent(above, place->path);
	up = walk_place_find(&plan->cache->walks, above);
	if (up == NULL || up == place || !up->track[WALK_LISTINGS].next)
		return;
	listing = meta_find_old_listing(plan->cache, above);
	if (listing == NULL)
		return;
	if (listing_place(listing, path_name(place->path), &index)) {
		for (unsigned k = 0; k < WALK_HOPS_MAX && room > 0; k++) {
			if (!next_directory(listing, &index) ||
			    path_join(
			        path, above, listing_name(listing, index)) < 0)
				break;
			room = pick_in(plan, path, room);
		}
	}
	cache_listing_put(listing);
}

/* Listings are asked for ahead as long as they are short. */
static uint32_t bound_entries(const struct walk_place *place, uint32_t room)
{
	const struct walk_track *track = &place->track[WALK_LISTINGS];
	uint32_t open = track->asked - track->hits;
	uint32_t most = place->entries > 0 ? WALK_ENTRIES_MAX / place->entries
	                                   : WALK_LISTINGS_MAX;

	if (most == 0)
		most = 1;
	if (open >= most)
		return 0;
	return room < most - open ? room : most - open;
}

/* Files are asked for some at a time: one for each that is taken would wake
 * the fetch thread, and the server, each time. */
static uint32_t batch_files(const struct walk_track *track, uint32_t room)
{
	return room * WALK_BATCHES >= track->window ? room : 0;
}

void walk_plan_on(struct walk_plan *plan, struct walk_place *place,
    const struct cache_listing *listing, enum walk_kind kind, uint32_t from)
{
	const struct walk_track *track = &place->track[kind];
	uint32_t room = walk_track_room(track);

	if (kind == WALK_LISTINGS)
		room = bound_entries(place, room);
	else
		room = batch_files(track, room);
	if (room == 0)
		return;
	room -= pick(plan, place, listing, kind, from, room);
	if (track->taken > 0 && !track->forward)
		(void)pick(plan, place, listing, kind, 0, room);
	else if (kind == WALK_FILES && room > 0)
		hop(plan, place, room);
}
