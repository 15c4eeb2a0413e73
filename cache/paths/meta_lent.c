/* SPDX-License-Identifier: Apache-2.0 */
/*
 * cache/paths/meta_lent.c - a file that is looked up by name, out of the
 * listing that was asked for because its neighbours were. See meta.h.
 */
#include "base/path.h"
#include "cache/core.h"
#include "cache/paths/listing.h"

/* What a lent listing says of a name. */
static enum meta_answer find(const struct cache_listing *listing,
    const char *name, uint64_t now_ms, struct meta_attr *out)
{
	if (listing_find(listing, name, out))
		return listing_is_lent(listing, now_ms) && out->exact &&
		        out->kind == CACHE_FILE
		    ? META_THERE
		    : META_UNKNOWN;
	return listing_lends_absences(listing, now_ms) && name[0] != '.'
	    ? META_ABSENT
	    : META_UNKNOWN;
}

enum meta_answer meta_find_lent(
    struct cache *cache, const char *path, struct meta_attr *out)
{
	char above[PATH_BYTES_MAX];
	struct cache_listing *listing;
	enum meta_answer answer;
	bool there;

	if (path_name(path)[0] == '\0')
		return META_UNKNOWN;
	path_parent(above, path);
	listing = meta_find_listing(cache, above, false);
	if (listing == NULL)
		return META_UNKNOWN;
	answer = find(listing, path_name(path), cache_now_ms(cache), out);
	there = answer == META_THERE;
	if (answer != META_UNKNOWN)
		(void)meta_store(cache, path, there ? out : NULL, false,
		    &(struct meta_look){
		        .asked_ms = listing_asked_ms(listing),
		        .wall_s = there ? out->asked_s : 0,
		        .serial = listing_serial(listing),
		    });
	cache_listing_put(listing);
	/* What is known to have changed since then is asked for. */
	if (answer == META_UNKNOWN || meta_find(cache, path, out) != answer)
		return META_UNKNOWN;
	return answer;
}
