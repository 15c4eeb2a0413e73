/* SPDX-License-Identifier: Apache-2.0 */
/* cache/paths/listing.c - see listing.h. */
#include "cache/paths/listing_impl.h"
#include "fetch/fetch.h"

#include <assert.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include <xxhash.h>

struct cache_listing *listing_new(
    struct listing_room *room, uid_t uid, uint64_t seed)
{
	struct cache_listing *listing = calloc(1, sizeof(*listing));

	if (listing == NULL)
		return NULL;
	listing->within = room;
	listing->user = listing_room_join(room, uid);
	if (listing->user == NULL) {
		free(listing);
		return NULL;
	}
	atomic_init(&listing->refs, 1);
	atomic_init(&listing->shown, false);
	listing->seed = seed;
	return listing;
}

void listing_clear(struct cache_listing *listing)
{
	listing->count = 0;
	listing->text_bytes = 0;
}

struct cache_listing *listing_get(struct cache_listing *listing)
{
	(void)atomic_fetch_add_explicit(
	    &listing->refs, 1, memory_order_relaxed);
	return listing;
}

void cache_listing_put(struct cache_listing *listing)
{
	if (listing == NULL ||
	    atomic_fetch_sub_explicit(
	        &listing->refs, 1, memory_order_acq_rel) != 1)
		return;
	free(listing->text);
	free(listing->entries);
	free(listing->index);
	free(listing->extras);
	listing_room_leave(
	    listing->within, listing->user, listing->taken_bytes);
	free(listing);
}

/* Room for so much more, or less. */
int listing_take_room(struct cache_listing *listing, size_t bytes)
{
	if (!listing_room_take(listing->within, listing->user, bytes))
		return -ENOMEM;
	listing->taken_bytes += bytes;
	return 0;
}

static void give_room(struct cache_listing *listing, size_t bytes)
{
	listing_room_give(listing->within, listing->user, bytes);
	listing->taken_bytes -= bytes;
}

/* An array of another size; NULL when there is no memory, or no room. */
static void *resize(struct cache_listing *listing, void *array,
    size_t from_bytes, size_t to_bytes)
{
	void *resized;

	if (to_bytes > from_bytes &&
	    listing_take_room(listing, to_bytes - from_bytes) < 0)
		return NULL;
	resized = realloc(array, to_bytes);
	if (resized == NULL && to_bytes > from_bytes)
		give_room(listing, to_bytes - from_bytes);
	if (resized != NULL && to_bytes < from_bytes)
		give_room(listing, from_bytes - to_bytes);
	return resized;
}

static int make_room(struct cache_listing *listing, size_t text_bytes)
{
	size_t need = listing->text_bytes + text_bytes;

	if (need > LISTING_BYTES_MAX || listing->count == LISTING_ENTRIES_MAX)
		return -EFBIG;
	if (need > listing->text_room) {
		size_t room = need + need / 2 + 256;
		char *text =
		    resize(listing, listing->text, listing->text_room, room);

		if (text == NULL)
			return -ENOMEM;
		listing->text = text;
		listing->text_room = room;
	}
	if (listing->count == listing->room) {
		uint32_t room = listing->room + listing->room / 2 + 16;
		struct listing_entry *entries = resize(listing,
		    listing->entries, listing->room * sizeof(*entries),
		    room * sizeof(*entries));

		if (entries == NULL)
			return -ENOMEM;
		listing->entries = entries;
		listing->room = room;
	}
	return 0;
}

static uint32_t add_text(
    struct cache_listing *listing, const char *text, size_t size_bytes)
{
	size_t at = listing->text_bytes;

	(void)memcpy(listing->text + at, text, size_bytes);
	listing->text_bytes += size_bytes;
	return (uint32_t)at;
}

