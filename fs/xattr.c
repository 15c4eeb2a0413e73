/* SPDX-License-Identifier: Apache-2.0 */
/*
 * fs/xattr.c - user.bearerfs.*: what is known about a file.
 *
 * Names of others (ls asks for security.* and system.posix_acl_* of every
 * file) are answered at once, without the cache.
 *
 * Threads: the FUSE thread, but for facts_answer().
 */
#include "cache/drafts/drafts.h"
#include "fs/look.h"
#include "fs/reply.h"
#include "fs/session.h"

#include <assert.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define PREFIX "user.bearerfs."

enum fact {
	FACT_ETAG,
	FACT_SERVER,
	FACT_CACHED,
	FACT_FRESHNESS,
	FACT_CHECKSUM,
	FACT_COUNT,
	FACT_LIST, /* not a fact: the names of those that have a value */
};

static const char *const fact_names[FACT_COUNT] = {
    [FACT_ETAG] = PREFIX "etag",
    [FACT_SERVER] = PREFIX "server",
    [FACT_CACHED] = PREFIX "cached",
    [FACT_FRESHNESS] = PREFIX "freshness",
    [FACT_CHECKSUM] = PREFIX "checksum",
};

struct facts_wait {
	struct fs_wait wait;
	struct fs *fs;
	struct fs_node *node; /* pinned */
	enum fact fact;
	size_t room_bytes;
	int code;
	struct cache_facts facts;
};

enum { PERCENT_BYTES = 12 };

/* A value as text; borrowed from its arguments. */
static const char *value_of(const struct fs *fs,
    const struct cache_facts *facts, unsigned fact, char percent[PERCENT_BYTES])
{
	switch (fact) {
	case FACT_ETAG:
		return facts->etag;
	case FACT_SERVER:
		return facts->server[0] ? facts->server : fs->config.origin;
	case FACT_CACHED:
		(void)snprintf(
		    percent, PERCENT_BYTES, "%d", facts->cached_percent);
		return percent;
	case FACT_FRESHNESS:
		return facts->freshness;
	default:
		assert(fact == FACT_CHECKSUM);
		return facts->checksum;
	}
}

static void facts_answer(void *arg, int code, const struct cache_facts *facts)
{
	struct facts_wait *ask = arg;

	assert(code <= 0 && (code < 0 || facts != NULL));
	ask->code = code;
	if (code == 0)
		ask->facts = *facts;
	wait_return(&ask->wait);
}

static void reply_list(const struct facts_wait *ask)
{
	char list[FACT_COUNT * 32];
	char percent[PERCENT_BYTES];
	size_t used_bytes = 0;

	for (unsigned i = 0; i < FACT_COUNT; i++) {
		size_t n = strlen(fact_names[i]) + 1;

		if (value_of(ask->fs, &ask->facts, i, percent)[0] == '\0')
			continue;
		assert(used_bytes + n <= sizeof(list));
		memcpy(list + used_bytes, fact_names[i], n);
		used_bytes += n;
	}
	reply_xattr(ask->wait.req, list, used_bytes, ask->room_bytes);
}

static void reply_fact(const struct facts_wait *ask)
{
	char percent[PERCENT_BYTES];
	const char *value =
	    value_of(ask->fs, &ask->facts, (unsigned)ask->fact, percent);

	if (value[0] == '\0')
		reply_error(ask->wait.req, -ENODATA);
	else
		reply_xattr(
		    ask->wait.req, value, strlen(value), ask->room_bytes);
}

static void facts_finish(struct fs_wait *wait)
{
	struct facts_wait *ask = CONTAINER_OF(wait, struct facts_wait, wait);

	mail_assert_here(wait->mail);
	if (wait_claim(wait)) {
		if (ask->code < 0)
			reply_error(wait->req, ask->code);
		else if (ask->fact == FACT_LIST)
			reply_list(ask);
		else
			reply_fact(ask);
	}
	node_unpin(&ask->fs->nodes, ask->node);
	free(ask);
}

/* Of what no server has there is nothing else to tell. */
static const struct cache_facts unsent = {
    .freshness = "unsent",
    .cached_percent = 100,
};

static bool is_unsent(
    const struct fs *fs, const struct ident *ident, const char *path)
{
	struct draft *draft = draft_at(fs, ident, path);
	struct draft_attr attr;

	if (!draft)
		return false;
	draft_attr(draft, &attr);
	draft_put(draft);
	return attr.unsent || attr.attr.was == 0;
}

static void ask_facts(
    fuse_req_t req, fuse_ino_t ino, enum fact fact, size_t room_bytes)
{
	struct fs *fs = fs_of(req);
	struct ident ident = ident_of(req);
	struct fs_node *node = node_of(&fs->nodes, ino);
	char path[PATH_BYTES_MAX];
	struct facts_wait *ask = NULL;
	int code = node->nameless ? -ESTALE : node_path(node, path);

	if (code == 0)
		ask = calloc(1, sizeof(*ask));
	if (!ask) {
		reply_error(req, code < 0 ? code : -ENOMEM);
		return;
	}
	ask->fs = fs;
	ask->node = node;
	ask->fact = fact;
	ask->room_bytes = room_bytes;
	if (!wait_begin(&ask->wait, &fs->mail, req, facts_finish)) {
		free(ask);
		return;
	}
	node_pin(node);
	if (is_unsent(fs, &ident, path))
		facts_answer(ask, 0, &unsent);
	else
		cache_facts(fs->config.cache, &ident, path, facts_answer, ask);
}

void op_getxattr(
    fuse_req_t req, fuse_ino_t ino, const char *name, size_t room_bytes)
{
	for (unsigned i = 0; i < FACT_COUNT; i++) {
		if (strcmp(name, fact_names[i]) != 0)
			continue;
		ask_facts(req, ino, (enum fact)i, room_bytes);
		return;
	}
	reply_error(req, -ENODATA);
}

/* Programs that copy a file with its attributes set, or remove, what is listed;
 * nobody can do that with what is told here. */
void op_listxattr(fuse_req_t req, fuse_ino_t ino, size_t room_bytes)
{
	if (fs_is_writable(fs_of(req)))
		reply_xattr(req, "", 0, room_bytes);
	else
		ask_facts(req, ino, FACT_LIST, room_bytes);
}
