/* SPDX-License-Identifier: Apache-2.0 */
/*
 * tests/system/fault_shim.c - a disk that fails, for one process and below one
 * directory: preloaded into a mount (LD_PRELOAD), it stands before the system
 * calls of the cache.
 *
 * FAULT_DIR      the directory
 * FAULT_CONTROL  a file of struct control, read anew at each call
 * FAULT_SEEN     grows by a byte for each fault
 * FAULT_SOCKETS  set: what is sent over a socket is a step too, before which
 *                it can be killed
 *
 * Calls are wrapped under the names that 64-bit offsets give them.
 */
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <signal.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/types.h>
#include <sys/uio.h>
#include <unistd.h>

enum mode {
	OFF,
	WRITES_FAIL,
	WRITES_ARE_SHORT,
	READS_FAIL,
	READS_LIE,   /* a bit is another one */
	KILL_BEFORE, /* the process, in front of its nth step */
	KILL_WITHIN, /* half of the change is done */
};

struct control {
	uint32_t mode;
	uint32_t per_mille; /* of the calls */
	uint32_t error;
	uint32_t nth;
};

static struct control control(void)
{
	struct control now = {.mode = OFF};
	const char *name = getenv("FAULT_CONTROL");
	int fd = name == NULL ? -1 : open(name, O_RDONLY | O_CLOEXEC);

	if (fd >= 0) {
		if (read(fd, &now, sizeof(now)) != sizeof(now))
			now.mode = OFF;
		(void)close(fd);
	}
	return now;
}

static void note(void)
{
	const char *name = getenv("FAULT_SEEN");
	int fd = name == NULL
	    ? -1
	    : open(name, O_WRONLY | O_APPEND | O_CREAT | O_CLOEXEC, 0600);

	if (fd >= 0) {
		(void)!write(fd, "x", 1);
		(void)close(fd);
	}
}

/* Is it a file or directory of the cache? */
static bool is_ours(int fd)
{
	const char *dir = getenv("FAULT_DIR");
	char link[64];
	char path[PATH_MAX];
	ssize_t n;

	if (dir == NULL || fd < 0)
		return false;
	(void)snprintf(link, sizeof(link), "/proc/self/fd/%d", fd);
	n = readlink(link, path, sizeof(path) - 1);
	if (n < 0)
		return false;
	path[n] = '\0';
	return strncmp(path, dir, strlen(dir)) == 0;
}

static bool dice(uint32_t per_mille)
{
	static _Atomic uint64_t state = 88172645463325252u;
	uint64_t x = atomic_load(&state);

	x ^= x << 13;
	x ^= x >> 7;
	x ^= x << 17;
	atomic_store(&state, x);
	return x % 1000 < per_mille;
}

/* Counted while a mode kills. */
static _Atomic uint32_t steps;

/* Does a change of this file fail? Sets errno. The nth one kills. */
static bool change_fails(int fd, bool *within)
{
	struct control now = control();
	bool kills = now.mode == KILL_BEFORE || now.mode == KILL_WITHIN;

	*within = false;
	if (now.mode == OFF || !is_ours(fd))
		return false;
	if (kills && atomic_fetch_add(&steps, 1) + 1 >= now.nth) {
		*within = now.mode == KILL_WITHIN;
		if (!*within)
			(void)kill(getpid(), SIGKILL);
		return false;
	}
	if (now.mode != WRITES_FAIL || !dice(now.per_mille))
		return false;
	note();
	errno = (int)now.error;
	return true;
}

static bool write_is_short(int fd)
{
	struct control now = control();

	if (now.mode != WRITES_ARE_SHORT || !is_ours(fd) ||
	    !dice(now.per_mille))
		return false;
	note();
	return true;
}

#define REAL(name, type)                              \
	static type real;                             \
	if (real == NULL) {                           \
		void *found = dlsym(RTLD_NEXT, name); \
		memcpy(&real, &found, sizeof(real));  \
	}

typedef ssize_t (*pwrite_fn)(int, const void *, size_t, off64_t);
typedef ssize_t (*pwritev_fn)(int, const struct iovec *, int, off64_t);
typedef ssize_t (*preadv2_fn)(int, const struct iovec *, int, off64_t, int);
typedef int (*openat_fn)(int, const char *, int, ...);
typedef int (*ftruncate_fn)(int, off64_t);
typedef int (*mkdirat_fn)(int, const char *, mode_t);
typedef int (*unlinkat_fn)(int, const char *, int);
typedef int (*renameat_fn)(int, const char *, int, const char *);
typedef int (*fsync_fn)(int);
typedef ssize_t (*send_fn)(int, const void *, size_t, int);

