/* SPDX-License-Identifier: Apache-2.0 */
/*
 * fs/opening.h - a request that opens a file to write it, and waits for that:
 * open, create, mknod, truncate.
 *
 *	opening_new    who asks, of which node or name
 *	opening_start  asked when its turn has come (turn.h), of the path that
 *	               the node has then; `finish` runs with code, draft and
 *	               attributes, when the node has come to what the draft began
 *	               from
 *	opening_known  the node has the draft: a rename takes that along
 *	opening_free   what was opened and not taken is closed again
 *
 * Threads: the FUSE thread.
 */
#ifndef FS_OPENING_H
#define FS_OPENING_H

#include "base/attr.h"
#include "base/ident.h"
#include "cache/drafts/drafts.h"
#include "fs/handle.h"
#include "fs/look.h"
#include "fs/session.h"
#include "fs/turn.h"

#include <stdbool.h>
#include <stdint.h>

struct opening {
	struct fs_wait wait;
	struct fs *fs;
	struct fs_node *node; /* pinned; the file, or whose child it is */
	struct ident ident;
	fs_finish_fn finish; /* of whoever asked */
	struct fs_turn turn;
	int flags;    /* of open(2) */
	unsigned how; /* enum drafts_how */
	uint32_t mode;
	int code;
	struct draft *draft; /* ours, with an open to be done */
	bool given;          /* its end is a close: else it was for nobody */
	struct draft_attr attr;
	struct cache_attr base; /* what the server has at the path */
	void *extra;            /* whoever asked: theirs */
	char name[PATH_NAME_BYTES_MAX + 1]; /* of the child; or "" */
};

/** @param name  NULL: the node itself. NULL is returned when out of memory. */
struct opening *opening_new(struct fs *fs, fuse_req_t req, struct fs_node *node,
    const char *name, int flags) REQUIRES(fuse_thread);

/** @param how  enum drafts_how.
 *  @return      false: the request was answered already, `opening` freed. */
bool opening_start(struct opening *opening, fuse_req_t req, unsigned how,
    uint32_t mode, fs_finish_fn finish) REQUIRES(fuse_thread);

/** For one that waits on after its finish. */
void opening_known(struct opening *opening) REQUIRES(fuse_thread);

void opening_free(struct opening *opening) REQUIRES(fuse_thread);

/** What is open now, as its node is to see it. */
void opening_look(const struct opening *opening, struct fs_look *out)
    REQUIRES(fuse_thread);

/** Whether the node that was opened is what is open now, or becomes it. */
NODISCARD bool opening_is_of(
    const struct opening *opening, struct fs_node *node) REQUIRES(fuse_thread);

/** A handle that writes what is open now, which it takes; NULL: out of
 *  memory. */
NODISCARD struct fs_file *opening_file(
    struct opening *opening, struct fs_node *node) REQUIRES(fuse_thread);

#endif
