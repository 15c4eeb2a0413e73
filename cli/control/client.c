/* SPDX-License-Identifier: Apache-2.0 */
/* cli/control/client.c - the client's end of the control socket; see
 * control.h. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/time.h>
#include <unistd.h>

#include "cli/control/control.h"
#include "cli/control/dir.h"
#include "cli/env.h"
#include "cli/mount/harden.h"
#include "cli/mounts.h"

static int set_deadline(int fd, uint64_t deadline_ms)
{
	struct timeval wait = {.tv_sec = (time_t)(deadline_ms / 1000),
	    .tv_usec = (suseconds_t)(deadline_ms % 1000) * 1000};

	if (setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &wait, sizeof(wait)) < 0 ||
	    setsockopt(fd, SOL_SOCKET, SO_SNDTIMEO, &wait, sizeof(wait)) < 0)
		return -errno;
	return 0;
}

/* Whoever answers must be the mount's owner, root, or ourselves. */
static bool is_trusted(int fd, uid_t owner)
{
	struct ucred peer;
	socklen_t size_bytes = sizeof(peer);

	return getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &peer, &size_bytes) ==
	    0 &&
	    (peer.uid == owner || peer.uid == 0 || peer.uid == geteuid());
}

static int connect_in(int dir_fd, const char *name, uid_t owner,
    uint64_t deadline_ms, struct err *err)
{
	struct sockaddr_un address;
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
	int code;

	if (fd < 0)
		return err_set(
		    err, -errno, "control socket: %s", err_message(errno));
	control_address(&address, dir_fd, name);
	code = set_deadline(fd, deadline_ms);
	if (code == 0 &&
	    connect(fd, (const struct sockaddr *)&address, sizeof(address)) < 0)
		code = -errno;
	if (code == 0 && !is_trusted(fd, owner))
		code = -EACCES;
	if (code == 0)
		return fd;
	(void)close(fd);
	/* A full queue shows a daemon that does not take connections. */
	if (code == -EAGAIN)
		code = -ETIMEDOUT;
	return err_set(
	    err, code, "control socket '%s': %s", name, err_message(code));
}

enum { CANDIDATE_COUNT = 4 };

/* The places where the daemon of `owner` may have put its socket: where we
 * would put ours, and where the owner's login session or root would. */
static int candidate(char *out, size_t room_bytes, unsigned index, uid_t owner)
{
	char session[64];

	switch (index) {
	case 0:
		return control_dir(
		    out, room_bytes, geteuid(), env_get("XDG_RUNTIME_DIR"));
	case 1:
		(void)snprintf(
		    session, sizeof(session), "/run/user/%u", (unsigned)owner);
		return control_dir(out, room_bytes, owner, session);
	case 2:
		return control_dir(out, room_bytes, 0, NULL);
	case 3:
		/* also for root: inside a user namespace it is uid 0 */
		return control_dir(out, room_bytes, owner, NULL);
	default:
		return -ENOENT;
	}
}

/* Try one place. */
static int connect_at(const char *dir, const char *name, uid_t owner,
    uint64_t deadline_ms, struct err *err)
{
	int dir_fd = control_dir_open(dir, owner, err);
	int fd;

	if (dir_fd < 0)
		return dir_fd;
	fd = connect_in(dir_fd, name, owner, deadline_ms, err);
	(void)close(dir_fd);
	return fd;
}

int control_connect(unsigned major, unsigned minor, uid_t owner,
    uint64_t deadline_ms, struct err *err)
{
	char dir[CONTROL_PATH_BYTES];
	char name[CONTROL_NAME_BYTES];
	int worst = -ENOENT;

	control_name(name, major, minor);
	for (unsigned i = 0; i < CANDIDATE_COUNT; i++) {
		int fd = candidate(dir, sizeof(dir), i, owner);

		if (fd == 0)
			fd = connect_at(dir, name, owner, deadline_ms, err);
		if (fd >= 0 || fd == -ETIMEDOUT)
			return fd;
		/* The last one that is more than "not there". */
		if (fd == -EACCES || fd == -ECONNREFUSED)
			worst = fd;
	}
	return err_set(err, worst, "%s",
	    worst == -ENOENT       ? "no control socket"
	        : worst == -EACCES ? "the control socket is someone else's"
	                           : "its process has ended");
}

