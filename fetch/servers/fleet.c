/* SPDX-License-Identifier: Apache-2.0 */
/* fetch/servers/fleet.c - see fleet.h. */
#include "fetch/servers/fleet.h"

#include "base/log.h"
#include "fetch/calls/call.h"
#include "fetch/engine.h"

#include <assert.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

/* Caches have twice as many places as there may be: those that leave keep
 * theirs until what they were asked has moved to those that come. */
enum { CACHE_PLACES = 2 * FETCH_CACHES_MAX, LISTINGS_PLACE = CACHE_PLACES };

static_assert(FETCH_SERVERS_MAX <= 32, "call.h, tried: a bit each");

void fleet_init(struct fetch *fetch, const struct fetch_config *config)
{
	fetch->federated = config->federated;
	fetch->own_caches = config->server_count > 0;
	fetch->trouble = config->trouble;
	fetch->trouble_arg = config->trouble_arg;
	memcpy(fetch->root, config->source->path,
	    strlen(config->source->path) + 1);
	(void)err_set(&fetch->missing, -EHOSTUNREACH,
	    "%s has not told its servers yet", config->source->origin);
	for (unsigned i = 0; i < config->server_count; i++)
		fetch->order[fetch->order_count++] = i;
	fetch->order[fetch->order_count++] = fetch->origin->place;
	if (!config->federated)
		return;
	fetch->servers[LISTINGS_PLACE].is_origin = true;
	fetch->servers[LISTINGS_PLACE].is_listings = true;
}

static bool is_at(
    const struct fetch_server *server, const struct fetch_source *source)
{
	return !atomic_load(&server->absent) &&
	    strcmp(server->source.origin, source->origin) == 0 &&
	    strcmp(server->source.path, source->path) == 0;
}

static struct fetch_server *find_cache(
    const struct fetch *fetch, const struct fetch_source *source)
{
	for (unsigned i = 0; i < CACHE_PLACES; i++) {
		if (is_at(&fetch->servers[i], source))
			return &fetch->servers[i];
	}
	return NULL;
}

/* A free place, and not one of those that were left a moment ago. */
static struct fetch_server *find_place(const struct fetch *fetch, uint32_t left)
{
	unsigned i = 0;

	while ((left & 1U << i) != 0 || !atomic_load(&fetch->servers[i].absent))
		i++;
	assert(i < CACHE_PLACES);
	return &fetch->servers[i];
}

/* Caches that are not named any more leave. @return their places, a bit
 * each */
static uint32_t dismiss(
    struct fetch *fetch, const struct fetch_servers *servers)
{
	uint32_t left = 0;

	for (unsigned i = 0; i < CACHE_PLACES; i++) {
		struct fetch_server *server = &fetch->servers[i];
		bool named = atomic_load(&server->absent);

		for (unsigned j = 0; j < servers->cache_count && !named; j++)
			named = is_at(server, &servers->caches[j]);
		if (named)
			continue;
		atomic_store(&server->absent, true);
		left |= 1U << i;
	}
	return left;
}

/* What they were asked asks those that there are now. */
static void abandon(struct fetch *fetch, uint32_t left) REQUIRES(fetch_thread);

static void abandon(struct fetch *fetch, uint32_t left)
{
	for (unsigned i = 0; i < CACHE_PLACES; i++) {
		if ((left & 1U << i) != 0)
			call_abandon(fetch, &fetch->servers[i]);
	}
}

static void take_caches(struct fetch *fetch,
    const struct fetch_servers *servers) REQUIRES(fetch_thread);

static void take_caches(
    struct fetch *fetch, const struct fetch_servers *servers)
{
	uint32_t left;

	if (fetch->own_caches)
		return;
	left = dismiss(fetch, servers);
	fetch->order_count = 0;
	for (unsigned i = 0; i < servers->cache_count; i++) {
		const struct fetch_source *source = &servers->caches[i];
		struct fetch_server *server = find_cache(fetch, source);

		if (server == NULL) {
			server = find_place(fetch, left);
			server_assign(server, source, fetch->numbers++);
		}
		fetch->order[fetch->order_count++] = server->place;
	}
	fetch->order[fetch->order_count++] = fetch->origin->place;
	abandon(fetch, left);
}

