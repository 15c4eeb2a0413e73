/* SPDX-License-Identifier: Apache-2.0 */
/*
 * fs/ops.c - the table of FUSE operations, what each promises, and the
 * settings of INIT.
 *
 *	operation     answered                         with
 *	lookup        when the cache knows             a node, or an absence
 *	forget        no answer                        counts only
 *	getattr       at once for open files           the node's version, or
 *	                                               ESTALE
 *	open          when the cache has it            a handle pinned to the
 *	                                               node's version, or ESTALE
 *	read          when the cache has the bytes,    bytes of that version
 *	              by its deadline
 *	release       no one waits for it
 *	opendir       when the listing is complete     one listing
 *	readdir(plus) at once                          parts of that listing
 *	getxattr      at once for others' names        see xattr.c
 *	what writes   at once                          EROFS; EPERM for what
 *	                                               WebDAV cannot express
 *
 * Left out, because the kernel does it alone then: locks (between the
 * processes of this machine), SEEK_DATA, flush and fsync of what nobody
 * writes.
 */
#include "fs/reply.h"
#include "fs/session.h"

#include <errno.h>

struct fs *fs_of(fuse_req_t req)
{
	struct fs *fs = fuse_req_userdata(req);

	mail_assert_here(&fs->mail);
	return fs;
}

struct ident ident_of(fuse_req_t req)
{
	const struct fuse_ctx *context = fuse_req_ctx(req);
	const struct fs *fs = fuse_req_userdata(req);
	struct ident ident = {
	    .uid = context->uid, .gid = context->gid, .pid = context->pid};

	if (fs->config.identify != NULL)
		fs->config.identify(fs->config.identify_arg, &ident);
	return ident;
}

/*
 * Not wanted, and why: AUTO_INVAL_DATA would drop data on a new mtime
 * (a version is an inode, its data never change); READDIRPLUS_AUTO falls back
 * to one LOOKUP a name in the middle of a walk; ASYNC_DIO leaves an O_DIRECT
 * reader unkillable; splicing is the slowest way to move bytes here;
 * NO_OPEN_SUPPORT would skip the check of the version.
 */
static void op_init(void *userdata, struct fuse_conn_info *connection)
{
	const unsigned wanted = FUSE_CAP_ASYNC_READ | FUSE_CAP_PARALLEL_DIROPS |
	    FUSE_CAP_READDIRPLUS | FUSE_CAP_EXPLICIT_INVAL_DATA |
	    FUSE_CAP_ATOMIC_O_TRUNC;

	struct fs *fs = userdata;

	mail_assert_here(&fs->mail);
	fs->has_init = true;
	fs->parallel_dirops = connection->capable & FUSE_CAP_PARALLEL_DIROPS;
	connection->want = connection->capable & wanted;
	connection->max_read = CACHE_READ_BYTES_MAX;
	if (connection->max_write > CACHE_READ_BYTES_MAX)
		connection->max_write = CACHE_READ_BYTES_MAX;
	connection->max_background = fs->config.allow_other
	    ? FS_MAX_BACKGROUND_SHARED
	    : FS_MAX_BACKGROUND;
	connection->congestion_threshold = connection->max_background * 3 / 4;
}

static void op_setattr(fuse_req_t req, fuse_ino_t ino, struct stat *attr,
    int to_set, struct fuse_file_info *info)
{
	(void)ino;
	(void)attr;
	(void)to_set;
	(void)info;
	reply_error(req, -EROFS);
}

static void op_readlink(fuse_req_t req, fuse_ino_t ino)
{
	(void)ino;
	reply_error(req, -EINVAL); /* there are no symbolic links */
}

static int cannot_be_made(fuse_req_t req)
{
	return fs_of(req)->config.read_only ? -EROFS : -EPERM;
}

static void op_mknod(fuse_req_t req, fuse_ino_t parent, const char *name,
    mode_t mode, dev_t device)
{
	(void)parent;
	(void)name;
	(void)device;
	reply_error(req, S_ISREG(mode) ? -EROFS : cannot_be_made(req));
}

static void op_mkdir(
    fuse_req_t req, fuse_ino_t parent, const char *name, mode_t mode)
{
	(void)parent;
	(void)name;
	(void)mode;
	reply_error(req, -EROFS);
}

static void op_remove(fuse_req_t req, fuse_ino_t parent, const char *name)
{
	(void)parent;
	(void)name;
	reply_error(req, -EROFS);
}

static void op_symlink(
    fuse_req_t req, const char *target, fuse_ino_t parent, const char *name)
{
	(void)target;
	(void)parent;
	(void)name;
	reply_error(req, cannot_be_made(req));
}

static void op_rename(fuse_req_t req, fuse_ino_t parent, const char *name,
    fuse_ino_t new_parent, const char *new_name, unsigned flags)
{
	(void)parent;
	(void)name;
	(void)new_parent;
	(void)new_name;
	(void)flags;
	reply_error(req, -EROFS);
}

static void op_link(
    fuse_req_t req, fuse_ino_t ino, fuse_ino_t new_parent, const char *new_name)
{
	(void)ino;
	(void)new_parent;
	(void)new_name;
	reply_error(req, cannot_be_made(req));
}

static void op_write(fuse_req_t req, fuse_ino_t ino, const char *bytes,
    size_t size_bytes, off_t offset, struct fuse_file_info *info)
{
	(void)ino;
	(void)bytes;
	(void)size_bytes;
	(void)offset;
	(void)info;
	reply_error(req, -EROFS);
}

static void op_create(fuse_req_t req, fuse_ino_t parent, const char *name,
    mode_t mode, struct fuse_file_info *info)
{
	(void)parent;
	(void)name;
	(void)mode;
	(void)info;
	reply_error(req, -EROFS);
}

static void op_fallocate(fuse_req_t req, fuse_ino_t ino, int mode, off_t offset,
    off_t size_bytes, struct fuse_file_info *info)
{
	(void)ino;
	(void)mode;
	(void)offset;
	(void)size_bytes;
	(void)info;
	reply_error(req, -EROFS);
}

static void op_setxattr(fuse_req_t req, fuse_ino_t ino, const char *name,
    const char *value, size_t size_bytes, int flags)
{
	(void)ino;
	(void)name;
	(void)value;
	(void)size_bytes;
	(void)flags;
	reply_error(req, -EROFS);
}

static void op_removexattr(fuse_req_t req, fuse_ino_t ino, const char *name)
{
	(void)ino;
	(void)name;
	reply_error(req, -EROFS);
}

const struct fuse_lowlevel_ops fs_ops = {
    .init = op_init,
    .lookup = op_lookup,
    .forget = op_forget,
    .forget_multi = op_forget_multi,
    .getattr = op_getattr,
    .access = op_access,
    .statfs = op_statfs,
    .open = op_open,
    .read = op_read,
    .release = op_release,
    .opendir = op_opendir,
    .readdir = op_readdir,
    .readdirplus = op_readdirplus,
    .releasedir = op_releasedir,
    .getxattr = op_getxattr,
    .listxattr = op_listxattr,
    .readlink = op_readlink,
    .setattr = op_setattr,
    .mknod = op_mknod,
    .mkdir = op_mkdir,
    .unlink = op_remove,
    .rmdir = op_remove,
    .symlink = op_symlink,
    .rename = op_rename,
    .link = op_link,
    .write = op_write,
    .create = op_create,
    .fallocate = op_fallocate,
    .setxattr = op_setxattr,
    .removexattr = op_removexattr,
};
