/* SPDX-License-Identifier: Apache-2.0 */
/* cli/exec/child.c - see child.h. */
#include "cli/exec/child.h"

#include "base/path.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include "cli/exec/space.h"
#include "cli/mount/harden.h"
#include "cli/options/options.h"
#include "cli/plan/plan.h"
#include "cli/say.h"

enum { FD_CHANNEL, FD_ROOT, FD_COUNT };

/* What it tells its parent, with two descriptors when code is 0. */
struct told {
	int code;
	struct err err;
	char device[FS_CHANNEL_DEVICE_BYTES];
};

/* Two descriptors travel in this. */
union room {
	struct cmsghdr header;
	char bytes[CMSG_SPACE(FD_COUNT * sizeof(int))];
};

static int tell(int socket_fd, struct told *told, const int fds[FD_COUNT])
{
	union room room = {.bytes = {0}};
	struct iovec text = {.iov_base = told, .iov_len = sizeof(*told)};
	struct msghdr message = {.msg_iov = &text, .msg_iovlen = 1};
	ssize_t n;

	if (fds[FD_CHANNEL] >= 0) {
		struct cmsghdr *header;

		message.msg_control = room.bytes;
		message.msg_controllen = sizeof(room.bytes);
		header = CMSG_FIRSTHDR(&message);
		header->cmsg_level = SOL_SOCKET;
		header->cmsg_type = SCM_RIGHTS;
		header->cmsg_len = CMSG_LEN(FD_COUNT * sizeof(int));
		(void)memcpy(CMSG_DATA(header), fds, FD_COUNT * sizeof(int));
	}
	do {
		n = sendmsg(socket_fd, &message, MSG_NOSIGNAL);
	} while (n < 0 && errno == EINTR);
	return n == (ssize_t)sizeof(*told) ? 0 : -EPIPE;
}

static int hear(int socket_fd, struct told *told, int fds[FD_COUNT])
{
	union room room = {.bytes = {0}};
	struct iovec text = {.iov_base = told, .iov_len = sizeof(*told)};
	struct msghdr message = {.msg_iov = &text,
	    .msg_iovlen = 1,
	    .msg_control = room.bytes,
	    .msg_controllen = sizeof(room.bytes)};
	struct cmsghdr *header;
	ssize_t n;

	fds[FD_CHANNEL] = fds[FD_ROOT] = -1;
	do {
		n = recvmsg(socket_fd, &message, MSG_CMSG_CLOEXEC);
	} while (n < 0 && errno == EINTR);
	if (n != (ssize_t)sizeof(*told))
		return -EPIPE;
	header = CMSG_FIRSTHDR(&message);
	if (header != NULL && header->cmsg_type == SCM_RIGHTS &&
	    header->cmsg_len == CMSG_LEN(FD_COUNT * sizeof(int)))
		(void)memcpy(fds, CMSG_DATA(header), FD_COUNT * sizeof(int));
	return 0;
}

/* In the child: mount. */
static void make_mount(
    const struct plan *plan, struct told *told, int fds[FD_COUNT])
{
	const struct fs_config config = {
	    .source = plan->options->source,
	    .mountpoint = plan->mountpoint,
	    .read_only = !plan->options->rw,
	    .no_exec = plan->options->noexec,
	};
	struct fs_channel channel = {.fd = -1};
	struct space_facts facts;
	int code = space_enter();

	if (code < 0) {
		space_look(&facts, code, false);
		told->code = space_explain(&facts, &told->err);
		return;
	}
	told->code = fs_channel_open(&channel, &config, &told->err);
	if ((told->code == -EPERM || told->code == -EACCES) &&
	    access("/dev/fuse", R_OK | W_OK) == 0) {
		space_look(&facts, told->code, true);
		told->code = space_explain(&facts, &told->err);
	}
	if (told->code < 0)
		return;
	fds[FD_CHANNEL] = channel.fd;
	(void)memcpy(told->device, channel.device, sizeof(told->device));
	/* Asks nobody: the root of a mount is known. */
	fds[FD_ROOT] = open(plan->mountpoint, O_PATH | O_DIRECTORY | O_CLOEXEC);
	if (fds[FD_ROOT] < 0)
		told->code = err_set(&told->err, -errno, "mount point '%s': %s",
		    plan->mountpoint, err_message(errno));
}

/* Where the working directory lies under the mount, it is the one of the same
 * name on it. */
static int enter_mount(const struct plan *plan, struct err *err)
{
	char where[PATH_MAX];

	if (getcwd(where, sizeof(where)) == NULL || where[0] != '/' ||
	    !path_is_within(where, plan->mountpoint))
		return 0;
	if (chdir(where) == 0)
		return 0;
	return err_set(err, -errno,
	    "working directory '%s': on the mount: %s; start from another one",
	    where, err_message(errno));
}

