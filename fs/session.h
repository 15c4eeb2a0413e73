/* SPDX-License-Identifier: Apache-2.0 */
/*
 * fs/session.h - one mount, as the files of this folder share it, and its
 * FUSE operations.
 *
 * Each operation answers its request exactly once, at once or in the finish
 * of a wait (fs/wait.h). None waits: the FUSE thread serves everybody. A call
 * of the cache is the last thing an operation does with its wait: the answer
 * may come, and the wait be freed, before the call returns. So what the call is
 * given, who asks included, lies elsewhere.
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
	unsigned call_count;   /* requests of theirs that wait */
	uint64_t tended_ms;    /* when what waits was looked through last */
	uint64_t changes;      /* of names and versions, made here: drafts
	                          begun, names removed */
	struct list turns;     /* of struct fs_turn (turn.h) */
	unsigned takers;       /* of them */
	unsigned turns_waiting;
	bool turns_beginning;
	struct fs_dir *dirs;
	struct dir_page *page; /* where a READDIR is put together */
	char device[32];       /* "MAJ:MIN" of the mount; "" when not mounted */
	bool elsewhere;        /* it was mounted by hand (fs_channel_open()),
	                          perhaps not in this namespace */
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

/** End the requests that nobody waits for any more; to be called at least
 *  each FILES_TEND_MS while there are any that may be. */
enum { FILES_TEND_MS = 1000 };
void files_tend(struct fs *fs) REQUIRES(fuse_thread);

static inline bool fs_is_tended(const struct fs *fs)
{
	return fs->call_count > 0 || !list_is_empty(&fs->mail.patient);
}

/* lookup.c */
void op_lookup(fuse_req_t req, fuse_ino_t parent, const char *name);

/* attr.c */
void op_getattr(fuse_req_t req, fuse_ino_t ino, struct fuse_file_info *info);
void op_access(fuse_req_t req, fuse_ino_t ino, int mask);

/* space.c */
void op_statfs(fuse_req_t req, fuse_ino_t ino);

/* file.c */
void op_open(fuse_req_t req, fuse_ino_t ino, struct fuse_file_info *info);
void op_read(fuse_req_t req, fuse_ino_t ino, size_t size_bytes, off_t offset,
    struct fuse_file_info *info);
void op_release(fuse_req_t req, fuse_ino_t ino, struct fuse_file_info *info);

/* write.c */
void op_open_writing(
    fuse_req_t req, fuse_ino_t ino, const struct fuse_file_info *info);
void op_write(fuse_req_t req, fuse_ino_t ino, const char *bytes,
    size_t size_bytes, off_t offset, struct fuse_file_info *info);
void op_flush(fuse_req_t req, fuse_ino_t ino, struct fuse_file_info *info);
void op_fsync(
    fuse_req_t req, fuse_ino_t ino, int data_only, struct fuse_file_info *info);
void op_fallocate(fuse_req_t req, fuse_ino_t ino, int mode, off_t offset,
    off_t size_bytes, struct fuse_file_info *info);

/* copy.c */
void op_copy(fuse_req_t req, fuse_ino_t from, off_t from_offset,
    struct fuse_file_info *from_info, fuse_ino_t to, off_t to_offset,
    struct fuse_file_info *to_info, size_t size_bytes, int flags);

/* setattr.c */
void op_setattr(fuse_req_t req, fuse_ino_t ino, struct stat *attr, int to_set,
    struct fuse_file_info *info);

/* create.c */
void op_create(fuse_req_t req, fuse_ino_t parent, const char *name, mode_t mode,
    struct fuse_file_info *info);
void op_mknod(fuse_req_t req, fuse_ino_t parent, const char *name, mode_t mode,
    dev_t device);

/* names.c */
void op_mkdir(fuse_req_t req, fuse_ino_t parent, const char *name, mode_t mode);
void op_unlink(fuse_req_t req, fuse_ino_t parent, const char *name);
void op_rmdir(fuse_req_t req, fuse_ino_t parent, const char *name);

/* rename.c */
void op_rename(fuse_req_t req, fuse_ino_t parent, const char *name,
    fuse_ino_t new_parent, const char *new_name, unsigned flags);

/* dir.c */
void op_opendir(fuse_req_t req, fuse_ino_t ino, struct fuse_file_info *info);
void op_releasedir(fuse_req_t req, fuse_ino_t ino, struct fuse_file_info *info);

/* readdir.c */
void op_readdir(fuse_req_t req, fuse_ino_t ino, size_t size_bytes, off_t offset,
    struct fuse_file_info *info);
void op_readdirplus(fuse_req_t req, fuse_ino_t ino, size_t size_bytes,
    off_t offset, struct fuse_file_info *info);

/* xattr.c */
void op_getxattr(
    fuse_req_t req, fuse_ino_t ino, const char *name, size_t room_bytes);
void op_listxattr(fuse_req_t req, fuse_ino_t ino, size_t room_bytes);

#endif
