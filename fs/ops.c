/* SPDX-License-Identifier: Apache-2.0 */
/*
 * fs/ops.c - the table of FUSE operations, what each promises, and the
 * settings of INIT.
 *
 *	operation     answered                         with
 *	lookup        at once for drafts, else when    a node, or an absence
 *	              the cache knows
 *	forget        no answer                        counts only
 *	getattr       at once for open files and       the node's version, or
 *	              drafts                           ESTALE
 *	open          when the cache has it, or the    a handle pinned to the
 *	              draft is there                   node's version, or ESTALE
 *	read          when the cache or the spool has  bytes of that version, or
 *	              the bytes, by its deadline       of the draft
 *	release       no one waits for it
 *	opendir       when the listing is complete     one listing
 *	readdir(plus) at once                          parts of that listing
 *	getxattr      at once for others' names        see xattr.c
 *
 *	of a mount that is written (else EROFS at once):
 *	create, mknod when its base is known           a node, a handle
 *	write         when the spool has the bytes     all of them
 *	fallocate     the same                         the size alone
 *	setattr       when the draft has it; a size    what stat(2) shows
 *	              by path as close(2)
 *	flush         when what close(2) promises      see drafts.h
 *	              holds; never of who only reads
 *	fsync         when what it promises holds      see drafts.h
 *	fsyncdir      at once                          0: names are there
 *	mkdir, unlink, when the server has changed     nodes moved, or nameless
 *	rmdir, rename
 *	copy_file_    when the server has copied       a whole file, or EXDEV:
 *	range                                          the kernel copies
 *	setxattr      at once                          ENOTSUP
 *	link, symlink, at once                         EPERM: WebDAV has none
 *	other mknods
 *
 * Left out, because the kernel does it alone then: locks (between the
 * processes of this machine), SEEK_DATA.
 *
 * Who is only interrupted by a signal waits on for what changes something; who
 * is killed does not (wait.h).
 */
#include "fs/look.h"
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
 * NO_OPEN_SUPPORT would skip the check of the version; WRITEBACK_CACHE would
 * keep written bytes in the kernel, where a write(2) that the spool cannot take
 * has succeeded already, with sizes and times of its own, and each page would
 * be read before it is written. A mapping is written without it, too.
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

static void op_forget(fuse_req_t req, fuse_ino_t ino, uint64_t lookup_count)
{
	struct fs *fs = fs_of(req);

	node_forget(&fs->nodes, node_of(&fs->nodes, ino), lookup_count);
	reply_nothing(req);
}

static void op_forget_multi(
    fuse_req_t req, size_t count, struct fuse_forget_data *forgets)
{
	struct fs *fs = fs_of(req);

	for (size_t i = 0; i < count; i++)
		node_forget(&fs->nodes, node_of(&fs->nodes, forgets[i].ino),
		    forgets[i].nlookup);
	reply_nothing(req);
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

static void op_symlink(
    fuse_req_t req, const char *target, fuse_ino_t parent, const char *name)
{
	(void)target;
	(void)parent;
	(void)name;
	reply_error(req, cannot_be_made(req));
}

static void op_link(
    fuse_req_t req, fuse_ino_t ino, fuse_ino_t new_parent, const char *new_name)
{
	(void)ino;
	(void)new_parent;
	(void)new_name;
	reply_error(req, cannot_be_made(req));
}

/* ENOTSUP is what cp -a, rsync -X and git take in their stride. */
static void op_setxattr(fuse_req_t req, fuse_ino_t ino, const char *name,
    const char *value, size_t size_bytes, int flags)
{
	(void)ino;
	(void)name;
	(void)value;
	(void)size_bytes;
	(void)flags;
	reply_error(req, fs_is_writable(fs_of(req)) ? -ENOTSUP : -EROFS);
}

static void op_removexattr(fuse_req_t req, fuse_ino_t ino, const char *name)
{
	(void)ino;
	(void)name;
	reply_error(req, fs_is_writable(fs_of(req)) ? -ENOTSUP : -EROFS);
}

/* Names are changed on the server before they are answered. */
static void op_fsyncdir(
    fuse_req_t req, fuse_ino_t ino, int data_only, struct fuse_file_info *info)
{
	(void)fs_of(req);
	(void)ino;
	(void)data_only;
	(void)info;
	reply_error(req, 0);
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
    .unlink = op_unlink,
    .rmdir = op_rmdir,
    .symlink = op_symlink,
    .rename = op_rename,
    .link = op_link,
    .write = op_write,
    .create = op_create,
    .flush = op_flush,
    .fsync = op_fsync,
    .fsyncdir = op_fsyncdir,
    .fallocate = op_fallocate,
    .copy_file_range = op_copy,
    .setxattr = op_setxattr,
    .removexattr = op_removexattr,
};
