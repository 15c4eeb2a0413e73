/* SPDX-License-Identifier: Apache-2.0 */
/*
 * fs/name_wait.h - a change of names that waits for the server: mkdir, unlink,
 * rmdir (names.c), rename (rename.c).
 *
 *	name_wait_of -> name_wait_begin -> start, when its turn has come
 *	(turn.h) -> [name_keep] -> a call of the drafts, which answers
 *	name_answer() -> finish -> name_wait_free
 *
 * Threads: the FUSE thread, but for name_answer().
 */
#ifndef FS_NAME_WAIT_H
#define FS_NAME_WAIT_H

#include "cache/drafts/drafts.h"
#include "fs/session.h"
#include "fs/turn.h"

#include <stdbool.h>
#include <sys/stat.h>

struct name_wait;

/** The change itself is asked for, by the path that the name has now. */
typedef void (*name_start_fn)(struct name_wait *ask, const char *path);

struct name_wait {
	struct fs_wait wait;
	struct fs_turn turn;
	name_start_fn start; /* in its turn */
	struct fs *fs;
	struct ident ident;
	struct fs_node *parent;     /* pinned */
	struct fs_node *new_parent; /* of rename; pinned */
	struct fs_node *replaced;   /* what rename found there; pinned */
	struct fs_room *room;       /* of rename, for the name */
	struct fs_node *leaves;     /* has handles, and no name soon; pinned */
	struct draft *draft;        /* what those are to read; with an open */
	struct draft_attr draft_attr;
	void (*begin)(struct name_wait *ask); /* when they have it */
	fs_finish_fn finish;                  /* of the change itself */
	bool no_replace;                      /* of rename */
	mode_t mode;                          /* of mkdir */
	int code;
	struct cache_attr attr; /* of what mkdir made */
	char name[PATH_NAME_BYTES_MAX + 1];
	char new_name[PATH_NAME_BYTES_MAX + 1];
};

/** Whether a name may be changed, and its path.
 *  @retval -EROFS, -ENOENT, -ENAMETOOLONG, -EINVAL */
NODISCARD int name_check(const struct fs *fs, const struct fs_node *parent,
    const char *name, char path[PATH_BYTES_MAX]) REQUIRES(fuse_thread);

/** The change of a name below `parent`, checked.
 *  @return NULL: it has been answered. */
NODISCARD struct name_wait *name_wait_of(struct fs *fs, fuse_req_t req,
    fuse_ino_t parent, const char *name) REQUIRES(fuse_thread);

void name_wait_free(struct name_wait *ask) REQUIRES(fuse_thread);

/** Have it wait, and `start` when its turn has come. `ask` is consumed. */
void name_wait_begin(struct name_wait *ask, fuse_req_t req, name_start_fn start,
    fs_finish_fn finish) REQUIRES(fuse_thread);

/** How the change went: `arg` is the wait, which goes on with its finish. Any
 *  thread. */
void name_answer(void *arg, int code);

/**
 * Before `node` (NULL: none) loses the name `path`: who has it open is to read
 * on. Then `begin`. The wait has begun.
 */
void name_keep(struct name_wait *ask, struct fs_node *node, const char *path,
    void (*begin)(struct name_wait *ask)) REQUIRES(fuse_thread);

#endif
