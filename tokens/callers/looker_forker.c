/* SPDX-License-Identifier: Apache-2.0 */
/* tokens/callers/looker_forker.c - the small process that forks one more for
 * each look, and kills it at its deadline; see looker.h. */
#include "base/log.h"
#include "base/secret.h"
#include "tokens/callers/looker_impl.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

struct look {
	uint32_t slot;
	pid_t pid;
	int pid_fd;
	uint64_t deadline_ms;
	bool killed;
};

struct forker {
	int socket;
	looker_look_fn look;
	void *arg;
	unsigned count;
	struct look looks[LOOKER_LOOKS_MAX];
	struct pollfd polled[LOOKER_LOOKS_MAX + 1];
};

static uint64_t now_ms(void)
{
	struct timespec now;

	(void)clock_gettime(CLOCK_MONOTONIC, &now);
	return (uint64_t)now.tv_sec * 1000 + (uint64_t)now.tv_nsec / 1000000;
}

static void tell(
    const struct forker *forker, uint32_t slot, int code, bool gone)
{
	struct looker_news news = {.slot = slot, .code = code, .gone = gone};

	/* Nobody there any more: the next look at the socket ends this. */
	(void)send(forker->socket, &news, sizeof(news), MSG_NOSIGNAL);
}

static void start_look(
    struct forker *forker, const struct looker_request *request, int answer_fd)
{
	struct look look = {.slot = request->slot,
	    .deadline_ms = now_ms() + LOOKER_DEADLINE_MS};

	if (forker->count == LOOKER_LOOKS_MAX) {
		tell(forker, request->slot, -EAGAIN, true);
		return;
	}
	look.pid = fork();
	if (look.pid == 0) {
		(void)prctl(PR_SET_PDEATHSIG, SIGKILL);
		/* Should the forker be killed: nobody else would end it. */
		(void)signal(SIGALRM, SIG_DFL);
		(void)alarm(LOOKER_DEADLINE_MS / 1000 + 1);
		_exit(looker_child(
		    &request->caller, answer_fd, forker->look, forker->arg));
	}
	if (look.pid < 0) {
		tell(forker, request->slot, -EAGAIN, true);
		return;
	}
	look.pid_fd = (int)syscall(SYS_pidfd_open, look.pid, 0);
	if (look.pid_fd < 0) {
		(void)kill(look.pid, SIGKILL);
		(void)waitpid(look.pid, NULL, 0);
		tell(forker, request->slot, -EAGAIN, true);
		return;
	}
	(void)fcntl(look.pid_fd, F_SETFD, FD_CLOEXEC);
	forker->looks[forker->count++] = look;
}

/* One request; false when the other side has gone. */
static bool take_request(struct forker *forker)
{
	union {
		struct cmsghdr align;
		char bytes[CMSG_SPACE(sizeof(int))];
	} control;
	struct looker_request request;
	struct iovec part = {&request, sizeof(request)};
	struct msghdr message = {.msg_iov = &part,
	    .msg_iovlen = 1,
	    .msg_control = &control,
	    .msg_controllen = sizeof(control)};
	ssize_t n = recvmsg(forker->socket, &message, MSG_CMSG_CLOEXEC);
	const struct cmsghdr *header;
	int answer_fd;

	if (n < 0 && errno == EINTR)
		return true;
	if (n != (ssize_t)sizeof(request))
		return false;
	header = CMSG_FIRSTHDR(&message);
	if (header == NULL || header->cmsg_type != SCM_RIGHTS) {
		tell(forker, request.slot, -EAGAIN, true);
		return true;
	}
	memcpy(&answer_fd, CMSG_DATA(header), sizeof(answer_fd));
	start_look(forker, &request, answer_fd);
	(void)close(answer_fd);
	return true;
}

