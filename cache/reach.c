/* SPDX-License-Identifier: Apache-2.0 */
/*
 * cache/reach.c - directories above a token's reach: where the server
 * refuses to show one, it holds just the names that lead to what the token
 * allows. See ask.h.
 */
#include "cache/ask.h"
#include "cache/core.h"
#include "cache/listing.h"
#include "fetch/fetch.h"

#include <stddef.h>

bool reach_any(const struct cache *cache, const struct ident *ident,
    const char *server_path)
{
	return cache->config.reach(
	           cache->config.arg, ident, server_path, NULL, NULL) > 0;
}

struct names {
	struct cache_listing *listing;
	int code;
};

static void add_name(void *arg, const char *name)
{
	struct names *names = arg;
	/* A scope does not say what it names; a directory lets a walk go on,
	 * and a look-up tells. */
	const struct fetch_stat stat = {
	    .kind = FETCH_DIRECTORY,
	    .exact = false,
	    .version = {.mtime_s = -1},
	};

	if (names->code == 0)
		names->code = listing_add(names->listing, name, &stat);
}

struct cache_listing *reach_listing(
    struct cache *cache, const struct ident *ident, const char *server_path)
{
	struct names names = {.listing = listing_new(cache->seed)};
	unsigned count;

	if (names.listing == NULL)
		return NULL;
	count = cache->config.reach(
	    cache->config.arg, ident, server_path, add_name, &names);
	if (count > 0 && names.code == 0)
		return names.listing;
	cache_listing_put(names.listing);
	return NULL;
}
