/* SPDX-License-Identifier: Apache-2.0 */
/*
 * fetch/changes/temporary.h - the names under which files are sent before they have
 * their own: ".bearerfs-upload-" and 32 random hexadecimal digits, in the
 * directory of the file. fetch_is_temporary() of change.h knows them.
 *
 * Threads: every function may be called from any thread.
 */
#ifndef FETCH_CHANGES_TEMPORARY_H
#define FETCH_CHANGES_TEMPORARY_H

#include "base/attr.h"
#include "base/path.h"

/** A new one beside `path`.
 *  @retval 0, -ENAMETOOLONG, or what getrandom(2) says. */
NODISCARD int temporary_name(char out[PATH_BYTES_MAX], const char *path);

#endif
