/* SPDX-License-Identifier: Apache-2.0 */
/*
 * cli/unsent/talk.h - the client's end of cli/unsent/serve.h: wait until a
 * mount has sent what was written there.
 *
 * Threads: main thread.
 */
#ifndef CLI_UNSENT_TALK_H
#define CLI_UNSENT_TALK_H

#include "base/attr.h"
#include "base/err.h"

#include <stdbool.h>
#include <stdint.h>

struct mount_entry;

#define UNSENT_FOREVER UINT64_MAX

struct unsent_wait {
	const struct mount_entry *entry;
	const char *path;    /* in the mount: what is below it */
	uint64_t timeout_ms; /* or UNSENT_FOREVER */
	int signals_max;     /* SIGINT, SIGTERM: the wait ends with this one */
	bool reached;        /* set: the mount has answered */
};

/** From now on signals are counted and end waiting instead of the process. */
void unsent_catch_signals(void);

/** How many came; `last`: the last one, NULL is allowed. */
int unsent_signals(int *last);

/** Whoever started this process is to see the signal that ended it; returns
 *  when there was none. */
void unsent_end_by_signal(void);

/**
 * Wait, with a bar on a terminal.
 *
 * @retval 0           all is on the server; or the mount is read-only.
 * @retval -ETIMEDOUT  not within the time.
 * @retval -EINTR      ended by signals.
 * @retval -EIO        something could not be sent, with the mount's sentence.
 * @retval -errno      the mount does not answer (`reached` is false), as
 *                     control_ask().
 */
NODISCARD int unsent_wait(struct unsent_wait *wait, struct err *err);

#endif
