/* SPDX-License-Identifier: Apache-2.0 */
/*
 * fs/mount.c - have the kernel mount it, or take a channel that was mounted
 * elsewhere, and tell why that failed; see fs.h.
 *
 * Threads: whoever makes the mount, before it is served.
 */
#include "fs/device.h"
#include "fs/mountpoint.h"
#include "fs/session.h"

#include <assert.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

enum { COMPLAINT_BYTES = 256 };

/* libfuse and fusermount3 tell the reason of a failure on stderr only: read
 * it from there, as one line. */
static int mount_quietly(struct fs *fs, char complaint[COMPLAINT_BYTES])
{
	int saved = fcntl(STDERR_FILENO, F_DUPFD_CLOEXEC, STDERR_FILENO + 1);
	int text = memfd_create("complaint", MFD_CLOEXEC);
	ssize_t n = 0;
	int code;

	complaint[0] = '\0';
	if (saved >= 0 && text >= 0)
		(void)dup2(text, STDERR_FILENO);
	code = fuse_session_mount(fs->session, fs->config.mountpoint);
	if (saved >= 0 && text >= 0) {
		(void)dup2(saved, STDERR_FILENO);
		n = pread(text, complaint, COMPLAINT_BYTES - 1, 0);
	}
	if (saved >= 0)
		(void)close(saved);
	if (text >= 0)
		(void)close(text);
	complaint[n > 0 ? n : 0] = '\0';
	complaint[strcspn(complaint, "\n")] = '\0';
	return code;
}

/* Why a mount failed: libfuse gives no errno. */
static int explain_failure(
    const struct fs *fs, const char *complaint, struct err *err)
{
	const char *where = fs->config.mountpoint;

	if (access("/dev/fuse", F_OK) < 0)
		return err_set(err, -ENODEV,
		    "mount '%s': no /dev/fuse; run: modprobe fuse (as root)",
		    where);
	if (access("/dev/fuse", R_OK | W_OK) < 0)
		return err_set(err, -EACCES,
		    "mount '%s': /dev/fuse: %s; ask the administrator for "
		    "mode 0666",
		    where, err_message(errno));
	if (complaint[0])
		return err_set(err, -EPERM, "mount '%s': %s", where, complaint);
	if (!mountpoint_is_privileged())
		return err_set(err, -EPERM,
		    "mount '%s': not allowed without root; install fusermount3 "
		    "(package fuse3), or use: bearerfs exec",
		    where);
	return err_set(err, -EPERM, "mount '%s': the kernel refused", where);
}

/* It is mounted; libfuse takes a descriptor by this name. */
static int take_channel(
    struct fs **out, const struct fs_config *config, struct err *err)
{
	AUTO(fs) fs = NULL;
	char name[32];
	int code = fs_prepare(&fs, config, err);

	if (code < 0)
		return code;
	assert(fs != NULL);
	(void)snprintf(name, sizeof(name), "/dev/fd/%d", config->channel->fd);
	if (fuse_session_mount(fs->session, name) < 0)
		return err_set(err, -EBADF,
		    "mount '%s': its channel cannot be used",
		    config->mountpoint);
	(void)snprintf(
	    fs->device, sizeof(fs->device), "%s", config->channel->device);
	fs->elsewhere = true;
	code = device_use(fs, fuse_session_fd(fs->session), err);
	if (code == 0)
		*out = STEAL(fs);
	return code;
}

int fs_new(struct fs **out, const struct fs_config *config, struct err *err)
{
	AUTO(fs) fs = NULL;
	char complaint[COMPLAINT_BYTES];
	struct mountpoint mount;
	int code;

	*out = NULL;
	if (config->channel != NULL)
		return take_channel(out, config, err);
	code = mountpoint_prepare(config->mountpoint, err);
	if (code == 0)
		code = fs_prepare(&fs, config, err);
	if (code < 0)
		return code;
	assert(fs != NULL);
	if (mount_quietly(fs, complaint) < 0)
		return explain_failure(fs, complaint, err);
	code = device_use(fs, fuse_session_fd(fs->session), err);
	if (code < 0)
		return code;
	if (mountpoint_find(&mount, config->mountpoint) == 0 && mount.ours)
		(void)snprintf(
		    fs->device, sizeof(fs->device), "%s", mount.device);
	*out = STEAL(fs);
	return 0;
}

int fs_device(const struct fs *fs, unsigned *major, unsigned *minor)
{
	char *end = NULL;

	*major = (unsigned)strtoul(fs->device, &end, 10);
	if (end == fs->device || *end != ':')
		return -ENOENT;
	*minor = (unsigned)strtoul(end + 1, NULL, 10);
	return 0;
}
