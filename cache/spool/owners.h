/* SPDX-License-Identifier: Apache-2.0 */
/*
 * cache/spool/owners.h - whose an entry is: of the process that has a lock of
 * the byte of its number in the file `owners`.
 *
 * The locks are of the open file (F_OFD_SETLK): they end with the process,
 * others can ask for them without taking them, and neighbours are one lock for
 * the kernel. They do not tell two of one process apart: a table does. No
 * descriptor of the entry itself is needed, so that thousands can be owned.
 *
 * Threads: any; never waits for long.
 */
#ifndef CACHE_SPOOL_OWNERS_H
#define CACHE_SPOOL_OWNERS_H

#include "base/attr.h"

#include <stdbool.h>
#include <stdint.h>

struct spool;

/** Own an entry, until owners_leave() or the end of the process.
 *  @retval 0, -EBUSY: it is owned, here or by another; -ENOMEM, -errno */
NODISCARD int owners_take(struct spool *spool, uint64_t serial);

void owners_leave(struct spool *spool, uint64_t serial);

/** Whether anybody has it. Who cannot tell says yes. */
NODISCARD bool owners_have(struct spool *spool, uint64_t serial);

#endif
