/* SPDX-License-Identifier: Apache-2.0 */
/* cache/paths/meta_note.c - what was changed here: of a path, and in the
 * listing of the directory that it is in. See meta.h. */
#include "base/clock.h"
#include "base/path.h"
#include "cache/core.h"
#include "cache/paths/changes.h"
#include "cache/paths/listing.h"
#include "cache/paths/meta_impl.h"
#include "cache/paths/question_impl.h"

#include <string.h>

/* Whether a listing of this directory is on its way. */
static bool is_listed(const struct meta *meta, const char *path)
{
	for (struct list *item = meta->questions.next; item != &meta->questions;
	     item = item->next) {
		const struct question *question =
		    CONTAINER_OF(item, struct question, place);

		if (question->list && strcmp(question->path, path) == 0)
			return true;
	}
	return false;
}

struct cache_listing *meta_entry_lose(
    struct meta *meta, struct meta_entry *entry)
{
	changes_free(entry->changes);
	entry->changes = NULL;
	return meta_entry_take_listing(meta, entry);
}

/* Of one name nothing is known. What is on its way was asked for before other
 * changes, and is to be amended by those. @return as of meta_entry_lose() */
static struct cache_listing *lose_name(
    struct meta *meta, struct meta_entry *entry, const char *name)
{
	if (!is_listed(meta, entry->path))
		return meta_entry_lose(meta, entry);
	changes_remove(entry->changes, name);
	return meta_entry_take_listing(meta, entry);
}

/* The directory above has changed. @return a listing that was lost, whose
 * reference is to be released without the lock. */
static struct cache_listing *amend(
    struct meta *meta, const char *path, const struct listing_change *change)
{
	char above[PATH_BYTES_MAX];
	struct meta_entry *entry;

	path_parent(above, path);
	entry = meta_entry_find(meta, above, strlen(above));
	if (entry == NULL ||
	    (entry->listing == NULL && entry->changes == NULL)) {
		if (!is_listed(meta, above))
			return NULL;
		entry = meta_entry_obtain(meta, above);
		if (entry == NULL)
			return NULL;
	}
	if (entry->changes == NULL)
		entry->changes = changes_new();
	if (entry->changes == NULL || changes_put(entry->changes, change) < 0)
		return meta_entry_lose(meta, entry);
	meta_entry_weigh(meta, entry);
	return NULL;
}

/* What a path is now counts before all that was asked for. */
static struct meta_entry *renew(struct meta *meta, const char *path,
    const struct meta_attr *attr, uint64_t asked_ms)
{
	struct meta_entry *entry = meta_entry_obtain(meta, path);

	if (entry == NULL)
		return NULL;
	entry->known = true;
	entry->there = attr != NULL;
	entry->made_up = false;
	entry->attr = attr != NULL ? *attr : (struct meta_attr){0};
	entry->asked_ms = asked_ms;
	entry->noted = atomic_load(&meta->serial);
	entry->is_note = true;
	return entry;
}

static void note(struct cache *cache, const char *path,
    const struct meta_attr *attr, struct cache_listing *listing)
{
	struct meta *meta = &cache->meta;
	struct listing_change change = {
	    .name = path_name(path),
	    .there = attr != NULL,
	    .asked_ms = cache_now_ms(cache) + 1,
	};
	struct cache_listing *old = NULL;
	struct cache_listing *lost = NULL;
	struct meta_entry *entry;

	if (attr != NULL)
		change.attr = *attr;
	else
		change.attr.fresh_until_ms =
		    meta_fresh_until(cache, NULL, change.asked_ms - 1);
	meta_enter(meta);
	change.serial = atomic_fetch_add(&meta->serial, 1) + 1;
	entry = renew(meta, path, attr, change.asked_ms);
	if (entry != NULL) {
		entry->asked_s = clock_wall_s(cache->config.clock);
		entry->fresh_until_ms = change.attr.fresh_until_ms;
		if (attr != NULL && !attr->exact && attr->kind == CACHE_FILE)
			entry->fresh_until_ms = 0;
		old = meta_entry_lose(meta, entry);
		entry->listing_made_up = false;
		if (listing != NULL)
			entry->listing = listing_get(listing);
		meta_entry_weigh(meta, entry);
	}
	if (change.name[0] != '\0')
		lost = amend(meta, path, &change);
	meta_bound(meta);
	meta_leave(meta);
	cache_listing_put(old);
	cache_listing_put(lost);
}