/* Whether a look's process is no more; then it is told, and forgotten. */
static bool reap(struct forker *forker, const struct look *look)
{
	int status = 0;
	int code;

	if (waitpid(look->pid, &status, WNOHANG) == 0)
		return false;
	code = WIFEXITED(status) ? -WEXITSTATUS(status) : -EIO;
	if (look->killed && !WIFEXITED(status))
		code = -ETIMEDOUT;
	tell(forker, look->slot, code, true);
	(void)close(look->pid_fd);
	return true;
}

static void kill_late(struct forker *forker, uint64_t now)
{
	for (unsigned i = 0; i < forker->count; i++) {
		struct look *look = &forker->looks[i];

		if (look->killed || look->deadline_ms > now)
			continue;
		look->killed = true;
		/* By its pid: it is ours and not reaped. */
		(void)kill(look->pid, SIGKILL);
		tell(forker, look->slot, -ETIMEDOUT, false);
	}
}

static int next_ms(const struct forker *forker, uint64_t now)
{
	uint64_t least = UINT64_MAX;

	for (unsigned i = 0; i < forker->count; i++) {
		const struct look *look = &forker->looks[i];

		if (!look->killed && look->deadline_ms < least)
			least = look->deadline_ms;
	}
	if (least == UINT64_MAX)
		return -1;
	return least > now ? (int)(least - now) : 0;
}

static bool turn(struct forker *forker)
{
	unsigned kept = 0;
	unsigned count = forker->count;

	forker->polled[0] = (struct pollfd){forker->socket, POLLIN, 0};
	for (unsigned i = 0; i < count; i++)
		forker->polled[i + 1] =
		    (struct pollfd){forker->looks[i].pid_fd, POLLIN, 0};
	if (poll(forker->polled, count + 1, next_ms(forker, now_ms())) < 0)
		return errno == EINTR;
	for (unsigned i = 0; i < count; i++) {
		const struct look *look = &forker->looks[i];

		if (forker->polled[i + 1].revents == 0 || !reap(forker, look))
			forker->looks[kept++] = *look;
	}
	forker->count = kept;
	kill_late(forker, now_ms());
	return forker->polled[0].revents == 0 || take_request(forker);
}

/* What libc would read later, when it would be the caller's: it asks for the
 * time zone once. */
static void load_all(void)
{
	tzset();
}

/* A token may be in it, and a look is asked for one if it is a caller. */
static void forget_environment(void)
{
	for (char **at = environ; *at != NULL; at++)
		secret_wipe(*at, strlen(*at));
	environ[0] = NULL;
}

/* Nothing of the mount's: not its files, its terminal, its log, its signals,
 * its environment. */
static int stand_alone(int socket)
{
	int null = open("/dev/null", O_RDWR | O_CLOEXEC);
	struct rlimit zero = {0};
	struct err ignored = ERR_INIT;

	load_all();
	forget_environment();
	/* What is wrong is said in the answer. */
	(void)!log_start(LOG_TO_STDERR, LOG_LEVEL_ERROR, NULL, &ignored);
	if (null < 0 || dup2(null, 0) < 0 || dup2(null, 1) < 0 ||
	    dup2(null, 2) < 0)
		return -1;
	if (socket != 3 && dup3(socket, 3, O_CLOEXEC) < 0)
		return -1;
	if (syscall(SYS_close_range, 4U, ~0U, 0U) < 0)
		return -1;
	(void)signal(SIGINT, SIG_IGN);
	(void)signal(SIGHUP, SIG_IGN);
	(void)signal(SIGTERM, SIG_IGN);
	(void)signal(SIGCHLD, SIG_DFL);
	(void)setrlimit(RLIMIT_CORE, &zero);
	(void)prctl(PR_SET_DUMPABLE, 0, 0, 0, 0);
	return chdir("/");
}

void looker_fork_loop(int socket, looker_look_fn look, void *arg)
{
	static struct forker forker;

	forker = (struct forker){.socket = 3, .look = look, .arg = arg};
	if (stand_alone(socket) < 0)
		_exit(1);
	while (turn(&forker))
		;
	for (unsigned i = 0; i < forker.count; i++)
		(void)kill(forker.looks[i].pid, SIGKILL);
	_exit(0);
}
