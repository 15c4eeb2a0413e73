/* SPDX-License-Identifier: Apache-2.0 */
/*
 * fs/attr.c - names and attributes: lookup, getattr, access.
 *
 * ESTALE is an answer to the kernel, not to the caller: the VFS repeats the
 * walk with every name asked again (LOOKUP_REVAL), is given the node of the
 * version that is there now, and goes on with it.
 *
 * What is written here is answered at once. The cache's answer may be older
 * than a draft that was begun meanwhile: that is looked for once more before
 * the kernel hears of it.
 *
 * Threads: the FUSE thread, but for the answers of the cache, which only
 * note what they were told.
 */
#include "cache/drafts/drafts.h"
#include "fs/look.h"
#include "fs/reply.h"
#include "fs/session.h"

#include <assert.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* A question about attributes: LOOKUP, GETATTR, ACCESS. */
struct attr_wait {
	struct fs_wait wait;
	struct fs *fs;
	struct fs_node *node; /* pinned; of LOOKUP the parent */
	struct ident ident;
	int mask; /* ACCESS: asked for */
	int code;
	struct cache_attr attr;
	char name[PATH_NAME_BYTES_MAX + 1]; /* LOOKUP: asked for */
};

/* A directory of which nothing is told. */
static const struct fs_look bare = {.attr = {.kind = CACHE_DIRECTORY}};

static struct attr_wait *attr_wait_new(struct fs *fs, struct fs_node *node,
    const struct ident *ident) REQUIRES(fuse_thread)
{
	struct attr_wait *ask = malloc(sizeof(*ask));

	if (!ask)
		return NULL;
	ask->fs = fs;
	ask->node = node;
	ask->ident = *ident;
	ask->mask = 0;
	ask->name[0] = '\0';
	node_pin(node);
	return ask;
}

static void attr_wait_free(struct attr_wait *ask) REQUIRES(fuse_thread)
{
	node_unpin(&ask->fs->nodes, ask->node);
	free(ask);
}

static void attr_answer(void *arg, int code, const struct cache_attr *attr)
{
	struct attr_wait *ask = arg;

	assert(code <= 0 && (code < 0 || attr != NULL));
	ask->code = code;
	ask->attr = attr ? *attr : (struct cache_attr){0};
	wait_return(&ask->wait);
}

/* Ask the cache about `path`; `ask` is consumed. */
static void ask_cache(struct attr_wait *ask, fuse_req_t req, const char *path,
    fs_finish_fn finish) REQUIRES(fuse_thread)
{
	struct fs *fs = ask->fs;
	struct ident ident = ask->ident;

	if (!wait_begin(&ask->wait, &fs->mail, req, finish)) {
		attr_wait_free(ask);
		return;
	}
	cache_lookup(fs->config.cache, &ident, path, attr_answer, ask);
}

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
	reply_entry(fs, ask->wait.req, node, &bare);
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
	ask_cache(ask, req, path, lookup_finish);
}

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
			reply_attr(ask->fs, wait->req, ask->node, &bare);
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
	ask_cache(ask, req, path, finish);
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
		reply_attr(fs, req, node, &bare);
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
