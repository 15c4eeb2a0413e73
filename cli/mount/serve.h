/* SPDX-License-Identifier: Apache-2.0 */
/*
 * cli/mount/serve.h - the control loop of a running mount: signals, the control
 * socket, the ticks of cache and drafts each 100 ms; the FUSE loop runs in a
 * thread of its own.
 *
 * Nothing here waits for a server, a disk or the FUSE loop, so that a mount
 * that hangs can still be asked and stopped.
 *
 * Threads: main thread.
 */
#ifndef CLI_MOUNT_SERVE_H
#define CLI_MOUNT_SERVE_H

#include "base/attr.h"
#include "base/err.h"

#include <stdbool.h>

struct cache;
struct control;
struct drafts;
struct fs;
struct serve;

enum {
	SERVE_TICK_MS = 100,
	SERVE_READY_MS = 10000, /* longest until the kernel says INIT */
};

struct serve_config {
	struct fs *fs;           /* borrowed */
	struct cache *cache;     /* borrowed */
	struct drafts *drafts;   /* borrowed; NULL: the mount is read-only */
	struct control *control; /* borrowed; NULL: none */
	int signal_fd;           /* SIGTERM, SIGINT, SIGHUP: stop */
	/** Called instead of that, when `signal_fd` is readable: it is no
	 *  signalfd. False: it is not looked at any more. NULL: it is one. */
	bool (*heard)(void *arg, int fd);
	/** Called once, when the mount answers; non-zero ends it. */
	int (*ready)(void *arg);
	void *arg;
};

/** Block the signals that stop a mount in this and all later threads and
 *  ignore SIGPIPE. @return a signalfd or -errno. */
NODISCARD int serve_signals(struct err *err);

/**
 * Run until a signal, a request to stop, or an unmount from outside.
 *
 * @retval 0       ended as asked.
 * @retval -errno  the mount never answered, ready() failed, or the channel
 *                 to the kernel broke; with a sentence.
 */
NODISCARD int serve_run(const struct serve_config *config, struct err *err);

#endif
