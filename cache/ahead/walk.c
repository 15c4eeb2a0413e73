/* SPDX-License-Identifier: Apache-2.0 */
/* cache/ahead/walk.c - see walk.h: what a program does, and what follows. */
#include "cache/ahead/walk.h"

#include "base/path.h"
#include "cache/ahead/walk_ask.h"
#include "cache/ahead/walk_place.h"
#include "cache/ahead/walk_plan.h"
#include "cache/core.h"
#include "cache/paths/listing.h"

#include <string.h>

#include <xxhash.h>

static const uint32_t window_max[WALK_KINDS] = {
    [WALK_LISTINGS] = WALK_LISTINGS_MAX, [WALK_FILES] = WALK_FILES_MAX};

static void enter(struct walks *walks) ACQUIRES(walk_lock);
static void leave(struct walks *walks) RELEASES(walk_lock);

static UNCHECKED void enter(struct walks *walks)
{
	(void)pthread_mutex_lock(&walks->mutex);
}

static UNCHECKED void leave(struct walks *walks)
{
	(void)pthread_mutex_unlock(&walks->mutex);
}

static void plan_init(struct walk_plan *plan, struct cache *cache)
{
	plan->cache = cache;
	plan->now_ms = cache_now_ms(cache);
	list_init(&plan->asks);
}

/* The place of the directory that holds a path; NULL: there is none. */
static struct walk_place *place_above(struct cache *cache, const char *path)
    REQUIRES(walk_lock);
static struct walk_place *place_above(struct cache *cache, const char *path)
{
	char above[PATH_BYTES_MAX];

	if (path_name(path)[0] == '\0')
		return NULL;
	path_parent(above, path);
	return walk_place_find(&cache->walks, above);
}

/* How entry `index` is taken. */
static struct walk_step step_to(const struct walk_place *place,
    const struct cache_listing *listing, enum walk_kind kind, uint32_t index)
{
	const struct walk_track *track = &place->track[kind];
	struct walk_step step = {
	    .index = index, .hit = walk_place_is_asked(place, index)};

	if (track->taken == 0 || index <= track->last ||
	    index - track->last > WALK_LOOK_MAX)
		return step;
	step.next = true;
	for (uint32_t i = track->last + 1; i < index; i++) {
		if (!walk_is_of(listing, i, kind))
			continue;
		step.next = false;
		step.passed += walk_place_is_asked(place, i) &&
		    !walk_place_is_taken(place, i);
	}
	return step;
}

/* An entry is taken that had not been. */
static void take(struct walk_plan *plan, struct walk_place *place,
    const struct cache_listing *listing, enum walk_kind kind, uint32_t index)
    REQUIRES(walk_lock);
static void take(struct walk_plan *plan, struct walk_place *place,
    const struct cache_listing *listing, enum walk_kind kind, uint32_t index)
{
	struct walk_track *track = &place->track[kind];
	struct walk_step step = step_to(place, listing, kind, index);
	struct walk_place *up = place_above(plan->cache, place->path);

	if (track->taken == 0 && up != NULL && walk_goes_through(up))
		walk_track_inherit(track, up->heritage[kind]);
	walk_place_set_taken(place, index);
	walk_track_take(track, &step, window_max[kind]);
	walk_plan_on(plan, place, listing, kind, index + 1);
	if (up != NULL)
		up->heritage[kind] = walk_track_heritage(track);
}

/* Who lists directories once more goes another way, perhaps: what follows
 * them is to be told by where it is now. */
static void take_or_pass(struct walk_plan *plan, struct walk_place *place,
    const struct cache_listing *listing, enum walk_kind kind, uint32_t index)
    REQUIRES(walk_lock);
static void take_or_pass(struct walk_plan *plan, struct walk_place *place,
    const struct cache_listing *listing, enum walk_kind kind, uint32_t index)
{
	if (!walk_place_is_taken(place, index)) {
		take(plan, place, listing, kind, index);
	} else if (kind == WALK_LISTINGS && place->track[kind].last != index) {
		struct walk_step step = step_to(place, listing, kind, index);

		walk_track_again(&place->track[kind], &step);
	}
}

/* A user takes an entry of a directory whose listing nobody has asked for: is
 * it worth it? Of files it is lent. */
static void look(struct cache *cache, const struct ident *ident,
    const char *path, const char *above, enum walk_kind kind)
{
	const char *name = path_name(path);
	struct walk_plan plan;
	uint32_t entries_max;

	plan_init(&plan, cache);
	enter(&cache->walks);
	entries_max = walk_looks_found(&cache->walks.looks,
	    XXH3_64bits_withSeed(
	        above, strlen(above), (uint64_t)ident->uid << 1 | kind),
	    XXH3_64bits(name, strlen(name)),
	    kind == WALK_FILES ? WALK_LOOKS_FIRST : WALK_LISTED_FIRST,
	    plan.now_ms);
	leave(&cache->walks);
	if (entries_max > WALK_ENTRIES_MAX)
		entries_max = WALK_ENTRIES_MAX;
	if (entries_max > 0 && kind == WALK_FILES)
		walk_ask_lent(&plan.asks, above, entries_max, LEND_FILES);
	else if (entries_max > 0)
		walk_ask_listing(&plan.asks, above, entries_max);
	walk_ask_all(cache, ident, &plan.asks);
}

