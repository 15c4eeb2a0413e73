/* SPDX-License-Identifier: Apache-2.0 */
/*
 * cache/paths/reach.c - directories above a token's reach: where the server
 * refuses to show one, it holds just the names that lead to what the token
 * allows. See ask.h.
 */
#include "base/clock.h"
#include "cache/core.h"
#include "cache/paths/ask.h"
#include "cache/paths/listing.h"
#include "fetch/fetch.h"

#include <errno.h>
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
	struct names names = {.listing = listing_new(&cache->listing_room,
	                          ident->uid, cache->seed)};
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

struct meta_attr reach_attr(void)
{
	return (struct meta_attr){
	    .kind = CACHE_DIRECTORY,
	    .exact = true,
	    .version = {.mtime_s = -1},
	    .made_up = true,
	    .number = 1,
	};
}

struct listing_times ask_listing_times(
    const struct cache *cache, const struct meta_look *look)
{
	const struct meta_attr file = {
	    .kind = CACHE_FILE, .lasting = true, .version = {.mtime_s = 0}};
	const struct meta_attr directory = {.kind = CACHE_DIRECTORY};

	return (struct listing_times){
	    .asked_ms = look->asked_ms,
	    .fresh_until_ms =
	        meta_fresh_until(cache, &directory, look->asked_ms),
	    .file_fresh_until_ms =
	        meta_fresh_until(cache, &file, look->asked_ms),
	    .wall_s = look->wall_s,
	    .serial = look->serial,
	};
}

bool reach_answer(struct cache *cache, const struct ident *ident,
    const char *path, const char *server_path, const struct ask_to *to)
{
	const struct meta_look look = {.asked_ms = cache_now_ms(cache),
	    .wall_s = clock_wall_s(cache->config.clock)};
	struct listing_times times = ask_listing_times(cache, &look);
	struct cache_listing *listing;
	struct meta_attr attr = reach_attr();

	if (!reach_any(cache, ident, server_path))
		return false;
	if (to->kind != ASK_LIST) {
		attr.fresh_until_ms = times.fresh_until_ms;
		ask_answer_attr(cache, ident, path, to, &attr);
		return true;
	}
	listing = reach_listing(cache, ident, server_path);
	if (listing == NULL || listing_seal(listing, &times) < 0) {
		cache_listing_put(listing);
		ask_answer_code(to, -ENOMEM, NULL);
		return true;
	}
	to->answer.list(to->arg, 0, listing);
	return true;
}
