/* SPDX-License-Identifier: Apache-2.0 */
/*
 * tests/unit/cache/store/test_store_io.c - transfers that are cut or
 * interrupted are finished; heat is told on kernels with cachestat(2) and
 * without.
 */
#include "cache/store/io.h"
#include "tests/unit/cache/store/store_bed.h"

#include <errno.h>
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <cmocka.h>

enum { BYTES = 256 * 1024 };

static unsigned step_bytes; /* no transfer is longer; 0: as the kernel has it */
static unsigned interrupts; /* every second call is interrupted */
static bool no_cachestat;

static bool interrupted(void)
{
	if (interrupts == 0 || interrupts++ % 2 == 0)
		return false;
	errno = EINTR;
	return true;
}

/* The first bytes of vectors, as a short transfer takes them. */
static unsigned cut(
    const struct iovec *vectors, int count, struct iovec out[128])
{
	size_t left = step_bytes == 0 ? SIZE_MAX : step_bytes;
	unsigned n = 0;

	for (int i = 0; i < count && left > 0; i++) {
		out[n] = vectors[i];
		if (out[n].iov_len > left)
			out[n].iov_len = left;
		left -= out[n++].iov_len;
	}
	return n;
}

ssize_t __real_preadv64v2(
    int fd, const struct iovec *vectors, int count, off64_t offset, int flags);
ssize_t __wrap_preadv64v2(
    int fd, const struct iovec *vectors, int count, off64_t offset, int flags);
ssize_t __real_pwritev64(
    int fd, const struct iovec *vectors, int count, off64_t offset);
ssize_t __wrap_pwritev64(
    int fd, const struct iovec *vectors, int count, off64_t offset);
ssize_t __real_pwrite64(int fd, const void *bytes, size_t size, off64_t at);
ssize_t __wrap_pwrite64(int fd, const void *bytes, size_t size, off64_t at);
long __real_syscall(long number, ...);
long __wrap_syscall(long number, ...);

ssize_t __wrap_preadv64v2(
    int fd, const struct iovec *vectors, int count, off64_t offset, int flags)
{
	struct iovec some[128];

	if (interrupted())
		return -1;
	return __real_preadv64v2(
	    fd, some, (int)cut(vectors, count, some), offset, flags);
}

ssize_t __wrap_pwritev64(
    int fd, const struct iovec *vectors, int count, off64_t offset)
{
	struct iovec some[128];

	if (interrupted())
		return -1;
	return __real_pwritev64(
	    fd, some, (int)cut(vectors, count, some), offset);
}

ssize_t __wrap_pwrite64(int fd, const void *bytes, size_t size, off64_t at)
{
	if (interrupted())
		return -1;
	if (step_bytes > 0 && size > step_bytes)
		size = step_bytes;
	return __real_pwrite64(fd, bytes, size, at);
}

long __wrap_syscall(long number, ...)
{
	va_list list;
	long a;
	void *b;
	void *c;
	long d;

	va_start(list, number);
	a = va_arg(list, int);
	b = va_arg(list, void *);
	c = va_arg(list, void *);
	d = va_arg(list, int);
	va_end(list);
	if (no_cachestat) {
		errno = ENOSYS;
		return -1;
	}
	return __real_syscall(number, a, b, c, d);
}

struct io_bed {
	char path[64];
	int fd;
	uint8_t *bytes;
	uint8_t *out;
};

static int set_up(void **state)
{
	static struct io_bed bed;

	step_bytes = 0;
	interrupts = 0;
	(void)snprintf(bed.path, sizeof(bed.path), "/tmp/bearerfs-io-XXXXXX");
	bed.fd = mkostemp(bed.path, O_CLOEXEC);
	bed.bytes = malloc(BYTES);
	bed.out = calloc(1, BYTES);
	assert_true(bed.fd >= 0 && bed.bytes != NULL && bed.out != NULL);
	bed_fill(bed.bytes, BYTES, 1, 1);
	*state = &bed;
	return 0;
}

static int tear_down(void **state)
{
	struct io_bed *bed = *state;

	step_bytes = 0;
	interrupts = 0;
	(void)close(bed->fd);
	(void)unlink(bed->path);
	free(bed->bytes);
	free(bed->out);
	return 0;
}

/* Uneven vectors over the bytes. */
static unsigned split(uint8_t *bytes, struct iovec vectors[IO_VECTORS_MAX])
{
	uint64_t random = 3;
	size_t at = 0;
	unsigned n = 0;

	while (at < BYTES) {
		size_t part = (size_t)(bed_random(&random) % 9000);

		if (part > BYTES - at || n == IO_VECTORS_MAX - 1)
			part = BYTES - at;
		vectors[n++] =
		    (struct iovec){.iov_base = bytes + at, .iov_len = part};
		at += part;
	}
	return n;
}

