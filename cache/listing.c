/* SPDX-License-Identifier: Apache-2.0 */
/* cache/listing.c - see listing.h. */
#include "cache/listing.h"

#include "fetch/fetch.h"

#include <assert.h>
#include <errno.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <xxhash.h>

/* Bits before each name in the text array. */
enum { IS_DIRECTORY = 1, IS_EXACT = 2 };

#define NO_ETAG UINT32_MAX

struct entry {
	uint64_t size_bytes;
	int64_t mtime_s; /* -1: not given */
	uint32_t name;   /* in `text`; its bits stand one byte before */
	uint32_t etag;   /* in `text` */
};

struct cache_listing {
	_Atomic unsigned refs;
	uint64_t seed;
	struct listing_times times;
	uint64_t version;
	char *text;
	size_t text_bytes;
	size_t text_room;
	struct entry *entries;
	uint32_t count;
	uint32_t room;
	uint32_t *index; /* entry + 1; 0: none */
	uint32_t index_mask;
};

struct cache_listing *listing_new(uint64_t seed)
{
	struct cache_listing *listing = calloc(1, sizeof(*listing));

	if (listing == NULL)
		return NULL;
	atomic_init(&listing->refs, 1);
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
	free(listing);
}

static int make_room(struct cache_listing *listing, size_t text_bytes)
{
	size_t need = listing->text_bytes + text_bytes;

	if (need > LISTING_BYTES_MAX || listing->count == LISTING_ENTRIES_MAX)
		return -EFBIG;
	if (need > listing->text_room) {
		size_t room = need + need / 2 + 256;
		char *text = realloc(listing->text, room);

		if (text == NULL)
			return -ENOMEM;
		listing->text = text;
		listing->text_room = room;
	}
	if (listing->count == listing->room) {
		uint32_t room = listing->room + listing->room / 2 + 16;
		struct entry *entries =
		    realloc(listing->entries, room * sizeof(*entries));

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
	struct entry *entry;
	int code;

	if (etag_bytes > 0)
		etag_bytes++;
	code = make_room(listing, 1 + name_bytes + etag_bytes);
	if (code < 0)
		return code;
	if (stat->kind == FETCH_DIRECTORY)
		bits = IS_DIRECTORY;
	if (stat->exact)
		bits = (char)(bits | IS_EXACT);
	entry = &listing->entries[listing->count++];
	(void)add_text(listing, &bits, 1);
	entry->name = add_text(listing, name, name_bytes);
	entry->etag = NO_ETAG;
	if (etag_bytes > 0)
		entry->etag = add_text(listing, stat->version.etag, etag_bytes);
	entry->size_bytes = stat->version.size_bytes;
	entry->mtime_s = stat->version.mtime_s;
	return 0;
}

static const char *name_of(
    const struct cache_listing *listing, const struct entry *entry)
{
	return listing->text + entry->name;
}

static uint64_t hash_name(const struct cache_listing *listing, const char *name)
{
	return XXH3_64bits_withSeed(name, strlen(name), listing->seed);
}

/* Place of a name in the index: its entry's, or the free one for it. */
static uint32_t place_of(const struct cache_listing *listing, const char *name)
{
	uint32_t place =
	    (uint32_t)hash_name(listing, name) & listing->index_mask;

	while (listing->index[place] != 0 &&
	    strcmp(
	        name_of(listing, &listing->entries[listing->index[place] - 1]),
	        name) != 0)
		place = (place + 1) & listing->index_mask;
	return place;
}

static void note_version(struct cache_listing *listing)
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
		(void)XXH3_64bits_update(
		    state, &listing->entries[i], offsetof(struct entry, name));
	listing->version = XXH3_64bits_digest(state);
	(void)XXH3_freeState(state);
}

/* Give back what growing left over. */
static void shrink(struct cache_listing *listing)
{
	char *text = realloc(listing->text, listing->text_bytes + 1);
	struct entry *entries =
	    realloc(listing->entries, (listing->count + 1) * sizeof(*entries));

	if (text != NULL)
		listing->text = text;
	if (entries != NULL)
		listing->entries = entries;
	listing->text_room = listing->text_bytes + 1;
	listing->room = listing->count;
}

int listing_seal(
    struct cache_listing *listing, const struct listing_times *times)
{
	uint32_t slots = 16;
	uint32_t kept = 0;

	assert(listing->index == NULL);
	while (slots / 3 * 2 <= listing->count)
		slots *= 2;
	listing->index = calloc(slots, sizeof(*listing->index));
	if (listing->index == NULL)
		return -ENOMEM;
	listing->index_mask = slots - 1;
	for (uint32_t i = 0; i < listing->count; i++) {
		struct entry entry = listing->entries[i];
		uint32_t place = place_of(listing, name_of(listing, &entry));

		if (listing->index[place] != 0)
			continue;
		listing->entries[kept++] = entry;
		listing->index[place] = kept;
	}
	listing->count = kept;
	listing->times = *times;
	note_version(listing);
	shrink(listing);
	return 0;
}

uint64_t listing_fresh_until_ms(const struct cache_listing *listing)
{
	return listing->times.fresh_until_ms;
}

uint64_t listing_asked_ms(const struct cache_listing *listing)
{
	return listing->times.asked_ms;
}

size_t listing_bytes(const struct cache_listing *listing)
{
	return sizeof(*listing) + listing->text_bytes +
	    listing->count * sizeof(struct entry) +
	    ((size_t)listing->index_mask + 1) * sizeof(uint32_t);
}

static void attr_of(const struct cache_listing *listing,
    const struct entry *entry, struct meta_attr *out)
{
	char bits = listing->text[entry->name - 1];
	struct fetch_stat stat = {
	    .kind = (bits & IS_DIRECTORY) != 0 ? FETCH_DIRECTORY : FETCH_FILE,
	    .exact = (bits & IS_EXACT) != 0,
	    .version = {.size_bytes = entry->size_bytes,
	        .mtime_s = entry->mtime_s},
	};

	if (entry->etag != NO_ETAG)
		(void)snprintf(stat.version.etag, sizeof(stat.version.etag),
		    "%s", listing->text + entry->etag);
	meta_attr_of(out, &stat, listing->seed,
	    &(struct meta_look){.asked_ms = listing->times.asked_ms,
	        .wall_s = listing->times.wall_s});
	out->fresh_until_ms = stat.kind == FETCH_FILE
	    ? listing->times.file_fresh_until_ms
	    : listing->times.fresh_until_ms;
}

bool listing_find(const struct cache_listing *listing, const char *name,
    struct meta_attr *out)
{
	uint32_t place = place_of(listing, name);

	if (listing->index[place] == 0)
		return false;
	attr_of(listing, &listing->entries[listing->index[place] - 1], out);
	return true;
}

size_t cache_listing_count(const struct cache_listing *listing)
{
	return listing->count;
}

void cache_listing_entry(const struct cache_listing *listing, size_t index,
    const char **name, struct cache_attr *attr, bool *known)
{
	const struct entry *entry;
	struct meta_attr found;

	assert(index < listing->count);
	entry = &listing->entries[index];
	attr_of(listing, entry, &found);
	*name = name_of(listing, entry);
	meta_attr_show(&found, attr);
	*known = found.exact;
}

uint64_t cache_listing_version(const struct cache_listing *listing)
{
	return listing->version;
}
