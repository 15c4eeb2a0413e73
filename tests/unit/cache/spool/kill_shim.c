/* SPDX-License-Identifier: Apache-2.0 */
/* tests/unit/cache/spool/kill_shim.c - see kill_shim.h. */
#include "tests/unit/cache/spool/kill_shim.h"

#include <fcntl.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <sys/stat.h>
#include <unistd.h>

static atomic_uint countdown; /* 0: lives; threads count, too */
static bool torn;

void kill_at(unsigned nth, bool in_the_middle)
{
	torn = in_the_middle;
	atomic_store(&countdown, nth);
}

static bool dies_now(void)
{
	return atomic_load(&countdown) > 0 &&
	    atomic_fetch_sub(&countdown, 1) == 1;
}

#define WRAPPED(name, parameters, arguments)    \
	int __real_##name parameters;           \
	int __wrap_##name parameters;           \
	int __wrap_##name parameters            \
	{                                       \
		if (dies_now())                 \
			_exit(KILL_STATUS);     \
		return __real_##name arguments; \
	}

WRAPPED(ftruncate64, (int fd, off64_t size), (fd, size))
WRAPPED(mkdirat, (int fd, const char *name, mode_t bits), (fd, name, bits))
WRAPPED(renameat, (int from_fd, const char *from, int to_fd, const char *to),
    (from_fd, from, to_fd, to))
WRAPPED(linkat,
    (int from_fd, const char *from, int to_fd, const char *to, int flags),
    (from_fd, from, to_fd, to, flags))
WRAPPED(fsync, (int fd), (fd))
WRAPPED(fdatasync, (int fd), (fd))
WRAPPED(unlinkat, (int fd, const char *name, int flags), (fd, name, flags))

int __real_openat64(int dir_fd, const char *name, int flags, ...);
int __wrap_openat64(int dir_fd, const char *name, int flags, ...);
ssize_t __real_pwrite64(int fd, const void *bytes, size_t size, off64_t at);
ssize_t __wrap_pwrite64(int fd, const void *bytes, size_t size, off64_t at);

int __wrap_openat64(int dir_fd, const char *name, int flags, ...)
{
	va_list list;
	mode_t bits;

	va_start(list, flags);
	bits = (flags & O_CREAT) != 0 ? va_arg(list, mode_t) : 0;
	va_end(list);
	if ((flags & O_CREAT) != 0 && dies_now())
		_exit(KILL_STATUS);
	return __real_openat64(dir_fd, name, flags, bits);
}

ssize_t __wrap_pwrite64(int fd, const void *bytes, size_t size, off64_t at)
{
	if (dies_now()) {
		if (torn)
			(void)!__real_pwrite64(fd, bytes, size / 2, at);
		_exit(KILL_STATUS);
	}
	return __real_pwrite64(fd, bytes, size, at);
}
