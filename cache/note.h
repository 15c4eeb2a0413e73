/* SPDX-License-Identifier: Apache-2.0 */
/*
 * cache/note.h - what was changed on the server by us: told to the cache, so
 * that what it knows of names and attributes stays right and nothing that was
 * just written is asked for or fetched again.
 *
 * With cache/cache.h the public header of this folder; for cache/drafts.
 * Nothing here asks a server, and nothing waits but where it is said.
 *
 * Threads: every function may be called from any thread.
 */
#ifndef CACHE_NOTE_H
#define CACHE_NOTE_H

#include "cache/cache.h"
#include "fetch/fetch.h"

#include <stdbool.h>
#include <stdint.h>

/** The version that an open file is pinned to. */
void cache_file_version(
    const struct cache_file *file, struct fetch_version *out);

/** The version that stands at a path by what was told of it last, however long
 *  ago: for who has just looked it up. A server may answer later than its
 *  answer is believed; false: none is known, or not any more. */
bool cache_path_version(
    struct cache *cache, const char *path, struct fetch_version *out);

/** cache_attr.told of such a version: the same as long as the server tells the
 *  same of it; 0: it tells nothing. */
uint64_t cache_told(
    const struct cache *cache, const struct fetch_version *version);

/**
 * This file stands there now, since we put it there.
 *
 * @param version  as the server told it; NULL: it told nothing, ask anew.
 * @param was      cache_attr.version by which it was known until now: as long
 *                 as the same version is found there, cache_attr.was tells it.
 */
void cache_note_file(struct cache *cache, const char *path,
    const struct fetch_version *version, uint64_t was);

/** This directory is new and empty. */
void cache_note_directory(struct cache *cache, const char *path);

/** Nothing is there any more; what was below a directory neither. */
void cache_note_gone(struct cache *cache, const char *path);

/** What was at `from`, and below it, is at `to` now. */
void cache_note_moved(struct cache *cache, const char *from, const char *to);

/** Its state is not known: ask anew. */
void cache_note_doubt(struct cache *cache, const char *path);

/**
 * Keep the bytes of a version that we put on the server, as if they had been
 * read from there. Waits for the disk, and is bounded by what the cache takes:
 * what it does not take is fetched when it is read.
 *
 * @param read  as fetch_bytes.read; called on this thread.
 */
void cache_keep(struct cache *cache, const char *path,
    const struct fetch_version *version,
    int64_t (*read)(
        void *arg, uint64_t offset_bytes, void *out, size_t size_bytes),
    void *arg);

/** An entry that is put over a listing. */
struct cache_over {
	const char *name;
	struct cache_attr attr;
};

/** A listing with these entries in place of those of the same name, in the
 *  order of their names; the caller keeps the one it had. NULL: out of
 *  memory. */
struct cache_listing *cache_listing_over(struct cache *cache,
    const struct cache_listing *listing, const struct cache_over *entries,
    size_t count);

#endif
