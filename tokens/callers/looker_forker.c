/* SPDX-License-Identifier: Apache-2.0 */
/* tokens/callers/looker_forker.c - the small process that forks one more for
 * each look, and kills it at its deadline; see looker.h. */
#include "tokens/callers/looker_impl.h"
#include "tokens/callers/looker_wire.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <sys/prctl.h>
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
	uint32_t generation; /* how many there were before this one */
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

static void tell(uint32_t slot, int code, bool gone)
{
	const struct looker_news news = {
	    .slot = slot, .code = code, .gone = gone};

	looker_wire_tell(LOOKER_SOCKET, &news);
}

static void start_look(
    struct forker *forker, const struct looker_request *request, int answer_fd)
{
	struct look look = {.slot = request->slot,
	    .deadline_ms = now_ms() + LOOKER_DEADLINE_MS};

	if (forker->count == LOOKER_LOOKS_MAX) {
		tell(request->slot, -EAGAIN, true);
		return;
	}
	look.pid = fork();
	if (look.pid == 0) {
		(void)prctl(PR_SET_PDEATHSIG, SIGKILL);
		/* Should the forker be killed: nobody else would end it. */
		(void)signal(SIGALRM, SIG_DFL);
		(void)alarm(LOOKER_DEADLINE_MS / 1000 + 1);
		_exit(looker_child(
		    request, answer_fd, forker->look, forker->arg));
	}
	if (look.pid < 0) {
		tell(request->slot, -EAGAIN, true);
		return;
	}
	look.pid_fd = (int)syscall(SYS_pidfd_open, look.pid, 0);
	if (look.pid_fd < 0) {
		(void)kill(look.pid, SIGKILL);
		(void)waitpid(look.pid, NULL, 0);
		tell(request->slot, -EAGAIN, true);
		return;
	}
	(void)fcntl(look.pid_fd, F_SETFD, FD_CLOEXEC);
	forker->looks[forker->count++] = look;
}

/* One request; false when the other side has gone. */
static bool take_request(struct forker *forker)
{
	struct looker_request request;
	int answer_fd;

	if (!looker_wire_take(LOOKER_SOCKET, &request, &answer_fd))
		return false;
	/* Asked of the one before this, it was answered when that ended. */
	if (request.generation != forker->generation) {
		if (answer_fd >= 0)
			(void)close(answer_fd);
		return true;
	}
	if (answer_fd < 0) {
		tell(request.slot, -EAGAIN, true);
		return true;
	}
	start_look(forker, &request, answer_fd);
	(void)close(answer_fd);
	return true;
}

/* Whether a look's process is no more; then it is told, and forgotten. */
static bool reap(const struct look *look)
{
	int status = 0;
	int code;

	if (waitpid(look->pid, &status, WNOHANG) == 0)
		return false;
	code = WIFEXITED(status) ? -WEXITSTATUS(status) : -EIO;
	if (look->killed && !WIFEXITED(status))
		code = -ETIMEDOUT;
	tell(look->slot, code, true);
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
		tell(look->slot, -ETIMEDOUT, false);
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

	forker->polled[0] = (struct pollfd){LOOKER_SOCKET, POLLIN, 0};
	for (unsigned i = 0; i < count; i++)
		forker->polled[i + 1] =
		    (struct pollfd){forker->looks[i].pid_fd, POLLIN, 0};
	if (poll(forker->polled, count + 1, next_ms(forker, now_ms())) < 0)
		return errno == EINTR;
	for (unsigned i = 0; i < count; i++) {
		const struct look *look = &forker->looks[i];

		if (forker->polled[i + 1].revents == 0 || !reap(look))
			forker->looks[kept++] = *look;
	}
	forker->count = kept;
	kill_late(forker, now_ms());
	return forker->polled[0].revents == 0 || take_request(forker);
}

void looker_fork_loop(uint32_t generation, looker_look_fn look, void *arg)
{
	static struct forker forker;

	forker =
	    (struct forker){.generation = generation, .look = look, .arg = arg};
	while (turn(&forker))
		;
	for (unsigned i = 0; i < forker.count; i++)
		(void)kill(forker.looks[i].pid, SIGKILL);
	_exit(0);
}
