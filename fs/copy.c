/* SPDX-License-Identifier: Apache-2.0 */
/*
 * fs/copy.c - copy_file_range: a whole file into an empty one is copied by
 * the server.
 *
 * All else is refused with EXDEV or EOPNOTSUPP, at which the kernel copies
 * through its page cache by itself (Linux, fs/fuse/file.c,
 * fuse_copy_file_range(); ENOSYS would mean never to ask again). It asks for
 * up to 2 GiB at once, so larger files are its own.
 *
 * Threads: the FUSE thread, but for copy_answer().
 */
#include "cache/drafts/drafts.h"
#include "fs/handle.h"
#include "fs/look.h"
#include "fs/reply.h"

#include <errno.h>

static void copy_answer(void *arg, int64_t code)
{
	struct file_call *call = arg;

	if (wait_claim(&call->wait)) {
		if (code < 0)
			reply_error(call->wait.req, (int)code);
		else
			reply_written(call->wait.req, (size_t)code);
	}
	wait_return_idle(&call->wait);
}

/* The size of what is read through a handle, as far as the server has it.
 * @retval -EXDEV it has not */
static int64_t size_on_server(const struct fs *fs, const struct fs_file *file)
    REQUIRES(fuse_thread)
{
	struct draft *draft = file_draft(file);
	struct draft_attr attr;
	struct fs_look look;

	if (file->node->nameless)
		return -EXDEV;
	if (draft) {
		draft_attr(draft, &attr);
		if (attr.unsent)
			return -EXDEV;
	}
	look_at_node(fs, &look, file->node);
	return look.attr.size_bytes > INT64_MAX ? -EXDEV
	                                        : (int64_t)look.attr.size_bytes;
}

static bool is_empty(const struct fs_file *file)
{
	struct draft_attr attr;

	draft_attr(file->draft, &attr);
	return attr.attr.size_bytes == 0;
}

/* NOLINTNEXTLINE(readability-function-size): libfuse's parameters */
void op_copy(fuse_req_t req, fuse_ino_t from, off_t from_offset,
    struct fuse_file_info *from_info, fuse_ino_t to, off_t to_offset,
    struct fuse_file_info *to_info, size_t size_bytes, int flags)
{
	struct fs *fs = fs_of(req);
	struct fs_file *source;
	struct fs_file *target;
	char path[PATH_BYTES_MAX];
	struct file_call *call;
	int64_t size;

	(void)from;
	(void)to;
	(void)flags;
	if (!fs_is_writable(fs)) {
		reply_error(req, -EROFS);
		return;
	}
	source = file_of(from_info);
	target = file_of(to_info);
	size = size_on_server(fs, source);
	if (!target->writes) {
		reply_error(req, -EBADF);
		return;
	}
	if (size >= 0 && from_offset >= size) {
		reply_written(req, 0);
		return;
	}
	if (size < 0 || from_offset != 0 || to_offset != 0 ||
	    size_bytes < (size_t)size || source->node == target->node ||
	    !is_empty(target) || node_path(source->node, path) < 0) {
		reply_error(req, -EXDEV);
		return;
	}
	target->ident = ident_of(req);
	target->node->began = 0;
	call = file_call_begin(target, req, false);
	if (call)
		drafts_copy(fs->config.drafts, &target->ident, path,
		    target->draft, copy_answer, call);
}