/* Become COMMAND. */
__attribute__((noreturn)) static void run(const struct child_config *config)
{
	struct err err = ERR_INIT;
	int code = enter_mount(config->plan, &err);

	if (code < 0) {
		say("exec: %s", err.text);
		_exit(CHILD_NOT_RUN);
	}
	if (config->ignores_ends)
		(void)signal(SIGCHLD, SIG_IGN);
	(void)pthread_sigmask(SIG_SETMASK, config->mask, NULL);
	(void)execvp(config->command[0], config->command);
	code = errno;
	say("exec: command '%s': %s", config->command[0], err_message(code));
	_exit(code == ENOENT || code == ENOTDIR ? CHILD_NOT_FOUND
	                                        : CHILD_NOT_RUN);
}

__attribute__((noreturn)) static void child_main(
    const struct child_config *config, int socket_fd, pid_t parent)
{
	struct told told = {.err = ERR_INIT};
	int fds[FD_COUNT] = {-1, -1};
	char word;
	ssize_t n;

	/* /proc/self/uid_map is root's as long as the process may not be
	 * looked at. */
	harden_undo();
	if (config->private)
		make_mount(config->plan, &told, fds);
	/* After the namespaces, which clear it: who is killed takes COMMAND
	 * along, as if it were the command itself. */
	(void)prctl(PR_SET_PDEATHSIG, (unsigned long)SIGKILL, 0L, 0L, 0L);
	if (getppid() != parent || tell(socket_fd, &told, fds) < 0 ||
	    told.code < 0)
		_exit(CHILD_NOT_RUN);
	for (int i = 0; i < FD_COUNT; i++)
		if (fds[i] >= 0)
			(void)close(fds[i]);
	do {
		n = read(socket_fd, &word, 1);
	} while (n < 0 && errno == EINTR);
	if (n != 1)
		_exit(CHILD_NOT_RUN);
	(void)close(socket_fd);
	run(config);
}

static void take_descriptors(struct child *child, const int fds[FD_COUNT],
    const char device[FS_CHANNEL_DEVICE_BYTES])
{
	child->channel.fd = fds[FD_CHANNEL];
	child->root_fd = fds[FD_ROOT];
	(void)memcpy(child->channel.device, device, FS_CHANNEL_DEVICE_BYTES);
	child->channel.device[FS_CHANNEL_DEVICE_BYTES - 1] = '\0';
}

int child_fork(
    struct child *out, const struct child_config *config, struct err *err)
{
	pid_t parent = getpid();
	struct told told = {.err = ERR_INIT};
	int sockets[2];
	int fds[FD_COUNT];
	int code;

	*out =
	    (struct child){.go_fd = -1, .root_fd = -1, .channel = {.fd = -1}};
	if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, sockets) < 0)
		return err_set(err, -errno, "socket: %s", err_message(errno));
	out->pid = fork();
	if (out->pid < 0) {
		code = -errno;
		(void)close(sockets[0]);
		(void)close(sockets[1]);
		return err_set(err, code, "fork: %s", err_message(code));
	}
	if (out->pid == 0) {
		(void)close(sockets[0]);
		child_main(config, sockets[1], parent);
	}
	(void)close(sockets[1]);
	out->go_fd = sockets[0];
	code = hear(out->go_fd, &told, fds);
	take_descriptors(out, fds, told.device);
	if (code < 0)
		(void)err_set(err, code,
		    "the process for COMMAND ended before it had mounted");
	else if (told.code < 0)
		*err = told.err;
	else if (config->private && (fds[FD_CHANNEL] < 0 || fds[FD_ROOT] < 0))
		code = err_set(err, -EMFILE, "too many open files");
	if (code == 0)
		code = told.code;
	if (code < 0) {
		child_close(out);
		while (waitpid(out->pid, NULL, 0) < 0 && errno == EINTR)
			continue;
	}
	return code;
}

bool child_go(struct child *child)
{
	ssize_t n;

	do {
		n = send(child->go_fd, "g", 1, MSG_NOSIGNAL);
	} while (n < 0 && errno == EINTR);
	(void)close(child->go_fd);
	child->go_fd = -1;
	return n == 1;
}

void child_close(struct child *child)
{
	int *fds[] = {&child->go_fd, &child->root_fd, &child->channel.fd};

	for (size_t i = 0; i < ARRAY_COUNT(fds); i++) {
		if (*fds[i] >= 0)
			(void)close(*fds[i]);
		*fds[i] = -1;
	}
}
