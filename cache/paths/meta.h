/* SPDX-License-Identifier: Apache-2.0 */
/*
 * cache/paths/meta.h - attributes and listings with their lifetimes: what is
 * known of a path, and for how long it is believed.
 *
 * A path's own answer counts before its parent's listing when it is newer. A
 * complete listing that is fresh, and was shown to somebody, answers for every
 * name in it and for every name that is not. What is remembered is bounded in
 * bytes; the least recently used goes first.
 *
 * Threads: any; meta_lock inside, never held over a call to another file.
 */
#ifndef CACHE_PATHS_META_H
#define CACHE_PATHS_META_H

#include "base/attr.h"
#include "base/list.h"
#include "base/sync.h"
#include "cache/cache.h"
#include "fetch/fetch.h"

#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct cache;
struct cache_listing;
struct meta_entry;
struct suspects;

enum {
	META_BYTES = 64 * 1024 * 1024,
	META_BUCKETS = 64 * 1024,
	/* Servers' times have steps of 1 s: a version seen this soon after its
	 * own time may still change without showing it. */
	META_YOUNG_S = 2,
	/* A young file, and one without any validator, is believed at least
	 * this long, so that a look-up and the open that follows see the
	 * same. */
	META_YOUNG_MS = 500,
	META_UNKNOWN_MS = 2000,
	META_IMMUTABLE_MS = 3600 * 1000,
	/* Of a listing that was asked for because its files are looked up one
	 * by one: as old as this may be what a look takes out of it. */
	META_LENT_MS = 2000,
	/* Of a version that we wrote: how far the server's clock may be off
	 * before its time looks like one that somebody has set. */
	META_WRITTEN_S = 300,
	/* Changes in a directory that are kept beside its listing, and entries
	 * of one into which they are worked: with more it is asked for. */
	META_CHANGES_MAX = 32 * 1024,
	META_FOLD_MAX = 64 * 1024,
};

/** Everything known of a path. */
struct meta_attr {
	enum cache_kind kind;
	bool exact;   /* false: only the kind is sure */
	bool lasting; /* its validator tells this version from any other */
	struct fetch_version version;
	bool made_up;          /* a directory above a token's reach */
	uint64_t number;       /* cache_attr.version */
	uint64_t plain_number; /* before suspects_number() */
	uint64_t told;         /* cache_attr.told */
	uint64_t was;          /* cache_attr.was */
	uint64_t nonce;        /* store_identity.nonce, of one that was written
	                          here; 0: `lasting` decides */
	uint64_t fresh_until_ms;
	uint64_t asked_s; /* wall clock; 0: just now */
};

/** When the server was asked. */
struct meta_look {
	uint64_t asked_ms;
	uint64_t wall_s;
	uint64_t serial; /* of the last change that was made before */
};

/** A look that begins now. */
struct meta_look meta_look_now(const struct cache *cache);

/** Attributes out of a server's answer. */
void meta_attr_of(struct meta_attr *out, const struct fetch_stat *stat,
    uint64_t seed, struct suspects *suspects, const struct meta_look *look);

/** Attributes of a version that we have just put there, and that was known as
 *  `was` until now. @return whether looks at the server tell it from any
 *  other: then it goes on as this version (was.h). */
bool meta_attr_written(struct meta_attr *out,
    const struct fetch_version *version, uint64_t was, uint64_t seed,
    const struct meta_look *look);

/** The part of them that cache.h shows. */
void meta_attr_show(const struct meta_attr *attr, struct cache_attr *out);

struct meta {
	pthread_mutex_t mutex;
	struct meta_entry **buckets;
	struct list recent; /* the first goes first */
	size_t bytes;
	size_t limit_bytes;
	struct list questions;   /* in flight: question.c */
	_Atomic uint64_t serial; /* of the last change (changes.h) */
};

/** @retval -ENOMEM */
NODISCARD int meta_init(struct meta *meta, size_t limit_bytes);
void meta_fini(struct meta *meta);

