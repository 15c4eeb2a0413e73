/* SPDX-License-Identifier: Apache-2.0 */
/*
 * fs/create.c - create, mknod: files that were not there.
 *
 * The kernel counts a look-up of what it is given here, so the node is taken
 * only when there is an answer to give, and given back with a handle that the
 * kernel did not take.
 *
 * Threads: the FUSE thread.
 */
#include "fs/handle.h"
#include "fs/look.h"
#include "fs/opening.h"
#include "fs/reply.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <sys/stat.h>

/* The node of what was opened, with its lookup count raised. */
static struct fs_node *take_node(struct opening *opening, struct fs_look *look)
    REQUIRES(fuse_thread)
{
	struct fs_nodes *nodes = &opening->fs->nodes;
	struct fs_node *there = node_named(nodes, opening->node, opening->name);

	opening_look(opening, look);
	if (there && opening_is_of(opening, there))
		look->attr.was = 0; /* it is that version now */
	return node_take(nodes, opening->node, opening->name, &look->attr);
}

static int create_reply(struct opening *opening) REQUIRES(fuse_thread)
{
	struct fuse_file_info info = {.flags = opening->flags, .keep_cache = 1};
	struct fs *fs = opening->fs;
	struct fs_node *node;
	struct fs_look look;
	struct fs_file *file;

	if (opening->code < 0)
		return opening->code;
	node = take_node(opening, &look);
	if (!node)
		return -ENOMEM;
	file = opening_file(opening, node);
	if (!file) {
		node_forget(&fs->nodes, node, 1);
		return -ENOMEM;
	}
	info.fh = (uint64_t)(uintptr_t)file;
	if (reply_create(fs, opening->wait.req, node, &look, &info) < 0)
		file_free(file);
	return 0;
}

static void create_finish(struct fs_wait *wait)
{
	struct opening *opening = CONTAINER_OF(wait, struct opening, wait);

	mail_assert_here(wait->mail);
	if (wait_claim(wait)) {
		int code = create_reply(opening);

		if (code < 0)
			reply_error(wait->req, code);
	}
	opening_free(opening);
}

/* Without a handle: what was made is sent when `opening` is freed. */
static void mknod_finish(struct fs_wait *wait)
{
	struct opening *opening = CONTAINER_OF(wait, struct opening, wait);
	struct fs_look look;

	mail_assert_here(wait->mail);
	if (wait_claim(wait)) {
		struct fs_node *node = NULL;

		if (opening->code == 0) {
			node = take_node(opening, &look);
			opening->code = node ? 0 : -ENOMEM;
		}
		opening->given = node != NULL;
		if (node)
			reply_entry(opening->fs, wait->req, node, &look);
		else
			reply_error(wait->req, opening->code);
	}
	opening_free(opening);
}

static void start(fuse_req_t req, fuse_ino_t parent, const char *name,
    int flags, mode_t mode, fs_finish_fn finish)
{
	struct fs *fs = fs_of(req);
	struct fs_node *node = node_of(&fs->nodes, parent);
	char path[PATH_BYTES_MAX];
	struct opening *opening = NULL;
	unsigned how = DRAFTS_OPEN_CREATE;
	int code = 0;

	if (!fs_is_writable(fs))
		code = -EROFS;
	else if (node->nameless)
		code = -ENOENT;
	else
		code = child_path(node, name, path);
	if (code == 0)
		opening = opening_new(fs, req, node, name, flags);
	if (!opening) {
		reply_error(req, code < 0 ? code : -ENOMEM);
		return;
	}
	if (flags & O_EXCL)
		how |= DRAFTS_OPEN_EXCLUSIVE;
	if (flags & O_TRUNC)
		how |= DRAFTS_OPEN_TRUNCATE;
	(void)opening_start(opening, req, how, mode, finish);
}

void op_create(fuse_req_t req, fuse_ino_t parent, const char *name, mode_t mode,
    struct fuse_file_info *info)
{
	start(req, parent, name, info->flags, mode, create_finish);
}

void op_mknod(fuse_req_t req, fuse_ino_t parent, const char *name, mode_t mode,
    dev_t device)
{
	(void)device;
	if (!S_ISREG(mode))
		reply_error(
		    req, fs_of(req)->config.read_only ? -EROFS : -EPERM);
	else
		start(req, parent, name, O_EXCL, mode, mknod_finish);
}
