/* SPDX-License-Identifier: Apache-2.0 */
/* cache/store/io.c - see io.h. */
#include "cache/store/io.h"

#include <assert.h>
#include <errno.h>
#include <stdatomic.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

ssize_t io_pread_nowait(
    int fd, void *out, size_t size_bytes, uint64_t offset_bytes)
{
	struct iovec vector = {.iov_base = out, .iov_len = size_bytes};

	return io_preadv(fd, &vector, 1, offset_bytes, true);
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