/* Another server where the origin or the listings were.
 * @return whether it is another one */
static bool replace(struct fetch *fetch, struct fetch_server *server,
    const struct fetch_source *source)
{
	if (is_at(server, source))
		return false;
	server_assign(server, source, fetch->numbers++);
	return true;
}

static void apply(struct fetch *fetch, const struct fetch_servers *servers)
    REQUIRES(fetch_thread);

static void apply(struct fetch *fetch, const struct fetch_servers *servers)
{
	struct fetch_server *listings = &fetch->servers[LISTINGS_PLACE];
	bool moved = replace(fetch, fetch->origin, &servers->origin);

	fetch->unlisted = servers->unlisted;
	fetch->listings = servers->apart ? listings : fetch->origin;
	if (!servers->apart)
		atomic_store(&listings->absent, true);
	else
		moved = replace(fetch, listings, &servers->listings) || moved;
	take_caches(fetch, servers);
	/* Also what has waited at the origin's empty place. */
	if (moved || !servers->apart) {
		call_abandon(fetch, listings);
		if (moved)
			call_abandon(fetch, fetch->origin);
	}
	log_line(LOG_LEVEL_INFO, LOG_FETCH, "servers of the federation",
	    "origin=%s caches=%u", LOG_TEXT(fetch->origin->source.origin),
	    fetch->order_count - 1);
}

/* On its way to the loop. */
struct set_post {
	struct post post;
	struct fetch_servers servers;
};

static void deliver_set(struct post *post, struct fetch *fetch)
{
	struct set_post *set = CONTAINER_OF(post, struct set_post, post);

	fetch_assert_thread(fetch);
	apply(fetch, &set->servers);
	free(set);
}

int fetch_servers_set(struct fetch *fetch, const struct fetch_servers *servers)
{
	struct set_post *set = malloc(sizeof(*set));

	if (set == NULL)
		return -ENOMEM;
	set->post = (struct post){.deliver = deliver_set};
	set->servers = *servers;
	if (!mailbox_send(fetch->mailbox, &set->post))
		free(set);
	return 0;
}

struct missing_post {
	struct post post;
	struct err why;
};

static void deliver_missing(struct post *post, struct fetch *fetch)
{
	struct missing_post *missing =
	    CONTAINER_OF(post, struct missing_post, post);

	fetch_assert_thread(fetch);
	fetch->missing = missing->why;
	if (atomic_load(&fetch->origin->absent)) {
		server_failed(fetch->origin, &missing->why, true);
		server_lost(fetch->origin, fetch->now_ms);
	}
	free(missing);
}

void fetch_servers_missing(struct fetch *fetch, const struct err *why)
{
	struct missing_post *missing = malloc(sizeof(*missing));

	/* Without it, what waits has another sentence. */
	if (missing == NULL)
		return;
	*missing =
	    (struct missing_post){.post.deliver = deliver_missing, .why = *why};
	if (!mailbox_send(fetch->mailbox, &missing->post))
		free(missing);
}

int fleet_missing(const struct fetch *fetch, struct err *err)
{
	return err_set(err, -EHOSTUNREACH, "%s", fetch->missing.text);
}

void fleet_failed(struct fetch *fetch, const struct fetch_server *server)
{
	if (fetch->trouble == NULL)
		return;
	/* All but the origin, which is the last. */
	for (unsigned i = 0; i + 1 < fetch->order_count && !server->is_origin;
	     i++) {
		const struct fetch_server *cache =
		    &fetch->servers[fetch->order[i]];

		if (!choice_rests(&cache->choice, fetch->now_ms))
			return;
	}
	fetch->trouble(fetch->trouble_arg);
}
