/* SPDX-License-Identifier: Apache-2.0 */
/* fs/attr_wait.c - see attr_wait.h. */
#include "fs/attr_wait.h"

#include <assert.h>
#include <stdlib.h>

struct attr_wait *attr_wait_new(
    struct fs *fs, struct fs_node *node, const struct ident *ident)
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

void attr_wait_free(struct attr_wait *ask)
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

void attr_wait_begin(struct attr_wait *ask, fuse_req_t req, const char *path,
    fs_finish_fn finish)
{
	struct fs *fs = ask->fs;
	struct ident ident = ask->ident;

	if (!wait_begin(&ask->wait, &fs->mail, req, finish)) {
		attr_wait_free(ask);
		return;
	}
	cache_lookup(fs->config.cache, &ident, path, attr_answer, ask);
}
