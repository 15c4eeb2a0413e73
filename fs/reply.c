/* SPDX-License-Identifier: Apache-2.0 */
/* fs/reply.c - see reply.h. */
#include "fs/reply.h"

#include "base/clock.h"
#include "base/log.h"
#include "base/stats.h"
#include "fs/look.h"

#include <assert.h>
#include <errno.h>
#include <string.h>
#include <sys/statvfs.h>

enum {
	/* The kernel drops a reply with a larger one and its caller waits for
	 * ever (fuse_dev_do_write). */
	ERRNO_MAX = 511,
	SECTOR_BYTES = 512,
	/* Longer is not told from "for ever" and would overflow jiffies. */
	TIMEOUT_S_MAX = 30 * 24 * 3600,
};

/*
 * The one place where our errnos become the kernel's.
 *
 * ENOSYS means "never ask again" to it, for all files. ECANCELED is ours for
 * "unmounting"; what comes after the unmount is ENOTCONN, so that comes now.
 */
static int errno_for_kernel(int code)
{
	assert(code <= 0);
	if (code == -ECANCELED)
		return ENOTCONN;
	if (code == -ENOSYS)
		return EOPNOTSUPP;
	if (code < -ERRNO_MAX)
		return EIO;
	return -code;
}

/* What libfuse told about a reply: only news is worth a line. */
static int told(int code)
{
	static struct log_limit limit;

	if (code < 0 && code != -ENOENT && code != -ENODEV)
		log_limited(&limit, 10000, LOG_LEVEL_WARN, LOG_FS,
		    "the kernel refused a reply", "errno=%s", err_name(code));
	return code;
}

void reply_error(fuse_req_t req, int code)
{
	(void)told(fuse_reply_err(req, errno_for_kernel(code)));
}

void reply_nothing(fuse_req_t req)
{
	fuse_reply_none(req);
}

/* One tick of most kernels. */
#define CALL_S 0.004
/* The name of a draft: its path shows the server's again after a conflict. */
#define DRAFT_NAME_S 1.0

static double seconds_left(const struct fs *fs, uint64_t until_ms)
{
	uint64_t now_ms = clock_now_ms(fs->config.clock);
	uint64_t left_ms = until_ms > now_ms ? until_ms - now_ms : 0;

	if (left_ms > (uint64_t)TIMEOUT_S_MAX * 1000)
		return TIMEOUT_S_MAX;
	return (double)left_ms / 1000;
}

/* What the kernel keeps it shows to everybody: where many users share the
 * mount it keeps neither names of files nor, but for a moment, attributes. The
 * name of a directory it may keep: it asks for its attributes before anybody
 * uses it, and a look-up of one that it has fails for nobody (attr.c). */
static double absence_seconds(const struct fs *fs, uint64_t until_ms)
{
	return fs->config.allow_other ? 0 : seconds_left(fs, until_ms);
}

/* The kernel counts its own writes of a draft, but the time of the last one is
 * known here; and it takes no size that is older than such a write. */
static double attr_seconds(const struct fs *fs, const struct fs_look *look)
{
	if (look->draft || fs->config.allow_other)
		return 0;
	return seconds_left(fs, look->attr.fresh_until_ms);
}

static double name_seconds(const struct fs *fs, const struct fs_look *look)
{
	const struct cache_attr *attr = &look->attr;
	bool asked_for = attr->kind != CACHE_DIRECTORY || attr->made_up;

	if (fs->config.allow_other && asked_for)
		return 0;
	return look->draft ? DRAFT_NAME_S
	                   : seconds_left(fs, attr->fresh_until_ms);
}

/* Where many users share a mount that is written, the kernel compares their
 * ids with the mode, and all files are shown as one user's: the token decides
 * who may write, and of a mode that was set only what is executable counts. */
static mode_t mode_of(const struct fs *fs, const struct fs_look *look)
{
	mode_t umask = fs->config.umask & 0777;
	bool directory = look->attr.kind == CACHE_DIRECTORY;
	mode_t mode = directory ? 0555 : 0444;

	if (!fs_is_writable(fs))
		return mode & ~umask;
	if (fs->config.allow_other)
		return ((mode | (look->mode & 0111)) & ~umask) | 0222;
	if (look->mode != 0)
		return look->mode & 07777;
	return (mode | 0200) & ~umask;
}

