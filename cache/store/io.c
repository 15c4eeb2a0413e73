/* SPDX-License-Identifier: Apache-2.0 */
/*
 * cache/store/io.c - see io.h.
 */
#include "cache/store/io.h"

#include <assert.h>
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdatomic.h>
#include <string.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

ssize_t io_pread(int fd, void *out, size_t size_bytes, uint64_t offset_bytes)
{
	struct iovec vector = {.iov_base = out, .iov_len = size_bytes};

	return io_preadv(fd, &vector, 1, offset_bytes, false);
}

ssize_t io_pread_nowait(
    int fd, void *out, size_t size_bytes, uint64_t offset_bytes)
{
	struct iovec vector = {.iov_base = out, .iov_len = size_bytes};

	return io_preadv(fd, &vector, 1, offset_bytes, true);
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
		/* The stream is this thread's alone. */
		struct dirent *entry =
		    readdir(dir); // NOLINT(concurrency-mt-unsafe)

		if (entry == NULL)
			break;
		if (strcmp(entry->d_name, ".") != 0 &&
		    strcmp(entry->d_name, "..") != 0)
			code = each(arg, fd, entry->d_name);
	}
	(void)closedir(dir);
	return code;
}

uint64_t io_now_us(void)
{
	struct timespec now;
	int code = clock_gettime(CLOCK_MONOTONIC, &now);

	assert(code == 0); /* it exists on every Linux */
	(void)code;
	return (uint64_t)now.tv_sec * 1000000 + (uint64_t)now.tv_nsec / 1000;
}

/* cachestat(2), which glibc 2.36 does not know. */
struct cachestat_range {
	uint64_t offset_bytes;
	uint64_t size_bytes;
};

struct cachestat {
	uint64_t cached;
	uint64_t dirty;
	uint64_t writeback;
	uint64_t evicted;
	uint64_t recently_evicted;
};

enum { IO_PAGE_BYTES = 4096 };

#ifndef SYS_cachestat
#define SYS_cachestat 451 /* on every architecture */
#endif

/* What cachestat(2) says; IO_UNKNOWN where it is missing. */
static enum io_heat ask_cachestat(
    int fd, uint64_t offset_bytes, size_t size_bytes)
{
	static _Atomic bool missing;
	struct cachestat_range range = {
	    .offset_bytes = offset_bytes, .size_bytes = size_bytes};
	struct cachestat stat = {.cached = 0};
	uint64_t first = offset_bytes / IO_PAGE_BYTES;
	uint64_t last = (offset_bytes + size_bytes - 1) / IO_PAGE_BYTES;

	if (atomic_load_explicit(&missing, memory_order_relaxed))
		return IO_UNKNOWN;
	if (syscall(SYS_cachestat, fd, &range, &stat, 0) < 0) {
		/* Some containers refuse calls that they do not know. */
		if (errno == ENOSYS || errno == EPERM)
			atomic_store_explicit(
			    &missing, true, memory_order_relaxed);
		return IO_UNKNOWN;
	}
	/* What waits for the disk would be flushed by a direct read. */
	if (stat.dirty + stat.writeback > 0)
		return IO_HOT;
	return stat.cached >= last - first + 1 ? IO_HOT : IO_COLD;
}

/* A byte without waiting: a miss costs a few pages of read-ahead, where the
 * whole would have cost all of it. */
static enum io_heat ask_byte(int fd, uint64_t offset_bytes)
{
	char byte;
	ssize_t n;

	do {
		struct iovec vector = {.iov_base = &byte, .iov_len = 1};

		n = preadv2(fd, &vector, 1, (off_t)offset_bytes, RWF_NOWAIT);
	} while (n < 0 && errno == EINTR);
	if (n < 0)
		return errno == EAGAIN ? IO_COLD : IO_UNKNOWN;
	return n == 0 ? IO_COLD : IO_HOT;
}

enum io_heat io_heat(int fd, uint64_t offset_bytes, size_t size_bytes)
{
	enum io_heat heat;

	if (size_bytes == 0)
		return IO_UNKNOWN;
	heat = ask_cachestat(fd, offset_bytes, size_bytes);
	if (heat != IO_UNKNOWN)
		return heat;
	heat = ask_byte(fd, offset_bytes);
	return heat == IO_HOT ? ask_byte(fd, offset_bytes + size_bytes - 1)
	                      : heat;
}
