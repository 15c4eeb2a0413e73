/* SPDX-License-Identifier: Apache-2.0 */
/*
 * cli/control/dir.h - names and directories of control sockets, for both
 * ends; private to this folder.
 *
 * Threads: every function may be called from any thread.
 */
#ifndef CLI_CONTROL_DIR_H
#define CLI_CONTROL_DIR_H

#include "base/attr.h"
#include "base/err.h"

#include <stdbool.h>
#include <sys/types.h>
#include <sys/un.h>

enum {
	CONTROL_PATH_BYTES = 4096,
	CONTROL_NAME_BYTES = 40,
};

/** "0-53.sock" */
void control_name(char out[CONTROL_NAME_BYTES], unsigned major, unsigned minor);

/** The address of `name` in an open directory, by way of /proc/self/fd: the
 *  path of the directory may be longer than a socket's address. */
void control_address(struct sockaddr_un *out, int dir_fd, const char *name);

/**
 * Make the directory when it is missing, and open it (O_PATH). It must belong
 * to `uid` and be closed to others; root's may be 0711.
 *
 * @param shared  let others pass through: 0711.
 * @return a descriptor or -errno.
 */
NODISCARD int control_dir_make(
    const char *dir, uid_t uid, bool shared, struct err *err);

/** Open the directory (O_PATH) if it is there and belongs to `owner` or root.
 *  @return a descriptor, -ENOENT, -EACCES, -errno. */
NODISCARD int control_dir_open(const char *dir, uid_t owner, struct err *err);

#endif
