/* SPDX-License-Identifier: Apache-2.0 */
/* cli/mount/serve.c - see serve.h. */
#include "cli/mount/serve.h"

#include "base/clock.h"
#include "base/log.h"
#include "cache/cache.h"
#include "cache/drafts/drafts.h"
#include "fs/fs.h"

#include <errno.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <stdbool.h>
#include <stdint.h>
#include <sys/eventfd.h>
#include <sys/signalfd.h>
#include <unistd.h>

#include "cli/control/control.h"

enum { POLL_SIGNALS, POLL_FUSE, POLL_CONTROL };
enum { STARTING_POLL_MS = 5 }; /* how often INIT is looked for */

/* Shared with the FUSE thread: `code` is written before the event and read
 * after it. */
struct fuse_end {
	struct fs *fs;
	int event_fd;
	int code;
};

struct loop {
	const struct serve_config *config;
	struct fuse_end *end;
	int signal_fd; /* -1: nothing more comes there */
	bool ready;
	bool ended; /* the FUSE thread has */
	int code;
	uint64_t tick_ms;   /* of the next tick */
	uint64_t latest_ms; /* INIT must have come */
};

int serve_signals(struct err *err)
{
	sigset_t signals;
	int fd;

	(void)sigemptyset(&signals);
	(void)sigaddset(&signals, SIGTERM);
	(void)sigaddset(&signals, SIGINT);
	(void)sigaddset(&signals, SIGHUP);
	(void)signal(SIGPIPE, SIG_IGN);
	if (pthread_sigmask(SIG_BLOCK, &signals, NULL) != 0)
		return err_set(err, -EINVAL, "signals: cannot be blocked");
	fd = signalfd(-1, &signals, SFD_CLOEXEC | SFD_NONBLOCK);
	if (fd < 0)
		return err_set(err, -errno, "signals: %s", err_message(errno));
	return fd;
}

static void *run_fuse(void *arg)
{
	struct fuse_end *end = arg;
	const uint64_t one = 1;

	end->code = fs_run(end->fs);
	/* 8 bytes to a fresh event cannot fail. */
	(void)!write(end->event_fd, &one, sizeof(one));
	return NULL;
}

static void stop_on_signal(struct loop *loop)
{
	struct signalfd_siginfo info;

	if (read(loop->config->signal_fd, &info, sizeof(info)) !=
	    (ssize_t)sizeof(info))
		return;
	log_line(LOG_LEVEL_INFO, LOG_CLI, "stopping", "signal=%u sender=%u",
	    info.ssi_signo, info.ssi_pid);
	fs_stop(loop->config->fs);
}

static void hear(struct loop *loop)
{
	const struct serve_config *config = loop->config;

	if (config->heard == NULL)
		stop_on_signal(loop);
	else if (!config->heard(config->arg, loop->signal_fd))
		loop->signal_fd = -1;
}

static void look_ready(struct loop *loop, uint64_t now_ms, struct err *err)
{
	if (fs_is_ready(loop->config->fs)) {
		loop->ready = true;
		loop->code = loop->config->ready(loop->config->arg);
		if (loop->code < 0)
			(void)err_set(err, loop->code,
			    "whoever started the mount has gone");
	} else if (now_ms >= loop->latest_ms && loop->code == 0) {
		loop->code = err_set(err, -ETIMEDOUT,
		    "the kernel did not answer within %d s",
		    SERVE_READY_MS / 1000);
	} else {
		return;
	}
	if (loop->code < 0)
		fs_stop(loop->config->fs);
}

/* One turn: wait, then look at everything once. */
static void turn(struct loop *loop, struct err *err)
{
	const struct serve_config *config = loop->config;
	struct pollfd fds[POLL_CONTROL + CONTROL_POLL_MAX];
	unsigned control_count = 0;
	uint64_t now_ms = clock_now_ms(clock_system());
	int wait_ms =
	    loop->tick_ms > now_ms ? (int)(loop->tick_ms - now_ms) : 0;

	if (!loop->ready && wait_ms > STARTING_POLL_MS)
		wait_ms = STARTING_POLL_MS;
	fds[POLL_SIGNALS] =
	    (struct pollfd){.fd = loop->signal_fd, .events = POLLIN};
	fds[POLL_FUSE] =
	    (struct pollfd){.fd = loop->end->event_fd, .events = POLLIN};
	if (config->control != NULL)
		control_count =
		    control_poll(config->control, &fds[POLL_CONTROL]);
	if (poll(fds, POLL_CONTROL + control_count, wait_ms) < 0) {
		/* EINTR or ENOMEM: nothing is known of the descriptors. */
		for (unsigned i = 0; i < POLL_CONTROL + control_count; i++)
			fds[i].revents = 0;
	}
	now_ms = clock_now_ms(clock_system());
	if (fds[POLL_SIGNALS].revents != 0)
		hear(loop);
	loop->ended = fds[POLL_FUSE].revents != 0;
	if (config->control != NULL)
		control_turn(
		    config->control, &fds[POLL_CONTROL], control_count, now_ms);
	if (now_ms >= loop->tick_ms) {
		cache_tick(config->cache);
		if (config->drafts != NULL)
			drafts_tick(config->drafts);
		loop->tick_ms = now_ms + SERVE_TICK_MS;
	}
	/* It may have answered and ended between two looks. */
	if (!loop->ready && (!loop->ended || fs_is_ready(config->fs)))
		look_ready(loop, now_ms, err);
}

int serve_run(const struct serve_config *config, struct err *err)
{
	struct fuse_end end = {.fs = config->fs};
	struct loop loop = {
	    .config = config, .end = &end, .signal_fd = config->signal_fd};
	pthread_t thread;
	int code;

	end.event_fd = eventfd(0, EFD_CLOEXEC);
	if (end.event_fd < 0)
		return err_set(err, -errno, "mount: %s", err_message(errno));
	code = pthread_create(&thread, NULL, run_fuse, &end);
	if (code != 0) {
		(void)close(end.event_fd);
		return err_set(
		    err, -code, "mount: no thread: %s", err_message(code));
	}
	(void)pthread_setname_np(thread, "fuse");
	loop.latest_ms = clock_now_ms(clock_system()) + SERVE_READY_MS;
	while (!loop.ended)
		turn(&loop, err);
	(void)pthread_join(thread, NULL);
	(void)close(end.event_fd);
	if (loop.code < 0)
		return loop.code;
	if (end.code < 0)
		return err_set(err, end.code,
		    "the channel to the kernel broke: %s",
		    err_message(end.code));
	if (!loop.ready)
		return err_set(
		    err, -EINTR, "unmounted or stopped before it answered");
	return 0;
}
