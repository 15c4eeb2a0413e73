/* SPDX-License-Identifier: Apache-2.0 */
/* All bytes in and out, over signals and short counts. */
#include "base/io.h"

#include <errno.h>
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include <cmocka.h>

/* What the next calls of read and write give: a count, or -errno; the list
 * ends with what all later ones give. */
static const int *script;
static char moved[64]; /* written, or to be read */
static size_t moved_bytes;

static ssize_t next(size_t size_bytes)
{
	int now = *script;

	assert_true(size_bytes > 0);
	if (script[1] != INT32_MAX)
		script++;
	if (now < 0) {
		errno = -now;
		return -1;
	}
	return now < (int)size_bytes ? now : (ssize_t)size_bytes;
}

ssize_t __wrap_write(int fd, const void *bytes, size_t size_bytes);
ssize_t __wrap_write(int fd, const void *bytes, size_t size_bytes)
{
	ssize_t n = next(size_bytes);

	assert_int_equal(fd, 7);
	if (n > 0) {
		assert_true(moved_bytes + (size_t)n <= sizeof(moved));
		memcpy(moved + moved_bytes, bytes, (size_t)n);
		moved_bytes += (size_t)n;
	}
	return n;
}

ssize_t __wrap_read(int fd, void *out, size_t room_bytes);
ssize_t __wrap_read(int fd, void *out, size_t room_bytes)
{
	ssize_t n = next(room_bytes);

	assert_int_equal(fd, 7);
	if (n > 0) {
		memcpy(out, moved + moved_bytes, (size_t)n);
		moved_bytes += (size_t)n;
	}
	return n;
}

static int write_by(const int *counts)
{
	script = counts;
	moved_bytes = 0;
	return io_write_all(7, "0123456789", 10);
}

static void all_is_written_or_it_is_said(void **state)
{
	static const int whole[] = {100, INT32_MAX};
	static const int pieces[] = {1, -EINTR, 3, -EINTR, 2, 100, INT32_MAX};
	static const int full[] = {4, -ENOSPC, INT32_MAX};
	static const int busy[] = {4, -EAGAIN, INT32_MAX};
	static const int stuck[] = {4, 0, INT32_MAX};

	(void)state;
	assert_int_equal(write_by(whole), 0);
	assert_int_equal(moved_bytes, 10);
	assert_int_equal(write_by(pieces), 0);
	assert_int_equal(moved_bytes, 10);
	assert_memory_equal(moved, "0123456789", 10);
	assert_int_equal(write_by(full), -ENOSPC);
	assert_int_equal(write_by(busy), -EAGAIN);
	assert_int_equal(write_by(stuck), -EIO);
	assert_int_equal(io_write_all(7, "", 0), 0);
}

static ssize_t read_by(const int *counts, char *out, size_t room_bytes)
{
	script = counts;
	moved_bytes = 0;
	memcpy(moved, "0123456789", 10);
	return io_read_all(7, out, room_bytes);
}

static void all_is_read_up_to_the_room(void **state)
{
	static const int whole[] = {10, 0, INT32_MAX};
	static const int pieces[] = {1, -EINTR, 6, 3, -EINTR, 0, INT32_MAX};
	static const int endless[] = {3, INT32_MAX};
	static const int broken[] = {3, -EIO, INT32_MAX};
	static const int nothing[] = {0, INT32_MAX};
	char out[16];

	(void)state;
	assert_int_equal(read_by(whole, out, sizeof(out)), 10);
	assert_int_equal(read_by(pieces, out, sizeof(out)), 10);
	assert_memory_equal(out, "0123456789", 10);
	memset(out, 'x', sizeof(out));
	assert_int_equal(read_by(endless, out, 8), 8);
	assert_memory_equal(out, "01234567xx", 10);
	assert_int_equal(read_by(broken, out, sizeof(out)), -EIO);
	assert_int_equal(read_by(nothing, out, sizeof(out)), 0);
	assert_int_equal(read_by(broken, out, 0), 0);
}

static void a_lock_is_waited_for_as_long_as_said(void **state)
{
	int fd = memfd_create("lock", MFD_CLOEXEC);
	char path[32];
	int other;

	(void)state;
	assert_true(fd >= 0);
	(void)snprintf(path, sizeof(path), "/proc/self/fd/%d", fd);
	other = open(path, O_RDWR | O_CLOEXEC);
	assert_true(other >= 0);
	assert_int_equal(io_lock_briefly(fd, 1, 0), 0);
	assert_int_equal(io_lock_briefly(other, 3, 1), -EBUSY);
	assert_int_equal(close(fd), 0);
	assert_int_equal(io_lock_briefly(other, 1, 0), 0);
	assert_int_equal(close(other), 0);
	assert_int_equal(io_lock_briefly(-1, 3, 1), -EBADF);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(all_is_written_or_it_is_said),
	    cmocka_unit_test(all_is_read_up_to_the_room),
	    cmocka_unit_test(a_lock_is_waited_for_as_long_as_said),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
