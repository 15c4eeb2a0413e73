/* SPDX-License-Identifier: Apache-2.0 */
/*
 * fs/attr_wait.h - a question about attributes that waits for the cache: LOOKUP
 * (lookup.c), GETATTR, ACCESS (attr.c).
 *
 * What is written here is answered at once. The cache's answer may be older
 * than a draft that was begun meanwhile: that is looked for once more before
 * the kernel hears of it.
 *
 * Threads: the FUSE thread; the answer of the cache only notes what it was
 * told.
 */
#ifndef FS_ATTR_WAIT_H
#define FS_ATTR_WAIT_H

#include "fs/look.h"
#include "fs/session.h"

struct attr_wait {
	struct fs_wait wait;
	struct fs *fs;
	struct fs_node *node; /* pinned; of LOOKUP the parent */
	struct ident ident;
	int mask; /* ACCESS: asked for */
	int code;
	struct cache_attr attr;
	char name[PATH_NAME_BYTES_MAX + 1]; /* LOOKUP: asked for */
};

/** One about `node`, for LOOKUP a name below it. NULL: out of memory. */
NODISCARD struct attr_wait *attr_wait_new(struct fs *fs, struct fs_node *node,
    const struct ident *ident) REQUIRES(fuse_thread);

void attr_wait_free(struct attr_wait *ask) REQUIRES(fuse_thread);

/** Ask the cache about `path`, then `finish`; `ask` is consumed. */
void attr_wait_begin(struct attr_wait *ask, fuse_req_t req, const char *path,
    fs_finish_fn finish) REQUIRES(fuse_thread);

#endif
