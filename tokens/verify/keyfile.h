/* SPDX-License-Identifier: Apache-2.0 */
/*
 * tokens/verify/keyfile.h - an issuer's key set kept on disk, so that a
 * mount that starts while the issuer is down knows its keys, and a thousand
 * jobs that start together do not ask it a thousand times.
 *
 * One file an issuer, 0600, in a directory that is ours alone; replaced
 * whole by a rename. A file that is not whole, not ours, of another issuer
 * or of an unlikely time is as none. A key file of the user's own (jwks=) is
 * read here as well.
 *
 * On disk: "bearerfs-keys 1 SUM\n" with the SHA-256, in hex, of what
 * follows: "ISSUER FETCHED REFRESH EXPIRES\n" (seconds since 1970), then the
 * key set as it came.
 *
 * Threads: any; may wait for a disk.
 */
#ifndef TOKENS_VERIFY_KEYFILE_H
#define TOKENS_VERIFY_KEYFILE_H

#include "base/attr.h"
#include "base/buf.h"
#include "base/err.h"
#include "tokens/verify/keys.h"

#include <stdint.h>

enum { KEYFILE_NAME_BYTES = 64 + 5 + 1 };

/** The file's name in its directory: the SHA-256 of the issuer and ".keys".
 */
void keyfile_name(char out[KEYFILE_NAME_BYTES], const char *issuer);

/**
 * Write a key set.
 *
 * @param dir  made with 0700 when it is not there; its parent must be.
 * @retval 0       written.
 * @retval -EPERM  the directory is not ours alone.
 * @retval -errno  of a system call.
 */
NODISCARD int keyfile_write(const char *dir, const char *issuer,
    const struct keys_life *life, const char *text, size_t size_bytes,
    struct err *err);

/**
 * Read one back.
 *
 * @param out  one reference, the caller's; NULL on failure.
 * @retval 0         read, and not expired at `wall_s`.
 * @retval -ENOENT   there is none.
 * @retval -EBADMSG  it is damaged, of another issuer, expired or not ours.
 * @retval -ENOMEM, -errno
 */
NODISCARD int keyfile_read(struct jwks **out, struct keys_life *life,
    const char *dir, const char *issuer, uint64_t wall_s, struct err *err);

/**
 * Read the user's own JWKS file: a regular file that not everybody may
 * write.
 *
 * @retval 0       read.
 * @retval -errno  with a sentence that names the file.
 */
NODISCARD int keyfile_read_jwks(
    struct jwks **out, const char *path, struct err *err);

#endif