static void round_trip(struct io_bed *bed)
{
	struct iovec vectors[IO_VECTORS_MAX];
	unsigned n = split(bed->bytes, vectors);

	assert_int_equal(io_pwritev(bed->fd, vectors, n, 100), 0);
	n = split(bed->out, vectors);
	assert_int_equal(io_preadv(bed->fd, vectors, n, 100, false), BYTES);
	assert_memory_equal(bed->bytes, bed->out, BYTES);
	assert_int_equal(io_pwrite(bed->fd, bed->out, BYTES, 0), 0);
	memset(bed->out, 0, BYTES);
	assert_int_equal(io_pread(bed->fd, bed->out, BYTES, 0), BYTES);
	assert_memory_equal(bed->bytes, bed->out, BYTES);
}

static void transfers_of_any_step_are_finished(void **state)
{
	static const unsigned steps[] = {0, 1000, 4096, 4097, 65536, 65537};

	for (unsigned i = 0; i < 6; i++) {
		step_bytes = steps[i];
		round_trip(*state);
	}
}

static void interrupted_transfers_are_finished(void **state)
{
	interrupts = 1;
	step_bytes = 30000;
	round_trip(*state);
}

static void the_end_of_a_file_ends_a_read(void **state)
{
	struct io_bed *bed = *state;

	assert_int_equal(io_pwrite(bed->fd, bed->bytes, 1000, 0), 0);
	step_bytes = 300;
	assert_int_equal(io_pread(bed->fd, bed->out, BYTES, 0), 1000);
	assert_int_equal(io_pread(bed->fd, bed->out, BYTES, 900), 100);
	assert_int_equal(io_pread(bed->fd, bed->out, BYTES, 1000), 0);
	assert_int_equal(io_pread(bed->fd, bed->out, BYTES, 5000), 0);
}

static void what_was_just_written_is_hot_and_what_was_dropped_is_cold(
    void **state)
{
	struct io_bed *bed = *state;
	enum io_heat heat;

	for (unsigned round = 0; round < 2; round++) {
		/* The second time as on a kernel before 6.5. */
		no_cachestat = round == 1;
		assert_int_equal(io_pwrite(bed->fd, bed->bytes, BYTES, 0), 0);
		heat = io_heat(bed->fd, 4096, 65536);
		assert_true(heat == IO_HOT || heat == IO_UNKNOWN);
		assert_int_equal(fsync(bed->fd), 0);
		assert_int_equal(
		    posix_fadvise(bed->fd, 0, 0, POSIX_FADV_DONTNEED), 0);
		/* A file system in memory has nothing to drop. */
		(void)io_heat(bed->fd, 4096, 65536);
		assert_int_equal(io_pread(bed->fd, bed->out, BYTES, 0), BYTES);
		heat = io_heat(bed->fd, 4096, 65536);
		assert_true(heat == IO_HOT || heat == IO_UNKNOWN);
		/* Behind the end there is nothing to be hot. */
		assert_int_not_equal(io_heat(bed->fd, BYTES * 4, 4096), IO_HOT);
		assert_int_equal(io_heat(bed->fd, 0, 0), IO_UNKNOWN);
	}
}

static int stop_at_b(void *arg, int dir_fd, const char *name)
{
	(void)dir_fd;
	(*(unsigned *)arg)++;
	return strcmp(name, "b") == 0 ? 7 : 0;
}

static void names_are_walked_until_told_to_stop(void **state)
{
	char dir[] = "/tmp/bearerfs-io-XXXXXX";
	unsigned count = 0;
	int fd;

	(void)state;
	assert_non_null(mkdtemp(dir));
	fd = open(dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	assert_true(fd >= 0);
	assert_int_equal(io_each_name(fd, ".", stop_at_b, &count), 0);
	assert_int_equal(count, 0);
	(void)close(openat(fd, "b", O_CREAT | O_WRONLY | O_CLOEXEC, 0600));
	assert_int_equal(io_each_name(fd, ".", stop_at_b, &count), 7);
	assert_int_equal(count, 1);
	assert_int_equal(io_each_name(fd, "none", stop_at_b, &count), -ENOENT);
	assert_int_equal(io_each_name(fd, "b", stop_at_b, &count), -ENOTDIR);
	(void)close(fd);
	bed_remove(dir);
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)
	const struct CMUnitTest tests[] = {
	    TEST(transfers_of_any_step_are_finished),
	    TEST(interrupted_transfers_are_finished),
	    TEST(the_end_of_a_file_ends_a_read),
	    TEST(what_was_just_written_is_hot_and_what_was_dropped_is_cold),
	    cmocka_unit_test(names_are_walked_until_told_to_stop),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
