/* SPDX-License-Identifier: Apache-2.0 */
/* base/io.c - see io.h. */
#include "base/io.h"

#include <errno.h>
#include <unistd.h>

int io_write_all(int fd, const void *bytes, size_t size_bytes)
{
	const char *at = bytes;

	while (size_bytes > 0) {
		ssize_t n = write(fd, at, size_bytes);

		if (n < 0 && errno == EINTR)
			continue;
		if (n <= 0)
			return n < 0 ? -errno : -EIO;
		at += n;
		size_bytes -= (size_t)n;
	}
	return 0;
}

ssize_t io_read_all(int fd, void *out, size_t room_bytes)
{
	char *at = out;
	size_t used = 0;

	while (used < room_bytes) {
		ssize_t n = read(fd, at + used, room_bytes - used);

		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return -errno;
		if (n == 0)
			break;
		used += (size_t)n;
	}
	return (ssize_t)used;
}
