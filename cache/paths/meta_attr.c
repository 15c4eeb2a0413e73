/* SPDX-License-Identifier: Apache-2.0 */
/*
 * cache/paths/meta_attr.c - what a server's answer says of a version: its
 * number, whether it may be trusted to last, how long it is believed. See
 * meta.h.
 */
#include "base/clock.h"
#include "cache/core.h"

#include <stdlib.h>
#include <string.h>

#include <xxhash.h>

void meta_attr_of(struct meta_attr *out, const struct fetch_stat *stat,
    uint64_t seed, struct suspects *suspects, const struct meta_look *look)
{
	const struct fetch_version *version = &stat->version;
	struct {
		uint64_t size_bytes;
		int64_t mtime_s;
		uint64_t nonce;
		char etag[FETCH_ETAG_BYTES];
	} key = {
	    .size_bytes = version->size_bytes, .mtime_s = version->mtime_s};
	bool young = version->mtime_s >= 0 &&
	    look->wall_s < (uint64_t)version->mtime_s + META_YOUNG_S;
	bool unknown = version->mtime_s < 0 && version->etag[0] == '\0';
	uint64_t told;

	*out = (struct meta_attr){
	    .kind = stat->kind == FETCH_FILE ? CACHE_FILE : CACHE_DIRECTORY,
	    .exact = stat->exact,
	    .lasting = stat->exact && !young && !unknown,
	    .version = *version,
	    .number = 1, /* a directory stays the same one */
	};
	if (out->kind == CACHE_DIRECTORY)
		return;
	(void)memcpy(key.etag, version->etag, strlen(version->etag));
	told = XXH3_64bits_withSeed(&key, sizeof(key), seed);
	out->told = told < 2 ? told + 2 : told;
	out->number = out->told;
	if (unknown)
		out->told = 0;
	/* Two such versions may look the same: not the one that another look
	 * finds. */
	if (young || unknown) {
		key.nonce = look->asked_ms << 1 | 1;
		out->number = XXH3_64bits_withSeed(&key, sizeof(key), seed);
	}
	if (out->number < 2)
		out->number += 2;
	out->plain_number = out->number;
	if (suspects != NULL)
		out->number = suspects_number(suspects, out->number);
}

/* Whether an ETag has the time in it in smaller steps than a second: of the
 * servers known Apache's, "size-time" in hexadecimal microseconds. */
static bool is_fine(const struct fetch_version *version)
{
	const char *next = version->etag;

	if (version->mtime_s <= 0 || *next != '"')
		return false;
	do {
		char *end;
		unsigned long long part = strtoull(++next, &end, 16);

		if (end != next &&
		    part / 1000000 == (unsigned long long)version->mtime_s)
			return true;
		next = end;
	} while (*next == '-');
	return false;
}

/* Whether its time is another one than that of our writing, as far as clocks
 * agree: somebody has set it, and no other write comes to have it by chance. */
static bool is_set(
    const struct fetch_version *version, const struct meta_look *look)
{
	uint64_t mtime_s = (uint64_t)version->mtime_s;

	return version->mtime_s >= 0 &&
	    (look->wall_s > mtime_s + META_WRITTEN_S ||
	        mtime_s > look->wall_s + META_WRITTEN_S);
}

bool meta_attr_written(struct meta_attr *out,
    const struct fetch_version *version, uint64_t was, uint64_t seed,
    const struct meta_look *look)
{
	const struct fetch_stat stat = {
	    .kind = FETCH_FILE, .exact = true, .version = *version};
	bool fine = is_fine(version);

	meta_attr_of(out, &stat, seed, NULL, look);
	out->was = was;
	out->asked_s = look->wall_s;
	if (fine) {
		out->number = out->told;
		out->lasting = true;
	} else {
		/* What stood there before may look the same. */
		clock_random(&out->number, sizeof(out->number));
		out->number |= 2;
		out->nonce = out->number;
		out->lasting = out->lasting && is_set(version, look);
	}
	out->plain_number = out->number;
	return fine || is_set(version, look);
}

void meta_attr_show(const struct meta_attr *attr, struct cache_attr *out)
{
	*out = (struct cache_attr){
	    .kind = attr->kind,
	    .size_bytes = attr->version.size_bytes,
	    .mtime_s = attr->version.mtime_s < 0 ? 0 : attr->version.mtime_s,
	    .version = attr->number,
	    .was = attr->was,
	    .told = attr->told,
	    .fresh_until_ms = attr->fresh_until_ms,
	    .made_up = attr->made_up,
	};
}

uint64_t meta_fresh_until(
    const struct cache *cache, const struct meta_attr *attr, uint64_t asked_ms)
{
	uint64_t ttl_ms = cache->config.attr_ttl_ms;

	if (attr == NULL)
		return asked_ms + cache->config.negative_ttl_ms;
	if (cache->config.immutable && attr->kind == CACHE_FILE &&
	    attr->lasting && ttl_ms < META_IMMUTABLE_MS)
		ttl_ms = META_IMMUTABLE_MS;
	if (attr->kind == CACHE_FILE && !attr->lasting) {
		bool known =
		    attr->version.mtime_s >= 0 || attr->version.etag[0] != '\0';
		uint64_t least_ms = known ? META_YOUNG_MS : META_UNKNOWN_MS;

		if (ttl_ms < least_ms)
			ttl_ms = least_ms;
	}
	return asked_ms + ttl_ms;
}
