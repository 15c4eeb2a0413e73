/* SPDX-License-Identifier: Apache-2.0 */
/*
 * cache/store/load.h - a call that reads from the store, under way: what
 * load.c, pages.c, small.c and probe.c share.
 *
 * Threads: any; a struct load belongs to one call.
 */
#ifndef CACHE_STORE_LOAD_H
#define CACHE_STORE_LOAD_H

#include "base/attr.h"
#include "cache/store/object.h"

#include <stdbool.h>
#include <stdint.h>

/** What became of an attempt. */
enum outcome {
	GOOD,    /* at least one block is there */
	ABSENT,  /* no entry */
	GONE,    /* its pack was evicted */
	TORN,    /* the entry does not carry its check */
	DAMAGED, /* the bytes are not those that were kept */
	REFUSED, /* cannot be read now; nothing is known about it */
	BUSY,    /* the disk would have to be asked */
};

struct load {
	struct store *store;
	struct generation *generation;
	struct map_object object;
	struct small_file small;
	enum store_how how;
};

/** Begin a call. False: the store is off, or keeps nothing of this object;
 *  there is nothing to end. */
NODISCARD bool load_begin(
    struct load *load, struct store_object *object, enum store_how how);

void load_end(struct load *load);

/** What a failed read tells. */
enum outcome load_outcome(ssize_t code);

/** Blocks, or a record, that begin at a place were of use. */
void load_note_use(const struct load *load, struct place place, unsigned count);

/** Pages that [start, end) of a block touches, against their sums; pages are
 *  whole but for the last one of the block. */
bool load_verify(const struct hash_secret *secret, const uint8_t *block,
    size_t start, size_t end, const uint64_t sums[FORMAT_PAGES]);

/** Decode entries of a map up to the first that is missing or not right. */
enum outcome load_decode(const struct load *load, uint64_t first,
    unsigned count, const struct format_map_entry entries[],
    struct map_place places[], unsigned *decoded);

/** What a first attempt that failed asks for before the second one. */
void load_look_again(const struct load *load, uint64_t first, unsigned count,
    const struct format_map_entry entries[], enum outcome why);

/** Twice the same failure: the block is dropped. What another process has
 *  changed between the two is not ours to judge. */
void load_drop(const struct load *load, uint64_t index,
    const struct format_map_entry *before, const struct format_map_entry *now,
    enum outcome why);

/** Count and log damage. */
void load_tell_damage(
    const struct load *load, struct place place, const char *what);

/** Look for a small file's record where that was not done in this generation.
 *  False: it takes a wait. */
NODISCARD bool load_find_small(struct load *load);

/** Load [start, end) of a small file: whole pages, the last one as long as
 *  the file has it. @return as store_load_pages(). */
NODISCARD int load_small(
    struct load *load, size_t start, size_t end, void *buffer);

#endif
