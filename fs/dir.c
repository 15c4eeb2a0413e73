/* SPDX-License-Identifier: Apache-2.0 */
/*
 * fs/dir.c - opendir, releasedir.
 *
 * A handle holds one complete listing, which does not change, with what is
 * written here in it.
 *
 * The kernel may keep names of a directory (cache_readdir) and show them to
 * later handles (keep_cache) only as long as both have the same listing. The
 * node remembers which one the kernel was last told to keep; while a handle
 * with another one is open, nothing more is kept, so two listings can not be
 * mixed.
 *
 * Threads: the FUSE thread, but for list_answer().
 */
#include "fs/dir.h"

#include "cache/drafts/drafts.h"
#include "fs/look.h"
#include "fs/reply.h"
#include "fs/session.h"

#include <assert.h>
#include <errno.h>
#include <stdlib.h>

enum { DIR_MAGIC = 0x64697273 };

struct list_wait {
	struct fs_wait wait;
	struct fs *fs;
	struct fs_node *node; /* pinned */
	struct ident ident;
	uint64_t changes; /* when it was asked for */
	int flags;
	int code;
	struct cache_listing *listing;
	struct drafts_held *held; /* what lay there when it was asked for */
};

struct fs_dir *dir_of(const struct fuse_file_info *info)
{
	struct fs_dir *dir = (struct fs_dir *)(uintptr_t)info->fh;

	assert(dir != NULL && dir->magic == DIR_MAGIC);
	return dir;
}

static struct fs_dir *dir_new(struct fs *fs, struct fs_node *node,
    struct cache_listing *listing) REQUIRES(fuse_thread)
{
	struct fs_dir *dir = calloc(1, sizeof(*dir));

	if (!dir)
		return NULL;
	dir->magic = DIR_MAGIC;
	dir->fs = fs;
	dir->node = node;
	dir->listing = listing;
	dir->next = fs->dirs;
	if (dir->next)
		dir->next->previous = dir;
	fs->dirs = dir;
	node_pin(node);
	node->open_count++;
	return dir;
}

static void dir_free(struct fs_dir *dir) REQUIRES(fuse_thread)
{
	struct fs *fs = dir->fs;

	if (dir->previous)
		dir->previous->next = dir->next;
	else
		fs->dirs = dir->next;
	if (dir->next)
		dir->next->previous = dir->previous;
	cache_listing_put(dir->listing);
	dir->node->open_count--;
	node_unpin(&fs->nodes, dir->node);
	dir->magic = 0;
	free(dir);
}

void dirs_close_all(struct fs *fs)
{
	struct fs_dir *next;

	for (struct fs_dir *dir = fs->dirs; dir; dir = next) {
		next = dir->next;
		dir_free(dir);
	}
}

static void list_answer(void *arg, int code, struct cache_listing *listing)
{
	struct list_wait *ask = arg;

	assert(code <= 0 && (code < 0 || listing != NULL));
	ask->code = code;
	ask->listing = code == 0 ? listing : NULL;
	wait_return(&ask->wait);
}

/* What the kernel may keep and show of this listing's names: nothing where it
 * could show them to another user. */
static void choose_cache(const struct fs *fs, struct fuse_file_info *info,
    const struct fs_node *node, uint64_t listing_version)
{
	if (fs->config.allow_other)
		return;
	if (node->listing_version == listing_version) {
		info->cache_readdir = 1;
		info->keep_cache = 1;
	} else if (node->open_count == 0) {
		info->cache_readdir = 1; /* what it had is dropped */
	}
}

static int add_drafts(struct list_wait *ask) REQUIRES(fuse_thread)
{
	struct fs *fs = ask->fs;
	char path[PATH_BYTES_MAX];

	if (!fs_is_writable(fs) || ask->node->nameless)
		return 0;
	if (node_path(ask->node, path) < 0)
		return -ENAMETOOLONG;
	ask->listing =
	    drafts_list(fs->config.drafts, &ask->ident, path, ask->listing);
	return ask->listing ? 0 : -ENOMEM;
}

static int opendir_reply(struct list_wait *ask) REQUIRES(fuse_thread)
{
	struct fuse_file_info info = {.flags = ask->flags};
	uint64_t version;
	struct fs_dir *dir;

	if (ask->code == 0)
		ask->code = add_drafts(ask);
	if (ask->code < 0)
		return ask->code;
	version = cache_listing_version(ask->listing);
	choose_cache(ask->fs, &info, ask->node, version);
	dir = dir_new(ask->fs, ask->node, ask->listing);
	if (!dir)
		return -ENOMEM;
	ask->listing = NULL;
	dir->changes = ask->changes;
	info.fh = (uint64_t)(uintptr_t)dir;
	if (reply_open(ask->wait.req, &info) < 0)
		dir_free(dir); /* the kernel still has what it had */
	else if (info.cache_readdir)
		ask->node->listing_version = version;
	return 0;
}

static void opendir_finish(struct fs_wait *wait)
{
	struct list_wait *ask = CONTAINER_OF(wait, struct list_wait, wait);

	mail_assert_here(wait->mail);
	if (wait_claim(wait)) {
		int code = opendir_reply(ask);

		if (code < 0)
			reply_error(wait->req, code);
	}
	if (ask->listing)
		cache_listing_put(ask->listing);
	drafts_held_put(ask->held);
	node_unpin(&ask->fs->nodes, ask->node);
	free(ask);
}

void op_opendir(fuse_req_t req, fuse_ino_t ino, struct fuse_file_info *info)
{
	struct fs *fs = fs_of(req);
	struct ident ident = ident_of(req);
	struct fs_node *node = node_of(&fs->nodes, ino);
	char path[PATH_BYTES_MAX];
	struct list_wait *ask = NULL;
	int code = 0;

	if (node->kind != CACHE_DIRECTORY)
		code = -ENOTDIR;
	else if (node->nameless)
		code = -ESTALE;
	else
		code = node_path(node, path);
	if (code == 0)
		ask = calloc(1, sizeof(*ask));
	if (!ask) {
		reply_error(req, code < 0 ? code : -ENOMEM);
		return;
	}
	ask->fs = fs;
	ask->node = node;
	ask->ident = ident;
	ask->changes = fs->changes;
	ask->flags = info->flags;
	if (fs_is_writable(fs))
		code = drafts_hold_listed(
		    fs->config.drafts, &ident, path, &ask->held);
	if (code < 0) {
		reply_error(req, code);
		free(ask);
		return;
	}
	if (!wait_begin(&ask->wait, &fs->mail, req, opendir_finish)) {
		drafts_held_put(ask->held);
		free(ask);
		return;
	}
	node_pin(node);
	cache_list(fs->config.cache, &ident, path, list_answer, ask);
}

void op_releasedir(fuse_req_t req, fuse_ino_t ino, struct fuse_file_info *info)
{
	(void)fs_of(req);
	(void)ino;
	dir_free(dir_of(info));
	reply_error(req, 0);
}
