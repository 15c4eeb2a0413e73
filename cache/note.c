/* SPDX-License-Identifier: Apache-2.0 */
/* cache/note.c - see note.h. */
#include "cache/note.h"

#include "base/path.h"
#include "cache/core.h"
#include "cache/paths/ask.h"
#include "cache/paths/listing.h"

#include <string.h>

void cache_file_version(
    const struct cache_file *file, struct fetch_version *out)
{
	*out = file->object->version;
}

bool cache_path_version(
    struct cache *cache, const char *path, struct fetch_version *out)
{
	struct meta_attr attr;

	if (meta_find_old(cache, path, &attr) != META_THERE ||
	    attr.kind == CACHE_DIRECTORY || !attr.exact)
		return false;
	*out = attr.version;
	return true;
}

uint64_t cache_told(
    const struct cache *cache, const struct fetch_version *version)
{
	const struct fetch_stat stat = {
	    .kind = FETCH_FILE, .exact = true, .version = *version};
	struct meta_attr attr;

	meta_attr_of(&attr, &stat, cache->seed, NULL, &(struct meta_look){0});
	return attr.told;
}

/* Of the version before, which looked the same, the disk may have blocks. */
static void clean_disk(struct cache *cache, const char *path,
    const struct meta_attr *attr) REQUIRES(cache_lock);
static void clean_disk(
    struct cache *cache, const char *path, const struct meta_attr *attr)
{
	const struct object_key key = {
	    .path = path,
	    .version = &attr->version,
	    .number = attr->number,
	};
	struct object *object;
	struct todo todo;

	if (!cache->writer.running || cache->stopping)
		return;
	object = object_open(cache, &key);
	if (object == NULL)
		return;
	writer_forget(cache, object);
	todo_init(&todo);
	object_put(object, &todo); /* the writer has one: nothing to be done */
}

/* Nobody shall be given bytes of the version before for those of this one. */
static void replace(struct cache *cache, const char *path,
    const struct meta_attr *attr, const struct meta_look *look)
{
	const struct fetch_version *version = &attr->version;

	cache_enter(cache);
	objects_replaced(cache, path, version, attr->number);
	/* None can lie on the disk that has a time of just now. */
	if (attr->nonce != 0 && version->mtime_s >= 0 &&
	    look->wall_s >= (uint64_t)version->mtime_s + META_YOUNG_S)
		clean_disk(cache, path, attr);
	cache_exit(cache);
}

void cache_note_file(struct cache *cache, const char *path,
    const struct fetch_version *version, uint64_t was)
{
	struct meta_look look = meta_look_now(cache);
	struct meta_attr attr = {.kind = CACHE_FILE};
	struct meta_attr before;

	if (version == NULL) {
		attr.fresh_until_ms = look.asked_ms + META_YOUNG_MS;
		meta_note(cache, path, &attr);
		return;
	}
	if (meta_find_old(cache, path, &before) != META_THERE)
		walk_makes(cache, path);
	if (meta_attr_written(&attr, version, was, cache->seed, &look))
		was_add(&cache->written, was_key_of(path), &attr);
	attr.fresh_until_ms = meta_fresh_until(cache, &attr, look.asked_ms);
	replace(cache, path, &attr, &look);
	meta_note(cache, path, &attr);
}

void cache_note_directory(struct cache *cache, const char *path)
{
	struct meta_look look = meta_look_now(cache);
	struct listing_times times = ask_listing_times(cache, &look);
	struct cache_listing *listing =
	    listing_new(&cache->listing_room, 0, cache->seed);

	/* It counts before what was asked for until now. */
	times.asked_ms++;
	if (listing != NULL && listing_seal(listing, &times) < 0) {
		cache_listing_put(listing);
		listing = NULL;
	}
	if (listing != NULL) {
		listing_set_place(listing, was_place(path));
		listing_set_whole(listing);
		listing_show(listing);
	}
	meta_forget_below(cache, path);
	meta_note_directory(cache, path, listing);
	cache_listing_put(listing);
}

void cache_note_gone(struct cache *cache, const char *path)
{
	struct meta_attr attr;

	/* Below a file there is nothing. */
	if (meta_find_old(cache, path, &attr) != META_THERE ||
	    attr.kind == CACHE_DIRECTORY)
		meta_forget_below(cache, path);
	meta_note(cache, path, NULL);
}

static void directory_moved(
    struct cache *cache, const char *from, const char *to)
{
	struct cache_listing *listing = meta_take_listing(cache, from);
	struct cache_listing *moved = NULL;

	if (listing != NULL && cache_listing_count(listing) <= META_FOLD_MAX)
		moved = listing_amended(listing, NULL, 0);
	if (moved != NULL)
		listing_set_place(moved, was_place(to));
	cache_listing_put(listing);
	meta_forget_below(cache, from);
	meta_forget_below(cache, to);
	meta_note(cache, from, NULL);
	meta_note_directory(cache, to, moved);
	cache_listing_put(moved);
}

static void file_moved(struct cache *cache, const char *from, const char *to,
    const struct meta_attr *attr)
{
	struct meta_look look = meta_look_now(cache);

	if (attr->exact) {
		was_move(&cache->written, was_key_of(from), was_key_of(to),
		    &attr->version);
		replace(cache, to, attr, &look);
	}
	meta_note(cache, from, NULL);
	meta_note(cache, to, attr);
}

void cache_note_moved(struct cache *cache, const char *from, const char *to)
{
	struct meta_attr attr;

	cache_enter(cache);
	objects_moved(cache, from, to);
	cache_exit(cache);
	if (meta_find_old(cache, from, &attr) != META_THERE) {
		meta_forget_below(cache, from);
		meta_forget_below(cache, to);
		meta_note(cache, from, NULL);
		meta_doubt(cache, to);
	} else if (attr.kind == CACHE_DIRECTORY) {
		directory_moved(cache, from, to);
	} else {
		file_moved(cache, from, to, &attr);
	}
}

void cache_note_doubt(struct cache *cache, const char *path)
{
	meta_forget_below(cache, path);
	meta_doubt(cache, path);
}
