/* SPDX-License-Identifier: Apache-2.0 */
/*
 * cache/paths/listing_impl.h - a listing as the two files that make it and look
 * into it share it. See listing.h.
 */
#ifndef CACHE_PATHS_LISTING_IMPL_H
#define CACHE_PATHS_LISTING_IMPL_H

#include "cache/paths/listing.h"
#include "cache/paths/listing_room.h"

#include <stdatomic.h>

/* Bits before each name in the text array. */
enum { LISTING_IS_DIRECTORY = 1, LISTING_IS_EXACT = 2 };

#define LISTING_NO_ETAG UINT32_MAX

struct listing_entry {
	uint64_t size_bytes;
	int64_t mtime_s; /* -1: not given */
	uint32_t name;   /* in `text`; its bits stand one byte before */
	uint32_t etag;   /* in `text` */
};

/* What is known of an entry and was not told by the server. */
struct listing_extra {
	uint32_t entry;
	bool lasting;
	uint64_t number;
	uint64_t plain_number;
	uint64_t told;
	uint64_t was;
	uint64_t nonce;
	uint64_t fresh_until_ms;
	uint64_t asked_s;
};

struct cache_listing {
	_Atomic unsigned refs;
	atomic_bool shown;
	uint64_t lent_until_ms;     /* constant once it is shared */
	uint64_t absences_until_ms; /* the same */
	struct listing_room *within;
	struct listing_user *user; /* in that */
	size_t taken_bytes;        /* of it */
	uint64_t seed;
	struct listing_times times;
	uint64_t version;
	char *text;
	size_t text_bytes;
	size_t text_room;
	struct listing_entry *entries;
	uint32_t count;
	uint32_t room;
	uint32_t *index; /* entry + 1; 0: none */
	uint32_t index_mask;
	struct listing_extra *extras; /* in the order of their entries */
	uint32_t extra_count;
	uint64_t place; /* of the directory (was.h) */
	bool whole;     /* constant once it is shared */
};

/** Room for so much more in it. @retval -ENOMEM */
NODISCARD int listing_take_room(struct cache_listing *listing, size_t bytes);

/** Number its version. */
void listing_number(struct cache_listing *listing);

/** The name of an entry. */
const char *listing_name_of(
    const struct cache_listing *listing, const struct listing_entry *entry);

/** What the server told of an entry. */
void listing_told(const struct cache_listing *listing,
    const struct listing_entry *entry, struct fetch_stat *out);

/** Place of a name in the index: its entry's, or the free one for it. */
uint32_t listing_slot(const struct cache_listing *listing, const char *name);

#endif
