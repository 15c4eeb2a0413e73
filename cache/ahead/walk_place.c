/* SPDX-License-Identifier: Apache-2.0 */
/* cache/ahead/walk_place.c - see walk_place.h. */
#include "cache/ahead/walk_place.h"

#include "cache/ahead/walk.h"
#include "cache/paths/listing.h"

#include <stdlib.h>
#include <string.h>

#include <xxhash.h>

static void place_free(struct walk_place *place)
{
	list_remove(&place->place);
	free(place->bits);
	free(place);
}

void walks_init(struct walks *walks)
{
	(void)pthread_mutex_init(&walks->mutex, NULL);
	list_init(&walks->recent);
}

void walks_fini(struct walks *walks)
{
	struct list *item;

	while ((item = list_pop(&walks->recent)) != NULL)
		place_free(CONTAINER_OF(item, struct walk_place, place));
	(void)pthread_mutex_destroy(&walks->mutex);
}

struct walk_place *walk_place_find(struct walks *walks, const char *path)
{
	uint64_t hash = XXH3_64bits(path, strlen(path));

	/* The newest first. */
	for (struct list *item = walks->recent.prev; item != &walks->recent;
	     item = item->prev) {
		struct walk_place *place =
		    CONTAINER_OF(item, struct walk_place, place);

		if (place->hash != hash || strcmp(place->path, path) != 0)
			continue;
		list_remove(&place->place);
		list_push(&walks->recent, &place->place);
		return place;
	}
	return NULL;
}

struct walk_place *walk_place_obtain(struct walks *walks, const char *path)
{
	struct walk_place *place = walk_place_find(walks, path);
	size_t path_bytes = strlen(path) + 1;

	if (place != NULL)
		return place;
	place = calloc(1, sizeof(*place) + path_bytes);
	if (place == NULL)
		return NULL;
	(void)memcpy(place->path, path, path_bytes);
	place->hash = XXH3_64bits(path, path_bytes - 1);
	list_init(&place->place);
	list_push(&walks->recent, &place->place);
	if (walks->count < WALK_PLACES_MAX)
		walks->count++;
	else
		place_free(
		    CONTAINER_OF(walks->recent.next, struct walk_place, place));
	return place;
}

bool walk_place_use(
    struct walk_place *place, const struct cache_listing *listing)
{
	uint64_t asked_ms = listing_asked_ms(listing);
	uint32_t count = (uint32_t)cache_listing_count(listing);
	uint8_t *bits;

	if (place->asked_ms == asked_ms && place->count == count &&
	    place->bits != NULL)
		return true;
	bits = calloc(count / 4 + 1, 1);
	if (bits == NULL)
		return false;
	free(place->bits);
	place->bits = bits;
	place->asked_ms = asked_ms;
	place->count = count;
	(void)memset(place->track, 0, sizeof(place->track));
	return true;
}

static bool is_set(const struct walk_place *place, uint64_t bit)
{
	return (place->bits[bit / 8] >> (bit % 8) & 1) != 0;
}

static void set(struct walk_place *place, uint64_t bit)
{
	place->bits[bit / 8] =
	    (uint8_t)(place->bits[bit / 8] | 1u << (bit % 8));
}

bool walk_place_is_taken(const struct walk_place *place, uint32_t index)
{
	return is_set(place, 2 * (uint64_t)index);
}

bool walk_place_is_asked(const struct walk_place *place, uint32_t index)
{
	return is_set(place, 2 * (uint64_t)index + 1);
}

void walk_place_set_taken(struct walk_place *place, uint32_t index)
{
	set(place, 2 * (uint64_t)index);
}

void walk_place_set_asked(struct walk_place *place, uint32_t index)
{
	set(place, 2 * (uint64_t)index + 1);
}