static void fill_stat(const struct fs *fs, struct stat *out, uint64_t number,
    const struct fs_look *look)
{
	const struct cache_attr *attr = &look->attr;

	*out = (struct stat){
	    .st_ino = number,
	    .st_mode = mode_of(fs, look) |
	        (attr->kind == CACHE_DIRECTORY ? S_IFDIR : S_IFREG),
	    .st_nlink = attr->kind == CACHE_DIRECTORY ? 2 : 1,
	    .st_uid = fs->config.uid,
	    .st_gid = fs->config.gid,
	    .st_blksize = CACHE_BLOCK_BYTES,
	};
	/* off_t: a length that no file can have is shown as the longest. */
	out->st_size =
	    attr->size_bytes > INT64_MAX ? INT64_MAX : (off_t)attr->size_bytes;
	out->st_blocks =
	    out->st_size / SECTOR_BYTES + (out->st_size % SECTOR_BYTES != 0);
	out->st_mtim.tv_sec = attr->mtime_s;
	out->st_mtim.tv_nsec = (long)look->mtime_ns;
	out->st_atim = out->st_mtim;
	out->st_ctim = out->st_mtim;
}

void fill_entry(const struct fs *fs, struct fuse_entry_param *entry,
    uint64_t number, const struct fs_look *look)
{
	*entry = (struct fuse_entry_param){
	    .attr_timeout = attr_seconds(fs, look),
	    .entry_timeout = name_seconds(fs, look),
	};
	fill_stat(fs, &entry->attr, number, look);
}

/* Where many share the mount, a file's attributes serve the very call that has
 * just looked it up, which else would ask for them once more (12 us of an
 * open). Nobody else comes to them: each walk looks the name up anew. */
static bool serves_its_call(const struct fs *fs, const struct fs_look *look)
{
	return fs->config.allow_other && look->attr.kind == CACHE_FILE &&
	    !look->draft;
}

static void fill_node(struct fs *fs, struct fuse_entry_param *entry,
    const struct fs_node *node, const struct fs_look *look)
{
	fill_entry(fs, entry, node->number, look);
	if (serves_its_call(fs, look))
		entry->attr_timeout = CALL_S;
	entry->ino = node_id(&fs->nodes, node);
}

void reply_entry(struct fs *fs, fuse_req_t req, struct fs_node *node,
    const struct fs_look *look)
{
	struct fuse_entry_param entry;

	fill_node(fs, &entry, node, look);
	if (told(fuse_reply_entry(req, &entry)) < 0)
		node_forget(&fs->nodes, node, 1);
}

int reply_create(struct fs *fs, fuse_req_t req, struct fs_node *node,
    const struct fs_look *look, const struct fuse_file_info *info)
{
	struct fuse_entry_param entry;
	int code;

	fill_node(fs, &entry, node, look);
	code = told(fuse_reply_create(req, &entry, info));
	if (code < 0)
		node_forget(&fs->nodes, node, 1);
	return code;
}

void reply_absent(const struct fs *fs, fuse_req_t req, uint64_t fresh_until_ms)
{
	struct fuse_entry_param entry = {
	    .entry_timeout = absence_seconds(fs, fresh_until_ms),
	};

	if (entry.entry_timeout > 0)
		(void)told(fuse_reply_entry(req, &entry));
	else
		reply_error(req, -ENOENT);
}

void reply_attr(const struct fs *fs, fuse_req_t req, const struct fs_node *node,
    const struct fs_look *look)
{
	struct stat stat;

	fill_stat(fs, &stat, node->number, look);
	(void)told(fuse_reply_attr(req, &stat, attr_seconds(fs, look)));
}

int reply_open(fuse_req_t req, const struct fuse_file_info *info)
{
	return told(fuse_reply_open(req, info));
}

void reply_vectors(
    fuse_req_t req, const struct iovec *vectors, int vector_count)
{
	size_t size_bytes = 0;

	for (int i = 0; i < vector_count; i++)
		size_bytes += vectors[i].iov_len;
	stats_add(STATS_fs_read_bytes, (int64_t)size_bytes);
	(void)told(fuse_reply_iov(req, vectors, vector_count));
}

int reply_bytes(fuse_req_t req, const void *bytes, size_t size_bytes)
{
	return told(fuse_reply_buf(req, bytes, size_bytes));
}

void reply_written(fuse_req_t req, size_t size_bytes)
{
	(void)told(fuse_reply_write(req, size_bytes));
}

void reply_statfs(fuse_req_t req, const struct statvfs *space)
{
	(void)told(fuse_reply_statfs(req, space));
}

void reply_xattr(
    fuse_req_t req, const void *value, size_t size_bytes, size_t room_bytes)
{
	if (room_bytes == 0)
		(void)told(fuse_reply_xattr(req, size_bytes));
	else if (room_bytes < size_bytes)
		reply_error(req, -ERANGE);
	else
		(void)told(fuse_reply_buf(req, value, size_bytes));
}
