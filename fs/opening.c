/* SPDX-License-Identifier: Apache-2.0 */
/* fs/opening.c - see opening.h. */
#include "fs/opening.h"

#include <assert.h>
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
	node_pin(node);
	return opening;
}

void opening_free(struct opening *opening)
{
	if (opening->draft) {
		draft_done(opening->draft, &opening->ident);
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

bool opening_start(struct opening *opening, fuse_req_t req, const char *path,
    unsigned how, uint32_t mode, fs_finish_fn finish)
{
	struct fs *fs = opening->fs;
	struct drafts_ask ask = {
	    .ident = &opening->ident,
	    .path = path,
	    .how = how,
	    .mode = mode & 07777,
	};

	if (!wait_begin_patient(&opening->wait, &fs->mail, req, finish)) {
		opening_free(opening);
		return false;
	}
	fs->changes++;
	drafts_open(fs->config.drafts, &ask, opened, opening);
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

	if (attr.was != 0 && node->version == attr.was &&
	    !may_become(opening, node)) {
		node_part(node);
		return false;
	}
	return node_is(node, &attr);
}

struct fs_file *opening_file(struct opening *opening, struct fs_node *node)
{
	struct fs_file *file = file_new(opening->fs, node, &opening->ident);

	if (file)
		file_has_draft(file, STEAL(opening->draft), true);
	return file;
}
