/* SPDX-License-Identifier: Apache-2.0 */
/*
 * fs/file.c - open for reading, read, release.
 *
 * A handle is pinned to its node. The kernel always keeps data (keep_cache):
 * they belong to that version, and an open that dropped them would wait for
 * the READs that still fill them, unkillably. Of a file that is written here
 * that is right too: all its handles, whoever opened them when, are of one
 * inode, so the kernel's pages take part in each of its WRITEs, in truncations
 * by any handle or path and in copies; and what the server gets of it is what
 * they show. When the path turns out to lead to another version, after a
 * conflict or because somebody else wrote it, that is another inode, with no
 * pages.
 *
 * Threads: the FUSE thread, but for open_answer() and read_answer().
 */
#include "base/clock.h"
#include "base/stats.h"
#include "cache/drafts/drafts.h"
#include "fs/handle.h"
#include "fs/look.h"
#include "fs/reply.h"
#include "fs/session.h"

#include <assert.h>
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>

struct open_wait {
	struct fs_wait wait;
	struct fs *fs;
	struct fs_node *node; /* pinned */
	struct ident ident;
	int flags;
	int code;
	struct cache_file *cache;
	struct cache_attr attr;
};

static void open_answer(
    void *arg, int code, struct cache_file *file, const struct cache_attr *attr)
{
	struct open_wait *ask = arg;

	assert(code <= 0 && (code < 0 || (file != NULL && attr != NULL)));
	ask->code = code;
	if (code == 0) {
		ask->cache = file;
		ask->attr = *attr;
	}
	wait_return(&ask->wait);
}

/* Give the kernel a handle of what `look` tells of, which has `cache` or
 * `draft`: taken when there is one. */
static int open_reply(struct open_wait *ask, const struct fs_look *look,
    struct draft *draft) REQUIRES(fuse_thread)
{
	/* Without the FLUSH of each close, which its caller would wait for:
	 * who only reads has nothing to send. */
	struct fuse_file_info info = {
	    .flags = ask->flags, .keep_cache = 1, .noflush = 1};
	struct fs_file *file;

	/* The kernel walked to a version that is no more: see attr.c. */
	if (!node_is(ask->node, &look->attr))
		return -ESTALE;
	file = file_new(ask->fs, ask->node, &ask->ident);
	if (!file)
		return -ENOMEM;
	if (draft)
		file_has_draft(file, draft, false);
	else
		file_has_cache(file, STEAL(ask->cache));
	info.fh = (uint64_t)(uintptr_t)file;
	if (reply_open(ask->wait.req, &info) < 0)
		file_free(file);
	return 0;
}

static int open_from_cache(struct open_wait *ask) REQUIRES(fuse_thread)
{
	char path[PATH_BYTES_MAX];
	struct fs_look look;
	bool has_path;

	if (ask->code < 0)
		return ask->code;
	has_path = fs_is_writable(ask->fs) && !ask->node->nameless &&
	    node_path(ask->node, path) == 0;
	look_at_attr(ask->fs, &look, has_path ? path : NULL, &ask->attr);
	return open_reply(ask, &look, NULL);
}

/* What is written here is read here. @return whether it was answered. */
static bool open_draft(struct fs *fs, fuse_req_t req, struct fs_node *node,
    int flags, const struct ident *ident, const char *path)
    REQUIRES(fuse_thread)
{
	struct open_wait ask = {
	    .wait = {.req = req},
	    .fs = fs,
	    .node = node,
	    .ident = *ident,
	    .flags = flags,
	};
	struct draft *draft = draft_at(fs, ident, path);
	struct fs_look look;
	int code;

	if (!draft)
		return false;
	look_at_draft(fs, &look, draft);
	code = open_reply(&ask, &look, draft);
	if (code < 0) {
		draft_put(draft);
		reply_error(req, code);
	}
	return true;
}

