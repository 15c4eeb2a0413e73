/* SPDX-License-Identifier: Apache-2.0 */
/*
 * cache/spool/find.h - an entry that lies in the spool: looked at, or taken.
 *
 * Threads: any; may wait for the disk.
 */
#ifndef CACHE_SPOOL_FIND_H
#define CACHE_SPOOL_FIND_H

#include "base/attr.h"
#include "cache/spool/files.h"
#include "cache/spool/replay.h"
#include "cache/spool/unsent.h"

#include <stdbool.h>
#include <sys/stat.h>

/** What lies under an entry's name, read and judged. */
struct found {
	struct replay replay;
	int journal_fd;
	int data_fd; /* -1: none */
	uint64_t serial;
	struct spool *owned; /* that has it for us; NULL: not ours */
	bool busy;    /* another has it; else it is ours if we wanted it */
	bool changed; /* the state is new and not yet written down */
};

/**
 * Open and judge. Nothing is changed.
 *
 * @param name  of the journal.
 * @param own   take the entry, when nobody has it; else it is only looked at.
 * @retval 0         found_fini() ends it.
 * @retval -ENOENT   it has gone; its files may be those of another by now.
 * @retval -ENODATA  not even a first record: being made, or its maker died;
 *                   it is owned until found_fini() when that was wanted.
 * @retval -EPERM    no file of ours; -errno.
 */
NODISCARD int found_open(struct found *found, struct spool *spool,
    const struct files_name *name, bool own);

/** Close what is open, free. */
void found_fini(struct found *found);

/** Whether an item is meant. */
NODISCARD bool found_meant(
    const struct spool_filter *filter, const struct spool_item *item);

#endif