ssize_t pwrite64(int fd, const void *bytes, size_t size, off64_t offset)
{
	bool within;

	REAL("pwrite64", pwrite_fn)
	if (change_fails(fd, &within))
		return -1;
	if (within) {
		(void)!real(fd, bytes, size / 2, offset);
		(void)kill(getpid(), SIGKILL);
	}
	return real(
	    fd, bytes, write_is_short(fd) ? (size + 1) / 2 : size, offset);
}

ssize_t pwritev64(
    int fd, const struct iovec *vectors, int count, off64_t offset)
{
	bool within;

	REAL("pwritev64", pwritev_fn)
	if (change_fails(fd, &within))
		return -1;
	if (within) {
		(void)!real(fd, vectors, (count + 1) / 2, offset);
		(void)kill(getpid(), SIGKILL);
	}
	return real(
	    fd, vectors, write_is_short(fd) ? (count + 1) / 2 : count, offset);
}

ssize_t preadv64v2(
    int fd, const struct iovec *vectors, int count, off64_t offset, int flags)
{
	struct control now = control();
	bool fault = (now.mode == READS_FAIL || now.mode == READS_LIE) &&
	    is_ours(fd) && dice(now.per_mille);
	ssize_t n;

	REAL("preadv64v2", preadv2_fn)
	if (fault && now.mode == READS_FAIL) {
		note();
		errno = (int)now.error;
		return -1;
	}
	n = real(fd, vectors, count, offset, flags);
	if (fault && n > 0) {
		uint8_t *bytes = vectors[0].iov_base;
		size_t first = (size_t)n < vectors[0].iov_len
		    ? (size_t)n
		    : vectors[0].iov_len;

		note();
		bytes[(size_t)rand() % first] ^= 0x04;
	}
	return n;
}

int openat64(int dir_fd, const char *name, int flags, ...)
{
	va_list list;
	mode_t bits;
	bool within;

	REAL("openat64", openat_fn)
	va_start(list, flags);
	bits = (flags & O_CREAT) != 0 ? va_arg(list, mode_t) : 0;
	va_end(list);
	if ((flags & O_CREAT) != 0 && change_fails(dir_fd, &within))
		return -1;
	return real(dir_fd, name, flags, bits);
}

int ftruncate64(int fd, off64_t size)
{
	bool within;

	REAL("ftruncate64", ftruncate_fn)
	return change_fails(fd, &within) ? -1 : real(fd, size);
}

int mkdirat(int dir_fd, const char *name, mode_t bits)
{
	bool within;

	REAL("mkdirat", mkdirat_fn)
	return change_fails(dir_fd, &within) ? -1 : real(dir_fd, name, bits);
}

int unlinkat(int dir_fd, const char *name, int flags)
{
	bool within;

	REAL("unlinkat", unlinkat_fn)
	return change_fails(dir_fd, &within) ? -1 : real(dir_fd, name, flags);
}

int renameat(int from_fd, const char *from, int to_fd, const char *to)
{
	bool within;

	REAL("renameat", renameat_fn)
	return change_fails(from_fd, &within) ? -1
	                                      : real(from_fd, from, to_fd, to);
}

/* The nth step is something that is sent. */
static void step_of_socket(void)
{
	struct control now = control();

	if (now.mode != KILL_BEFORE || getenv("FAULT_SOCKETS") == NULL)
		return;
	if (atomic_fetch_add(&steps, 1) + 1 >= now.nth)
		(void)kill(getpid(), SIGKILL);
}

ssize_t send(int fd, const void *bytes, size_t size, int flags)
{
	REAL("send", send_fn)
	step_of_socket();
	return real(fd, bytes, size, flags);
}

int fdatasync(int fd)
{
	bool within;

	REAL("fdatasync", fsync_fn)
	return change_fails(fd, &within) ? -1 : real(fd);
}

int fsync(int fd)
{
	bool within;

	REAL("fsync", fsync_fn)
	return change_fails(fd, &within) ? -1 : real(fd);
}
