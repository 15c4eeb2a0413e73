/* SPDX-License-Identifier: Apache-2.0 */
/*
 * fs/look.h - what is shown of a path: what the cache tells of it, or what is
 * written here, and what somebody has set of it that no server keeps.
 *
 * Of a mount that nobody writes it is what the cache tells, and costs a test.
 *
 * Threads: any, unless a function says the FUSE thread.
 */
#ifndef FS_LOOK_H
#define FS_LOOK_H

#include "base/attr.h"
#include "cache/cache.h"
#include "fs/session.h"

#include <stdbool.h>
#include <stdint.h>

struct draft;

struct fs_look {
	struct cache_attr attr;
	uint32_t mode; /* as of draft_attr; 0: as configured */
	uint32_t mtime_ns;
	bool draft; /* size and time may change at any moment */
};

/** A directory of which nothing is told. */
extern const struct fs_look look_bare;

/** Whether this mount is written. */
static inline bool fs_is_writable(const struct fs *fs)
{
	return fs->config.drafts != NULL && !fs->config.read_only;
}

/**
 * What is shown of what the cache told.
 *
 * @param path  of it; NULL: it has none, and nothing is known to be set.
 */
void look_at_attr(const struct fs *fs, struct fs_look *out, const char *path,
    const struct cache_attr *attr);

void look_at_draft(
    const struct fs *fs, struct fs_look *out, const struct draft *draft);

/** Of a file that has handles. */
void look_at_node(const struct fs *fs, struct fs_look *out,
    const struct fs_node *node) REQUIRES(fuse_thread);

/** The draft of a path as `ident` sees it, one reference; NULL: none. */
NODISCARD struct draft *draft_at(
    const struct fs *fs, const struct ident *ident, const char *path);

/** Whether there is a draft of the path, and what it shows. */
NODISCARD bool look_for_draft(const struct fs *fs, const struct ident *ident,
    const char *path, struct fs_look *out);

/** Of a name below a node. */
NODISCARD bool look_for_child(const struct fs *fs, const struct ident *ident,
    const struct fs_node *parent, const char *name, struct fs_look *out)
    REQUIRES(fuse_thread);

/** The path of a name below a node.
 *  @retval -ENAMETOOLONG, -EINVAL */
NODISCARD int child_path(const struct fs_node *parent, const char *name,
    char out[PATH_BYTES_MAX]) REQUIRES(fuse_thread);

#endif
