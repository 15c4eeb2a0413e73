/* SPDX-License-Identifier: Apache-2.0 */
/* cache/paths/meta.c - see meta.h. */
#include "cache/paths/meta.h"

#include "base/path.h"
#include "cache/core.h"
#include "cache/paths/changes.h"
#include "cache/paths/listing.h"
#include "cache/paths/meta_impl.h"

#include <assert.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include <xxhash.h>

UNCHECKED void meta_enter(struct meta *meta)
{
	(void)pthread_mutex_lock(&meta->mutex);
}

UNCHECKED void meta_leave(struct meta *meta)
{
	(void)pthread_mutex_unlock(&meta->mutex);
}

int meta_init(struct meta *meta, size_t limit_bytes)
{
	(void)pthread_mutex_init(&meta->mutex, NULL);
	list_init(&meta->recent);
	list_init(&meta->questions);
	meta->limit_bytes = limit_bytes;
	meta->buckets = calloc(META_BUCKETS, sizeof(struct meta_entry *));
	return meta->buckets == NULL ? -ENOMEM : 0;
}

static struct meta_entry **bucket_of(
    struct meta *meta, const char *path, size_t path_bytes)
{
	return &meta->buckets[XXH3_64bits(path, path_bytes) % META_BUCKETS];
}

struct meta_entry *meta_entry_find(
    struct meta *meta, const char *path, size_t path_bytes)
{
	struct meta_entry *entry = *bucket_of(meta, path, path_bytes);

	while (entry != NULL &&
	    (strncmp(entry->path, path, path_bytes) != 0 ||
	        entry->path[path_bytes] != '\0'))
		entry = entry->bucket_next;
	if (entry != NULL) {
		list_remove(&entry->place);
		list_push(&meta->recent, &entry->place);
	}
	return entry;
}

void meta_entry_drop(struct meta *meta, struct meta_entry *entry)
{
	struct meta_entry **link =
	    bucket_of(meta, entry->path, strlen(entry->path));

	while (*link != entry)
		link = &(*link)->bucket_next;
	/* It is believed that one freed here is still the first of meta.recent:
	 * NOLINTNEXTLINE(clang-analyzer-unix.Malloc) */
	*link = entry->bucket_next;
	list_remove(&entry->place);
	meta->bytes -= entry->bytes;
	cache_listing_put(entry->listing);
	changes_free(entry->changes);
	free(entry);
}

void meta_fini(struct meta *meta)
{
	if (meta->buckets == NULL)
		return;
	assert(list_is_empty(&meta->questions));
	while (!list_is_empty(&meta->recent))
		meta_entry_drop(meta,
		    CONTAINER_OF(meta->recent.next, struct meta_entry, place));
	free(meta->buckets);
	(void)pthread_mutex_destroy(&meta->mutex);
}

struct meta_entry *meta_entry_obtain(struct meta *meta, const char *path)
{
	size_t path_bytes = strlen(path);
	struct meta_entry *entry = meta_entry_find(meta, path, path_bytes);

	if (entry != NULL)
		return entry;
	entry = calloc(1, sizeof(*entry) + path_bytes + 1);
	if (entry == NULL)
		return NULL;
	(void)memcpy(entry->path, path, path_bytes + 1);
	list_init(&entry->place);
	entry->bytes = sizeof(*entry) + path_bytes + 1;
	entry->bucket_next = *bucket_of(meta, path, path_bytes);
	*bucket_of(meta, path, path_bytes) = entry;
	list_push(&meta->recent, &entry->place);
	meta->bytes += entry->bytes;
	return entry;
}

void meta_bound(struct meta *meta)
{
	while (meta->bytes > meta->limit_bytes &&
	    meta->recent.next != meta->recent.prev)
		meta_entry_drop(meta,
		    CONTAINER_OF(meta->recent.next, struct meta_entry, place));
}

struct meta_entry *meta_entry_above(struct meta *meta, const char *path)
{
	const char *name = path_name(path);
	size_t parent_bytes = (size_t)(name - path);

	if (name[0] == '\0')
		return NULL;
	if (parent_bytes > 1)
		parent_bytes--; /* the slash */
	return meta_entry_find(meta, path, parent_bytes);
}

/* A fresh listing of the parent that was shown and is not older than
 * `asked_ms`. */
static const struct cache_listing *listing_in(
    const struct meta_entry *above, uint64_t asked_ms, uint64_t now_ms)
{
	if (above == NULL || above->listing == NULL || above->listing_made_up ||
	    !listing_is_shown(above->listing) ||
	    now_ms >= listing_fresh_until_ms(above->listing) ||
	    listing_asked_ms(above->listing) < asked_ms)
		return NULL;
	return above->listing;
}

/* What was changed here. That something is gone is believed as long as the
 * listing that would say so by now. */
static enum meta_answer of_change(const struct listing_change *change,
    const struct meta_entry *above, uint64_t now_ms, struct meta_attr *out)
{
	const struct cache_listing *listing = listing_in(above, 0, now_ms);

	*out = change->attr;
	if (!change->there && listing != NULL &&
	    out->fresh_until_ms < listing_fresh_until_ms(listing))
		out->fresh_until_ms = listing_fresh_until_ms(listing);
	if (now_ms >= out->fresh_until_ms ||
	    (change->there && !out->exact && out->kind == CACHE_FILE))
		return META_UNKNOWN;
	return change->there ? META_THERE : META_ABSENT;
}

