/* SPDX-License-Identifier: Apache-2.0 */
/* fs/device.c - see device.h. */
#include "fs/device.h"

#include "base/log.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/fuse.h>
#include <poll.h>
#include <sched.h>
#include <stdio.h>
#include <sys/uio.h>
#include <time.h>
#include <unistd.h>

enum { READ_AHEAD_KB = 1024 };

static ssize_t read_request(
    int fd, void *bytes, size_t room_bytes, void *userdata)
{
	const struct fs *fs = userdata;

	if (fs->below)
		return fs->below->read(fd, bytes, room_bytes, userdata);
	return read(fd, bytes, room_bytes);
}

/* The answer to INIT is a header and this structure: see device.h. */
static void complete_init(const struct iovec *vectors, int count)
{
	struct fuse_init_out *out;

	if (count != 2 || vectors[1].iov_len < sizeof(*out))
		return; /* an error */
	out = vectors[1].iov_base;
	out->flags |= FUSE_PARALLEL_DIROPS;
}

static ssize_t write_reply(
    int fd, struct iovec *vectors, int count, void *userdata)
{
	struct fs *fs = userdata;

	/* Before it is ready there is no reply but the one to INIT, on the
	 * FUSE thread. */
	if (!atomic_load(&fs->ready) && fs->parallel_dirops)
		complete_init(vectors, count);
	if (fs->below)
		return fs->below->writev(fd, vectors, count, userdata);
	return writev(fd, vectors, count);
}

/* That this process may run on. */
static unsigned processors(void)
{
	cpu_set_t set;

	if (sched_getaffinity(0, sizeof(set), &set) < 0)
		return 1; /* more than a cpu_set_t holds, or forbidden */
	return (unsigned)CPU_COUNT(&set);
}

int device_use(struct fs *fs, int fd, struct err *err)
{
	static const struct fuse_custom_io io = {
	    .read = read_request, .writev = write_reply};
	int code = fuse_session_custom_io(fs->session, &io, fd);
	int flags = fcntl(fd, F_GETFL);

	if (code == 0 &&
	    (flags < 0 || fcntl(fd, F_SETFL, flags | O_NONBLOCK) < 0))
		code = -errno;
	if (code < 0)
		return err_set(err, code, "mount '%s': %s",
		    fs->config.mountpoint, err_message(code));
	fs->device_fd = fd;
	patience_init(&fs->patience, processors());
	return 0;
}

static uint64_t now_us(void)
{
	struct timespec now;

	(void)clock_gettime(CLOCK_MONOTONIC, &now);
	return (uint64_t)now.tv_sec * 1000000 + (uint64_t)now.tv_nsec / 1000;
}

int device_wait(struct fs *fs)
{
	struct pollfd waiting[] = {
	    {.fd = fs->device_fd, .events = POLLIN},
	    {.fd = fs->mail.wake_fd, .events = POLLIN},
	};
	int wait_ms = fs_is_tended(fs) ? FILES_TEND_MS : -1;

	/* To read again tells as much as poll(2), and brings the request. */
	if (fs->call_count > 0)
		patience_pauses(&fs->patience);
	else if (patience_looks(&fs->patience, now_us()) &&
	    !mail_rings(&fs->mail))
		return 0;
	if (poll(waiting, ARRAY_COUNT(waiting), wait_ms) < 0)
		return errno == EINTR ? 0 : -errno;
	if (waiting[0].revents & POLLNVAL)
		return -EBADF;
	if (waiting[1].revents & POLLIN)
		mail_answer_ring(&fs->mail);
	return 0;
}

void device_served(struct fs *fs)
{
	patience_ends(&fs->patience, fs->patience.since_us != 0 ? now_us() : 0);
}

void device_raise_read_ahead(const struct fs *fs)
{
	char path[64];
	FILE *file;

	if (fs->device[0] == '\0')
		return;
	(void)snprintf(
	    path, sizeof(path), "/sys/class/bdi/%s/read_ahead_kb", fs->device);
	file = fopen(path, "we");
	if (!file)
		return;
	(void)fprintf(file, "%d\n", READ_AHEAD_KB);
	if (fclose(file) != 0)
		log_line(LOG_LEVEL_DEBUG, LOG_FS, "read-ahead stays small",
		    "errno=%s", err_name(errno));
}
