/* SPDX-License-Identifier: Apache-2.0 */
/* base/io.c - see io.h. */
#include "base/io.h"

#include <assert.h>
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <time.h>
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

ssize_t io_pread(int fd, void *out, size_t size_bytes, uint64_t offset_bytes)
{
	struct iovec vector = {.iov_base = out, .iov_len = size_bytes};

	return io_preadv(fd, &vector, 1, offset_bytes, false);
}

/* Drop the first `done` bytes of vectors; how many vectors are used up. */
static unsigned advance(struct iovec *vectors, unsigned count, size_t done)
{
	unsigned i = 0;

	while (i < count && done >= vectors[i].iov_len)
		done -= vectors[i++].iov_len;
	if (i < count) {
		vectors[i].iov_base = (char *)vectors[i].iov_base + done;
		vectors[i].iov_len -= done;
	}
	return i;
}

ssize_t io_preadv(int fd, const struct iovec vectors_in[], unsigned count,
    uint64_t offset_bytes, bool nowait)
{
	struct iovec vectors[IO_VECTORS_MAX];
	struct iovec *left = vectors;
	size_t done = 0;

	assert(count <= IO_VECTORS_MAX);
	memcpy(vectors, vectors_in, count * sizeof(*vectors));
	while (count > 0) {
		ssize_t n = preadv2(fd, left, (int)count,
		    (off_t)(offset_bytes + done), nowait ? RWF_NOWAIT : 0);

		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0 && nowait && errno == EOPNOTSUPP)
			return -EAGAIN;
		if (n < 0)
			return -errno;
		if (n == 0)
			break;
		done += (size_t)n;

		unsigned used = advance(left, count, (size_t)n);

		left += used;
		count -= used;
	}
	return (ssize_t)done;
}

int io_pwrite(
    int fd, const void *bytes, size_t size_bytes, uint64_t offset_bytes)
{
	const char *at = bytes;

	while (size_bytes > 0) {
		ssize_t n = pwrite(fd, at, size_bytes, (off_t)offset_bytes);

		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return -errno;
		if (n == 0)
			return -EIO; /* a disk that takes nothing */
		at += n;
		offset_bytes += (uint64_t)n;
		size_bytes -= (size_t)n;
	}
	return 0;
}

int io_pwritev(int fd, const struct iovec vectors_in[], unsigned count,
    uint64_t offset_bytes)
{
	struct iovec vectors[IO_VECTORS_MAX];
	struct iovec *left = vectors;

	assert(count <= IO_VECTORS_MAX);
	memcpy(vectors, vectors_in, count * sizeof(*vectors));
	while (count > 0) {
		ssize_t n = pwritev(fd, left, (int)count, (off_t)offset_bytes);

		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return -errno;
		if (n == 0)
			return -EIO;
		offset_bytes += (uint64_t)n;

		unsigned used = advance(left, count, (size_t)n);

		left += used;
		count -= used;
	}
	return 0;
}

int io_each_name(int at_fd, const char *path, io_name_fn each, void *arg)
{
	int fd = openat(
	    at_fd, path, O_RDONLY | O_DIRECTORY | O_CLOEXEC | O_NOFOLLOW);
	DIR *dir = fd < 0 ? NULL : fdopendir(fd);
	int code = 0;

	if (dir == NULL) {
		code = -errno;
		if (fd >= 0)
			(void)close(fd);
		return code;
	}
	while (code == 0) {
		struct dirent *entry;

		errno = 0;
		/* The stream is this thread's alone. */
		entry = readdir(dir); // NOLINT(concurrency-mt-unsafe)
		if (entry == NULL) {
			code = -errno;
			break;
		}
		if (strcmp(entry->d_name, ".") != 0 &&
		    strcmp(entry->d_name, "..") != 0)
			code = each(arg, fd, entry->d_name);
	}
	(void)closedir(dir);
	return code;
}

int io_make_dirs(const char *path)
{
	char part[PATH_MAX];
	size_t length = strlen(path);

	if (length >= sizeof(part))
		return -ENAMETOOLONG;
	for (size_t i = 1; i <= length; i++) {
		if (path[i] != '/' && path[i] != '\0')
			continue;
		memcpy(part, path, i);
		part[i] = '\0';
		if (mkdir(part, 0700) < 0 && errno != EEXIST)
			return -errno;
	}
	return 0;
}

int io_lock_briefly(int fd, unsigned tries, unsigned pause_ms)
{
	struct timespec pause = {
	    .tv_sec = pause_ms / 1000, .tv_nsec = pause_ms % 1000 * 1000000L};

	for (unsigned i = 0; i < tries; i++) {
		if (flock(fd, LOCK_EX | LOCK_NB) == 0)
			return 0;
		if (errno != EWOULDBLOCK && errno != EINTR)
			return -errno;
		(void)nanosleep(&pause, NULL);
	}
	return -EBUSY;
}
