/* SPDX-License-Identifier: Apache-2.0 */
/* fs/opening.c - see opening.h. */
#include "fs/opening.h"

#include <assert.h>
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>

struct opening *opening_new(struct fs *fs, fuse_req_t req, struct fs_node *node,
    const char *name, int flags)
{
	struct opening *opening = calloc(1, sizeof(*opening));

	if (!opening)
		return NULL;
	opening->fs = fs;
	opening->node = node;
	opening->ident = ident_of(req);
	opening->flags = flags;
	if (name)
		memcpy(opening->name, name, strlen(name) + 1);
	list_init(&opening->turn.in);
	opening->turn.at.node = node;
	if (name)
		opening->turn.at.name = opening->name;
	node_pin(node);
	return opening;
}

void opening_known(struct opening *opening)
{
	turn_over(opening->fs, &opening->turn);
}

void opening_free(struct opening *opening)
{
	turn_over(opening->fs, &opening->turn);
	if (opening->draft) {
		if (opening->given)
			draft_done(opening->draft, &opening->ident);
		else
			draft_unused(opening->draft, &opening->ident);
		draft_put(opening->draft);
	}
	node_unpin(&opening->fs->nodes, opening->node);
	free(opening);
}

static void opened(
    void *arg, int code, struct draft *draft, const struct draft_attr *attr)
{
	struct opening *opening = arg;

	assert(code <= 0 && (code < 0 || (draft != NULL && attr != NULL)));
	opening->code = code;
	if (code == 0) {
		opening->draft = draft;
		opening->attr = *attr;
	}
	wait_return(&opening->wait);
}

/* The node that is to become the draft. */
static struct fs_node *node_of_opening(const struct opening *opening)
    REQUIRES(fuse_thread)
{
	return opening->name[0] == '\0'
	    ? opening->node
	    : node_named(&opening->fs->nodes, opening->node, opening->name);
}

static void based(void *arg, int code, const struct cache_attr *attr)
{
	struct opening *opening = arg;

	opening->base = code == 0 ? *attr : (struct cache_attr){0};
	wait_return(&opening->wait);
}

static void based_finish(struct fs_wait *wait)
{
	struct opening *opening = CONTAINER_OF(wait, struct opening, wait);
	struct fs_node *node;
	struct fs_look look;

	mail_assert_here(wait->mail);
	node = node_of_opening(opening);
	if (node && opening->base.version != 0) {
		look_at_attr(opening->fs, &look, NULL, &opening->base);
		(void)node_is(node, &look.attr);
	}
	opening->finish(wait);
}

static int path_of_opening(const struct opening *opening,
    char path[PATH_BYTES_MAX]) REQUIRES(fuse_thread)
{
	return opening->name[0] == '\0'
	    ? node_path(opening->node, path)
	    : child_path(opening->node, opening->name, path);
}

/* The node may be a draft that was sent and has ended, and this one goes on
 * from what the server has of it: then the node becomes that first. */
static void opened_finish(struct fs_wait *wait)
{
	struct opening *opening = CONTAINER_OF(wait, struct opening, wait);
	struct ident ident = opening->ident;
	struct fs *fs = opening->fs;
	struct fs_node *node;
	char path[PATH_BYTES_MAX];

	mail_assert_here(wait->mail);
	node = node_of_opening(opening);
	if (opening->code < 0 || wait_is_claimed(wait) || !node ||
	    node->nameless || opening->attr.attr.was == 0 ||
	    node_would_be(node, &opening->attr.attr) ||
	    path_of_opening(opening, path) < 0) {
		opening->finish(wait);
		return;
	}
	wait_go_on(wait, based_finish);
	cache_lookup(fs->config.cache, &ident, path, based, opening);
}

/* The path of what it opens, if that is to be had still. */
static int path_to_open(const struct opening *opening,
    char path[PATH_BYTES_MAX]) REQUIRES(fuse_thread)
{
	if (wait_is_claimed(&opening->wait))
		return -EINTR;
	if (atomic_load(&opening->fs->stopping))
		return -ECANCELED;
	if (opening->node->nameless)
		return opening->name[0] == '\0' ? -ESTALE : -ENOENT;
	return path_of_opening(opening, path);
}

static void open_now(struct fs_turn *turn)
{
	struct opening *opening = CONTAINER_OF(turn, struct opening, turn);
	struct ident ident = opening->ident;
	char path[PATH_BYTES_MAX];
	struct drafts_ask ask = {
	    .ident = &ident,
	    .path = path,
	    .how = opening->how,
	    .mode = opening->mode,
	};

	mail_assert_here(&opening->fs->mail);
	opening->code = path_to_open(opening, path);
	if (opening->code < 0)
		wait_return(&opening->wait);
	else
		drafts_open(opening->fs->config.drafts, &ask, opened, opening);
}

bool opening_start(struct opening *opening, fuse_req_t req, unsigned how,
    uint32_t mode, fs_finish_fn finish)
{
	struct fs *fs = opening->fs;

	opening->finish = finish;
	opening->how = how;
	opening->mode = (mode & 07777) | DRAFTS_MODE_SET;
	if (!wait_begin_patient(
	        &opening->wait, &fs->mail, req, opened_finish)) {
		opening_free(opening);
		return false;
	}
	fs->changes++;
	turn_take(fs, &opening->turn, open_now);
	return true;
}

void opening_look(const struct opening *opening, struct fs_look *out)
{
	look_at_draft(opening->fs, out, opening->draft);
}

/*
 * Where many users share the mount, the draft is the opener's alone: a node
 * goes on as it when nobody else has it open, and when it has nothing in it
 * yet that the kernel has not seen. Else the name gets a node for the opener,
 * which the VFS finds when it walks again.
 */
static bool may_become(const struct opening *opening,
    const struct fs_node *node) REQUIRES(fuse_thread)
{
	if (!opening->fs->config.allow_other)
		return true;
	if (opening->attr.unsent && !(opening->flags & O_TRUNC))
		return false;
	return !node_is_shared(opening->fs, node, opening->ident.uid);
}

bool opening_is_of(const struct opening *opening, struct fs_node *node)
{
	struct cache_attr attr = opening->attr.attr;
	uint64_t before = node->version;

	if (attr.was != 0 && before == attr.was && !may_become(opening, node)) {
		node_part(node);
		return false;
	}
	if (!node_is(node, &attr))
		return false;
	if (opening->attr.unsent)
		node->began = 0;
	else if (node->version != before)
		node->began = before;
	return true;
}

struct fs_file *opening_file(struct opening *opening, struct fs_node *node)
{
	struct fs_file *file = file_new(opening->fs, node, &opening->ident);

	if (file)
		file_has_draft(file, STEAL(opening->draft), true);
	return file;
}
