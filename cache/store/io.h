/* SPDX-License-Identifier: Apache-2.0 */
/*
 * cache/store/io.h - what the block store asks of the page cache, and how
 * long the disk takes; base/io.h has the rest.
 *
 * Threads: any.
 */
#ifndef CACHE_STORE_IO_H
#define CACHE_STORE_IO_H

#include "base/attr.h"
#include "base/io.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

/** As io_pread(), out of the page cache alone.
 *  @return bytes read, all or up to the end of the file; -EAGAIN when the
 *          disk would have to be asked (or the file system cannot tell). */
NODISCARD ssize_t io_pread_nowait(
    int fd, void *out, size_t size_bytes, uint64_t offset_bytes);

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
