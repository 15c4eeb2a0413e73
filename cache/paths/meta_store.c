/* SPDX-License-Identifier: Apache-2.0 */
/* cache/paths/meta_store.c - what servers answer is remembered, unless it was
 * changed here since it was asked for. See meta.h. */
#include "base/clock.h"
#include "base/path.h"
#include "cache/core.h"
#include "cache/paths/changes.h"
#include "cache/paths/listing.h"
#include "cache/paths/meta_impl.h"

#include <string.h>

/* Whether it was changed here after it was asked for. */
static bool is_changed(struct meta *meta, const struct meta_entry *entry,
    const char *path, uint64_t serial)
{
	const struct meta_entry *above = meta_entry_above(meta, path);
	const struct listing_change *change = above == NULL
	    ? NULL
	    : changes_find(above->changes, path_name(path));

	return (entry != NULL && entry->noted > serial) ||
	    (change != NULL && change->serial > serial);
}

bool meta_is_changed(struct cache *cache, const char *path, uint64_t serial)
{
	struct meta *meta = &cache->meta;
	bool changed;

	meta_enter(meta);
	changed = is_changed(
	    meta, meta_entry_find(meta, path, strlen(path)), path, serial);
	meta_leave(meta);
	return changed;
}

struct meta_look meta_look_now(const struct cache *cache)
{
	return (struct meta_look){
	    .serial = atomic_load(&cache->meta.serial),
	    .asked_ms = cache_now_ms(cache),
	    .wall_s = clock_wall_s(cache->config.clock),
	};
}

/* Whether nothing that is remembered was told later. What was noted here was
 * before (is_changed()), in the same millisecond at the latest, for which it
 * counts as one later. */
static bool is_latest(
    const struct meta_entry *entry, const struct meta_look *look)
{
	return !entry->known || entry->is_note ||
	    entry->asked_ms <= look->asked_ms;
}

bool meta_store(struct cache *cache, const char *path,
    const struct meta_attr *attr, bool made_up, const struct meta_look *look)
{
	struct meta *meta = &cache->meta;
	struct meta_entry *entry;
	bool changed;

	meta_enter(meta);
	entry = meta_entry_obtain(meta, path);
	changed = is_changed(meta, entry, path, look->serial);
	if (entry != NULL && !changed && is_latest(entry, look)) {
		/* What was asked for before a note stays older than it. */
		if (!entry->known || entry->asked_ms < look->asked_ms)
			entry->asked_ms = look->asked_ms;
		entry->known = true;
		entry->there = attr != NULL;
		entry->made_up = made_up;
		entry->is_note = false;
		entry->attr = attr != NULL ? *attr : (struct meta_attr){0};
		entry->asked_s = look->wall_s;
		entry->fresh_until_ms =
		    meta_fresh_until(cache, attr, look->asked_ms);
	}
	meta_bound(meta);
	meta_leave(meta);
	return !changed;
}

bool meta_store_listing(struct cache *cache, const char *path,
    struct cache_listing *listing, bool made_up)
{
	struct meta *meta = &cache->meta;
	struct cache_listing *old = NULL;
	struct meta_entry *entry;
	bool passed;

	/* One that would push out everything else is not remembered. */
	if (listing_bytes(listing) > meta->limit_bytes)
		return true;
	meta_enter(meta);
	entry = meta_entry_obtain(meta, path);
	passed = entry != NULL && entry->listing != NULL &&
	    listing_serial(entry->listing) > listing_serial(listing);
	if (entry != NULL && !passed) {
		old = meta_entry_take_listing(meta, entry);
		entry->listing = listing_get(listing);
		entry->listing_made_up = made_up;
		entry->folded = 0;
		changes_drop(entry->changes, listing_serial(listing));
		meta_entry_weigh(meta, entry);
	}
	meta_bound(meta);
	meta_leave(meta);
	cache_listing_put(old);
	return !passed;
}

struct cache_listing *meta_entry_take_listing(
    struct meta *meta, struct meta_entry *entry)
{
	struct cache_listing *listing = entry->listing;

	entry->listing = NULL;
	meta_entry_weigh(meta, entry);
	return listing;
}

void meta_entry_weigh(struct meta *meta, struct meta_entry *entry)
{
	meta->bytes -= entry->bytes;
	entry->bytes = sizeof(*entry) + strlen(entry->path) + 1 +
	    changes_bytes(entry->changes);
	if (entry->listing != NULL)
		entry->bytes += listing_bytes(entry->listing);
	meta->bytes += entry->bytes;
}
