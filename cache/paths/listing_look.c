/* SPDX-License-Identifier: Apache-2.0 */
/* cache/paths/listing_look.c - what a listing says. See listing.h. */
#include "cache/paths/listing_impl.h"
#include "cache/paths/was.h"
#include "fetch/fetch.h"

#include <assert.h>
#include <stdio.h>
#include <string.h>

#include <xxhash.h>

const char *listing_name_of(
    const struct cache_listing *listing, const struct listing_entry *entry)
{
	return listing->text + entry->name;
}

static uint64_t hash_name(const struct cache_listing *listing, const char *name)
{
	return XXH3_64bits_withSeed(name, strlen(name), listing->seed);
}

uint32_t listing_slot(const struct cache_listing *listing, const char *name)
{
	uint32_t place =
	    (uint32_t)hash_name(listing, name) & listing->index_mask;

	while (listing->index[place] != 0 &&
	    strcmp(listing_name_of(
	               listing, &listing->entries[listing->index[place] - 1]),
	        name) != 0)
		place = (place + 1) & listing->index_mask;
	return place;
}

void listing_show(struct cache_listing *listing)
{
	atomic_store_explicit(&listing->shown, true, memory_order_relaxed);
}

bool listing_is_shown(const struct cache_listing *listing)
{
	return atomic_load_explicit(&listing->shown, memory_order_relaxed);
}

void listing_lend(struct cache_listing *listing, uint64_t until_ms)
{
	listing->lent_until_ms = until_ms;
}

bool listing_is_lent(const struct cache_listing *listing, uint64_t now_ms)
{
	return now_ms < listing->lent_until_ms;
}

void listing_lend_absences(struct cache_listing *listing, uint64_t until_ms)
{
	listing->absences_until_ms = until_ms;
}

bool listing_lends_absences(
    const struct cache_listing *listing, uint64_t now_ms)
{
	return now_ms < listing->absences_until_ms;
}

uint64_t listing_fresh_until_ms(const struct cache_listing *listing)
{
	return listing->times.fresh_until_ms;
}

uint64_t listing_asked_ms(const struct cache_listing *listing)
{
	return listing->times.asked_ms;
}

uint64_t listing_serial(const struct cache_listing *listing)
{
	return listing->times.serial;
}

size_t listing_bytes(const struct cache_listing *listing)
{
	return sizeof(*listing) + listing->text_bytes +
	    listing->extra_count * sizeof(struct listing_extra) +
	    listing->count * sizeof(struct listing_entry) +
	    ((size_t)listing->index_mask + 1) * sizeof(uint32_t);
}

void listing_set_place(struct cache_listing *listing, uint64_t place)
{
	listing->place = place;
}

void listing_set_whole(struct cache_listing *listing)
{
	listing->whole = true;
}

bool listing_is_whole(const struct cache_listing *listing)
{
	return listing->whole;
}

static const struct listing_extra *find_extra(
    const struct cache_listing *listing, uint32_t index)
{
	uint32_t from = 0;
	uint32_t until = listing->extra_count;

	while (from < until) {
		uint32_t middle = from + (until - from) / 2;

		if (listing->extras[middle].entry < index)
			from = middle + 1;
		else
			until = middle;
	}
	return from < listing->extra_count &&
	        listing->extras[from].entry == index
	    ? &listing->extras[from]
	    : NULL;
}

static void add_extra(const struct listing_extra *extra, struct meta_attr *out)
{
	out->lasting = extra->lasting;
	out->number = extra->number;
	out->plain_number = extra->plain_number;
	out->told = extra->told;
	out->was = extra->was;
	out->nonce = extra->nonce;
	out->fresh_until_ms = extra->fresh_until_ms;
	out->asked_s = extra->asked_s;
}

void listing_told(const struct cache_listing *listing,
    const struct listing_entry *entry, struct fetch_stat *out)
{
	char bits = listing->text[entry->name - 1];

	*out = (struct fetch_stat){
	    .kind = (bits & LISTING_IS_DIRECTORY) != 0 ? FETCH_DIRECTORY
	                                               : FETCH_FILE,
	    .exact = (bits & LISTING_IS_EXACT) != 0,
	    .version = {.size_bytes = entry->size_bytes,
	        .mtime_s = entry->mtime_s},
	};
	if (entry->etag != LISTING_NO_ETAG)
		(void)snprintf(out->version.etag, sizeof(out->version.etag),
		    "%s", listing->text + entry->etag);
}

void listing_attr(
    const struct cache_listing *listing, uint32_t index, struct meta_attr *out)
{
	const struct listing_extra *extra = find_extra(listing, index);
	struct fetch_stat stat;

	listing_told(listing, &listing->entries[index], &stat);
	meta_attr_of(out, &stat, listing->seed, listing->within->suspects,
	    &(struct meta_look){.asked_ms = listing->times.asked_ms,
	        .wall_s = listing->times.wall_s});
	out->fresh_until_ms = stat.kind == FETCH_FILE
	    ? listing->times.file_fresh_until_ms
	    : listing->times.fresh_until_ms;
	out->asked_s = listing->times.wall_s;
	if (extra != NULL)
		add_extra(extra, out);
	else
		was_apply(listing->within->written, listing->within->suspects,
		    was_key(listing->place,
		        listing_name_of(listing, &listing->entries[index])),
		    out);
}

bool listing_place(
    const struct cache_listing *listing, const char *name, uint32_t *index)
{
	uint32_t place = listing_slot(listing, name);

	if (listing->index[place] == 0)
		return false;
	*index = listing->index[place] - 1;
	return true;
}

bool listing_find(const struct cache_listing *listing, const char *name,
    struct meta_attr *out)
{
	uint32_t index;

	if (!listing_place(listing, name, &index))
		return false;
	listing_attr(listing, index, out);
	return true;
}

const char *listing_name(const struct cache_listing *listing, uint32_t index)
{
	return listing_name_of(listing, &listing->entries[index]);
}

bool listing_is_directory(const struct cache_listing *listing, uint32_t index)
{
	const struct listing_entry *entry = &listing->entries[index];

	return (listing->text[entry->name - 1] & LISTING_IS_DIRECTORY) != 0;
}

size_t cache_listing_count(const struct cache_listing *listing)
{
	return listing->count;
}

void cache_listing_entry(const struct cache_listing *listing, size_t index,
    const char **name, struct cache_attr *attr, bool *known)
{
	struct meta_attr found;

	assert(index < listing->count);
	listing_attr(listing, (uint32_t)index, &found);
	*name = listing_name(listing, (uint32_t)index);
	meta_attr_show(&found, attr);
	*known = found.exact;
}

uint64_t cache_listing_version(const struct cache_listing *listing)
{
	return listing->version;
}
