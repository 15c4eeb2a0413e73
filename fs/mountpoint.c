/* SPDX-License-Identifier: Apache-2.0 */
/* fs/mountpoint.c - see mountpoint.h. */
#include "fs/mountpoint.h"

#include "base/log.h"

#include <errno.h>
#include <linux/capability.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <sys/xattr.h>
#include <unistd.h>

#define OUR_TYPE "fuse.bearerfs"

/* Undo the \ooo of mountinfo in place: space, tab, newline, backslash. */
static void unescape(char *text)
{
	char *out = text;

	for (const char *in = text; *in;) {
		if (in[0] == '\\' && in[1] >= '0' && in[1] <= '3' &&
		    in[2] >= '0' && in[2] <= '7' && in[3] >= '0' &&
		    in[3] <= '7') {
			*out++ = (char)((in[1] - '0') << 6 |
			    (in[2] - '0') << 3 | (in[3] - '0'));
			in += 4;
		} else {
			*out++ = *in++;
		}
	}
	*out = '\0';
}

/* "36 35 98:0 /root /mount rw,... [tags] - type source options" */
static bool parse_line(char *line, const char *path, struct mountpoint *out)
{
	char *rest = line;
	char *field[5];
	char *type;

	for (unsigned i = 0; i < ARRAY_COUNT(field); i++) {
		field[i] = strsep(&rest, " ");
		if (!rest)
			return false;
	}
	unescape(field[4]);
	type = strstr(rest, " - ");
	if (!type || strcmp(field[4], path) != 0)
		return false;
	type += 3;
	type[strcspn(type, " ")] = '\0';
	(void)snprintf(out->device, sizeof(out->device), "%s", field[2]);
	out->ours = strcmp(type, OUR_TYPE) == 0;
	return true;
}

int mountpoint_find(struct mountpoint *out, const char *path)
{
	FILE *mounts = fopen("/proc/self/mountinfo", "re");
	size_t room_bytes = 0;
	char *line = NULL;
	int code = -ENOENT;

	if (!mounts)
		return -errno;
	/* The last line is the uppermost mount. */
	while (getline(&line, &room_bytes, mounts) > 0)
		if (parse_line(line, path, out))
			code = 0;
	free(line);
	(void)fclose(mounts);
	return code;
}

bool mountpoint_is_privileged(void)
{
	struct __user_cap_header_struct header = {
	    .version = _LINUX_CAPABILITY_VERSION_3};
	struct __user_cap_data_struct data[_LINUX_CAPABILITY_U32S_3] = {{0}};

	if (syscall(SYS_capget, &header, data) < 0)
		return false;
	return data[CAP_TO_INDEX(CAP_SYS_ADMIN)].effective &
	    CAP_TO_MASK(CAP_SYS_ADMIN);
}

static int detach(const char *path)
{
	int status;
	pid_t child;

	if (umount2(path, MNT_DETACH | UMOUNT_NOFOLLOW) == 0)
		return 0;
	if (errno != EPERM)
		return -errno;
	child = fork();
	if (child < 0)
		return -errno;
	if (child == 0) {
		(void)execlp("fusermount3", "fusermount3", "-u", "-q", "-z",
		    "--", path, (char *)NULL);
		_exit(127);
	}
	while (waitpid(child, &status, 0) < 0)
		if (errno != EINTR)
			return -errno;
	return WIFEXITED(status) && WEXITSTATUS(status) == 0 ? 0 : -EPERM;
}

/*
 * Ask what every live bearerfs answers at once, whatever its servers do: an
 * attribute of a name that is not ours. A stat would wait for the server.
 */
static bool is_dead(const char *path)
{
	char value[1];

	return lgetxattr(path, "user.bearerfs", value, sizeof(value)) < 0 &&
	    (errno == ENOTCONN || errno == ECONNABORTED);
}

void mountpoint_detach_dead(const char *path)
{
	struct mountpoint mount = {.ours = false};

	while (
	    mountpoint_find(&mount, path) == 0 && mount.ours && is_dead(path)) {
		int code = detach(path);

		if (code == 0)
			continue;
		log_line(LOG_LEVEL_WARN, LOG_FS, "dead mount not detached",
		    "mountpoint=%s errno=%s", LOG_TEXT(path), err_name(code));
		return;
	}
}

static int clear_dead_mounts(const char *path, struct err *err)
{
	struct mountpoint mount = {.ours = false};

	/* Each round takes one away; there may lie several on each other. */
	while (mountpoint_find(&mount, path) == 0 && mount.ours) {
		int code;

		if (!is_dead(path))
			return err_set(err, -EBUSY,
			    "mount point '%s': a bearerfs is mounted there "
			    "already; run: bearerfs umount '%s'",
			    path, path);
		code = detach(path);
		if (code < 0)
			return err_set(err, -ENOTCONN,
			    "mount point '%s': a dead mount lies there and "
			    "cannot be detached (%s); run: fusermount3 -uz "
			    "'%s'",
			    path, err_message(code), path);
		log_line(LOG_LEVEL_INFO, LOG_FS, "dead mount detached",
		    "mountpoint=%s", LOG_TEXT(path));
	}
	return 0;
}

int mountpoint_prepare(const char *path, struct err *err)
{
	struct stat stat_buf;
	int code = clear_dead_mounts(path, err);

	if (code < 0)
		return code;
	if (stat(path, &stat_buf) < 0) {
		code = -errno;
		if (code == -ENOENT)
			return err_set(err, code,
			    "mount point '%s' does not exist; run: mkdir -p "
			    "'%s'",
			    path, path);
		return err_set(
		    err, code, "mount point '%s': %s", path, err_message(code));
	}
	if (!S_ISDIR(stat_buf.st_mode))
		return err_set(err, -ENOTDIR,
		    "mount point '%s' is not a directory; name a directory",
		    path);
	return 0;
}
