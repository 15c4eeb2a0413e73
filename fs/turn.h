/* SPDX-License-Identifier: Apache-2.0 */
/*
 * fs/turn.h - requests that go by a path to what they change there, and those
 * that take that path away: rename, unlink, rmdir.
 *
 * The kernel has walked to a node and asks for something to be done with it;
 * here that needs the node's path, and takes as long as a server takes. Were
 * the path another's or nobody's by then, a draft would come into being where
 * nothing is any more. So who takes a path away waits for those before it that
 * go by it, or by one below, and those after it wait for it; then they go by the
 * path that their node has now. All others go on at once.
 *
 * Threads: the FUSE thread.
 */
#ifndef FS_TURN_H
#define FS_TURN_H

#include "base/attr.h"
#include "base/list.h"
#include "base/sync.h"

#include <stdbool.h>

struct fs;
struct fs_node;

struct fs_place {
	const struct fs_node *node; /* pinned by the owner */
	const char *name;           /* of its child; NULL: itself */
};

struct fs_turn {
	struct list in; /* fs.turns, in the order in which they came */
	struct fs_place at;
	struct fs_place to; /* of a rename; else without a node */
	bool takes;         /* both away */
	bool going;
	/* Its turn has come; may end with turn_over() at once. */
	void (*begin)(struct fs_turn *turn);
};

/** `begin` is called now, or when those in its way are over. */
void turn_take(struct fs *fs, struct fs_turn *turn,
    void (*begin)(struct fs_turn *turn)) REQUIRES(fuse_thread);

/** Nothing goes by that path any more; also of one that was not taken. */
void turn_over(struct fs *fs, struct fs_turn *turn) REQUIRES(fuse_thread);

#endif
