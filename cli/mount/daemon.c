/* SPDX-License-Identifier: Apache-2.0 */
/* cli/mount/daemon.c - see daemon.h. */
#include "cli/mount/daemon.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdint.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include "cli/say.h"

/* The child's report, or what became of it when it made none. */
static int wait_for(int fd, pid_t child)
{
	uint8_t byte = 0;
	int how = 0;
	ssize_t n;

	do {
		n = read(fd, &byte, 1);
	} while (n < 0 && errno == EINTR);
	if (n == 1)
		return byte;
	while (waitpid(child, &how, 0) < 0 && errno == EINTR)
		continue;
	if (WIFEXITED(how))
		return WEXITSTATUS(how) != 0 ? WEXITSTATUS(how) : 1;
	return say_exit(1, "mount: ended by signal %d (%s) before it answered",
	    WTERMSIG(how), sigdescr_np(WTERMSIG(how)));
}

int daemon_fork(struct daemon *daemon, int *status, struct err *err)
{
	int pipe_fds[2];
	pid_t child;
	pid_t parent = getpid();

	daemon->report_fd = -1;
	daemon->word_fd = -1;
	if (pipe2(pipe_fds, O_CLOEXEC) < 0)
		return err_set(
		    err, -errno, "mount: pipe: %s", err_message(errno));
	child = fork();
	if (child < 0) {
		int code = -errno;

		(void)close(pipe_fds[0]);
		(void)close(pipe_fds[1]);
		return err_set(err, code, "mount: fork: %s", err_message(code));
	}
	if (child == 0) {
		(void)close(pipe_fds[0]);
		daemon->report_fd = pipe_fds[1];
		/* Until the report the child goes when the parent goes; the
		 * parent may be gone already. */
		(void)prctl(
		    PR_SET_PDEATHSIG, (unsigned long)SIGTERM, 0L, 0L, 0L);
		if (getppid() != parent)
			_exit(1);
		return 1;
	}
	(void)close(pipe_fds[1]);
	*status = wait_for(pipe_fds[0], child);
	(void)close(pipe_fds[0]);
	return 0;
}

void daemon_stay(struct daemon *daemon)
{
	daemon->report_fd = -1;
	daemon->word_fd = -1;
}

int daemon_detach(const struct daemon *daemon, struct err *err)
{
	int null_fd;
	int code = 0;

	if (daemon->report_fd < 0 || daemon->word_fd >= 0)
		return 0;
	/* It can only fail for the leader of a group, which a child is not.
	 */
	(void)setsid();
	(void)prctl(PR_SET_PDEATHSIG, 0L, 0L, 0L, 0L);
	null_fd = open("/dev/null", O_RDWR | O_CLOEXEC);
	if (null_fd < 0 || chdir("/") < 0)
		code = err_set(err, -errno, "leaving the terminal: %s",
		    err_message(errno));
	for (int fd = 0; fd <= 2 && code == 0; fd++) {
		if (dup2(null_fd, fd) < 0)
			code = err_set(err, -errno, "leaving the terminal: %s",
			    err_message(errno));
	}
	if (null_fd > 2)
		(void)close(null_fd);
	return code;
}

int daemon_report(struct daemon *daemon, int status)
{
	uint8_t byte = (uint8_t)status;
	ssize_t n;

	if (daemon->report_fd < 0)
		return 0;
	do {
		n = write(daemon->report_fd, &byte, 1);
	} while (n < 0 && errno == EINTR);
	(void)close(daemon->report_fd);
	daemon->report_fd = -1;
	return n == 1 ? 0 : -EPIPE;
}
