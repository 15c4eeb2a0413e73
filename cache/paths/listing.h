/* SPDX-License-Identifier: Apache-2.0 */
/*
 * cache/paths/listing.h - a directory's entries in two arrays and a hash index:
 * about 60 bytes and the name for each, a million of them possible.
 *
 * Entries are in the order of their names, unless there are very many: it is
 * the one in which most programs that sort take them, and those that do not
 * take them as they are shown, so what is wanted next is the next one.
 *
 * Lifecycle: listing_new -> listing_add... -> listing_seal -> shared,
 * unchanging, reference counted (cache_listing_put).
 *
 * Threads: one until it is sealed, any after that.
 */
#ifndef CACHE_PATHS_LISTING_H
#define CACHE_PATHS_LISTING_H

#include "base/attr.h"
#include "cache/cache.h"
#include "cache/paths/meta.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

struct fetch_stat;
struct listing_room;

enum {
	LISTING_BYTES_MAX = 128 * 1024 * 1024,
	LISTING_ENTRIES_MAX = 2 * 1024 * 1024,
	/* More are left in the server's order: sorting so many takes 10 ms. */
	LISTING_SORTED_MAX = 16 * 1024,
};

/** When a listing was asked for, and how long it is believed. */
struct listing_times {
	uint64_t asked_ms;
	uint64_t fresh_until_ms;
	uint64_t file_fresh_until_ms; /* of the files in it */
	uint64_t wall_s;
	uint64_t serial; /* meta_look's */
};

/** What `uid` asked for, in this room; NULL: out of memory. */
struct cache_listing *listing_new(
    struct listing_room *room, uid_t uid, uint64_t seed);

/** Begin again. */
void listing_clear(struct cache_listing *listing);

/** @retval -ENOMEM  no memory, or no room.
 *  @retval -EFBIG   beyond the bounds above. */
NODISCARD int listing_add(struct cache_listing *listing, const char *name,
    const struct fetch_stat *stat);

/** Complete: build the index (of two entries of one name the first stays).
 *  @retval -ENOMEM */
NODISCARD int listing_seal(
    struct cache_listing *listing, const struct listing_times *times);

struct cache_listing *listing_get(struct cache_listing *listing);

/** Somebody is shown it: from now on it answers for the names that are in it
 *  and those that are not. Whoever has not listed a directory sees each of
 *  its files as it is when they look. */
void listing_show(struct cache_listing *listing);
bool listing_is_shown(const struct cache_listing *listing);

/** Until then what is looked up by name may be taken out of it, though nobody
 *  is shown it (meta.h). Before it is shared. */
void listing_lend(struct cache_listing *listing, uint64_t until_ms);
bool listing_is_lent(const struct cache_listing *listing, uint64_t now_ms);

/** The same of names that are not in it: of a directory in which files are
 *  being made. */
void listing_lend_absences(struct cache_listing *listing, uint64_t until_ms);
bool listing_lends_absences(
    const struct cache_listing *listing, uint64_t now_ms);

uint64_t listing_fresh_until_ms(const struct cache_listing *listing);
uint64_t listing_asked_ms(const struct cache_listing *listing);
uint64_t listing_serial(const struct cache_listing *listing);

/** Memory it occupies. */
size_t listing_bytes(const struct cache_listing *listing);

/** Of which directory it is: was_place() of its path (was.h). */
void listing_set_place(struct cache_listing *listing, uint64_t place);

/** What is not in it is not there, whatever its name: it was made here. Servers
 *  leave names that begin with a dot out of theirs. Before it is shared. */
void listing_set_whole(struct cache_listing *listing);
bool listing_is_whole(const struct cache_listing *listing);

/** What has become of a name since a listing was made. */
struct listing_change {
	const char *name;
	bool there; /* false: it is gone */
	struct meta_attr attr;
	uint64_t asked_ms; /* it counts before what was asked for before */
	uint64_t serial;   /* the later, the larger */
};

/** A listing with so many changes in it, of different names; as old as the one
 *  it is made of. NULL: out of memory, or beyond the bounds above. */
struct cache_listing *listing_amended(const struct cache_listing *listing,
    const struct listing_change changes[], size_t count);

/** Look a name up in a sealed listing. */
bool listing_find(const struct cache_listing *listing, const char *name,
    struct meta_attr *out);

/** Where a name stands in it. */
bool listing_place(
    const struct cache_listing *listing, const char *name, uint32_t *index);

/** Entry `index`: its name (borrowed), whether it is a directory, all that is
 *  known of it. */
const char *listing_name(const struct cache_listing *listing, uint32_t index);
bool listing_is_directory(const struct cache_listing *listing, uint32_t index);
void listing_attr(
    const struct cache_listing *listing, uint32_t index, struct meta_attr *out);

#endif
