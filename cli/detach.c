/* SPDX-License-Identifier: Apache-2.0 */
/* cli/detach.c - unmounting, see mounts.h. */
#include "base/log.h"

#include <errno.h>
#include <fcntl.h>
#include <spawn.h>
#include <stdio.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/wait.h>
#include <unistd.h>

#include "cli/mounts.h"

enum { HELPER_TEXT_BYTES = 512 };

/* What fusermount3 writes to stderr, up to the room; the rest is read and
 * dropped, so that it does not stall. */
static void drain(int fd, char text[HELPER_TEXT_BYTES])
{
	size_t used = 0;
	char rest[256];

	for (;;) {
		size_t room = HELPER_TEXT_BYTES - 1 - used;
		ssize_t n = room > 0 ? read(fd, text + used, room)
		                     : read(fd, rest, sizeof(rest));

		if (n < 0 && errno == EINTR)
			continue;
		if (n <= 0)
			break;
		if (room > 0)
			used += (size_t)n;
	}
	text[used] = '\0';
}

static int spawn_helper(
    const char *point, enum mounts_how how, int pipe_fd, pid_t *pid)
{
	char name[] = "fusermount3";
	char unmount[] = "-u";
	char lazy[] = "-z";
	char end[] = "--";
	char copy[4096];
	char locale[] = "LC_ALL=C";
	char path[] = "PATH=/usr/local/bin:/usr/bin:/bin:/usr/sbin:/sbin";
	char *environment[] = {locale, path, NULL};
	char *polite_argv[] = {name, unmount, end, copy, NULL};
	char *lazy_argv[] = {name, unmount, lazy, end, copy, NULL};
	posix_spawn_file_actions_t actions;
	int code;

	if (strlen(point) >= sizeof(copy))
		return ENAMETOOLONG;
	memcpy(copy, point, strlen(point) + 1);
	code = posix_spawn_file_actions_init(&actions);
	if (code != 0)
		return code;
	code =
	    posix_spawn_file_actions_adddup2(&actions, pipe_fd, STDERR_FILENO);
	if (code == 0)
		code = posix_spawnp(pid, name, &actions, NULL,
		    how == MOUNTS_LAZY ? lazy_argv : polite_argv, environment);
	(void)posix_spawn_file_actions_destroy(&actions);
	return code;
}

/* As an ordinary user: the set-uid helper checks that the mount is ours. */
static int ask_helper(const char *point, enum mounts_how how, struct err *err)
{
	char text[HELPER_TEXT_BYTES];
	int pipe_fds[2];
	pid_t pid = 0;
	int status = 0;
	int code;

	if (pipe2(pipe_fds, O_CLOEXEC) < 0)
		return err_set(err, -errno, "unmount '%s': pipe: %s", point,
		    err_message(errno));
	code = spawn_helper(point, how, pipe_fds[1], &pid);
	(void)close(pipe_fds[1]);
	if (code == 0)
		drain(pipe_fds[0], text);
	(void)close(pipe_fds[0]);
	if (code != 0)
		return err_set(err, -code,
		    "unmount '%s': fusermount3: %s; install the package fuse3",
		    point, err_message(code));
	while (waitpid(pid, &status, 0) < 0 && errno == EINTR)
		continue;
	if (WIFEXITED(status) && WEXITSTATUS(status) == 0)
		return 0;
	text[strcspn(text, "\n")] = '\0';
	return err_set(err, strstr(text, "busy") != NULL ? -EBUSY : -EPERM,
	    "unmount '%s': %s", point, text);
}

int mounts_detach(const char *point, enum mounts_how how, struct err *err)
{
	int flags = UMOUNT_NOFOLLOW | (how == MOUNTS_LAZY ? MNT_DETACH : 0);

	if (umount2(point, flags) == 0)
		return 0;
	if (errno == EPERM || errno == EACCES)
		return ask_helper(point, how, err);
	return err_set(
	    err, -errno, "unmount '%s': %s", point, err_message(errno));
}