static void step(struct cache *cache, const struct ident *ident,
    const char *path, enum walk_kind kind)
{
	char above[PATH_BYTES_MAX];
	struct cache_listing *listing;
	struct walk_place *place;
	struct walk_plan plan;
	uint32_t index;

	path_parent(above, path);
	listing = meta_find_old_listing(cache, above);
	if (listing == NULL) {
		if (kind == WALK_LISTINGS)
			look(cache, ident, path, above, kind);
		return;
	}
	plan_init(&plan, cache);
	if (listing_place(listing, path_name(path), &index)) {
		enter(&cache->walks);
		place = walk_place_obtain(&cache->walks, above);
		if (place != NULL && walk_place_use(place, listing))
			take_or_pass(&plan, place, listing, kind, index);
		leave(&cache->walks);
	}
	cache_listing_put(listing);
	walk_ask_all(cache, ident, &plan.asks);
}

/* A walk goes on into a directory. */
static void go_into(struct walk_plan *plan, const struct walk_place *up,
    const char *path, const struct cache_listing *listing) REQUIRES(walk_lock);
static void go_into(struct walk_plan *plan, const struct walk_place *up,
    const char *path, const struct cache_listing *listing)
{
	uint32_t heritage[WALK_KINDS] = {
	    up->heritage[WALK_LISTINGS], up->heritage[WALK_FILES]};
	struct walk_place *place = walk_place_obtain(&plan->cache->walks, path);

	if (place == NULL || !walk_place_use(place, listing))
		return;
	for (enum walk_kind kind = 0; kind < WALK_KINDS; kind++) {
		walk_track_inherit(&place->track[kind], heritage[kind]);
		walk_plan_on(plan, place, listing, kind, 0);
	}
}

void walk_enters(
    struct cache *cache, const struct ident *ident, const char *path)
{
	struct cache_listing *listing = meta_find_old_listing(cache, path);
	struct walk_place *up;
	struct walk_plan plan;

	if (listing == NULL)
		return;
	plan_init(&plan, cache);
	enter(&cache->walks);
	up = place_above(cache, path);
	if (up != NULL) {
		up->entries = (uint32_t)cache_listing_count(listing);
		if (walk_goes_through(up))
			go_into(&plan, up, path, listing);
	}
	leave(&cache->walks);
	cache_listing_put(listing);
	walk_ask_all(cache, ident, &plan.asks);
}

void walk_lists(
    struct cache *cache, const struct ident *ident, const char *path)
{
	if (path_name(path)[0] == '\0')
		return;
	step(cache, ident, path, WALK_LISTINGS);
	walk_enters(cache, ident, path);
}

void walk_finds(
    struct cache *cache, const struct ident *ident, const char *path)
{
	char above[PATH_BYTES_MAX];

	path_parent(above, path);
	look(cache, ident, path, above, WALK_FILES);
}

static uint64_t hash_of_made(const char *above)
{
	return XXH3_64bits_withSeed(above, strlen(above), UINT64_MAX);
}

void walk_makes(struct cache *cache, const char *path)
{
	char above[PATH_BYTES_MAX];

	path_parent(above, path);
	enter(&cache->walks);
	walk_looks_made(
	    &cache->walks.looks, hash_of_made(above), cache_now_ms(cache));
	leave(&cache->walks);
}

/* Whether a listing says already what is not there; not of all names. */
static bool says_absences(struct cache *cache, const char *path)
{
	struct cache_listing *listing = meta_find_listing(cache, path, false);
	bool says = listing != NULL &&
	    (listing_is_shown(listing) ||
	        listing_lends_absences(listing, cache_now_ms(cache)));

	cache_listing_put(listing);
	return says;
}

void walk_misses(
    struct cache *cache, const struct ident *ident, const char *path)
{
	char above[PATH_BYTES_MAX];
	struct walk_plan plan;
	uint32_t entries_max;

	path_parent(above, path);
	if (says_absences(cache, above))
		return;
	plan_init(&plan, cache);
	enter(&cache->walks);
	entries_max = walk_looks_missed(
	    &cache->walks.looks, hash_of_made(above), plan.now_ms);
	leave(&cache->walks);
	if (entries_max > WALK_ENTRIES_MAX)
		entries_max = WALK_ENTRIES_MAX;
	if (entries_max > 0)
		walk_ask_lent(&plan.asks, above, entries_max, LEND_ABSENCES);
	walk_ask_all(cache, ident, &plan.asks);
}

void walk_reads(
    struct cache *cache, const struct ident *ident, const char *path)
{
	step(cache, ident, path, WALK_FILES);
}
