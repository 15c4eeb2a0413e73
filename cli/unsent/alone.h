/* SPDX-License-Identifier: Apache-2.0 */
/*
 * cli/unsent/alone.h - the layers of a mount without one, each time in a
 * process of its own, because a token that came by the environment is wiped
 * from there when it was read. Its token is looked for where the spool's entry
 * says it was from, unless the command's options say where.
 *
 * Threads: main thread, which is the only one.
 */
#ifndef CLI_UNSENT_ALONE_H
#define CLI_UNSENT_ALONE_H

#include <stdbool.h>

#include "cli/mount/layers.h"
#include "cli/options/options.h"
#include "cli/unsent/orphans.h"

struct plan;

struct alone {
	struct options options;
	struct plan *plan;
	struct layers layers;
	bool stopped;
};

/**
 * Have `work` run in a process of its own with the layers that a mount of
 * `group` would have.
 *
 * @return the exit status that it gave, or one that was said.
 */
int alone_run(const struct orphans_group *group, enum layers_upto upto,
    int (*work)(struct alone *alone, const void *arg), const void *arg);

/** Before `work` ends: whoever waits for the layers hears so. */
void alone_stop(struct alone *alone);

#endif
