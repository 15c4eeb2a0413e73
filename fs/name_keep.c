/* SPDX-License-Identifier: Apache-2.0 */
/*
 * fs/name_keep.c - what is removed or replaced while somebody has it open; see
 * name_wait.h.
 *
 * The server will have its bytes no more. What reads them is a draft, as if it
 * were to be written, and drafts keep them where they can (keep_base.c); when
 * it cannot be had, the change goes on without. Where many share the mount a
 * draft is one user's: others' handles are not given it.
 */
#include "fs/handle.h"
#include "fs/name_wait.h"

static void keep_answer(
    void *arg, int code, struct draft *draft, const struct draft_attr *attr)
{
	struct name_wait *ask = arg;

	if (code == 0) {
		ask->draft = draft;
		ask->draft_attr = *attr;
	}
	wait_return(&ask->wait);
}

/* Its handles read the draft from now on. */
static void keep_finish(struct fs_wait *wait)
{
	struct name_wait *ask = CONTAINER_OF(wait, struct name_wait, wait);
	struct fs_node *node = ask->leaves;
	uint64_t before = node->version;

	mail_assert_here(wait->mail);
	if (ask->draft && node->open_count > 0 && !node->draft &&
	    !node->nameless && node_is(node, &ask->draft_attr.attr)) {
		if (!ask->draft_attr.unsent && node->version != before)
			node->began = before;
		node_has_draft(node, ask->draft);
	}
	if (wait_is_claimed(wait)) {
		name_wait_free(ask);
		return;
	}
	wait_go_on(wait, ask->finish);
	ask->begin(ask);
}

void name_keep(struct name_wait *ask, struct fs_node *node, const char *path,
    void (*begin)(struct name_wait *ask))
{
	struct fs *fs = ask->fs;
	struct ident ident = ask->ident;
	struct drafts_ask keep = {.ident = &ident, .path = path};

	ask->begin = begin;
	if (!node || node->kind != CACHE_FILE || node->open_count == 0 ||
	    node->draft || node->nameless ||
	    (fs->config.allow_other &&
	        node_is_shared(fs, node, ask->ident.uid))) {
		begin(ask);
		return;
	}
	ask->leaves = node;
	node_pin(node);
	ask->finish = ask->wait.finish;
	ask->wait.finish = keep_finish;
	drafts_open(fs->config.drafts, &keep, keep_answer, ask);
}