static void open_finish(struct fs_wait *wait)
{
	struct open_wait *ask = CONTAINER_OF(wait, struct open_wait, wait);

	mail_assert_here(wait->mail);
	if (wait_claim(wait)) {
		int code = open_from_cache(ask);

		if (code < 0)
			reply_error(wait->req, code);
	}
	if (ask->cache)
		cache_close(ask->cache);
	node_unpin(&ask->fs->nodes, ask->node);
	free(ask);
}

static int may_open(const struct fs_node *node)
{
	if (node->kind != CACHE_FILE)
		return -EISDIR;
	return node->nameless ? -ESTALE : 0;
}

void op_open(fuse_req_t req, fuse_ino_t ino, struct fuse_file_info *info)
{
	struct fs *fs = fs_of(req);
	struct ident ident = ident_of(req);
	struct fs_node *node = node_of(&fs->nodes, ino);
	char path[PATH_BYTES_MAX];
	struct open_wait *ask = NULL;
	int code;

	if ((info->flags & O_ACCMODE) != O_RDONLY || (info->flags & O_TRUNC)) {
		op_open_writing(req, ino, info);
		return;
	}
	code = may_open(node);
	if (code == 0)
		code = node_path(node, path);
	if (code == 0 && open_draft(fs, req, node, info->flags, &ident, path))
		return;
	if (code == 0)
		ask = calloc(1, sizeof(*ask));
	if (!ask) {
		reply_error(req, code < 0 ? code : -ENOMEM);
		return;
	}
	ask->fs = fs;
	ask->node = node;
	ask->ident = ident;
	ask->flags = info->flags;
	if (!wait_begin(&ask->wait, &fs->mail, req, open_finish)) {
		free(ask);
		return;
	}
	node_pin(node);
	cache_open(fs->config.cache, &ident, path, open_answer, ask);
}

static void read_fails(struct file_call *call, int code)
{
	struct fs_file *file = call->file;
	uint64_t now_ms = clock_now_ms(file->fs->config.clock);

	/* First: the kernel's next READ comes upon the answer. */
	echo_note(&file->echo, call->offset_bytes, call->size_bytes, code,
	    now_ms - call->since_ms, now_ms);
	reply_error(call->wait.req, code);
}

static void read_answer(
    void *arg, int code, const struct iovec *vectors, int vector_count)
{
	struct file_call *call = arg;

	assert(code <= 0);
	if (wait_claim(&call->wait)) {
		if (code < 0)
			read_fails(call, code);
		else
			reply_vectors(call->wait.req, vectors, vector_count);
	}
	wait_return_idle(&call->wait);
}

void op_read(fuse_req_t req, fuse_ino_t ino, size_t size_bytes, off_t offset,
    struct fuse_file_info *info)
{
	struct fs *fs = fs_of(req);
	struct ident ident = ident_of(req);
	struct fs_file *file = file_of(info);
	struct draft *draft = file_draft(file);
	struct file_call *call;
	int code;

	(void)ino;
	stats_add(STATS_fs_reads, 1);
	if (offset < 0 || size_bytes > CACHE_READ_BYTES_MAX) {
		reply_error(req, -EINVAL);
		return;
	}
	code = echo_code(
	    &file->echo, (uint64_t)offset, clock_now_ms(fs->config.clock));
	if (code < 0) {
		reply_error(req, code);
		return;
	}
	call = file_call_begin(file, req, true);
	if (!call)
		return;
	call->offset_bytes = (uint64_t)offset;
	call->size_bytes = size_bytes;
	if (draft)
		draft_read(draft, &ident, (uint64_t)offset, size_bytes,
		    read_answer, call);
	else
		cache_read(file->cache, &ident, (uint64_t)offset, size_bytes,
		    read_answer, call);
}

void op_release(fuse_req_t req, fuse_ino_t ino, struct fuse_file_info *info)
{
	(void)fs_of(req);
	(void)ino;
	file_release(file_of(info));
	reply_error(req, 0);
}
