/* SPDX-License-Identifier: Apache-2.0 */
/* tokens/find/agent_call.c - see agent_call.h. */
#include "tokens/find/agent_call.h"

#include "base/clock.h"
#include "base/secret.h"

#include <assert.h>
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

void agent_call_init(struct agent_call *call)
{
	call->fd = -1;
	call->sent = false;
	call->question_bytes = 0;
	call->size_bytes = 0;
}

void agent_call_end(struct agent_call *call)
{
	if (call->fd >= 0)
		(void)close(call->fd);
	secret_wipe(call->answer, call->size_bytes);
	agent_call_init(call);
}

bool agent_call_is_open(const struct agent_call *call)
{
	return call->fd >= 0;
}

/* The socket. */

static int no_agent(
    const struct agent_place *place, const char *why, struct err *err)
{
	return err_set(err, -ECONNREFUSED,
	    "no token agent for account '%s' at '%s' (%s); start oidc-agent "
	    "there and run: oidc-add %s",
	    place->account, place->path, why, place->account);
}

/* Its inode, without connecting. Nothing below the mount point is touched:
 * the mount itself may be waiting for this token. */
static int open_place(const struct agent_place *place, struct err *err)
{
	char real[PATH_BYTES_MAX];
	int code = token_file_resolve(real, place->path, &place->rules, err);
	int fd;

	if (code == -ENOENT)
		return no_agent(place, err_message(code), err);
	if (code < 0)
		return code;
	fd = open(real, O_PATH | O_NOFOLLOW | O_CLOEXEC);
	if (fd < 0 && (errno == ENOENT || errno == ENOTDIR))
		return no_agent(place, err_message(errno), err);
	if (fd < 0)
		return err_set(err, -errno, "token agent '%s': %s", place->path,
		    err_message(errno));
	return fd;
}

static bool is_trusted(const struct agent_place *place, uid_t uid)
{
	return uid == place->rules.uid || uid == 0;
}

static int refuse_owner(
    const struct agent_place *place, uid_t uid, struct err *err)
{
	return err_set(err, -EPERM,
	    "the token agent at '%s' is of user %u, neither of user %u nor "
	    "root's; it is not asked; name your own with -o agent=SOCKET",
	    place->path, (unsigned)uid, (unsigned)place->rules.uid);
}

static int check_inode(const struct agent_place *place, int fd, struct err *err)
{
	struct stat found;

	if (fstat(fd, &found) < 0)
		return err_set(err, -errno, "token agent '%s': %s", place->path,
		    err_message(errno));
	if (!S_ISSOCK(found.st_mode))
		return err_set(err, -EPERM,
		    "'%s' is no socket of a token agent; name it with -o "
		    "agent=SOCKET",
		    place->path);
	if (!is_trusted(place, found.st_uid))
		return refuse_owner(place, found.st_uid, err);
	return 0;
}

static int check_peer(const struct agent_place *place, int fd, struct err *err)
{
	struct ucred peer = {.uid = (uid_t)-1};
	socklen_t size_bytes = sizeof(peer);

	if (getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &peer, &size_bytes) < 0)
		return err_set(err, -errno, "token agent '%s': %s", place->path,
		    err_message(errno));
	return is_trusted(place, peer.uid) ? 0
	                                   : refuse_owner(place, peer.uid, err);
}

/* Connect to the inode itself, by its descriptor's name: what was checked
 * cannot be exchanged in between, and the path may be longer than sun_path. A
 * full queue is waited for. */
static int connect_inode(
    const struct agent_place *place, int inode, uint64_t until_ms, int *out)
{
	struct sockaddr_un address = {.sun_family = AF_UNIX};
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);

	if (fd < 0)
		return -errno;
	(void)snprintf(address.sun_path, sizeof(address.sun_path), "%s%d",
	    place->in_fds ? "" : "/proc/self/fd/", inode);
	while (connect(fd, (struct sockaddr *)&address, sizeof(address)) < 0) {
		int code = -errno;

		if (code == -EINTR)
			continue;
		if (code != -EAGAIN ||
		    clock_now_ms(clock_system()) >= until_ms) {
			(void)close(fd);
			return code;
		}
		(void)poll(NULL, 0, AGENT_AGAIN_MS);
	}
	*out = fd;
	return 0;
}

static int silent(const struct agent_place *place, struct err *err)
{
	return err_set(err, -ETIMEDOUT,
	    "the token agent at '%s' does not answer for account '%s'; see "
	    "whether it waits for somebody's confirmation, else start it "
	    "again and run: oidc-add %s",
	    place->path, place->account, place->account);
}

