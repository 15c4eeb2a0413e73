/* SPDX-License-Identifier: Apache-2.0 */
/*
 * fs/session.h - one mount, as the files of this folder share it, and its
 * FUSE operations.
 *
 * Each operation answers its request exactly once, at once or in the finish
 * of a wait (fs/wait.h). None waits: the FUSE thread serves everybody. A call
 * of the cache is the last thing an operation does with its wait: the answer
 * may come, and the wait be freed, before the call returns.
 */
#ifndef FS_SESSION_H
#define FS_SESSION_H

#include "base/attr.h"
#include "base/ident.h"
#include "base/sync.h"
#include "cache/cache.h"
#include "fs/fs.h"
#include "fs/inode.h"
#include "fs/lowlevel.h"
#include "fs/patience.h"
#include "fs/wait.h"

#include <stdatomic.h>
#include <stdbool.h>

struct fs_dir;
struct fs_file;
struct dir_page;

struct fs {
	struct fs_config config; /* its texts are our copies */
	struct fuse_session *session;
	struct fuse_buf request; /* what was read last; libfuse allocates */
	int device_fd;           /* the session's; -1 before the mount */
	const struct fuse_custom_io *below; /* NULL: the device itself */
	bool has_init;                      /* the FUSE thread saw INIT ... */
	bool parallel_dirops; /* ... and the kernel offered this */
	_Atomic bool stopping;
	_Atomic bool ready;
	struct patience patience; /* for the next request */
	struct fs_mail mail;
	struct fs_nodes nodes;
	struct fs_file *files; /* open handles */
	unsigned read_count;   /* READs that the cache has */
	uint64_t tended_ms;    /* when they were looked through last */
	struct fs_dir *dirs;
	struct dir_page *page; /* where a READDIR is put together */
	char device[32];       /* "MAJ:MIN" of the mount; "" when not mounted */
};

/** The mount that a request came from; we are on its FUSE thread. */
struct fs *fs_of(fuse_req_t req) ON_THREAD(fuse_thread);

/** Who asks. */
struct ident ident_of(fuse_req_t req);

/** Prepare a mount without mounting it. */
NODISCARD int fs_prepare(
    struct fs **out, const struct fs_config *config, struct err *err);

/** Speak FUSE over a descriptor (which becomes the session's) instead of a
 *  mount: for tests. */
NODISCARD int fs_attach(
    struct fs *fs, int fd, const struct fuse_custom_io *io, struct err *err);

extern const struct fuse_lowlevel_ops fs_ops;

/** Close what the kernel did not release; the cache has stopped. */
void files_close_all(struct fs *fs) REQUIRES(fuse_thread);
void dirs_close_all(struct fs *fs) REQUIRES(fuse_thread);

/** End the READs that nobody waits for any more; to be called at least each
 *  FILES_TEND_MS while there are any. */
enum { FILES_TEND_MS = 1000 };
void files_tend(struct fs *fs) REQUIRES(fuse_thread);

/* attr.c */
void op_lookup(fuse_req_t req, fuse_ino_t parent, const char *name);
void op_forget(fuse_req_t req, fuse_ino_t ino, uint64_t lookup_count);
void op_forget_multi(
    fuse_req_t req, size_t count, struct fuse_forget_data *forgets);
void op_getattr(fuse_req_t req, fuse_ino_t ino, struct fuse_file_info *info);
void op_access(fuse_req_t req, fuse_ino_t ino, int mask);
void op_statfs(fuse_req_t req, fuse_ino_t ino);

/* file.c */
void op_open(fuse_req_t req, fuse_ino_t ino, struct fuse_file_info *info);
void op_read(fuse_req_t req, fuse_ino_t ino, size_t size_bytes, off_t offset,
    struct fuse_file_info *info);
void op_release(fuse_req_t req, fuse_ino_t ino, struct fuse_file_info *info);

/* dir.c */
void op_opendir(fuse_req_t req, fuse_ino_t ino, struct fuse_file_info *info);
void op_readdir(fuse_req_t req, fuse_ino_t ino, size_t size_bytes, off_t offset,
    struct fuse_file_info *info);
void op_readdirplus(fuse_req_t req, fuse_ino_t ino, size_t size_bytes,
    off_t offset, struct fuse_file_info *info);
void op_releasedir(fuse_req_t req, fuse_ino_t ino, struct fuse_file_info *info);

/* xattr.c */
void op_getxattr(
    fuse_req_t req, fuse_ino_t ino, const char *name, size_t room_bytes);
void op_listxattr(fuse_req_t req, fuse_ino_t ino, size_t room_bytes);

#endif