int listing_add(struct cache_listing *listing, const char *name,
    const struct fetch_stat *stat)
{
	size_t name_bytes = strlen(name) + 1;
	size_t etag_bytes = strlen(stat->version.etag);
	char bits = 0;
	struct listing_entry *entry;
	int code;

	if (etag_bytes > 0)
		etag_bytes++;
	code = make_room(listing, 1 + name_bytes + etag_bytes);
	if (code < 0)
		return code;
	if (stat->kind == FETCH_DIRECTORY)
		bits = LISTING_IS_DIRECTORY;
	if (stat->exact)
		bits = (char)(bits | LISTING_IS_EXACT);
	entry = &listing->entries[listing->count++];
	(void)add_text(listing, &bits, 1);
	entry->name = add_text(listing, name, name_bytes);
	entry->etag = LISTING_NO_ETAG;
	if (etag_bytes > 0)
		entry->etag = add_text(listing, stat->version.etag, etag_bytes);
	entry->size_bytes = stat->version.size_bytes;
	entry->mtime_s = stat->version.mtime_s;
	return 0;
}

void listing_number(struct cache_listing *listing)
{
	XXH3_state_t *state = XXH3_createState();

	/* Without memory each listing is a new one: correct, only slower. */
	if (state == NULL) {
		listing->version = listing->times.asked_ms + 1;
		return;
	}
	(void)XXH3_64bits_reset_withSeed(state, listing->seed);
	(void)XXH3_64bits_update(state, listing->text, listing->text_bytes);
	for (uint32_t i = 0; i < listing->count; i++)
		(void)XXH3_64bits_update(state, &listing->entries[i],
		    offsetof(struct listing_entry, name));
	for (uint32_t i = 0; i < listing->extra_count; i++)
		(void)XXH3_64bits_update(state, &listing->extras[i].number,
		    sizeof(listing->extras[i].number));
	listing->version = XXH3_64bits_digest(state);
	(void)XXH3_freeState(state);
}

/* Give back what growing left over. */
static void shrink(struct cache_listing *listing)
{
	size_t text_room = listing->text_bytes + 1;
	uint32_t room = listing->count + 1;
	char *text = NULL;
	struct listing_entry *entries = NULL;

	if (text_room < listing->text_room)
		text = resize(
		    listing, listing->text, listing->text_room, text_room);
	if (room < listing->room)
		entries = resize(listing, listing->entries,
		    listing->room * sizeof(*entries), room * sizeof(*entries));
	if (text != NULL) {
		listing->text = text;
		listing->text_room = text_room;
	}
	if (entries != NULL) {
		listing->entries = entries;
		listing->room = room;
	}
}

/* Find every name; of two entries of one name the first stays. */
static void fill_index(struct cache_listing *listing)
{
	uint32_t kept = 0;

	for (uint32_t i = 0; i < listing->count; i++) {
		struct listing_entry entry = listing->entries[i];
		uint32_t place =
		    listing_slot(listing, listing_name_of(listing, &entry));

		if (listing->index[place] != 0)
			continue;
		listing->entries[kept++] = entry;
		listing->index[place] = kept;
	}
	listing->count = kept;
}

static int compare(const void *a, const void *b, void *text)
{
	const struct listing_entry *one = a;
	const struct listing_entry *other = b;

	return strcmp(
	    (const char *)text + one->name, (const char *)text + other->name);
}

static bool is_sorted(const struct cache_listing *listing)
{
	for (uint32_t i = 1; i < listing->count; i++)
		if (compare(&listing->entries[i - 1], &listing->entries[i],
		        listing->text) > 0)
			return false;
	return true;
}

int listing_seal(
    struct cache_listing *listing, const struct listing_times *times)
{
	uint32_t slots = 16;

	assert(listing->index == NULL);
	while (slots / 3 * 2 <= listing->count)
		slots *= 2;
	if (listing_take_room(listing, slots * sizeof(*listing->index)) < 0)
		return -ENOMEM;
	listing->index = calloc(slots, sizeof(*listing->index));
	if (listing->index == NULL)
		return -ENOMEM;
	listing->index_mask = slots - 1;
	fill_index(listing);
	if (listing->count <= LISTING_SORTED_MAX && !is_sorted(listing)) {
		qsort_r(listing->entries, listing->count,
		    sizeof(*listing->entries), compare, listing->text);
		(void)memset(listing->index, 0, slots * sizeof(uint32_t));
		fill_index(listing);
	}
	listing->times = *times;
	listing_number(listing);
	shrink(listing);
	return 0;
}
