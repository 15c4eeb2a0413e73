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
	list_init(&ask->turn.in);
	ask->turn.at = (struct fs_place){.node = parent, .name = ask->name};
	node_pin(parent);
	return ask;
}

struct name_wait *name_wait_of(
    struct fs *fs, fuse_req_t req, fuse_ino_t parent, const char *name)
{
	struct fs_node *node = node_of(&fs->nodes, parent);
	char path[PATH_BYTES_MAX];
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

	turn_over(ask->fs, &ask->turn);
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

/* Its turn has come; what is above the name may have another one. */
static void name_begin(struct fs_turn *turn)
{
	struct name_wait *ask = CONTAINER_OF(turn, struct name_wait, turn);
	char path[PATH_BYTES_MAX];

	mail_assert_here(&ask->fs->mail);
	if (wait_is_claimed(&ask->wait))
		ask->code = -EINTR;
	else if (atomic_load(&ask->fs->stopping))
		ask->code = -ECANCELED;
	else
		ask->code = name_check(ask->fs, ask->parent, ask->name, path);
	if (ask->code < 0)
		wait_return(&ask->wait);
	else
		ask->start(ask, path);
}

void name_wait_begin(struct name_wait *ask, fuse_req_t req, name_start_fn start,
    fs_finish_fn finish)
{
	struct fs *fs = ask->fs;

	ask->start = start;
	if (!wait_begin_patient(&ask->wait, &fs->mail, req, finish)) {
		name_wait_free(ask);
		return;
	}
	fs->changes++;
	turn_take(fs, &ask->turn, name_begin);
}

void name_answer(void *arg, int code)
{
	struct name_wait *ask = arg;

	assert(code <= 0);
	ask->code = code;
	wait_return(&ask->wait);
}
