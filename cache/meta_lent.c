/* SPDX-License-Identifier: Apache-2.0 */
/*
 * cache/meta_lent.c - a file that is looked up by name, out of the listing
 * that was asked for because its neighbours were. See meta.h.
 */
#include "base/path.h"
#include "cache/core.h"
#include "cache/listing.h"

bool meta_find_lent(
    struct cache *cache, const char *path, struct meta_attr *out)
{
	char above[PATH_BYTES_MAX];
	struct cache_listing *listing;
	bool found;

	if (path_name(path)[0] == '\0')
		return false;
	path_parent(above, path);
	listing = meta_find_listing(cache, above, false);
	if (listing == NULL)
		return false;
	found = listing_is_lent(listing, cache_now_ms(cache)) &&
	    listing_find(listing, path_name(path), out) && out->exact &&
	    out->kind == CACHE_FILE;
	if (found)
		meta_store(cache, path, out, false,
		    &(struct meta_look){
		        .asked_ms = listing_asked_ms(listing),
		        .wall_s = out->asked_s,
		        .serial = listing_serial(listing),
		    });
	cache_listing_put(listing);
	/* What is known to have changed since then is asked for. */
	return found && meta_find(cache, path, out) == META_THERE;
}
