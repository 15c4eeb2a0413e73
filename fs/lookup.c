/* SPDX-License-Identifier: Apache-2.0 */
/*
 * fs/lookup.c - lookup: a name to a node; see attr_wait.h.
 *
 * Threads: the FUSE thread.
 */
#include "cache/drafts/drafts.h"
#include "fs/attr_wait.h"
#include "fs/reply.h"

#include <errno.h>
#include <string.h>

/* Where many users share the mount, a look-up that fails would take a
 * directory out from under who sits in it: the kernel drops the name for all
 * of them, and their getcwd fails. So a directory that the kernel has is
 * found, and nothing is told of it: kind and mode as configured, no size, no
 * time. The caller is refused when it is used: the kernel asks for its
 * attributes on the caller's behalf before it is entered, listed or watched
 * (default_permissions). @return whether it was answered. */
static bool reply_masked(struct attr_wait *ask) REQUIRES(fuse_thread)
{
	struct fs *fs = ask->fs;
	struct fs_node *node;

	if (!fs->config.allow_other)
		return false;
	node = node_find(&fs->nodes, ask->node, ask->name);
	if (!node || node->kind != CACHE_DIRECTORY)
		return false;
	node_again(node);
	reply_entry(fs, ask->wait.req, node, &look_bare);
	return true;
}

/* A directory that is made up of one user's scopes must not take the place of
 * what others know as a file. */
static bool is_in_the_way(const struct attr_wait *ask) REQUIRES(fuse_thread)
{
	const struct fs_node *node;

	if (!ask->fs->config.allow_other || !ask->attr.made_up)
		return false;
	node = node_find(&ask->fs->nodes, ask->node, ask->name);
	return node != NULL && node->kind == CACHE_FILE;
}

static void reply_node(struct fs *fs, fuse_req_t req, struct fs_node *parent,
    const char *name, const struct fs_look *look) REQUIRES(fuse_thread)
{
	struct fs_node *node = node_take(&fs->nodes, parent, name, &look->attr);

	if (node)
		reply_entry(fs, req, node, look);
	else
		reply_error(req, -ENOMEM);
}

static void lookup_reply(struct attr_wait *ask) REQUIRES(fuse_thread)
{
	struct fs *fs = ask->fs;
	fuse_req_t req = ask->wait.req;
	char path[PATH_BYTES_MAX];
	struct fs_look look;
	bool has_path;

	if (look_for_child(fs, &ask->ident, ask->node, ask->name, &look)) {
		reply_node(fs, req, ask->node, ask->name, &look);
		return;
	}
	/* What is absent for the caller alone may be somebody's directory. */
	if (ask->code == -ENOENT && ask->attr.fresh_until_ms != 0) {
		reply_absent(fs, req, ask->attr.fresh_until_ms);
		return;
	}
	if (ask->code == 0 && is_in_the_way(ask))
		ask->code = -EACCES;
	has_path =
	    fs_is_writable(fs) && child_path(ask->node, ask->name, path) == 0;
	if (ask->code < 0) {
		if (reply_masked(ask))
			return;
		/* The kernel goes on to CREATE or MKDIR from ENOENT alone. */
		if (ask->code == -EACCES && has_path &&
		    drafts_may_create_blindly(
		        fs->config.drafts, &ask->ident, path))
			ask->code = -ENOENT;
		reply_error(req, ask->code);
		return;
	}
	look_at_attr(fs, &look, has_path ? path : NULL, &ask->attr);
	reply_node(fs, req, ask->node, ask->name, &look);
}

static void lookup_finish(struct fs_wait *wait)
{
	struct attr_wait *ask = CONTAINER_OF(wait, struct attr_wait, wait);

	mail_assert_here(wait->mail);
	if (wait_claim(wait))
		lookup_reply(ask);
	attr_wait_free(ask);
}

void op_lookup(fuse_req_t req, fuse_ino_t parent, const char *name)
{
	struct fs *fs = fs_of(req);
	struct ident ident = ident_of(req);
	struct fs_node *node = node_of(&fs->nodes, parent);
	char path[PATH_BYTES_MAX];
	struct attr_wait *ask;
	struct fs_look look;
	int code = child_path(node, name, path);

	if (code < 0) {
		reply_error(req, code);
		return;
	}
	if (look_for_draft(fs, &ident, path, &look)) {
		reply_node(fs, req, node, name, &look);
		return;
	}
	ask = attr_wait_new(fs, node, &ident);
	if (!ask) {
		reply_error(req, -ENOMEM);
		return;
	}
	memcpy(ask->name, name, strlen(name) + 1);
	attr_wait_begin(ask, req, path, lookup_finish);
}
