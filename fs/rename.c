/* SPDX-License-Identifier: Apache-2.0 */
/*
 * fs/rename.c - rename: when the server has moved it, the node moves.
 *
 * Threads: the FUSE thread.
 */
#include "fs/look.h"
#include "fs/name_wait.h"
#include "fs/reply.h"

#include <errno.h>
#include <string.h>

#ifndef RENAME_NOREPLACE
#define RENAME_NOREPLACE (1 << 0) /* linux/fs.h */
#endif

static void move_nodes(struct name_wait *ask) REQUIRES(fuse_thread)
{
	struct fs_nodes *nodes = &ask->fs->nodes;
	struct fs_node *node = node_named(nodes, ask->parent, ask->name);
	struct fs_node *there =
	    node_named(nodes, ask->new_parent, ask->new_name);

	if (node)
		node_move(
		    nodes, node, ask->new_parent, ask->new_name, &ask->room);
	else if (there)
		node_part(there);
}

static void rename_finish(struct fs_wait *wait)
{
	struct name_wait *ask = CONTAINER_OF(wait, struct name_wait, wait);

	mail_assert_here(wait->mail);
	ask->fs->changes++;
	if (ask->replaced)
		ask->replaced->leaving--;
	if (ask->code == 0)
		move_nodes(ask);
	if (wait_claim(wait))
		reply_error(wait->req, ask->code);
	name_wait_free(ask);
}

static void rename_begin(struct name_wait *ask) REQUIRES(fuse_thread)
{
	struct fs *fs = ask->fs;
	struct ident ident = ask->ident;
	char path[PATH_BYTES_MAX];
	char new_path[PATH_BYTES_MAX];

	ask->replaced = node_named(&fs->nodes, ask->new_parent, ask->new_name);
	/* The draft that comes in its place goes on from it as far as the
	 * server is concerned, and has other bytes: the node must not become
	 * it, should a look-up see it first. */
	if (ask->replaced) {
		node_pin(ask->replaced);
		ask->replaced->leaving++;
	}
	ask->code = child_path(ask->parent, ask->name, path);
	if (ask->code == 0)
		ask->code =
		    child_path(ask->new_parent, ask->new_name, new_path);
	if (ask->code < 0)
		wait_return(&ask->wait);
	else
		drafts_rename(fs->config.drafts, &ident, path, new_path,
		    !ask->no_replace, name_answer, ask);
}

static void rename_start(struct name_wait *ask, const char *path)
{
	struct fs *fs = ask->fs;
	char new_path[PATH_BYTES_MAX];
	struct fs_node *there;

	(void)path;
	mail_assert_here(&fs->mail);
	ask->code = name_check(fs, ask->new_parent, ask->new_name, new_path);
	if (ask->code < 0) {
		wait_return(&ask->wait);
		return;
	}
	there = node_named(&fs->nodes, ask->new_parent, ask->new_name);
	/* Renamed to itself, nothing leaves. */
	if (ask->no_replace ||
	    there == node_named(&fs->nodes, ask->parent, ask->name))
		there = NULL;
	name_keep(ask, there, new_path, rename_begin);
}

void op_rename(fuse_req_t req, fuse_ino_t parent, const char *name,
    fuse_ino_t new_parent, const char *new_name, unsigned flags)
{
	struct fs *fs = fs_of(req);
	struct fs_node *to = node_of(&fs->nodes, new_parent);
	char new_path[PATH_BYTES_MAX];
	struct name_wait *ask = name_wait_of(fs, req, parent, name);
	int code;

	if (!ask)
		return;
	code = name_check(fs, to, new_name, new_path);
	if (code == 0 && (flags & ~(unsigned)RENAME_NOREPLACE))
		code = -EINVAL;
	if (code == 0) {
		ask->room = node_room();
		code = ask->room ? 0 : -ENOMEM;
	}
	if (code < 0) {
		name_wait_free(ask);
		reply_error(req, code);
		return;
	}
	memcpy(ask->new_name, new_name, strlen(new_name) + 1);
	ask->new_parent = to;
	node_pin(to);
	ask->turn.to = (struct fs_place){.node = to, .name = ask->new_name};
	ask->turn.takes = true;
	ask->no_replace = flags & RENAME_NOREPLACE;
	name_wait_begin(ask, req, rename_start, rename_finish);
}
