/* SPDX-License-Identifier: Apache-2.0 */
/* tests/unit/tokens/mount_bed.c - see mount_bed.h. */
#include "tests/unit/tokens/mount_bed.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/fuse.h>
#include <poll.h>
#include <sched.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

enum { REQUEST_BYTES_MAX = 256 * 1024, PATIENT_MS = 20000 };

bool mount_bed_private(void)
{
	return unshare(CLONE_NEWNS) == 0 &&
	    mount("none", "/", NULL, MS_REC | MS_PRIVATE, NULL) == 0 &&
	    access("/dev/fuse", R_OK | W_OK) == 0;
}

static ssize_t next_request(const struct mount_bed *bed, char *bytes)
{
	ssize_t n;

	do
		n = read(bed->fd, bytes, REQUEST_BYTES_MAX);
	while (n < 0 && (errno == EINTR || errno == ENOENT));
	return n;
}

/* Unanswered it would hold back all others, uncounted. */
static void answer_init(const struct mount_bed *bed)
{
	static char bytes[REQUEST_BYTES_MAX];
	const struct fuse_in_header *request = (const void *)bytes;
	struct {
		struct fuse_out_header header;
		struct fuse_init_out init;
	} out = {.header = {.len = sizeof(out)},
	    .init = {.major = FUSE_KERNEL_VERSION,
	        .minor = FUSE_KERNEL_MINOR_VERSION,
	        .max_write = 4096}};

	assert_true(next_request(bed, bytes) > 0);
	assert_int_equal(request->opcode, FUSE_INIT);
	out.header.unique = request->unique;
	assert_int_equal(write(bed->fd, &out, sizeof(out)), sizeof(out));
}

void mount_bed_start(struct mount_bed *bed, const char *path, const char *type)
{
	char options[128];

	bed->fd = open("/dev/fuse", O_RDWR | O_NONBLOCK | O_CLOEXEC);
	assert_true(bed->fd >= 0);
	(void)snprintf(bed->path, sizeof(bed->path), "%s", path);
	(void)snprintf(options, sizeof(options),
	    "fd=%d,rootmode=40755,user_id=0,group_id=0,allow_other", bed->fd);
	assert_int_equal(
	    mount("src", path, type, MS_NOSUID | MS_NODEV, options), 0);
	answer_init(bed);
}

void mount_bed_end(struct mount_bed *bed)
{
	if (bed->fd >= 0)
		(void)close(bed->fd);
	bed->fd = -1;
	assert_int_equal(umount2(bed->path, MNT_DETACH), 0);
}

unsigned mount_bed_requests(const struct mount_bed *bed)
{
	static char bytes[REQUEST_BYTES_MAX];
	const struct fuse_in_header *request = (const void *)bytes;
	unsigned count = 0;

	while (next_request(bed, bytes) > 0)
		count += request->opcode != FUSE_INTERRUPT;
	return count;
}

pid_t mount_bed_let_in(const struct mount_bed *bed)
{
	static char bytes[REQUEST_BYTES_MAX];
	const struct fuse_in_header *request = (const void *)bytes;
	struct fuse_out_header out = {.len = sizeof(out), .error = -ENOSYS};
	struct pollfd polled = {bed->fd, POLLIN, 0};
	pid_t pid = fork();

	assert_true(pid >= 0);
	if (pid > 0)
		return pid;
	(void)poll(&polled, 1, PATIENT_MS);
	if (next_request(bed, bytes) < 0 || request->opcode != FUSE_ACCESS)
		_exit(1);
	out.unique = request->unique;
	_exit(write(bed->fd, &out, sizeof(out)) == sizeof(out) ? 0 : 1);
}

unsigned mount_bed_requests_of(
    struct mount_bed *bed, int (*run)(void *arg), void *arg)
{
	struct pollfd polled = {bed->fd, POLLIN, 0};
	unsigned count;
	pid_t pid = fork();

	assert_true(pid >= 0);
	if (pid == 0) {
		/* The last descriptor ends the waiting. */
		(void)close(bed->fd);
		(void)prctl(PR_SET_PDEATHSIG, SIGKILL);
		_exit(run(arg) == 0 ? 0 : 1);
	}
	(void)poll(&polled, 1, PATIENT_MS);
	count = mount_bed_requests(bed);
	(void)close(bed->fd);
	bed->fd = -1;
	assert_int_equal(waitpid(pid, NULL, 0), pid);
	return count;
}
