/* SPDX-License-Identifier: Apache-2.0 */
/*
 * cache/paths/meta_impl.h - what is known of a path, as meta.c, which is told
 * by servers, and meta_note.c, which is told by us, share it.
 *
 * Threads: under meta_lock.
 */
#ifndef CACHE_PATHS_META_IMPL_H
#define CACHE_PATHS_META_IMPL_H

#include "base/list.h"
#include "cache/paths/meta.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct cache_listing;
struct changes;

struct meta_entry {
	struct meta_entry *bucket_next;
	struct list place; /* meta.recent */
	size_t bytes;
	bool known;   /* `there`, `attr` and the times count */
	bool there;   /* false: the server said that it is not */
	bool made_up; /* above a token's reach */
	struct meta_attr attr;
	uint64_t asked_ms;
	uint64_t asked_s; /* wall clock */
	uint64_t noted;   /* serial of its last change here; 0: none */
	bool is_note;     /* that is what is known */
	uint64_t fresh_until_ms;
	struct cache_listing *listing; /* one reference; NULL */
	bool listing_made_up;
	struct changes *changes; /* since `listing`, or one that is asked for;
	                            NULL */
	uint64_t folded;         /* the serial of the last one in `listing` */
	char path[];
};

/** The entry of a path, the first so many bytes of this one; NULL. */
struct meta_entry *meta_entry_find(
    struct meta *meta, const char *path, size_t path_bytes);

/** That of the directory above a path; NULL. */
struct meta_entry *meta_entry_above(struct meta *meta, const char *path);

/** The entry of a path, made when there is none; NULL: out of memory. */
struct meta_entry *meta_entry_obtain(struct meta *meta, const char *path);

void meta_entry_drop(struct meta *meta, struct meta_entry *entry);

/** Take its listing (with the reference); NULL: it had none. */
struct cache_listing *meta_entry_take_listing(
    struct meta *meta, struct meta_entry *entry);

/** Nothing is known of who is in a directory. @return its listing, whose
 *  reference is to be released without the lock; NULL. */
struct cache_listing *meta_entry_lose(
    struct meta *meta, struct meta_entry *entry);

/** Count what it occupies now. */
void meta_entry_weigh(struct meta *meta, struct meta_entry *entry);

/** Drop the oldest ones; the newest stays, whatever its size. */
void meta_bound(struct meta *meta);

/** meta_find() at a time, under the lock. */
enum meta_answer meta_find_fresh(struct meta *meta, const char *path,
    uint64_t now_ms, struct meta_attr *out);

#endif
