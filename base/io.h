/* SPDX-License-Identifier: Apache-2.0 */
/*
 * base/io.h - read(2) and write(2) until all is done: signals and short
 * counts are gone over.
 *
 * For descriptors that block; one that does not gives -EAGAIN.
 *
 * Threads: every function may be called from any thread.
 */
#ifndef BASE_IO_H
#define BASE_IO_H

#include <stddef.h>
#include <sys/types.h>

/** Write all bytes. @retval 0, or -errno; how many were written is then not
 *  known. */
int io_write_all(int fd, const void *bytes, size_t size_bytes);

/** Read to the end of the file, or until there is no room: who wants to see
 *  that a file is too large gives room for one byte more.
 *  @return how many bytes, or -errno. */
ssize_t io_read_all(int fd, void *out, size_t room_bytes);

#endif
