/* SPDX-License-Identifier: Apache-2.0 */
/* cache/meta_fold.c - changes are worked into the listing that they were made
 * since. See meta.h. */
#include "base/path.h"
#include "cache/changes.h"
#include "cache/core.h"
#include "cache/listing.h"
#include "cache/meta_impl.h"

#include <stdlib.h>
#include <string.h>

/* The newest of them. */
static uint64_t last_of(const struct listing_change changes[], size_t count)
{
	uint64_t last = 0;

	for (size_t i = 0; i < count; i++)
		if (changes[i].serial > last)
			last = changes[i].serial;
	return last;
}

/* What was changed since. @return 0, -ENOMEM */
static int changes_of(struct meta *meta, const char *path,
    const struct cache_listing *listing, struct listing_change **out,
    size_t *count)
{
	struct meta_entry *entry;
	size_t kept = 0;
	int code = 0;

	*out = NULL;
	*count = 0;
	meta_enter(meta);
	entry = meta_entry_find(meta, path, strlen(path));
	if (entry != NULL)
		code = changes_copy(entry->changes,
		    entry->listing == listing ? entry->folded : 0, out, count);
	meta_leave(meta);
	/* The listing knows those before it, when it was not remembered. */
	for (size_t i = 0; i < *count; i++)
		if ((*out)[i].asked_ms > listing_asked_ms(listing))
			(*out)[kept++] = (*out)[i];
	*count = kept;
	return code;
}

/* Put one listing in the place of another; NULL: have it asked for. */
static void put_in(struct meta *meta, const char *path,
    const struct cache_listing *in_place_of, struct cache_listing *listing,
    uint64_t folded)
{
	struct cache_listing *old = NULL;
	struct meta_entry *entry;

	meta_enter(meta);
	entry = meta_entry_find(meta, path, strlen(path));
	if (entry != NULL && entry->listing == in_place_of) {
		old = meta_entry_take_listing(meta, entry);
		if (listing != NULL)
			entry->listing = listing_get(listing);
		entry->folded = folded;
		meta_entry_weigh(meta, entry);
	}
	meta_bound(meta);
	meta_leave(meta);
	cache_listing_put(old);
}

struct cache_listing *meta_fold(
    struct cache *cache, const char *path, struct cache_listing *listing)
{
	struct cache_listing *folded = NULL;
	struct listing_change *changes;
	size_t count;
	int code = changes_of(&cache->meta, path, listing, &changes, &count);

	if (code == 0 && count == 0) {
		free(changes);
		return listing;
	}
	if (code == 0 && cache_listing_count(listing) <= META_FOLD_MAX)
		folded = listing_amended(listing, changes, count);
	put_in(&cache->meta, path, listing, folded, last_of(changes, count));
	cache_listing_put(listing);
	free(changes);
	return folded;
}

bool meta_is_changed(struct cache *cache, const char *path, uint64_t asked_ms)
{
	struct meta *meta = &cache->meta;
	const struct listing_change *change = NULL;
	const struct meta_entry *above;
	const struct meta_entry *entry;
	bool changed;

	meta_enter(meta);
	entry = meta_entry_find(meta, path, strlen(path));
	above = meta_entry_above(meta, path);
	if (above != NULL)
		change = changes_find(above->changes, path_name(path));
	changed = (entry != NULL && entry->noted_ms > asked_ms) ||
	    (change != NULL && change->asked_ms > asked_ms);
	meta_leave(meta);
	return changed;
}

struct cache_listing *meta_take_listing(struct cache *cache, const char *path)
{
	struct meta *meta = &cache->meta;
	struct cache_listing *listing = NULL;
	struct meta_entry *entry;

	listing = meta_find_old_listing(cache, path);
	if (listing != NULL)
		listing = meta_fold(cache, path, listing);
	meta_enter(meta);
	entry = meta_entry_find(meta, path, strlen(path));
	if (entry != NULL)
		cache_listing_put(meta_entry_lose(meta, entry));
	meta_leave(meta);
	return listing;
}
