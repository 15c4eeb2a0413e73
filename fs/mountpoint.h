/* SPDX-License-Identifier: Apache-2.0 */
/*
 * fs/mountpoint.h - the directory we mount on: may we, and what stands
 * there.
 *
 * Nothing here may wait for a mount that does not answer.
 *
 * Sources: proc(5) (mountinfo), umount2(2), fusermount3(1).
 */
#ifndef FS_MOUNTPOINT_H
#define FS_MOUNTPOINT_H

#include "base/attr.h"
#include "base/err.h"

#include <stdbool.h>

enum { MOUNTPOINT_DEVICE_BYTES = 32 };

/** The uppermost mount on a directory. */
struct mountpoint {
	char device[MOUNTPOINT_DEVICE_BYTES]; /* "MAJ:MIN" */
	bool ours;                            /* of type fuse.bearerfs */
};

/** @retval 0 found. @retval -ENOENT nothing is mounted on `path` itself.
 *  @retval -errno of reading /proc/self/mountinfo */
NODISCARD int mountpoint_find(struct mountpoint *out, const char *path);

/**
 * Make sure that a file system can be mounted on `path`; a dead mount of our
 * own (its process is gone) is detached first.
 *
 * @retval 0        it can.
 * @retval -EBUSY   a bearerfs that answers is mounted there.
 * @retval -ENOENT, -ENOTDIR, -EACCES, -ENOTCONN, ...  with a sentence.
 */
NODISCARD int mountpoint_prepare(const char *path, struct err *err);

/** Detach dead mounts of ours from `path`; a live one is left alone, and what
 *  fails is logged. */
void mountpoint_detach_dead(const char *path);

/** Whether this process may mount and unmount by itself, so that it needs no
 *  fusermount3. */
bool mountpoint_is_privileged(void);

#endif
