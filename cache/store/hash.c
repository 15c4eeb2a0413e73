/* SPDX-License-Identifier: Apache-2.0 */
/*
 * cache/store/hash.c - see hash.h.
 *
 * Sources: XXH3 as of xxHash 0.8 (its values are stable since 0.8.0).
 */
#include "cache/store/hash.h"

#include "base/attr.h"

#include <stddef.h>
#include <string.h>

#include <xxhash.h>
#ifdef BEARERFS_XXHASH_DISPATCH
/* Names for each processor's best code, with the same values. */
#include <xxh_x86dispatch.h>
#endif

/* Domains: the first number of what is hashed. */
enum hash_domain {
	DOMAIN_ADDRESS = 1,
	DOMAIN_KEY = 2,
	DOMAIN_BIND = 3,
	DOMAIN_MAP = 4,
	DOMAIN_CONTENT = 5,
	DOMAIN_ENTRY = 6,
	DOMAIN_USE = 7,
};

static_assert(FORMAT_SECRET_BYTES >= XXH3_SECRET_SIZE_MIN, "xxHash");

uint64_t hash_page(
    const struct hash_secret *secret, const void *page, size_t size_bytes)
{
	return XXH3_64bits_withSecret(
	    page, size_bytes, secret->bytes, sizeof(secret->bytes));
}

void hash_pages(const struct hash_secret *secret, const void *block,
    size_t size_bytes, uint64_t sums[FORMAT_PAGES])
{
	const uint8_t *at = block;

	for (unsigned i = 0; i < FORMAT_PAGES; i++) {
		size_t part = size_bytes < 4096 ? size_bytes : 4096;

		sums[i] = part == 0 ? 0 : hash_page(secret, at, part);
		at += part;
		size_bytes -= part;
	}
}

static struct hash128 hash_words(
    const struct hash_secret *secret, const uint64_t *words, size_t count)
{
	XXH128_hash_t hash = XXH3_128bits_withSecret(words,
	    count * sizeof(*words), secret->bytes, sizeof(secret->bytes));

	return (struct hash128){.low = hash.low64, .high = hash.high64};
}

struct hash128 hash_address(const struct hash_secret *secret,
    const uint64_t sums[FORMAT_PAGES], size_t size_bytes)
{
	uint64_t words[2 + FORMAT_PAGES] = {
	    htole64(DOMAIN_ADDRESS), htole64(size_bytes)};

	for (unsigned i = 0; i < FORMAT_PAGES; i++)
		words[2 + i] = htole64(sums[i]);
	return hash_words(secret, words, ARRAY_COUNT(words));
}

struct hash128 hash_key(
    const struct hash_secret *secret, const void *head, size_t size_bytes)
{
	XXH128_hash_t inner = XXH3_128bits_withSecret(
	    head, size_bytes, secret->bytes, sizeof(secret->bytes));
	uint64_t words[4] = {htole64(DOMAIN_KEY), htole64(size_bytes),
	    htole64(inner.low64), htole64(inner.high64)};

	return hash_words(secret, words, ARRAY_COUNT(words));
}

struct hash128 hash_bind(
    const struct hash_secret *secret, const void *head, size_t size_bytes)
{
	/* Another part of the secret: what collides in one hash does not in
	 * the other. */
	enum { SKIP = 48 };
	static_assert(FORMAT_SECRET_BYTES - SKIP >= XXH3_SECRET_SIZE_MIN,
	    "both parts are secrets that XXH3 takes");
	XXH128_hash_t inner = XXH3_128bits_withSecret(head, size_bytes,
	    secret->bytes + SKIP, sizeof(secret->bytes) - SKIP);
	uint64_t words[4] = {htole64(DOMAIN_BIND), htole64(size_bytes),
	    htole64(inner.low64), htole64(inner.high64)};

	return hash_words(secret, words, ARRAY_COUNT(words));
}

struct hash128 hash_map_entry(const struct hash_secret *secret,
    struct hash128 bind, uint64_t index, size_t size_bytes,
    const struct format_map_entry *entry)
{
	uint64_t words[7 + FORMAT_PAGES] = {htole64(DOMAIN_MAP),
	    htole64(bind.low), htole64(bind.high), htole64(index),
	    htole64(size_bytes), entry->place, htole64(le32toh(entry->birth))};

	memcpy(words + 7, entry->sums, sizeof(entry->sums));
	return hash_words(secret, words, ARRAY_COUNT(words));
}

struct hash128 hash_content(const struct hash_secret *secret,
    struct hash128 bind, const uint64_t sums[FORMAT_PAGES])
{
	uint64_t words[3 + FORMAT_PAGES] = {
	    htole64(DOMAIN_CONTENT), htole64(bind.low), htole64(bind.high)};

	for (unsigned i = 0; i < FORMAT_PAGES; i++)
		words[3 + i] = htole64(sums[i]);
	return hash_words(secret, words, ARRAY_COUNT(words));
}

uint32_t hash_entry(const struct hash_secret *secret, uint32_t kind,
    const struct format_entry *entry)
{
	uint64_t words[5] = {htole64((uint64_t)kind << 32 | DOMAIN_ENTRY),
	    entry->key[0], entry->key[1],
	    htole64(le64toh(entry->place) & ~UINT64_C(0xff)),
	    htole64(le32toh(entry->extra))};

	return (uint32_t)hash_words(secret, words, ARRAY_COUNT(words)).low;
}

uint64_t hash_use(const struct hash_secret *secret, uint32_t slot,
    const struct format_use *use)
{
	uint64_t words[2 + offsetof(struct format_use, check) / 8] = {
	    htole64(DOMAIN_USE), htole64(slot)};

	memcpy(words + 2, use, offsetof(struct format_use, check));
	return hash_words(secret, words, ARRAY_COUNT(words)).low;
}

uint64_t hash_plain(const void *bytes, size_t size_bytes)
{
	return XXH3_64bits(bytes, size_bytes);
}
