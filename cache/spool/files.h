/* SPDX-License-Identifier: Apache-2.0 */
/*
 * cache/spool/files.h - the files of a spool: their names, and opening them
 * without trusting what lies there (links, FIFOs, others' files).
 *
 * Threads: any; all of it may wait for the disk.
 */
#ifndef CACHE_SPOOL_FILES_H
#define CACHE_SPOOL_FILES_H

#include "base/attr.h"
#include "base/err.h"

#include <stdbool.h>
#include <stdint.h>
#include <sys/stat.h>
#include <sys/types.h>

struct spool;

enum { FILES_NAME_BYTES = 48 };

#define FILES_SERIAL_MAX (UINT64_MAX / 2)

enum files_kind {
	FILES_JOURNAL,
	FILES_DATA,
	FILES_GONE,
	FILES_NEW,
	FILES_KINDS
};

/** A file of an entry, by name. */
struct files_name {
	uint64_t serial;
	uid_t uid;
	enum files_kind kind;
};

void files_name(char out[FILES_NAME_BYTES], const struct files_name *name);

/** @retval true: a name that files_name() writes. */
NODISCARD bool files_parse(struct files_name *out, const char *text);

/** Open a regular file of ours that nobody else may touch.
 *  @param flags  of open(2); O_NOFOLLOW, O_NONBLOCK, O_CLOEXEC are added.
 *  @param out    may be NULL.
 *  @return descriptor; -EPERM: something else, or another's; -errno. */
NODISCARD int files_open(
    int dir_fd, const char *name, int flags, struct stat *out);

/** Make and open the directory, and what it consists of. */
NODISCARD int files_open_spool(struct spool *spool, struct err *err);
void files_close_spool(struct spool *spool);

/** flock on `next`, with patience for those who hold it briefly.
 *  @retval 0, -EBUSY, -errno */
NODISCARD int files_lock(int fd);
void files_unlock(int fd);

/** Read a whole file from its beginning. @return malloc'ed through `out`
 *  (never NULL after 0), its size; -EFBIG above `limit`, -ENOMEM, -errno */
NODISCARD ssize_t files_read(int fd, size_t limit, void **out);

/** Every name of every entry, in order of numbers.
 *  @param out  malloc'ed array, through realloc; NULL when there is none.
 *  @return their number, or -errno. */
NODISCARD ssize_t files_all(const struct spool *spool, struct files_name **out);

#endif