static int begin(struct agent_call *call, const struct agent_place *place,
    uint64_t until_ms, struct err *err)
{
	int inode = open_place(place, err);
	int fd = -1;
	int code;

	if (inode < 0)
		return inode;
	code = check_inode(place, inode, err);
	if (code == 0) {
		code = connect_inode(place, inode, until_ms, &fd);
		if (code == -EAGAIN)
			code = silent(place, err);
		else if (code == -ECONNREFUSED)
			code = no_agent(place, "nobody listens", err);
		else if (code < 0)
			(void)err_set(err, code, "token agent '%s': %s",
			    place->path, err_message(code));
	}
	(void)close(inode);
	if (code == 0)
		code = check_peer(place, fd, err);
	if (code < 0) {
		if (fd >= 0)
			(void)close(fd);
		return code;
	}
	call->fd = fd;
	call->sent = call->in_string = call->escaped = call->whole = false;
	call->depth = 0;
	call->size_bytes = 0;
	return 0;
}

/* Talking. */

static int nonsense(
    const struct agent_place *place, const char *what, struct err *err)
{
	return err_set(err, -EPROTO,
	    "the token agent at '%s' %s when asked for account '%s'; start "
	    "oidc-agent there again and run: oidc-add %s",
	    place->path, what, place->account, place->account);
}

static bool is_space(char c)
{
	return c == ' ' || c == '\t' || c == '\r' || c == '\n';
}

/* Follow one byte; false when no object can begin or go on so. */
static bool follow(struct agent_call *call, char c)
{
	if (call->depth == 0) {
		call->depth = c == '{';
		return c == '{' || is_space(c);
	}
	if (call->escaped) {
		call->escaped = false;
	} else if (call->in_string) {
		call->escaped = c == '\\';
		call->in_string = c != '"';
	} else if (c == '"') {
		call->in_string = true;
	} else if (c == '{' || c == '[') {
		call->depth++;
	} else if (c == '}' || c == ']') {
		call->depth--;
		call->whole = call->depth == 0;
	}
	return true;
}

/* What has just come. What stands behind the object is not looked at. */
static int take(struct agent_call *call, size_t bytes,
    const struct agent_place *place, struct err *err)
{
	size_t end = call->size_bytes + bytes;

	while (call->size_bytes < end && !call->whole) {
		if (!follow(call, call->answer[call->size_bytes++]))
			return nonsense(
			    place, "answers with no JSON object", err);
	}
	secret_wipe(call->answer + call->size_bytes, end - call->size_bytes);
	call->answer[call->size_bytes] = '\0';
	return call->whole ? 0 : -EAGAIN;
}

/* One step; -EAGAIN: nothing can be done now, or there is more to come. */
static int step(
    struct agent_call *call, const struct agent_place *place, struct err *err)
{
	size_t room = AGENT_ANSWER_BYTES_MAX - call->size_bytes;
	ssize_t n;

	if (!call->sent) {
		/* The agent takes one read for one message. */
		n = send(call->fd, call->question, call->question_bytes,
		    MSG_NOSIGNAL);
		if (n >= 0 && (size_t)n != call->question_bytes)
			return nonsense(place, "takes no whole question", err);
		call->sent = n >= 0;
	} else if (room == 0) {
		return nonsense(place, "gives an answer without an end", err);
	} else {
		n = recv(call->fd, call->answer + call->size_bytes, room, 0);
		if (n == 0)
			return nonsense(
			    place, "closes before its answer is whole", err);
		if (n > 0)
			return take(call, (size_t)n, place, err);
	}
	if (n >= 0 || errno == EAGAIN || errno == EINTR)
		return -EAGAIN;
	return errno == EPIPE || errno == ECONNRESET
	    ? nonsense(place, "closes before its answer is whole", err)
	    : err_set(err, -errno, "token agent '%s': %s", place->path,
	          err_message(errno));
}

static int go_on(struct agent_call *call, const struct agent_place *place,
    uint64_t until_ms, struct err *err)
{
	for (;;) {
		struct pollfd ready = {
		    .fd = call->fd, .events = call->sent ? POLLIN : POLLOUT};
		uint64_t now_ms = clock_now_ms(clock_system());
		int code;

		if (now_ms >= until_ms)
			return silent(place, err);
		(void)poll(&ready, 1, (int)(until_ms - now_ms));
		if (ready.revents == 0)
			continue;
		code = step(call, place, err);
		if (code != -EAGAIN)
			return code;
	}
}

int agent_call_run(struct agent_call *call, const struct agent_place *place,
    const char *question, uint64_t until_ms, struct err *err)
{
	int code = 0;

	if (call->fd < 0) {
		size_t bytes = strlen(question);

		assert(bytes < sizeof(call->question));
		memcpy(call->question, question, bytes + 1);
		call->question_bytes = bytes;
		code = begin(call, place, until_ms, err);
	}
	if (code == 0)
		code = go_on(call, place, until_ms, err);
	if (code < 0 && code != -ETIMEDOUT)
		agent_call_end(call);
	return code;
}