/* What a listing tells of a name. Servers leave dot files out of theirs (nginx
 * does) and give them all the same to who asks by name. */
static enum meta_answer of_listing(const struct cache_listing *listing,
    const char *name, struct meta_attr *out)
{
	if (listing_find(listing, name, out))
		return out->exact || out->kind == CACHE_DIRECTORY
		    ? META_THERE
		    : META_UNKNOWN;
	if (name[0] == '.' && !listing_is_whole(listing))
		return META_UNKNOWN;
	out->fresh_until_ms = listing_fresh_until_ms(listing);
	return META_ABSENT;
}

/* When the path's own answer was asked for; 0: there is none. */
static uint64_t asked_ms_of(const struct meta_entry *entry)
{
	return entry != NULL && entry->known ? entry->asked_ms : 0;
}

/* Whether a change of the name counts before the path's own answer. */
static bool is_newer(
    const struct listing_change *change, const struct meta_entry *entry)
{
	uint64_t asked_ms = asked_ms_of(entry);

	return change->asked_ms > asked_ms ||
	    (change->asked_ms == asked_ms && entry != NULL && entry->is_note);
}

enum meta_answer meta_find_fresh(
    struct meta *meta, const char *path, uint64_t now_ms, struct meta_attr *out)
{
	const struct meta_entry *above = meta_entry_above(meta, path);
	struct meta_entry *entry = meta_entry_find(meta, path, strlen(path));
	const struct cache_listing *listing =
	    listing_in(above, asked_ms_of(entry), now_ms);
	const struct listing_change *change = above == NULL
	    ? NULL
	    : changes_find(above->changes, path_name(path));
	enum meta_answer answer = META_UNKNOWN;

	if (change != NULL && is_newer(change, entry))
		return of_change(change, above, now_ms, out);
	if (listing != NULL)
		answer = of_listing(listing, path_name(path), out);
	if (answer != META_UNKNOWN)
		return answer;
	if (entry == NULL || !entry->known || entry->made_up ||
	    now_ms >= entry->fresh_until_ms)
		return META_UNKNOWN;
	*out = entry->attr;
	out->fresh_until_ms = entry->fresh_until_ms;
	out->asked_s = entry->asked_s;
	return entry->there ? META_THERE : META_ABSENT;
}

enum meta_answer meta_find(
    struct cache *cache, const char *path, struct meta_attr *out)
{
	struct meta *meta = &cache->meta;
	uint64_t now_ms = cache_now_ms(cache);
	enum meta_answer answer;

	meta_enter(meta);
	answer = meta_find_fresh(meta, path, now_ms, out);
	meta_leave(meta);
	return answer;
}

enum meta_answer meta_find_old(
    struct cache *cache, const char *path, struct meta_attr *out)
{
	enum meta_answer answer;

	/* What was fresh once was so at the beginning of time; what has been
	 * forgotten was not. */
	meta_enter(&cache->meta);
	answer = meta_find_fresh(&cache->meta, path, 0, out);
	meta_leave(&cache->meta);
	return answer;
}

bool meta_recall(struct cache *cache, const char *path, struct meta_attr *out)
{
	struct meta *meta = &cache->meta;
	struct meta_entry *entry;
	bool found;

	meta_enter(meta);
	found =
	    meta_find_fresh(meta, path, cache_now_ms(cache), out) == META_THERE;
	entry = found ? NULL : meta_entry_find(meta, path, strlen(path));
	if (entry != NULL && entry->known && entry->there) {
		*out = entry->attr;
		out->fresh_until_ms = entry->fresh_until_ms;
		out->asked_s = entry->asked_s;
		found = true;
	}
	meta_leave(meta);
	return found;
}

bool meta_find_made_up(
    struct cache *cache, const char *path, struct meta_attr *out)
{
	struct meta *meta = &cache->meta;
	struct meta_entry *entry;
	bool found = false;

	meta_enter(meta);
	entry = meta_entry_find(meta, path, strlen(path));
	if (entry != NULL && entry->known && entry->made_up &&
	    cache_now_ms(cache) < entry->fresh_until_ms) {
		*out = entry->attr;
		out->fresh_until_ms = entry->fresh_until_ms;
		found = true;
	}
	meta_leave(meta);
	return found;
}

/* A listing that was fresh at a time (one reference), or NULL. */
static struct cache_listing *listing_at(
    struct meta *meta, const char *path, bool made_up, uint64_t at_ms)
{
	struct cache_listing *listing = NULL;
	struct meta_entry *entry;

	meta_enter(meta);
	entry = meta_entry_find(meta, path, strlen(path));
	if (entry != NULL && entry->listing != NULL &&
	    entry->listing_made_up == made_up &&
	    at_ms < listing_fresh_until_ms(entry->listing))
		listing = listing_get(entry->listing);
	meta_leave(meta);
	return listing;
}

struct cache_listing *meta_find_listing(
    struct cache *cache, const char *path, bool made_up)
{
	return listing_at(&cache->meta, path, made_up, cache_now_ms(cache));
}

struct cache_listing *meta_find_old_listing(
    struct cache *cache, const char *path)
{
	return listing_at(&cache->meta, path, false, 0);
}
