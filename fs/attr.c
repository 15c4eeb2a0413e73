/* SPDX-License-Identifier: Apache-2.0 */
/*
 * fs/attr.c - names and attributes: lookup, forget, getattr, access.
 *
 * ESTALE is an answer to the kernel, not to the caller: the VFS repeats the
 * walk with every name asked again (LOOKUP_REVAL), is given the node of the
 * version that is there now, and goes on with it.
 *
 * Threads: the FUSE thread, but for the answers of the cache, which only
 * note what they were told.
 */
#include "base/clock.h"
#include "fs/reply.h"
#include "fs/session.h"

#include <assert.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum {
	/* The attributes of an open file are those of its version: they
	 * cannot change, and the next look-up of its name is due when the
	 * name's own time is over. */
	PINNED_FRESH_MS = 60 * 1000,
};

/* A question about attributes: LOOKUP, GETATTR, ACCESS. */
struct attr_wait {
	struct fs_wait wait;
	struct fs *fs;
	struct fs_node *node; /* pinned; of LOOKUP the parent */
	int code;
	struct cache_attr attr;
	char name[PATH_NAME_BYTES_MAX + 1]; /* LOOKUP: asked for */
};

/* A directory of which nothing is told. */
static const struct cache_attr bare = {.kind = CACHE_DIRECTORY};

static struct attr_wait *attr_wait_new(struct fs *fs, struct fs_node *node)
    REQUIRES(fuse_thread)
{
	struct attr_wait *ask = malloc(sizeof(*ask));

	if (!ask)
		return NULL;
	ask->fs = fs;
	ask->node = node;
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
	struct ident ident = ident_of(req);
	struct fs *fs = ask->fs;

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

static void lookup_reply(struct attr_wait *ask) REQUIRES(fuse_thread)
{
	struct fs *fs = ask->fs;
	fuse_req_t req = ask->wait.req;
	struct fs_node *node;

	/* What is absent for the caller alone may be somebody's directory. */
	if (ask->code == -ENOENT && ask->attr.fresh_until_ms != 0) {
		reply_absent(fs, req, ask->attr.fresh_until_ms);
		return;
	}
	if (ask->code == 0 && is_in_the_way(ask))
		ask->code = -EACCES;
	if (ask->code < 0) {
		if (!reply_masked(ask))
			reply_error(req, ask->code);
		return;
	}
	node = node_take(&fs->nodes, ask->node, ask->name, &ask->attr);
	if (!node) {
		reply_error(req, -ENOMEM);
		return;
	}
	reply_entry(fs, req, node, &ask->attr);
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
	struct fs_node *node = node_of(&fs->nodes, parent);
	char path[PATH_BYTES_MAX];
	char child[PATH_BYTES_MAX];
	struct attr_wait *ask;
	size_t name_bytes = strlen(name);
	int code;

	if (name_bytes > PATH_NAME_BYTES_MAX) {
		reply_error(req, -ENAMETOOLONG);
		return;
	}
	if (!path_name_ok(name, name_bytes)) {
		reply_error(req, -EINVAL);
		return;
	}
	code = node_path(node, path);
	if (code == 0)
		code = path_join(child, path, name);
	if (code < 0) {
		reply_error(req, code);
		return;
	}
	ask = attr_wait_new(fs, node);
	if (!ask) {
		reply_error(req, -ENOMEM);
		return;
	}
	memcpy(ask->name, name, name_bytes + 1);
	ask_cache(ask, req, child, lookup_finish);
}

void op_forget(fuse_req_t req, fuse_ino_t ino, uint64_t lookup_count)
{
	struct fs *fs = fs_of(req);

	node_forget(&fs->nodes, node_of(&fs->nodes, ino), lookup_count);
	reply_nothing(req);
}

void op_forget_multi(
    fuse_req_t req, size_t count, struct fuse_forget_data *forgets)
{
	struct fs *fs = fs_of(req);

	for (size_t i = 0; i < count; i++)
		node_forget(&fs->nodes, node_of(&fs->nodes, forgets[i].ino),
		    forgets[i].nlookup);
	reply_nothing(req);
}

/* The root may be passed by who may have something below it, though a server
 * refuses to show it: of an opaque token nothing else is known. That it is
 * there is no secret. */
static bool is_passed(const struct attr_wait *ask)
{
	return ask->fs->config.allow_other && ask->code == -EACCES &&
	    ask->node == ask->fs->nodes.root;
}

static void getattr_finish(struct fs_wait *wait)
{
	struct attr_wait *ask = CONTAINER_OF(wait, struct attr_wait, wait);

	mail_assert_here(wait->mail);
	if (wait_claim(wait)) {
		if (is_passed(ask))
			reply_attr(ask->fs, wait->req, ask->node, &bare);
		else if (ask->code < 0)
			reply_error(wait->req, ask->code);
		else if (!node_is(ask->node, &ask->attr))
			reply_error(wait->req, -ESTALE);
		else
			reply_attr(ask->fs, wait->req, ask->node, &ask->attr);
	}
	attr_wait_free(ask);
}

/* GETATTR and ACCESS of a node that is not pinned by a handle. */
static void ask_about_node(fuse_req_t req, struct fs *fs, struct fs_node *node,
    fs_finish_fn finish) REQUIRES(fuse_thread)
{
	char path[PATH_BYTES_MAX];
	struct attr_wait *ask;
	int code = node->nameless ? -ESTALE : node_path(node, path);

	if (code < 0) {
		reply_error(req, code);
		return;
	}
	ask = attr_wait_new(fs, node);
	if (!ask) {
		reply_error(req, -ENOMEM);
		return;
	}
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
	if (is_pinned(node)) {
		struct cache_attr attr = node_attr(node);

		attr.fresh_until_ms =
		    clock_now_ms(fs->config.clock) + PINNED_FRESH_MS;
		reply_attr(fs, req, node, &attr);
		return;
	}
	ask_about_node(req, fs, node, getattr_finish);
}

static void access_finish(struct fs_wait *wait)
{
	struct attr_wait *ask = CONTAINER_OF(wait, struct attr_wait, wait);

	mail_assert_here(wait->mail);
	if (wait_claim(wait)) {
		if (ask->code == 0 && !node_is(ask->node, &ask->attr))
			ask->code = -ESTALE;
		reply_error(wait->req, ask->code);
	}
	attr_wait_free(ask);
}

void op_access(fuse_req_t req, fuse_ino_t ino, int mask)
{
	struct fs *fs = fs_of(req);
	struct fs_node *node = node_of(&fs->nodes, ino);

	if (mask & W_OK) {
		reply_error(req, -EROFS);
		return;
	}
	if ((mask & X_OK) && node->kind == CACHE_FILE) {
		reply_error(req, -EACCES);
		return;
	}
	if (is_pinned(node) && !fs->config.allow_other) {
		reply_error(req, 0);
		return;
	}
	ask_about_node(req, fs, node, access_finish);
}