void control_sweep(unsigned major, unsigned minor, uid_t owner)
{
	char dir[CONTROL_PATH_BYTES];
	char name[CONTROL_NAME_BYTES];
	struct err err = ERR_INIT;

	control_name(name, major, minor);
	for (unsigned i = 0; i < CANDIDATE_COUNT; i++) {
		int dir_fd;
		int fd;

		if (candidate(dir, sizeof(dir), i, owner) < 0)
			continue;
		dir_fd = control_dir_open(dir, owner, &err);
		if (dir_fd < 0)
			continue;
		fd = connect_in(dir_fd, name, owner, CONTROL_DEADLINE_MS, &err);
		if (fd >= 0)
			(void)close(fd);
		else if (fd == -ECONNREFUSED)
			(void)unlinkat(dir_fd, name, 0);
		(void)close(dir_fd);
	}
}

static int send_all(int fd, const char *bytes, size_t size_bytes)
{
	while (size_bytes > 0) {
		ssize_t n = send(fd, bytes, size_bytes, MSG_NOSIGNAL);

		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return errno == EAGAIN ? -ETIMEDOUT : -errno;
		bytes += n;
		size_bytes -= (size_t)n;
	}
	return 0;
}

/* Everything until the end of the connection. */
static int receive_all(int fd, struct buf *answer)
{
	char chunk[16 * 1024];

	for (;;) {
		ssize_t n = recv(fd, chunk, sizeof(chunk), 0);
		int code;

		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return errno == EAGAIN ? -ETIMEDOUT : -errno;
		if (n == 0)
			return 0;
		code = buf_append(answer, chunk, (size_t)n);
		if (code < 0)
			return code;
	}
}

static int take_apart(
    const struct buf *answer, struct buf *out, struct err *err)
{
	const char *text = buf_text(answer);
	const char *end = memchr(text, '\n', answer->size_bytes);

	if (end == NULL)
		return err_set(err, -ECONNRESET, "its process is ending");
	if (strncmp(text, "error ", 6) == 0)
		return err_set(
		    err, -EPROTO, "%.*s", (int)(end - text - 6), text + 6);
	if (strncmp(text, "ok\n", 3) != 0)
		return err_set(err, -EPROTO, "the answer is not understood");
	return buf_append(
	    out, end + 1, answer->size_bytes - (size_t)(end + 1 - text));
}

pid_t control_pid(int fd)
{
	struct ucred peer;
	socklen_t size_bytes = sizeof(peer);

	if (getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &peer, &size_bytes) < 0)
		return 0;
	return peer.pid;
}

int control_process(int fd)
{
	pid_t pid = control_pid(fd);

	/* glibc 2.36 has a function for it. */
	return pid > 0 ? (int)syscall(SYS_pidfd_open, pid, 0) : -1;
}

int control_tell(int fd, const char *request)
{
	int code = send_all(fd, request, strlen(request));

	return code == 0 ? send_all(fd, "\n", 1) : code;
}

int control_await_end(int fd, bool *heard)
{
	char dropped[1024];
	ssize_t n;

	do {
		n = recv(fd, dropped, sizeof(dropped), 0);
		*heard = *heard || n > 0;
	} while (n > 0 || (n < 0 && errno == EINTR));
	if (n == 0)
		return 0;
	return errno == EAGAIN ? -ETIMEDOUT : -errno;
}

/* What is there after sending it gave `code`. */
static int hear(int fd, int code, struct buf *out, struct err *err)
{
	struct buf answer;

	buf_init(&answer, CONTROL_ANSWER_BYTES_MAX);
	/* Who is sent away at once is told why. */
	if (code == 0 || code == -EPIPE)
		code = receive_all(fd, &answer);
	if (code == -ECONNRESET && answer.size_bytes > 0)
		code = 0;
	if (code == -EPIPE || code == -ECONNRESET)
		code = err_set(err, -ECONNRESET, "its process is ending");
	else if (code < 0)
		(void)err_set(err, code, "%s", err_message(code));
	else
		code = take_apart(&answer, out, err);
	buf_fini(&answer);
	return code;
}

int control_hear(int fd, struct buf *out, struct err *err)
{
	return hear(fd, 0, out, err);
}

int control_ask(int fd, const char *request, struct buf *out, struct err *err)
{
	return hear(fd, control_tell(fd, request), out, err);
}

int control_reach(const struct mount_entry *entry, struct err *err)
{
	if (entry->shared)
		harden_show();
	return control_connect(
	    entry->major, entry->minor, entry->owner, CONTROL_DEADLINE_MS, err);
}

int control_query(const struct mount_entry *entry, const char *request,
    struct buf *out, struct err *err)
{
	int fd = control_reach(entry, err);
	int code;

	if (fd < 0)
		return fd;
	code = control_ask(fd, request, out, err);
	(void)close(fd);
	return code;
}
