/* SPDX-License-Identifier: Apache-2.0 */
/*
 * fs/setattr.h - a SETATTR that waits, as setattr.c and truncate.c share it.
 *
 * Threads: the FUSE thread.
 */
#ifndef FS_SETATTR_H
#define FS_SETATTR_H

#include "base/ident.h"
#include "cache/drafts/drafts.h"
#include "fs/session.h"

#include <stdbool.h>
#include <stdint.h>

struct set_wait {
	struct fs_wait wait;
	struct fs *fs;
	struct fs_node *node; /* pinned */
	struct ident ident;
	struct draft *draft; /* one reference, or NULL */
	struct draft_set set;
	uint64_t size_bytes;
	bool resizes;
	bool wears; /* mode or time */
	int code;
	struct cache_attr attr;
};

void set_wait_free(struct set_wait *ask) REQUIRES(fuse_thread);

/** Answer with what was done, or with ask->code. */
void set_reply(struct set_wait *ask) REQUIRES(fuse_thread);

/** truncate.c: set a size by path. `ask` is consumed. */
void set_size(struct set_wait *ask, fuse_req_t req) REQUIRES(fuse_thread);

#endif