void meta_enter(struct meta *meta) ACQUIRES(meta_lock);
void meta_leave(struct meta *meta) RELEASES(meta_lock);

enum meta_answer { META_UNKNOWN, META_THERE, META_ABSENT };

/** Fresh knowledge of a path. With META_ABSENT only out->fresh_until_ms is
 *  set. */
enum meta_answer meta_find(
    struct cache *cache, const char *path, struct meta_attr *out);

/** The same, however old it is. */
enum meta_answer meta_find_old(
    struct cache *cache, const char *path, struct meta_attr *out);

/** Of a file that is looked up, and not known: take it out of the listing of
 *  its directory where that is lent (listing.h). From then on it is known as if
 *  it had been asked for when the listing was. What is not in the listing is
 *  said to be absent only where files are being made. */
enum meta_answer meta_find_lent(
    struct cache *cache, const char *path, struct meta_attr *out);

/** What is known, however old. */
bool meta_recall(struct cache *cache, const char *path, struct meta_attr *out);

/** A fresh listing of a directory (one reference), or NULL. `made_up`: one
 *  made of a token's scopes. */
struct cache_listing *meta_find_listing(
    struct cache *cache, const char *path, bool made_up);

/** One that a server gave, however old. */
struct cache_listing *meta_find_old_listing(
    struct cache *cache, const char *path);

/** The made-up directory of a path, when it is still believed. */
bool meta_find_made_up(
    struct cache *cache, const char *path, struct meta_attr *out);

/** Remember an answer: `attr`, or NULL for a path that is not there. Without
 *  memory nothing is remembered. @return false: it was changed here since it
 *  was asked for, and the answer tells of what was before. */
bool meta_store(struct cache *cache, const char *path,
    const struct meta_attr *attr, bool made_up, const struct meta_look *look);

/** Remember a listing (its own reference is taken). @return false: what was
 *  changed here meanwhile is in a newer one, that is known already. */
bool meta_store_listing(struct cache *cache, const char *path,
    struct cache_listing *listing, bool made_up);

/** The path has changed: ask anew. */
void meta_forget(struct cache *cache, const char *path);

/** The same, unless it is another version that is believed to be there. */
void meta_forget_version(
    struct cache *cache, const char *path, const struct fetch_version *version);

/* What was changed here (note.h): meta_note.c. Each counts before all that was
 * asked for until now, and the listing of the directory above is amended:
 * changes are kept beside it (changes.h), and worked into it when it is shown
 * the next time (meta_fold()). */

/** `attr` is there now, or NULL: nothing; with attr->exact false only its kind
 *  is known, and it is asked for. attr->fresh_until_ms counts. */
void meta_note(
    struct cache *cache, const char *path, const struct meta_attr *attr);

/** A directory is there, and this is its whole listing (its own reference is
 *  taken; NULL: it is not known). */
void meta_note_directory(
    struct cache *cache, const char *path, struct cache_listing *listing);

/** Nothing is known of a path, and of who is in the directory above. */
void meta_doubt(struct cache *cache, const char *path);

/** Nothing that was below a path is there any more. */
void meta_forget_below(struct cache *cache, const char *path);

/** Take the listing of a directory away, with what was changed since (one
 *  reference), or NULL. */
struct cache_listing *meta_take_listing(struct cache *cache, const char *path);

/** A listing of a directory (its reference is taken) with what was changed here
 *  since; remembered in its place. NULL: it has to be asked for. */
struct cache_listing *meta_fold(
    struct cache *cache, const char *path, struct cache_listing *listing);

/** Whether a path was changed here after a change (meta_look.serial). */
bool meta_is_changed(struct cache *cache, const char *path, uint64_t serial);

/** Lifetimes of what is asked now. */
uint64_t meta_fresh_until(
    const struct cache *cache, const struct meta_attr *attr, uint64_t asked_ms);

#endif
