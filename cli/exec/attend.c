/* SPDX-License-Identifier: Apache-2.0 */
/* cli/exec/attend.c - see attend.h. */
#include "cli/exec/attend.h"

#include "base/io.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/signalfd.h>
#include <sys/wait.h>
#include <unistd.h>

#include "cli/exec/child.h"
#include "cli/say.h"

int attend_begin(struct attend *attend, struct err *err)
{
	/* What the program's own mistakes raise stays what it is. */
	static const int own[] = {
	    SIGABRT, SIGBUS, SIGFPE, SIGILL, SIGSEGV, SIGSYS, SIGTRAP};
	sigset_t signals;
	struct sigaction ends;

	*attend = (struct attend){.report_fd = -1, .word_fd = -1};
	/* What is ignored is not buried: nobody would be told. */
	(void)sigaction(SIGCHLD, NULL, &ends);
	attend->ignored_ends = ends.sa_handler == SIG_IGN;
	(void)signal(SIGCHLD, SIG_DFL);
	(void)sigfillset(&signals);
	for (size_t i = 0; i < ARRAY_COUNT(own); i++)
		(void)sigdelset(&signals, own[i]);
	(void)pthread_sigmask(SIG_SETMASK, &signals, &attend->before);
	attend->signal_fd = signalfd(-1, &signals, SFD_CLOEXEC | SFD_NONBLOCK);
	if (attend->signal_fd < 0)
		return err_set(
		    err, -errno, "exec: signals: %s", err_message(errno));
	/* Without it what COMMAND leaves behind is not known of. */
	(void)prctl(PR_SET_CHILD_SUBREAPER, 1L, 0L, 0L, 0L);
	return 0;
}

static void close_fd(int *fd)
{
	if (*fd >= 0)
		(void)close(*fd);
	*fd = -1;
}

/* COMMAND was stopped by the terminal: so is this process. Raised before it is
 * let through, so that it stops once, also when the terminal's own waits. */
static void stop_too(int signal_number)
{
	sigset_t one;

	(void)sigemptyset(&one);
	(void)sigaddset(&one, signal_number);
	(void)raise(signal_number);
	(void)pthread_sigmask(SIG_UNBLOCK, &one, NULL);
	(void)pthread_sigmask(SIG_BLOCK, &one, NULL);
}

static bool is_of_terminal(int signal_number)
{
	return signal_number == SIGTSTP || signal_number == SIGTTIN ||
	    signal_number == SIGTTOU;
}

/* A child of this process other than the mount's; 0: there is none, or the
 * kernel does not tell. */
static pid_t find_left(pid_t server)
{
	char text[256];
	char *at = text;
	int fd = open("/proc/thread-self/children", O_RDONLY | O_CLOEXEC);
	ssize_t n;

	if (fd < 0)
		return 0;
	n = io_read_all(fd, text, sizeof(text) - 1);
	(void)close(fd);
	text[n > 0 ? n : 0] = '\0';
	for (;;) {
		char *end = NULL;
		pid_t pid = (pid_t)strtol(at, &end, 10);

		/* The last number may be cut off. */
		if (end == at || *end != ' ')
			return 0;
		if (pid != server)
			return pid;
		at = end;
	}
}

static void end_command(struct attend *attend)
{
	attend->left = find_left(attend->server);
	if (attend->ended != NULL && !attend->server_ended)
		attend->ended(attend->arg);
	/* It may be closed by who gave up. */
	if (attend->word_fd >= 0)
		(void)!write(attend->word_fd, "e", 1);
}

static void mourn(struct attend *attend)
{
	if (!attend->mourned)
		say("exec: the mount has ended before COMMAND");
	attend->mourned = true;
}

static void take_end(struct attend *attend, pid_t pid, int how)
{
	if (pid == attend->server) {
		attend->server_ended = true;
		attend->server_how = how;
		if (!attend->told && attend->began)
			mourn(attend);
	}
	if (pid != attend->child->pid)
		return;
	attend->command_ended = true;
	attend->command_how = how;
	/* The mount must not wait for who never began. */
	if (attend->phase == ATTEND_START)
		close_fd(&attend->word_fd);
	attend->phase = ATTEND_SERVER;
}

static void bury(struct attend *attend)
{
	pid_t pid;
	int how;

	while ((pid = waitpid(-1, &how, WNOHANG | WUNTRACED)) > 0) {
		if (!WIFSTOPPED(how))
			take_end(attend, pid, how);
		else if (pid == attend->child->pid &&
		    is_of_terminal(WSTOPSIG(how)))
			stop_too(WSTOPSIG(how));
	}
	/* All that ended with it is buried. */
	if (attend->command_ended && attend->began && !attend->told) {
		attend->told = true;
		end_command(attend);
	}
}

/* The terminal sends to the whole process group, COMMAND included; but when it
 * goes away, to the leader of the session alone. */
static bool has_got_it(const struct signalfd_siginfo *info)
{
	return info->ssi_code > 0 && info->ssi_signo != (uint32_t)SIGHUP &&
	    info->ssi_signo != (uint32_t)SIGCONT;
}

/* Who waits is asked to give up. */
static void give_up(struct attend *attend, int signal_number)
{
	if (signal_number != SIGINT && signal_number != SIGTERM &&
	    signal_number != SIGHUP && signal_number != SIGQUIT)
		return;
	close_fd(&attend->word_fd);
	if (attend->phase != ATTEND_START)
		return;
	attend->given_up = signal_number;
	child_close(attend->child);
}

static void take_signal(
    struct attend *attend, const struct signalfd_siginfo *info)
{
	int number = (int)info->ssi_signo;

	if (number == SIGCHLD)
		bury(attend);
	else if (attend->phase != ATTEND_COMMAND)
		give_up(attend, number);
	else if (!has_got_it(info) &&
	    info->ssi_pid != (uint32_t)attend->child->pid)
		(void)kill(attend->child->pid, number);
}

/* The mount answers, or will never. */
static void take_report(struct attend *attend)
{
	uint8_t status = 1;
	bool answers = read(attend->report_fd, &status, 1) == 1 && status == 0;

	close_fd(&attend->report_fd);
	if (!answers || attend->phase != ATTEND_START) {
		child_close(attend->child);
		return;
	}
	attend->phase = ATTEND_COMMAND;
	attend->began = true;
	/* It may have been killed meanwhile: then it is buried soon. */
	(void)!child_go(attend->child);
}

void attend_run(struct attend *attend)
{
	while (!attend->server_ended || !attend->command_ended) {
		struct pollfd fds[] = {
		    {.fd = attend->signal_fd, .events = POLLIN},
		    {.fd = attend->report_fd, .events = POLLIN},
		};
		struct signalfd_siginfo info;

		if (poll(fds, ARRAY_COUNT(fds), -1) < 0)
			continue;
		if (fds[1].revents != 0)
			take_report(attend);
		while (read(attend->signal_fd, &info, sizeof(info)) ==
		    (ssize_t)sizeof(info))
			take_signal(attend, &info);
	}
	/* COMMAND may notice, and be buried, sooner than it. */
	if (attend->began && WIFSIGNALED(attend->server_how))
		mourn(attend);
	close_fd(&attend->word_fd);
	close_fd(&attend->signal_fd);
}

int attend_status(int how)
{
	return WIFSIGNALED(how) ? CHILD_SIGNALLED + WTERMSIG(how)
	                        : WEXITSTATUS(how);
}
