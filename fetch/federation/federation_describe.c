/* SPDX-License-Identifier: Apache-2.0 */
/* fetch/federation/federation_describe.c - who said what, and when: see federation.h. */
#include "base/clock.h"
#include "fetch/federation/federation_impl.h"

#include <inttypes.h>
#include <string.h>

static void add_text(struct buf *out, const char *name, const char *text)
{
	(void)buf_printf(out, ",\"%s\":", name);
	(void)buf_json(out, text);
}

static void add_step(
    struct buf *out, const char *name, const struct federation_step *step)
{
	char stamp[CLOCK_STAMP_BYTES];

	if (step->url[0] == '\0') {
		(void)buf_printf(out, ",\"%s\":null", name);
		return;
	}
	clock_stamp(stamp, step->at_s);
	(void)buf_printf(out, ",\"%s\":{\"url\":", name);
	(void)buf_json(out, step->url);
	(void)buf_printf(
	    out, ",\"asked_at\":\"%s\",\"status\":%d", stamp, step->status);
	add_text(out, "problem", step->code < 0 ? step->why : NULL);
	(void)buf_append(out, "}", 1);
}

static void add_names(
    struct buf *out, const char *name, char *const names[], unsigned count)
{
	(void)buf_printf(out, ",\"%s\":[", name);
	for (unsigned i = 0; i < count; i++) {
		if (i > 0)
			(void)buf_append(out, ",", 1);
		(void)buf_json(out, names[i]);
	}
	(void)buf_append(out, "]", 1);
}

static void add_servers(struct buf *out, const struct fetch_servers *servers)
{
	const char *listings = NULL;

	if (servers == NULL) {
		(void)buf_printf(
		    out, ",\"origin\":null,\"listings\":null,\"caches\":[]");
		return;
	}
	if (!servers->unlisted)
		listings = servers->apart ? servers->listings.origin
		                          : servers->origin.origin;
	add_text(out, "origin", servers->origin.origin);
	add_text(out, "listings", listings);
	(void)buf_printf(out, ",\"caches\":[");
	for (unsigned i = 0; i < servers->cache_count; i++) {
		if (i > 0)
			(void)buf_append(out, ",", 1);
		(void)buf_json(out, servers->caches[i].origin);
	}
	(void)buf_append(out, "]", 1);
}

static uint64_t next_in_s(const struct federation *federation, uint64_t now_ms)
    REQUIRES(federation_lock);

static uint64_t next_in_s(const struct federation *federation, uint64_t now_ms)
{
	uint64_t next_ms = federation->times.next_ms;

	return next_ms > now_ms ? (next_ms - now_ms) / 1000 : 0;
}

int federation_describe(struct federation *federation, struct buf *out)
{
	const struct pelican_facts *facts = &federation->facts;
	uint64_t now_ms = clock_now_ms(federation->clock);

	federation_enter(federation);
	(void)buf_printf(out, "{\"name\":");
	(void)buf_json(out, federation->source.origin);
	add_step(out, "document", &federation->documents);
	add_step(out, "director", &federation->director);
	add_text(out, "namespace",
	    federation->has_facts ? facts->namespace_path : NULL);
	(void)buf_printf(out, ",\"token_required\":%s",
	    !federation->has_facts      ? "null"
	        : facts->token_required ? "true"
	                                : "false");
	add_names(out, "issuers", facts->issuers.names, facts->issuers.count);
	add_servers(out, federation->servers);
	(void)buf_printf(out, ",\"passed_over\":%u", facts->ignored.count);
	add_text(out, "passed_over_first",
	    facts->ignored.count > 0 ? facts->ignored.first.text : NULL);
	(void)buf_printf(
	    out, ",\"next_in_s\":%" PRIu64 "}", next_in_s(federation, now_ms));
	federation_leave(federation);
	return buf_code(out);
}

static void put_step(
    struct buf *out, const struct federation_step *step, uint64_t now_s)
{
	if (step->code == 0)
		return;
	(void)buf_printf(out, "federation: %" PRIu64 " s ago: ",
	    now_s > step->at_s ? now_s - step->at_s : 0);
	(void)buf_visible(out, step->why);
	(void)buf_append(out, "\n", 1);
}

static void put_servers(struct buf *out, const struct fetch_servers *servers)
{
	(void)buf_printf(out, "origin %s", servers->origin.origin);
	if (servers->unlisted)
		(void)buf_printf(out, ", no listings");
	else if (servers->apart)
		(void)buf_printf(
		    out, ", listings at %s", servers->listings.origin);
	for (unsigned i = 0; i < servers->cache_count; i++)
		(void)buf_printf(out, "%s%s", i == 0 ? ", caches " : " ",
		    servers->caches[i].origin);
	if (servers->cache_count == 0)
		(void)buf_printf(out, ", no caches");
}

int federation_describe_text(struct federation *federation, struct buf *out)
{
	uint64_t now_s = clock_wall_s(federation->clock);
	uint64_t now_ms = clock_now_ms(federation->clock);
	const struct federation_step *director = &federation->director;

	federation_enter(federation);
	if (federation->has_facts && federation->servers != NULL) {
		(void)buf_printf(out, "federation: director ");
		(void)buf_visible(out, director->url);
		(void)buf_printf(out, ", namespace ");
		(void)buf_visible(out, federation->facts.namespace_path);
		(void)buf_printf(out, ": ");
		put_servers(out, federation->servers);
		(void)buf_printf(out,
		    "; asked %" PRIu64 " s ago, again in %" PRIu64 " s\n",
		    now_s > director->at_s ? now_s - director->at_s : 0,
		    next_in_s(federation, now_ms));
	}
	put_step(out, &federation->documents, now_s);
	put_step(out, director, now_s);
	federation_leave(federation);
	return buf_code(out);
}
