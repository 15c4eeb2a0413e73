/* SPDX-License-Identifier: Apache-2.0 */
/*
 * fs/names.c - mkdir, unlink, rmdir; rename.c has the fourth.
 *
 * The server has changed before it is answered. What follows for the nodes is
 * done whether or not somebody still waits for the answer.
 *
 * Threads: the FUSE thread, but for the answers, which only note what they
 * were told.
 */
#include "fs/look.h"
#include "fs/name_wait.h"
#include "fs/reply.h"

#include <errno.h>

/* ---- unlink, rmdir ---- */

static void remove_finish(struct fs_wait *wait)
{
	struct name_wait *ask = CONTAINER_OF(wait, struct name_wait, wait);
	struct fs *fs = ask->fs;

	mail_assert_here(wait->mail);
	fs->changes++;
	if (ask->code == 0) {
		struct fs_node *node =
		    node_named(&fs->nodes, ask->parent, ask->name);

		if (node)
			node_part(node);
	}
	if (wait_claim(wait))
		reply_error(wait->req, ask->code);
	name_wait_free(ask);
}

static void remove_begin(struct name_wait *ask) REQUIRES(fuse_thread)
{
	struct fs *fs = ask->fs;
	struct ident ident = ask->ident;
	char path[PATH_BYTES_MAX];

	ask->code = child_path(ask->parent, ask->name, path);
	if (ask->code < 0)
		wait_return(&ask->wait);
	else
		drafts_unlink(
		    fs->config.drafts, &ident, path, name_answer, ask);
}

static void unlink_start(struct name_wait *ask, const char *path)
{
	mail_assert_here(&ask->fs->mail);
	name_keep(ask, node_named(&ask->fs->nodes, ask->parent, ask->name),
	    path, remove_begin);
}

static void hidden_answer(void *arg, int code, const struct cache_attr *attr)
{
	struct name_wait *ask = arg;

	(void)attr;
	ask->code = code;
	wait_return(&ask->wait);
}

static void rmdir_start(struct name_wait *ask, const char *path);

static void hidden_finish(struct fs_wait *wait)
{
	struct name_wait *ask = CONTAINER_OF(wait, struct name_wait, wait);
	char path[PATH_BYTES_MAX];

	mail_assert_here(wait->mail);
	if (ask->code == -ENOENT) {
		node_part(ask->leaves);
		ask->code = child_path(ask->parent, ask->name, path);
	} else if (ask->code == 0) {
		ask->code = -ENOTEMPTY;
	}
	node_unpin(&ask->fs->nodes, STEAL(ask->leaves));
	if (ask->code == 0 && wait_is_claimed(wait))
		ask->code = -EINTR; /* nothing was asked for yet */
	if (ask->code < 0) {
		ask->finish(wait);
		return;
	}
	wait_go_on(wait, ask->finish);
	rmdir_start(ask, path);
}

/* nginx lists no name that begins with '.', and to remove a directory there
 * takes all that is in it: those that are known here are looked at first. */
static void rmdir_start(struct name_wait *ask, const char *path)
{
	struct fs *fs = ask->fs;
	struct ident ident = ask->ident;
	struct fs_node *node;
	char hidden[PATH_BYTES_MAX];

	mail_assert_here(&fs->mail);
	node = node_named(&fs->nodes, ask->parent, ask->name);
	if (node)
		node = node_hidden(&fs->nodes, node);
	if (!node || node_path(node, hidden) < 0) {
		drafts_rmdir(fs->config.drafts, &ident, path, name_answer, ask);
		return;
	}
	ask->leaves = node;
	node_pin(node);
	ask->finish = ask->wait.finish;
	ask->wait.finish = hidden_finish;
	cache_lookup(fs->config.cache, &ident, hidden, hidden_answer, ask);
}

static void remove_name(
    fuse_req_t req, fuse_ino_t parent, const char *name, bool directory)
{
	struct name_wait *ask = name_wait_of(fs_of(req), req, parent, name);

	if (!ask)
		return;
	ask->turn.takes = true;
	name_wait_begin(
	    ask, req, directory ? rmdir_start : unlink_start, remove_finish);
}

void op_unlink(fuse_req_t req, fuse_ino_t parent, const char *name)
{
	remove_name(req, parent, name, false);
}

void op_rmdir(fuse_req_t req, fuse_ino_t parent, const char *name)
{
	remove_name(req, parent, name, true);
}

/* ---- mkdir ---- */

static void made_answer(void *arg, int code, const struct cache_attr *attr)
{
	struct name_wait *ask = arg;

	/* It was made, whether or not this token may look at it. */
	ask->attr = (struct cache_attr){.kind = CACHE_DIRECTORY};
	if (code == 0 && attr->kind == CACHE_DIRECTORY)
		ask->attr = *attr;
	wait_return(&ask->wait);
}

/* The mode that was asked for is worn when another would be shown. */
static void wear_mode(const struct name_wait *ask, const char *path)
{
	const struct fs *fs = ask->fs;
	struct draft_set set = {
	    .mode = (ask->mode & 07777) | DRAFTS_MODE_SET,
	    .mtime_s = DRAFT_KEEP,
	};
	mode_t shown = 0755 & ~(fs->config.umask & 0777);

	if (ask->attr.version != 0 && (ask->mode & 07777) != shown)
		(void)drafts_wear(fs->config.drafts, path, &ask->attr, &set);
}

static void made_finish(struct fs_wait *wait)
{
	struct name_wait *ask = CONTAINER_OF(wait, struct name_wait, wait);
	struct fs *fs = ask->fs;

	mail_assert_here(wait->mail);
	if (wait_claim(wait)) {
		char path[PATH_BYTES_MAX];
		struct fs_node *node = NULL;
		struct fs_look look;

		ask->code = child_path(ask->parent, ask->name, path);
		if (ask->code == 0) {
			wear_mode(ask, path);
			look_at_attr(fs, &look, path, &ask->attr);
			node = node_take(
			    &fs->nodes, ask->parent, ask->name, &look.attr);
		}
		if (node)
			reply_entry(fs, wait->req, node, &look);
		else
			reply_error(
			    wait->req, ask->code < 0 ? ask->code : -ENOMEM);
	}
	name_wait_free(ask);
}

static void mkdir_finish(struct fs_wait *wait)
{
	struct name_wait *ask = CONTAINER_OF(wait, struct name_wait, wait);
	struct ident ident = ask->ident;
	struct fs *fs = ask->fs;
	char path[PATH_BYTES_MAX];

	mail_assert_here(wait->mail);
	fs->changes++;
	if (ask->code == 0)
		ask->code = child_path(ask->parent, ask->name, path);
	if (ask->code < 0 || wait_is_claimed(wait)) {
		if (wait_claim(wait))
			reply_error(wait->req, ask->code);
		name_wait_free(ask);
		return;
	}
	wait_go_on(wait, made_finish);
	cache_lookup(fs->config.cache, &ident, path, made_answer, ask);
}

static void mkdir_start(struct name_wait *ask, const char *path)
{
	struct ident ident = ask->ident;

	drafts_mkdir(ask->fs->config.drafts, &ident, path, name_answer, ask);
}

void op_mkdir(fuse_req_t req, fuse_ino_t parent, const char *name, mode_t mode)
{
	struct name_wait *ask = name_wait_of(fs_of(req), req, parent, name);

	if (!ask)
		return;
	ask->mode = mode;
	name_wait_begin(ask, req, mkdir_start, mkdir_finish);
}
