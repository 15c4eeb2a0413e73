/* SPDX-License-Identifier: Apache-2.0 */
/* tokens/callers/looker_keeper.c - the process above the forker, which only
 * waits for its end and forks another one; see looker.h. */
#include "base/log.h"
#include "base/secret.h"
#include "tokens/callers/looker_impl.h"
#include "tokens/callers/looker_wire.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

enum {
	/* Before a forker is followed by another one: none after one that
	 * lived that long, doubled from one that did not to the next. */
	LIVED_MS = 1000,
	BACK_OFF_MS_MIN = 100,
	BACK_OFF_MS_MAX = 5000,
};

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

	/* libc reads the time zone's file once: later it would be one of a
	 * caller's. */
	tzset();
	forget_environment();
	/* What is wrong is said in the answer. */
	(void)!log_start(LOG_TO_STDERR, LOG_LEVEL_ERROR, NULL, &ignored);
	if (null < 0 || dup2(null, 0) < 0 || dup2(null, 1) < 0 ||
	    dup2(null, 2) < 0)
		return -1;
	if (socket != LOOKER_SOCKET &&
	    dup3(socket, LOOKER_SOCKET, O_CLOEXEC) < 0)
		return -1;
	if (syscall(SYS_close_range, LOOKER_SOCKET + 1U, ~0U, 0U) < 0)
		return -1;
	(void)signal(SIGINT, SIG_IGN);
	(void)signal(SIGHUP, SIG_IGN);
	(void)signal(SIGTERM, SIG_IGN);
	(void)signal(SIGCHLD, SIG_DFL);
	(void)setrlimit(RLIMIT_CORE, &zero);
	(void)prctl(PR_SET_DUMPABLE, 0, 0, 0, 0);
	return chdir("/");
}

static uint64_t now_ms(void)
{
	struct timespec now;

	(void)clock_gettime(CLOCK_MONOTONIC, &now);
	return (uint64_t)now.tv_sec * 1000 + (uint64_t)now.tv_nsec / 1000000;
}

/* Sleep, but not longer than the mount lives. */
static bool mount_lives(unsigned wait_ms)
{
	struct pollfd polled = {.fd = LOOKER_SOCKET};

	(void)poll(&polled, 1, (int)wait_ms);
	return polled.revents == 0;
}

/* Wait for its end, and for that of looks which are left without it. */
static void await(pid_t forker)
{
	pid_t pid;

	do
		pid = waitpid(-1, NULL, 0);
	while (pid != forker && (pid > 0 || errno == EINTR));
}

static unsigned next_back_off_ms(unsigned before_ms, uint64_t lived_ms)
{
	if (lived_ms >= LIVED_MS)
		return 0;
	if (before_ms == 0)
		return BACK_OFF_MS_MIN;
	return before_ms < BACK_OFF_MS_MAX / 2 ? 2 * before_ms
	                                       : BACK_OFF_MS_MAX;
}

void looker_keep(int socket, looker_look_fn look, void *arg)
{
	static const struct looker_news lost = {.lost = true};
	uint32_t generation = 0;
	unsigned wait_ms = 0;

	if (stand_alone(socket) < 0)
		_exit(1);
	(void)prctl(PR_SET_CHILD_SUBREAPER, 1);
	while (mount_lives(wait_ms)) {
		uint64_t begun_ms = now_ms();
		pid_t forker = fork();

		if (forker == 0)
			looker_fork_loop(generation, look, arg);
		if (forker > 0) {
			await(forker);
			looker_wire_tell(LOOKER_SOCKET, &lost);
			generation++;
		}
		wait_ms = next_back_off_ms(wait_ms, now_ms() - begun_ms);
	}
	_exit(0);
}
