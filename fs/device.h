/* SPDX-License-Identifier: Apache-2.0 */
/*
 * fs/device.h - the FUSE descriptor under libfuse: its reads and writes,
 * waiting for it, and what the kernel is told that libfuse does not tell.
 *
 * libfuse 3.14 forgets PARALLEL_DIROPS in its answer to INIT. Without it the
 * kernel lets one LOOKUP a directory run at a time, and whoever waits for
 * that cannot be killed: so the answer is completed here, on its way out.
 *
 * Threads: the FUSE thread; replies of any thread pass through.
 */
#ifndef FS_DEVICE_H
#define FS_DEVICE_H

#include "base/attr.h"
#include "base/err.h"
#include "fs/session.h"

/** Take `fd` into use: reads do not wait. */
NODISCARD int device_use(struct fs *fs, int fd, struct err *err);

/** There is no request: wait for one or for returned mail, or look again at
 *  once. @retval -EBADF the end. */
NODISCARD int device_wait(struct fs *fs) REQUIRES(fuse_thread);

/** A request has come. */
void device_served(struct fs *fs) REQUIRES(fuse_thread);

/** After the answer to INIT, in which the kernel sets its own value (128
 *  KiB). Only root may; others live with that. */
void device_raise_read_ahead(const struct fs *fs);

#endif
