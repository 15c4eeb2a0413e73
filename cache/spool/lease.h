/* SPDX-License-Identifier: Apache-2.0 */
/*
 * cache/spool/lease.h - how much may be written: spool_size a user, over all
 * processes, and a reserve of the disk.
 *
 * The truth is what the files occupy. It is summed when a process has used up
 * its lease; what the living may still write without summing stands in their
 * claims and counts as used. So the bound holds, and close to it a write may
 * be refused early, by what others have claimed and not used.
 *
 * Threads: any; may wait for the disk.
 */
#ifndef CACHE_SPOOL_LEASE_H
#define CACHE_SPOOL_LEASE_H

#include "base/attr.h"
#include "base/err.h"

#include <stdint.h>
#include <sys/types.h>

struct spool;

/** Take room for bytes to be written. @retval -ENOSPC with a sentence */
NODISCARD int lease_take(
    struct spool *spool, uid_t uid, uint64_t bytes, struct err *err);

/** Give back what was taken and not used. */
void lease_give(struct spool *spool, uid_t uid, uint64_t bytes);

/** What a user's entries occupy. @retval 0, -errno */
NODISCARD int lease_used(struct spool *spool, uid_t uid, uint64_t *bytes);

/** Nothing is claimed any more. */
void lease_end(struct spool *spool);

#endif
