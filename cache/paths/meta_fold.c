/* SPDX-License-Identifier: Apache-2.0 */
/* cache/paths/meta_fold.c - changes are worked into the listing that they were
 * made since. See meta.h. */
#include "base/path.h"
#include "cache/core.h"
#include "cache/paths/changes.h"
#include "cache/paths/listing.h"
#include "cache/paths/meta_impl.h"

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
	int code = 0;

	*out = NULL;
	*count = 0;
	meta_enter(meta);
	entry = meta_entry_find(meta, path, strlen(path));
	if (entry != NULL)
		code = changes_copy(entry->changes,
		    entry->listing == listing ? entry->folded
		                              : listing_serial(listing),
		    out, count);
	meta_leave(meta);
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
