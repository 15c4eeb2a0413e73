/* SPDX-License-Identifier: Apache-2.0 */
/*
 * cache/store/hash.h - every hash of the block store, keyed with the cache's
 * secret, each kind in a domain of its own.
 *
 * They find accidents and keep apart; they are no signature. XXH3 with a
 * secret nobody else knows, so that nobody can prepare a collision.
 *
 * Threads: pure.
 */
#ifndef CACHE_STORE_HASH_H
#define CACHE_STORE_HASH_H

#include "cache/store/format.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct hash_secret {
	uint8_t bytes[FORMAT_SECRET_BYTES];
};

struct hash128 {
	uint64_t low;
	uint64_t high;
};

static inline bool hash_equal(struct hash128 a, struct hash128 b)
{
	return a.low == b.low && a.high == b.high;
}

/** Sum of a page of at most 4 KiB. */
uint64_t hash_page(
    const struct hash_secret *secret, const void *page, size_t size_bytes);

/** Sums of the pages of a block; those behind its end are 0. */
void hash_pages(const struct hash_secret *secret, const void *block,
    size_t size_bytes, uint64_t sums[FORMAT_PAGES]);

/** The address of a block: over its pages' sums and its length. */
struct hash128 hash_address(const struct hash_secret *secret,
    const uint64_t sums[FORMAT_PAGES], size_t size_bytes);

/** The key of an object, from its encoded head. */
struct hash128 hash_key(
    const struct hash_secret *secret, const void *head, size_t size_bytes);

/** A second hash of the head, of another domain: binds entries to the
 *  object even when two keys should collide. */
struct hash128 hash_bind(
    const struct hash_secret *secret, const void *head, size_t size_bytes);

/** Check of a map's entry: binds place, birth and sums to object, index and
 *  length. `entry->mac` is not read. */
struct hash128 hash_map_entry(const struct hash_secret *secret,
    struct hash128 bind, uint64_t index, size_t size_bytes,
    const struct format_map_entry *entry);

/** Check of a small file's sums. */
struct hash128 hash_content(const struct hash_secret *secret,
    struct hash128 bind, const uint64_t sums[FORMAT_PAGES]);

/** Check of a table's entry: `kind` keeps two tables apart. */
uint32_t hash_entry(const struct hash_secret *secret, uint32_t kind,
    const struct format_entry *entry);

/** Check of a slot of `uses`. */
uint64_t hash_use(const struct hash_secret *secret, uint32_t slot,
    const struct format_use *use);

/** Check without a key, for what is read before the secret is known. */
uint64_t hash_plain(const void *bytes, size_t size_bytes);

#endif
