/* SPDX-License-Identifier: Apache-2.0 */
/*
 * cache/spool/spare.h - the two files of an entry that has ended, kept for one
 * that begins: to make and to unlink them for each is what a small file costs
 * most.
 *
 * A *spare* is an empty data file and an empty journal, under the names of the
 * entry that has ended, open; its number is owned by this process as that was
 * (owners.h). The next entry owns its own number before it gives them its own
 * names, and the old number is given up behind that: at no time has a file a
 * name whose number nobody owns. What others see of a spare is an entry that is
 * being made: owned, and without a record. Who comes to own the old number
 * finds nothing under it.
 *
 * Spares have descriptors as entries have that are awake (rest.c), and count
 * with them. They make way: none is kept, and the oldest go, when more would
 * have descriptors than may.
 *
 * Kept are the files of what this process has made and nobody was promised to
 * find after a loss of power: no flush has given the disk a journal that would
 * be believed then. Large ones, and what has another name besides (somebody
 * has taken it out of the spool), are unlinked as ever. The steps:
 *
 *   keep   data cut to nothing, journal cut to nothing
 *   take   the new number owned; data renamed, journal renamed; the old number
 *          given up; then as for new files
 *   end    both unlinked; the number given up
 *
 * Killed in between:
 * - the journal says still that the entry has been sent, or dropped: whoever
 *   looks next removes it, whatever its data file has.
 * - the journal is empty and so are the data: whoever looks next removes both,
 *   each under the name that it has, also when one of them has another name
 *   than the other.
 * So the order matters: data without a record would be listed as bytes that
 * nobody knows.
 *
 * When the power fails, the disk may have any of these steps and of what came
 * before. A journal that it has from before was never flushed, says so, and
 * counts only while the kernel that was told of it runs: its entry is removed
 * when it says that it was sent, else set aside, as any that was not flushed.
 * Under the name of another entry its checks, which depend on the number, do
 * not hold: it is listed as damaged. An entry in reused files that is flushed
 * has flushed data, journal and directory, and with them all these steps. One
 * that has been at rest was flushed before: its files are not kept.
 *
 * Threads: any; all of it may wait for the disk.
 */
#ifndef CACHE_SPOOL_SPARE_H
#define CACHE_SPOOL_SPARE_H

#include "base/attr.h"
#include "cache/spool/files.h"

#include <stdbool.h>

struct spool;
struct spool_entry;

/** Keep the files of an entry that ends. @return whether they are kept: the
 *  entry has none any more, and is only freed. */
NODISCARD bool spare_keep(struct spool_entry *entry);

/** Files for an entry that begins, of the same user, under its name; under the
 *  lock of all processes. @return whether there are any */
NODISCARD bool spare_take(struct spool *spool, const struct files_name *name,
    int *journal_fd, int *data_fd);

/** One more entry has descriptors: the oldest spare goes, when those who have
 *  some are too many. */
void spare_make_way(struct spool *spool);

/** All go. */
void spare_end(struct spool *spool);

#endif
