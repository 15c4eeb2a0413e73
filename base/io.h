/* SPDX-License-Identifier: Apache-2.0 */
/*
 * base/io.h - read(2) and write(2) until all is done: signals and short
 * counts are gone over; the same at an offset and of vectors; directories
 * made and walked; locks taken.
 *
 * For descriptors that block; one that does not gives -EAGAIN.
 *
 * Threads: every function may be called from any thread.
 */
#ifndef BASE_IO_H
#define BASE_IO_H

#include "base/attr.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>
#include <sys/uio.h>

/** Write all bytes. @retval 0, or -errno; how many were written is then not
 *  known. */
int io_write_all(int fd, const void *bytes, size_t size_bytes);

/** Read to the end of the file, or until there is no room: who wants to see
 *  that a file is too large gives room for one byte more.
 *  @return how many bytes, or -errno. */
ssize_t io_read_all(int fd, void *out, size_t room_bytes);

/** Read at an offset until `size_bytes` or the end of the file.
 *  @return bytes read, or -errno. */
NODISCARD ssize_t io_pread(
    int fd, void *out, size_t size_bytes, uint64_t offset_bytes);

/** Read into vectors until full or the end of the file.
 *  @param nowait  as io_pread_nowait().
 *  @return bytes read, or -errno. */
NODISCARD ssize_t io_preadv(int fd, const struct iovec vectors[],
    unsigned count, uint64_t offset_bytes, bool nowait);

/** Write all at an offset. @retval 0, or -errno; how many were written is
 *  then not known. */
NODISCARD int io_pwrite(
    int fd, const void *bytes, size_t size_bytes, uint64_t offset_bytes);

enum { IO_VECTORS_MAX = 128 };

/** Write all of at most IO_VECTORS_MAX vectors. @retval 0, or -errno. */
NODISCARD int io_pwritev(int fd, const struct iovec vectors[], unsigned count,
    uint64_t offset_bytes);

/** What io_each_name() calls; not 0 ends the walk. */
typedef int (*io_name_fn)(void *arg, int dir_fd, const char *name);

/** Call `each` for every name in the directory `path`, relative to `at_fd`,
 *  but "." and "..". @retval 0, what `each` returned, or -errno. */
NODISCARD int io_each_name(
    int at_fd, const char *path, io_name_fn each, void *arg);

/** Take the flock(2) of a file that nobody holds for long.
 *  @retval 0, -EBUSY after `tries` with a pause of `pause_ms` each, or
 *  -errno. */
NODISCARD int io_lock_briefly(int fd, unsigned tries, unsigned pause_ms);

/** Make a directory and those above it that are missing, 0700.
 *  @retval 0, or -errno of the first that could not be made. */
NODISCARD int io_make_dirs(const char *path);

#endif
