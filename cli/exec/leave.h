/* SPDX-License-Identifier: Apache-2.0 */
/*
 * cli/exec/leave.h - COMMAND has ended: what it wrote is sent; what cannot be
 * is told of, and in a batch slot, which is wiped, moved to where the batch
 * system finds it.
 *
 * Threads: a process that has one.
 */
#ifndef CLI_EXEC_LEAVE_H
#define CLI_EXEC_LEAVE_H

#include "base/attr.h"

#include <stdbool.h>
#include <stdint.h>

struct plan;

struct leave {
	const struct plan *plan; /* borrowed */
	uint64_t began_s;        /* wall clock: what the spool had before is
	                            not COMMAND's */
	bool private; /* plan->channel is the mount; else it is found by name */
};

/**
 * Wait until the mount, which serves, has sent all: for the option's timeout,
 * counted anew with each byte that is sent. What fails and may heal by waiting
 * is tried again until then. Nothing of a mount that is read-only.
 *
 * SIGINT and SIGTERM, blocked by the caller, end it.
 */
void leave_flush(const struct leave *leave);

/** After the mount's end: one line for each file that was not sent, with where
 *  its data are and what sends it; where $_CONDOR_SCRATCH_DIR is set they are
 *  moved to bearerfs-unsent in there. @return whether there is any */
NODISCARD bool leave_settle(const struct leave *leave);

/** Whether an entry is COMMAND's, as far as can be told: of this source, and
 *  of its time. */
struct spool_item;
bool leave_is_ours(const struct leave *leave, const struct spool_item *item);

/** Whether a file that was not sent for this reason may be, a little later.
 *  Pure. */
bool leave_may_heal(int code);

#endif
