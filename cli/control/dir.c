/* SPDX-License-Identifier: Apache-2.0 */
/* cli/control/dir.c - see dir.h. */
#include "cli/control/dir.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include "cli/control/control.h"

int control_dir(
    char *out, size_t room_bytes, uid_t uid, const char *runtime_dir)
{
	int n;

	if (runtime_dir != NULL && runtime_dir[0] == '/')
		n = snprintf(out, room_bytes, "%s/bearerfs", runtime_dir);
	else if (uid == 0)
		n = snprintf(out, room_bytes, "/run/bearerfs");
	else
		n = snprintf(
		    out, room_bytes, "/tmp/bearerfs-%u", (unsigned)uid);
	return n < 0 || (size_t)n >= room_bytes ? -ENAMETOOLONG : 0;
}

void control_name(char out[CONTROL_NAME_BYTES], unsigned major, unsigned minor)
{
	(void)snprintf(out, CONTROL_NAME_BYTES, "%u-%u.sock", major, minor);
}

void control_address(struct sockaddr_un *out, int dir_fd, const char *name)
{
	memset(out, 0, sizeof(*out));
	out->sun_family = AF_UNIX;
	(void)snprintf(out->sun_path, sizeof(out->sun_path),
	    "/proc/self/fd/%d/%s", dir_fd, name);
}

/* O_PATH: who may only pass through one (0711) can connect in it. */
static int open_dir(const char *dir)
{
	int fd = open(dir, O_PATH | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);

	return fd < 0 ? -errno : fd;
}

/* The mode that a directory of ours must have: that of root may be passed
 * through, since shared mounts are found there. */
static bool is_closed(const struct stat *about, uid_t uid)
{
	mode_t open_bits = uid == 0 ? 066 : 077;

	return about->st_uid == uid && (about->st_mode & open_bits) == 0;
}

int control_dir_make(const char *dir, uid_t uid, bool shared, struct err *err)
{
	char self[64];
	struct stat about;
	int fd;

	if (mkdir(dir, 0700) < 0 && errno != EEXIST)
		return err_set(err, -errno, "control directory '%s': %s", dir,
		    err_message(errno));
	fd = open_dir(dir);
	if (fd < 0)
		return err_set(err, fd, "control directory '%s': %s", dir,
		    err_message(fd));
	if (fstat(fd, &about) < 0 || !is_closed(&about, uid)) {
		(void)close(fd);
		return err_set(err, -EACCES,
		    "control directory '%s': must belong to you and be closed "
		    "to others; remove it, or run: chmod 700 %s",
		    dir, dir);
	}
	(void)snprintf(self, sizeof(self), "/proc/self/fd/%d", fd);
	if (shared && chmod(self, 0711) < 0) {
		int code = -errno;

		(void)close(fd);
		return err_set(err, code, "control directory '%s': %s", dir,
		    err_message(code));
	}
	return fd;
}

int control_dir_open(const char *dir, uid_t owner, struct err *err)
{
	struct stat about;
	int fd = open_dir(dir);

	if (fd < 0)
		return err_set(err, fd, "control directory '%s': %s", dir,
		    err_message(fd));
	if (fstat(fd, &about) < 0 ||
	    (about.st_uid != owner && about.st_uid != 0) ||
	    (about.st_mode & 022) != 0) {
		(void)close(fd);
		return err_set(err, -EACCES,
		    "control directory '%s': belongs to someone else", dir);
	}
	return fd;
}
