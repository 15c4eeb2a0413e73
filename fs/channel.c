/* SPDX-License-Identifier: Apache-2.0 */
/*
 * fs/channel.c - mounting by hand; see fs_channel_open() in fs.h.
 *
 * libfuse mounts where it serves. Here the mount belongs to a mount namespace
 * that the process which serves it never enters: what makes it is a descriptor
 * of /dev/fuse, opened and mounted in there, which may be served from anywhere.
 * The kernel wants the one who opens it and the one who mounts in the same
 * user namespace.
 *
 * Sources: mount(2), Linux Documentation/filesystems/fuse.rst.
 */
#include "base/attr.h"
#include "cache/cache.h"
#include "fs/fs.h"
#include "fs/mountpoint.h"

#include <assert.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <unistd.h>

static_assert((int)FS_CHANNEL_DEVICE_BYTES == (int)MOUNTPOINT_DEVICE_BYTES,
    "both are MAJ:MIN");

static int open_device(struct err *err)
{
	int fd = open("/dev/fuse", O_RDWR | O_CLOEXEC);

	if (fd >= 0)
		return fd;
	if (errno == ENOENT || errno == ENXIO || errno == ENODEV)
		return err_set(err, -ENODEV,
		    "no /dev/fuse; run: modprobe fuse (as root), or let the "
		    "container have the device");
	if (errno == EACCES || errno == EPERM)
		return err_set(err, -EACCES,
		    "/dev/fuse: %s; ask the administrator for mode 0666, or "
		    "let the container have the device",
		    err_message(errno));
	return err_set(err, -errno, "/dev/fuse: %s", err_message(errno));
}

static int mount_device(int fd, const struct fs_config *config, struct err *err)
{
	unsigned long flags = MS_NOSUID | MS_NODEV |
	    (config->read_only ? MS_RDONLY : 0) |
	    (config->no_exec ? MS_NOEXEC : 0);
	char data[128];

	(void)snprintf(data, sizeof(data),
	    "fd=%d,rootmode=%o,user_id=%u,group_id=%u,max_read=%d", fd,
	    (unsigned)S_IFDIR, (unsigned)geteuid(), (unsigned)getegid(),
	    CACHE_READ_BYTES_MAX);
	if (mount(config->source, config->mountpoint, "fuse.bearerfs", flags,
	        data) == 0)
		return 0;
	return err_set(err, -errno, "mount '%s': %s", config->mountpoint,
	    err_message(errno));
}

int fs_channel_open(
    struct fs_channel *out, const struct fs_config *config, struct err *err)
{
	struct mountpoint mount;
	int fd = open_device(err);
	int code;

	if (fd < 0)
		return fd;
	code = mount_device(fd, config, err);
	if (code < 0) {
		(void)close(fd);
		return code;
	}
	*out = (struct fs_channel){.fd = fd};
	/* Without /proc it works, and cannot be asked by name. */
	if (mountpoint_find(&mount, config->mountpoint) == 0 && mount.ours)
		(void)snprintf(
		    out->device, sizeof(out->device), "%s", mount.device);
	return 0;
}
