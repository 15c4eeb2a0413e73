/* SPDX-License-Identifier: Apache-2.0 */
/*
 * fs/attr.c - attributes: getattr, access; see attr_wait.h.
 *
 * ESTALE is an answer to the kernel, not to the caller: the VFS repeats the
 * walk with every name asked again (LOOKUP_REVAL), is given the node of the
 * version that is there now, and goes on with it.
 *
 * Threads: the FUSE thread.
 */
#include "fs/attr_wait.h"
#include "fs/reply.h"

#include <errno.h>
#include <unistd.h>

/* The root may be passed by who may have something below it, though a server
 * refuses to show it: of an opaque token nothing else is known. That it is
 * there is no secret. */
static bool is_passed(const struct attr_wait *ask)
{
	return ask->fs->config.allow_other && ask->code == -EACCES &&
	    ask->node == ask->fs->nodes.root;
}

/* What a node's path shows now, of which the cache has told; @return false:
 * something else is there. */
static bool look_again(struct attr_wait *ask, struct fs_look *look)
    REQUIRES(fuse_thread)
{
	struct fs *fs = ask->fs;
	char path[PATH_BYTES_MAX];
	bool has_path = fs_is_writable(fs) && !ask->node->nameless &&
	    node_path(ask->node, path) == 0;

	if (!has_path || !look_for_draft(fs, &ask->ident, path, look))
		look_at_attr(fs, look, has_path ? path : NULL, &ask->attr);
	return node_is(ask->node, &look->attr);
}

static void getattr_finish(struct fs_wait *wait)
{
	struct attr_wait *ask = CONTAINER_OF(wait, struct attr_wait, wait);

	struct fs_look look;

	mail_assert_here(wait->mail);
	if (wait_claim(wait)) {
		if (is_passed(ask))
			reply_attr(ask->fs, wait->req, ask->node, &look_bare);
		else if (ask->code < 0)
			reply_error(wait->req, ask->code);
		else if (!look_again(ask, &look))
			reply_error(wait->req, -ESTALE);
		else
			reply_attr(ask->fs, wait->req, ask->node, &look);
	}
	attr_wait_free(ask);
}

/* A file is executable when somebody made it so here. */
static int may_access(const struct fs_look *look, int mask)
{
	return (mask & X_OK) && look->attr.kind == CACHE_FILE &&
	        (look->mode & 0111) == 0
	    ? -EACCES
	    : 0;
}

/* GETATTR and ACCESS of a node that is not pinned by a handle. */
static void ask_about_node(fuse_req_t req, struct fs *fs, struct fs_node *node,
    int mask, fs_finish_fn finish) REQUIRES(fuse_thread)
{
	struct ident ident = ident_of(req);
	char path[PATH_BYTES_MAX];
	struct attr_wait *ask;
	struct fs_look look;
	int code = node->nameless ? -ESTALE : node_path(node, path);

	if (code == 0 && look_for_draft(fs, &ident, path, &look)) {
		if (!node_is(node, &look.attr))
			reply_error(req, -ESTALE);
		else if (finish == getattr_finish)
			reply_attr(fs, req, node, &look);
		else
			reply_error(req, may_access(&look, mask));
		return;
	}
	if (code < 0) {
		reply_error(req, code);
		return;
	}
	ask = attr_wait_new(fs, node, &ident);
	if (!ask) {
		reply_error(req, -ENOMEM);
		return;
	}
	ask->mask = mask;
	attr_wait_begin(ask, req, path, finish);
}

/* Of a file that somebody has open its version answers. It is reached by a
 * path only past LOOKUP, which asks the door, and else through a handle, which
 * stays what it was for whoever inherits it. */
static bool is_pinned(const struct fs_node *node)
{
	return node->kind == CACHE_FILE && node->open_count > 0;
}

void op_getattr(fuse_req_t req, fuse_ino_t ino, struct fuse_file_info *info)
{
	struct fs *fs = fs_of(req);
	struct fs_node *node = node_of(&fs->nodes, ino);

	(void)info;
	/* A directory that was removed is still one to who has it open: the
	 * kernel asks for what fstat(2) tells without its handle. */
	if (node->nameless && node->kind == CACHE_DIRECTORY &&
	    node->open_count > 0) {
		reply_attr(fs, req, node, &look_bare);
		return;
	}
	if (is_pinned(node)) {
		struct fs_look look;

		look_at_node(fs, &look, node);
		reply_attr(fs, req, node, &look);
		return;
	}
	ask_about_node(req, fs, node, 0, getattr_finish);
}

static void access_finish(struct fs_wait *wait)
{
	struct attr_wait *ask = CONTAINER_OF(wait, struct attr_wait, wait);
	struct fs_look look;

	mail_assert_here(wait->mail);
	if (wait_claim(wait)) {
		if (ask->code == 0 && !look_again(ask, &look))
			ask->code = -ESTALE;
		else if (ask->code == 0)
			ask->code = may_access(&look, ask->mask);
		reply_error(wait->req, ask->code);
	}
	attr_wait_free(ask);
}

void op_access(fuse_req_t req, fuse_ino_t ino, int mask)
{
	struct fs *fs = fs_of(req);
	struct fs_node *node = node_of(&fs->nodes, ino);

	if ((mask & W_OK) && !fs_is_writable(fs)) {
		reply_error(req, -EROFS);
		return;
	}
	if ((mask & X_OK) && node->kind == CACHE_FILE && !fs_is_writable(fs)) {
		reply_error(req, -EACCES);
		return;
	}
	if (is_pinned(node) && !fs->config.allow_other) {
		struct fs_look look;

		look_at_node(fs, &look, node);
		reply_error(req, may_access(&look, mask));
		return;
	}
	ask_about_node(req, fs, node, mask, access_finish);
}
