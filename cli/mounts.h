/* SPDX-License-Identifier: Apache-2.0 */
/*
 * cli/mounts.h - which mounts there are, from /proc/self/mountinfo: nothing
 * here touches a mount point, so that a mount that hangs is seen as well.
 *
 * Threads: every function may be called from any thread.
 * Source: proc_pid_mountinfo(5).
 */
#ifndef CLI_MOUNTS_H
#define CLI_MOUNTS_H

#include "base/attr.h"
#include "base/err.h"
#include "base/path.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#define MOUNTS_TYPE "fuse.bearerfs"

struct mount_entry {
	uint64_t id;           /* of the mount, in this namespace */
	unsigned major, minor; /* of its device, the same in all namespaces */
	uid_t owner;           /* user_id= of a FUSE mount, else 0 */
	bool shared;           /* allow_other: by many users */
	bool read_only;
	char root[4096]; /* what of the file system is mounted: "/", or of a
	                    bind mount a directory */
	char type[64];
	char source[1024];
	char point[4096];
};

/** Called for each mount, in the order of mounting; non-zero ends the walk
 *  with that value. `entry` is borrowed. */
typedef int (*mounts_fn)(void *arg, const struct mount_entry *entry);

/** Take one line of mountinfo apart. @retval -EINVAL not such a line, or
 *  longer than the fields are. */
NODISCARD int mounts_parse(struct mount_entry *out, const char *text);

/** Walk through all mounts. @return what `each` returned, 0, or -errno of
 *  reading the file with a sentence. */
NODISCARD int mounts_each(mounts_fn each, void *arg, struct err *err);

/** The topmost mount on `point` (a real path). @retval 1 found, 0 not one,
 *  -errno. */
NODISCARD int mounts_at(
    struct mount_entry *out, const char *point, struct err *err);

/**
 * The bearerfs mount that `path` names or lies in. Symbolic links on the way
 * there are followed; what lies on a bearerfs mount is never looked at and
 * need not exist. Relative paths are taken from the working directory.
 *
 * @param inside  set with 1: the path in the file system, "/" for its root;
 *                NULL: not wanted.
 * @retval 1       found.
 * @retval 0       it lies elsewhere.
 * @retval -errno  with a sentence.
 */
NODISCARD int mounts_holding(struct mount_entry *out,
    char inside[PATH_BYTES_MAX], const char *path, struct err *err);

/** Which mount a file or directory lies on. @retval 1 found, 0 unknown,
 *  -errno. */
NODISCARD int mounts_of_file(
    struct mount_entry *out, const char *path, struct err *err);

bool mounts_is_bearerfs(const struct mount_entry *entry);

/** Whether a file system of that type is on other machines, so that its
 *  locks and its fresh contents cannot be relied on. */
bool mounts_is_network(const char *type);

enum mounts_how { MOUNTS_POLITE, MOUNTS_LAZY };

/**
 * Unmount: umount2(2), or fusermount3 where that is not allowed.
 *
 * @retval 0       gone from this namespace.
 * @retval -EBUSY  polite: files are open in it.
 * @retval -errno  with a sentence.
 */
NODISCARD int mounts_detach(
    const char *point, enum mounts_how how, struct err *err);

#endif
