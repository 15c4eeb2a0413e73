/* SPDX-License-Identifier: Apache-2.0 */
/*
 * fs/dir.h - open directories.
 *
 * Threads: the FUSE thread.
 */
#ifndef FS_DIR_H
#define FS_DIR_H

#include "cache/cache.h"
#include "fs/session.h"

#include <stdint.h>

struct fs_dir {
	uint32_t magic; /* fh travels through the kernel as a number */
	struct fs *fs;
	struct fs_node *node; /* pinned */
	struct cache_listing *listing;
	uint64_t changes;    /* fs.changes, when the listing was asked for */
	struct fs_dir *next; /* among the mount's */
	struct fs_dir *previous;
};

struct fs_dir *dir_of(const struct fuse_file_info *info);

#endif
