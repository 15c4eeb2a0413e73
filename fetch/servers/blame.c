/* SPDX-License-Identifier: Apache-2.0 */
/*
 * fetch/servers/blame.c - caches whose bytes of a file were wrong are passed over for
 * it, and named.
 *
 * Threads: the fetch thread, but fetch_blame().
 */
#include "base/clock.h"
#include "base/ident.h"
#include "base/log.h"
#include "fetch/engine.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct blame {
	struct post post;
	unsigned servers;
	uid_t uid;
	char path[];
};

static const char why[] =
    "its bytes do not fit the checksum that the origin tells";

/* Told by `status`, `explain` and the log. */
static void blame_one(struct fetch *fetch, struct fetch_server *server,
    const struct blame *blame) REQUIRES(fetch_thread);

static void blame_one(
    struct fetch *fetch, struct fetch_server *server, const struct blame *blame)
{
	const struct said_by by = {
	    .uid = blame->uid, .server = server_said_as(server)};
	struct fetch_said what = {
	    .code = -EIO, .at_s = clock_wall_s(fetch->clock)};

	(void)snprintf(what.why, sizeof(what.why), "%s", why);
	shun_note(&fetch->shun, server->number, blame->path,
	    fetch->now_ms + SHUN_WRONG_MS);
	said_note(&fetch->said, &by, blame->path, &what);
	server_enter(server);
	(void)snprintf(server->last_error, sizeof(server->last_error), "%s: %s",
	    blame->path, why);
	server_leave(server);
	log_line(LOG_LEVEL_WARN, LOG_FETCH, "wrong bytes from a cache",
	    "server=%s path=%s why=%s", LOG_TEXT(server->source.origin),
	    LOG_TEXT(blame->path), LOG_TEXT(why));
}

static void deliver(struct post *post, struct fetch *fetch)
{
	struct blame *blame = CONTAINER_OF(post, struct blame, post);

	fetch_assert_thread(fetch);
	for (unsigned i = 0; i < fetch->server_count; i++) {
		struct fetch_server *server = &fetch->servers[i];

		if (!server->is_origin && !atomic_load(&server->absent) &&
		    (blame->servers & FETCH_GAVE(i + 1)) != 0)
			blame_one(fetch, server, blame);
	}
	free(blame);
}

void fetch_blame(struct fetch *fetch, const struct ident *ident,
    const char *path, unsigned servers)
{
	size_t path_bytes = strlen(path) + 1;
	struct blame *blame = malloc(sizeof(*blame) + path_bytes);

	/* Its bytes are dropped anyway, and come from the origin then. */
	if (blame == NULL)
		return;
	*blame = (struct blame){
	    .post.deliver = deliver, .servers = servers, .uid = ident->uid};
	memcpy(blame->path, path, path_bytes);
	if (!mailbox_send(fetch->mailbox, &blame->post))
		free(blame);
}
