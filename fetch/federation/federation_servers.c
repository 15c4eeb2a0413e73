/* SPDX-License-Identifier: Apache-2.0 */
/* fetch/federation/federation_servers.c - from a director's answers to servers: see
 * federation_impl.h. */
#include "fetch/federation/federation_impl.h"

#include <errno.h>
#include <string.h>

/* A server's URL without what a query adds. @return whether it is one. */
static bool source_of(struct fetch_source *out, const char *url)
{
	char text[FETCH_URL_BYTES_MAX];
	struct err unused = ERR_INIT;
	size_t n = strcspn(url, "?#");

	if (n >= sizeof(text))
		return false;
	(void)memcpy(text, url, n);
	text[n] = '\0';
	return fetch_source_parse(out, text, false, &unused) == 0;
}

static bool is_same_host(
    const struct fetch_source *a, const struct fetch_source *b)
{
	return strcmp(a->origin, b->origin) == 0;
}

/* The first that has the path under its own name: versions are asked there,
 * and what is told of a path is told of that name. */
static bool find_origin(struct fetch_servers *out, const char *path,
    const struct pelican_facts *origins)
{
	for (unsigned i = 0; origins != NULL && i < origins->server_count; i++)
		if (source_of(&out->origin, origins->servers[i].url) &&
		    strcmp(out->origin.path, path) == 0)
			return true;
	return false;
}

static void take_caches(
    struct fetch_servers *out, const struct pelican_facts *caches)
{
	for (unsigned i = 0;
	     i < caches->server_count && out->cache_count < FETCH_CACHES_MAX;
	     i++) {
		struct fetch_source *cache = &out->caches[out->cache_count];
		bool known = !source_of(cache, caches->servers[i].url) ||
		    is_same_host(cache, &out->origin);

		for (unsigned j = 0; j < out->cache_count && !known; j++)
			known = is_same_host(cache, &out->caches[j]);
		out->cache_count += known ? 0 : 1;
	}
}

int federation_servers_of(struct fetch_servers *out, const char *path,
    const struct pelican_facts *caches, const struct pelican_facts *origins,
    struct err *err)
{
	/* It has the federation's paths, and so no path of its own. */
	bool listed = caches->collections_url != NULL &&
	    source_of(&out->listings, caches->collections_url) &&
	    out->listings.path[1] == '\0';
	bool found = find_origin(out, path, origins);

	if (!found && listed) {
		out->origin = out->listings;
		found = true;
	}
	for (unsigned i = 0; i < caches->server_count && !found; i++)
		found = source_of(&out->origin, caches->servers[i].url) &&
		    strcmp(out->origin.path, path) == 0;
	if (!found)
		return err_set(err, -ENOENT,
		    "it names no server that has '%.200s'; ask who runs the "
		    "federation for one",
		    path);
	out->apart = listed && !is_same_host(&out->listings, &out->origin);
	out->unlisted = !listed;
	out->cache_count = 0;
	take_caches(out, caches);
	return 0;
}