void meta_note(
    struct cache *cache, const char *path, const struct meta_attr *attr)
{
	note(cache, path, attr, NULL);
}

void meta_note_directory(
    struct cache *cache, const char *path, struct cache_listing *listing)
{
	struct meta_attr attr = {
	    .kind = CACHE_DIRECTORY,
	    .exact = true,
	    .version.mtime_s = (int64_t)clock_wall_s(cache->config.clock),
	    .number = 1,
	};

	attr.fresh_until_ms =
	    meta_fresh_until(cache, &attr, cache_now_ms(cache));
	attr.asked_s = clock_wall_s(cache->config.clock);
	note(cache, path, &attr, listing);
}

void meta_forget(struct cache *cache, const char *path)
{
	struct meta *meta = &cache->meta;
	uint64_t now_ms = cache_now_ms(cache);
	struct meta_entry *entry;

	/* An entry that is newer than the parent's listing and not fresh: the
	 * listing does not answer for it either. */
	meta_enter(meta);
	entry = meta_entry_obtain(meta, path);
	if (entry != NULL) {
		entry->known = true;
		entry->fresh_until_ms = 0;
		entry->asked_ms = now_ms + 1;
		entry->is_note = false;
	}
	meta_bound(meta);
	meta_leave(meta);
}

void meta_forget_version(
    struct cache *cache, const char *path, const struct fetch_version *version)
{
	struct meta_attr attr;

	if (meta_find(cache, path, &attr) != META_THERE ||
	    attr.kind == CACHE_DIRECTORY || !attr.exact ||
	    fetch_version_equal(&attr.version, version))
		meta_forget(cache, path);
}

void meta_doubt(struct cache *cache, const char *path)
{
	struct meta *meta = &cache->meta;
	uint64_t asked_ms = cache_now_ms(cache) + 1;
	struct cache_listing *above = NULL;
	struct cache_listing *own = NULL;
	struct meta_entry *entry;

	meta_enter(meta);
	(void)atomic_fetch_add(&meta->serial, 1);
	entry = renew(meta, path, NULL, asked_ms);
	if (entry != NULL) {
		entry->fresh_until_ms = 0;
		own = meta_entry_lose(meta, entry);
	}
	entry = meta_entry_above(meta, path);
	if (entry != NULL)
		above = lose_name(meta, entry, path_name(path));
	meta_bound(meta);
	meta_leave(meta);
	cache_listing_put(own);
	cache_listing_put(above);
}

/* What is asked for at present is not remembered. */
static void outdate(struct meta *meta, const char *path)
{
	for (struct list *item = meta->questions.next; item != &meta->questions;
	     item = item->next) {
		struct question *question =
		    CONTAINER_OF(item, struct question, place);

		if (path_is_within(question->path, path))
			question->outdated = true;
	}
}

void meta_forget_below(struct cache *cache, const char *path)
{
	struct meta *meta = &cache->meta;
	size_t path_bytes = strlen(path);
	struct list *item;

	meta_enter(meta);
	outdate(meta, path);
	item = meta->recent.next;
	while (item != &meta->recent) {
		struct meta_entry *entry =
		    CONTAINER_OF(item, struct meta_entry, place);

		item = item->next;
		if (strncmp(entry->path, path, path_bytes) == 0 &&
		    entry->path[path_bytes] == '/')
			meta_entry_drop(meta, entry);
	}
	meta_leave(meta);
}
