/* SPDX-License-Identifier: Apache-2.0 */
/*
 * cache/ahead/walk.h - programs that go through a tree, and what they will want
 * next: listings of the directories and bytes of the small files that follow
 * in a listing are asked for before the program asks.
 *
 * Each directory whose entries are being taken is remembered (walk_place.h),
 * with what was taken and asked for of it (walk_track.h). A walk goes on into
 * the directories that it lists: they begin with the room that the one before
 * them leaves. When the files of a directory have all been asked for, those
 * of the next one follow. Where nobody lists a directory and its files are
 * looked up one after the other, or the directories in it listed, its listing
 * is asked for (walk_look.h).
 *
 * What is asked for ahead goes with the ident, and so the token, of the one
 * whose step causes it, through the door that they would go through
 * (walk_ask.h), and stands behind everything that somebody waits for
 * (fetch.h).
 *
 * Threads: any; walk_lock inside.
 */
#ifndef CACHE_AHEAD_WALK_H
#define CACHE_AHEAD_WALK_H

#include "base/attr.h"
#include "base/ident.h"
#include "base/list.h"
#include "cache/ahead/walk_look.h"

#include <pthread.h>

struct cache;

enum {
	WALK_LISTINGS_MAX = 16, /* ahead of a step in one directory */
	WALK_FILES_MAX = 64,
	WALK_BATCHES = 4, /* in which the room for files is filled again */
	/* Entries that are looked through for the next one. */
	WALK_LOOK_MAX = 4096,
	/* Directories that the files ahead of a step may lie in. */
	WALK_HOPS_MAX = 16,
	/* Of all listings ahead of a step together, as far as can be told. */
	WALK_ENTRIES_MAX = 128 * 1024,
};

struct walks {
	pthread_mutex_t mutex;
	struct list recent; /* of struct walk_place, the first goes first */
	unsigned count;
	struct walk_looks looks;
};

void walks_init(struct walks *walks);
void walks_fini(struct walks *walks);

/** A program lists the directory `path`. */
void walk_lists(
    struct cache *cache, const struct ident *ident, const char *path);

/** The listing that it asked for has come. */
void walk_enters(
    struct cache *cache, const struct ident *ident, const char *path);

/** A server was asked for a file that a program looks up by name, and has it:
 *  those that follow may be had from its directory's listing. */
void walk_finds(
    struct cache *cache, const struct ident *ident, const char *path);

/** The same of a name that it does not have. Where files are being made each
 *  of them is looked for first, which a listing spares. */
void walk_misses(
    struct cache *cache, const struct ident *ident, const char *path);

/** A file was put there that had not been there before. */
void walk_makes(struct cache *cache, const char *path);

/** A program reads a file for the first time since it was opened. */
void walk_reads(
    struct cache *cache, const struct ident *ident, const char *path);

#endif
