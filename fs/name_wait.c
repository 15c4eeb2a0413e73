/* SPDX-License-Identifier: Apache-2.0 */
/* fs/name_wait.c - see name_wait.h. */
#include "fs/name_wait.h"

#include "fs/look.h"
#include "fs/reply.h"

#include <assert.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

int name_check(const struct fs *fs, const struct fs_node *parent,
    const char *name, char path[PATH_BYTES_MAX])
{
	if (!fs_is_writable(fs))
		return -EROFS;
	if (parent->nameless)
		return -ENOENT;
	return child_path(parent, name, path);
}

static struct name_wait *name_wait_new(struct fs *fs, fuse_req_t req,
    struct fs_node *parent, const char *name) REQUIRES(fuse_thread)
{
	struct name_wait *ask = calloc(1, sizeof(*ask));

	if (!ask)
		return NULL;
	ask->fs = fs;
	ask->ident = ident_of(req);
	ask->parent = parent;
	memcpy(ask->name, name, strlen(name) + 1);
	node_pin(parent);
	return ask;
}

struct name_wait *name_wait_of(fuse_req_t req, fuse_ino_t parent,
    const char *name, char path[PATH_BYTES_MAX])
{
	struct fs *fs = fs_of(req);
	struct fs_node *node = node_of(&fs->nodes, parent);
	struct name_wait *ask = NULL;
	int code = name_check(fs, node, name, path);

	if (code == 0)
		ask = name_wait_new(fs, req, node, name);
	if (!ask)
		reply_error(req, code < 0 ? code : -ENOMEM);
	return ask;
}

void name_wait_free(struct name_wait *ask)
{
	struct fs_nodes *nodes = &ask->fs->nodes;

	if (ask->draft) {
		draft_done(ask->draft, &ask->ident);
		draft_put(ask->draft);
	}
	if (ask->leaves)
		node_unpin(nodes, ask->leaves);
	if (ask->replaced)
		node_unpin(nodes, ask->replaced);
	if (ask->new_parent)
		node_unpin(nodes, ask->new_parent);
	node_unpin(nodes, ask->parent);
	free(ask->room);
	free(ask);
}

bool name_wait_begin(struct name_wait *ask, fuse_req_t req, fs_finish_fn finish)
{
	struct fs *fs = ask->fs;

	if (wait_begin_patient(&ask->wait, &fs->mail, req, finish)) {
		fs->changes++;
		return true;
	}
	name_wait_free(ask);
	return false;
}

void name_answer(void *arg, int code)
{
	struct name_wait *ask = arg;

	assert(code <= 0);
	ask->code = code;
	wait_return(&ask->wait);
}
