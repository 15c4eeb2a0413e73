/* SPDX-License-Identifier: Apache-2.0 */
/*
 * fs/write.c - open for writing, write, flush, fsync, fallocate.
 *
 * A WRITE is answered when the spool has its bytes, a FLUSH (each close of each
 * descriptor) when what close(2) promises holds. Both on the thread that
 * knows.
 *
 * Threads: the FUSE thread, but for call_answer() and write_answer().
 */
#include "fs/handle.h"
#include "fs/look.h"
#include "fs/opening.h"
#include "fs/reply.h"

#include <assert.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/falloc.h>

static int open_reply(struct opening *opening) REQUIRES(fuse_thread)
{
	struct fuse_file_info info = {.flags = opening->flags, .keep_cache = 1};
	struct fs_file *file;

	if (opening->code < 0)
		return opening->code;
	/* The kernel walked to a version that is no more: see attr.c. */
	if (!opening_is_of(opening, opening->node))
		return -ESTALE;
	file = opening_file(opening, opening->node);
	if (!file)
		return -ENOMEM;
	info.fh = (uint64_t)(uintptr_t)file;
	if (reply_open(opening->wait.req, &info) < 0)
		file_free(file);
	return 0;
}

static void open_finish(struct fs_wait *wait)
{
	struct opening *opening = CONTAINER_OF(wait, struct opening, wait);

	mail_assert_here(wait->mail);
	if (wait_claim(wait)) {
		int code = open_reply(opening);

		if (code < 0)
			reply_error(wait->req, code);
	}
	opening_free(opening);
}

void op_open_writing(
    fuse_req_t req, fuse_ino_t ino, const struct fuse_file_info *info)
{
	struct fs *fs = fs_of(req);
	struct fs_node *node = node_of(&fs->nodes, ino);
	char path[PATH_BYTES_MAX];
	struct opening *opening = NULL;
	int code = 0;

	if (!fs_is_writable(fs))
		code = -EROFS;
	else if (node->kind != CACHE_FILE)
		code = -EISDIR;
	else if (node->nameless)
		code = -ESTALE;
	else
		code = node_path(node, path);
	if (code == 0)
		opening = opening_new(fs, req, node, NULL, info->flags);
	if (!opening) {
		reply_error(req, code < 0 ? code : -ENOMEM);
		return;
	}
	(void)opening_start(opening, req,
	    info->flags & O_TRUNC ? DRAFTS_OPEN_TRUNCATE : 0, 0, open_finish);
}

static void write_answer(void *arg, int code)
{
	struct file_call *call = arg;

	if (wait_claim(&call->wait)) {
		if (code < 0)
			reply_error(call->wait.req, code);
		else
			reply_written(call->wait.req, (size_t)code);
	}
	wait_return_idle(&call->wait);
}

static void call_answer(void *arg, int code)
{
	struct file_call *call = arg;

	assert(code <= 0);
	if (wait_claim(&call->wait))
		reply_error(call->wait.req, code);
	wait_return_idle(&call->wait);
}

void op_write(fuse_req_t req, fuse_ino_t ino, const char *bytes,
    size_t size_bytes, off_t offset, struct fuse_file_info *info)
{
	struct fs *fs = fs_of(req);
	struct fs_file *file;
	struct file_call *call;
	bool append;

	(void)ino;
	if (!fs_is_writable(fs)) {
		reply_error(req, -EROFS);
		return;
	}
	file = file_of(info);
	if (!file->writes || offset < 0 ||
	    (uint64_t)offset + size_bytes > INT64_MAX) {
		reply_error(req, file->writes ? -EFBIG : -EBADF);
		return;
	}
	/* What was stored through a mapping has its place, also where the
	 * descriptor appends. */
	append = (info->flags & O_APPEND) && !info->writepage;
	file->node->began = 0;
	call = file_call_begin(file, req, false);
	if (call)
		draft_write(file->draft, bytes, size_bytes, (uint64_t)offset,
		    append, write_answer, call);
}

void op_flush(fuse_req_t req, fuse_ino_t ino, struct fuse_file_info *info)
{
	struct fs *fs = fs_of(req);
	struct fs_file *file = file_of(info);
	struct file_call *call;

	(void)fs;
	(void)ino;
	if (!file->writes) {
		reply_error(req, 0); /* a kernel that does not know noflush */
		return;
	}
	file->ident = ident_of(req);
	call = file_call_begin(file, req, false);
	if (call)
		draft_flush(file->draft, &file->ident, call_answer, call);
}

void op_fsync(
    fuse_req_t req, fuse_ino_t ino, int data_only, struct fuse_file_info *info)
{
	struct fs *fs = fs_of(req);
	struct ident ident = ident_of(req);
	struct fs_file *file = file_of(info);
	struct draft *draft = file_draft(file);
	struct file_call *call;

	(void)fs;
	(void)ino;
	(void)data_only;
	if (!draft) {
		reply_error(req, 0);
		return;
	}
	call = file_call_begin(file, req, false);
	if (call)
		draft_sync(draft, &ident, call_answer, call);
}

/* The spool takes what there is room for, so nothing can be set aside: only
 * the size is seen to. */
void op_fallocate(fuse_req_t req, fuse_ino_t ino, int mode, off_t offset,
    off_t size_bytes, struct fuse_file_info *info)
{
	struct fs *fs = fs_of(req);
	struct fs_file *file;
	struct draft_attr attr;
	struct file_call *call;
	uint64_t end;
	int code = 0;

	(void)ino;
	if (!fs_is_writable(fs)) {
		reply_error(req, -EROFS);
		return;
	}
	file = file_of(info);
	if (!file->writes)
		code = -EBADF;
	else if (offset < 0 || size_bytes <= 0)
		code = -EINVAL;
	else if (mode != 0 && mode != FALLOC_FL_KEEP_SIZE)
		code = -EOPNOTSUPP;
	else if (__builtin_add_overflow(offset, size_bytes, &end) ||
	    end > INT64_MAX)
		code = -EFBIG;
	if (code < 0) {
		reply_error(req, code);
		return;
	}
	draft_attr(file->draft, &attr);
	if (mode == FALLOC_FL_KEEP_SIZE || end <= attr.attr.size_bytes) {
		reply_error(req, 0);
		return;
	}
	file->node->began = 0;
	call = file_call_begin(file, req, false);
	if (call)
		draft_truncate(file->draft, end, call_answer, call);
}
