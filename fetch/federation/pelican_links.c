/* SPDX-License-Identifier: Apache-2.0 */
/* fetch/federation/pelican_links.c - the servers of a director's Link header, see
 * pelican.h. */
#include "fetch/answers/header.h"
#include "fetch/answers/weblink.h"
#include "fetch/federation/pelican_impl.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

/* A number of a parameter; `none` when it is not there, or is no number. */
static int64_t number_of(
    const struct weblink *link, enum weblink_param param, int64_t none)
{
	const char *text = link->value[param];
	uint64_t value;

	if (header_content_length(text, strlen(text), &value) < 0)
		return none;
	return (int64_t)value;
}

static bool is_before(const struct pelican_server *a, int64_t priority)
{
	if (priority == PELICAN_PRIORITY_NONE)
		return true;
	return a->priority != PELICAN_PRIORITY_NONE && a->priority <= priority;
}

static void take_out(struct pelican_facts *facts, unsigned at)
{
	free(facts->servers[at].url);
	facts->server_count--;
	memmove(&facts->servers[at], &facts->servers[at + 1],
	    (facts->server_count - at) * sizeof(facts->servers[0]));
}

/* Put a server into its place; consumes it. */
static void put_in(struct pelican_facts *facts, struct pelican_server *server)
{
	unsigned at = 0;

	for (unsigned i = 0; i < facts->server_count; i++) {
		if (strcmp(facts->servers[i].url, server->url) != 0)
			continue;
		if (is_before(&facts->servers[i], server->priority)) {
			free(server->url);
			return;
		}
		take_out(facts, i);
		break;
	}
	while (at < facts->server_count &&
	    is_before(&facts->servers[at], server->priority))
		at++;
	if (facts->server_count == PELICAN_SERVERS_MAX) {
		pelican_ignore(&facts->ignored,
		    "Link: more than %d servers; the best are taken",
		    PELICAN_SERVERS_MAX);
		if (at == PELICAN_SERVERS_MAX) {
			free(server->url);
			return;
		}
		take_out(facts, PELICAN_SERVERS_MAX - 1);
	}
	memmove(&facts->servers[at + 1], &facts->servers[at],
	    (facts->server_count - at) * sizeof(facts->servers[0]));
	facts->servers[at] = *server;
	facts->server_count++;
}

static int take_link(struct pelican_facts *facts, const char *base_url,
    const struct weblink *link)
{
	struct pelican_server server;
	int code;

	if (!weblink_has_rel(link, "duplicate") || link->has[WEBLINK_ANCHOR])
		return 0;
	code = pelican_url(
	    &server.url, base_url, link->target, link->target_bytes);
	if (code == -ENOMEM)
		return code;
	if (code < 0) {
		pelican_ignore(&facts->ignored, "Link: a server %s",
		    pelican_url_fault(code));
		return 0;
	}
	server.priority = number_of(link, WEBLINK_PRI, PELICAN_PRIORITY_NONE);
	server.depth = number_of(link, WEBLINK_DEPTH, PELICAN_DEPTH_NONE);
	put_in(facts, &server);
	return 0;
}

int pelican_read_links(struct pelican_facts *facts, const char *base_url,
    const char *text, size_t size_bytes)
{
	const char *end = text + size_bytes;
	struct weblink link;
	int code = 0;

	while (code == 0) {
		int found = weblink_next(&link, &text, end);

		if (found == 0)
			return 0;
		if (found < 0) {
			pelican_ignore(&facts->ignored,
			    "Link: malformed; what follows is passed over");
			return 0;
		}
		code = take_link(facts, base_url, &link);
	}
	return code;
}
