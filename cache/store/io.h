/* SPDX-License-Identifier: Apache-2.0 */
/*
 * cache/store/io.h - system calls of the block store that are repeated until
 * done: EINTR and short transfers are dealt with in one place.
 *
 * Threads: any.
 */
#ifndef CACHE_STORE_IO_H
#define CACHE_STORE_IO_H

#include "base/attr.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>
#include <sys/uio.h>

/** Read at an offset until `size_bytes` or the end of the file.
 *  @return bytes read, or -errno. */
NODISCARD ssize_t io_pread(
    int fd, void *out, size_t size_bytes, uint64_t offset_bytes);

/** As io_pread(), out of the page cache alone.
 *  @return bytes read, all or up to the end of the file; -EAGAIN when the
 *          disk would have to be asked (or the file system cannot tell). */
NODISCARD ssize_t io_pread_nowait(
    int fd, void *out, size_t size_bytes, uint64_t offset_bytes);

/** Read into vectors until full or the end of the file.
 *  @param nowait  as io_pread_nowait().
 *  @return bytes read, or -errno. */
NODISCARD ssize_t io_preadv(int fd, const struct iovec vectors[],
    unsigned count, uint64_t offset_bytes, bool nowait);

/** Write all. @retval 0, or -errno. */
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

/** Monotonic microseconds, to see how long the disk takes. */
uint64_t io_now_us(void);

/** What the page cache holds of a part of a file. */
enum io_heat {
	IO_COLD,    /* not all of it */
	IO_HOT,     /* all of it, or some of it not yet written to disk */
	IO_UNKNOWN, /* this file system cannot tell */
};

/** Never waits. cachestat(2) where there is one (Linux 6.5), else the first
 *  and the last page are tried. */
enum io_heat io_heat(int fd, uint64_t offset_bytes, size_t size_bytes);

#endif
