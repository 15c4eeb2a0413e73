/* SPDX-License-Identifier: Apache-2.0 */
/*
 * cache/meta_attr.c - what a server's answer says of a version: its number,
 * whether it may be trusted to last, how long it is believed. See meta.h.
 */
#include "cache/core.h"

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
	/* Two such versions may look the same: not the one that another look
	 * finds. */
	if (young || unknown)
		key.nonce = look->asked_ms << 1 | 1;
	out->number = XXH3_64bits_withSeed(&key, sizeof(key), seed);
	if (out->number < 2)
		out->number += 2;
	out->plain_number = out->number;
	out->number = suspects_number(suspects, out->number);
}

void meta_attr_show(const struct meta_attr *attr, struct cache_attr *out)
{
	*out = (struct cache_attr){
	    .kind = attr->kind,
	    .size_bytes = attr->version.size_bytes,
	    .mtime_s = attr->version.mtime_s < 0 ? 0 : attr->version.mtime_s,
	    .version = attr->number,
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
