/* SPDX-License-Identifier: Apache-2.0 */
/*
 * cache/store/generation.h - opening the directory: the file `format`, and the
 * v1-<rand>/ that it names.
 *
 * Threads: one at a time a store: who opens it, later its writer.
 */
#ifndef CACHE_STORE_GENERATION_H
#define CACHE_STORE_GENERATION_H

#include "base/attr.h"
#include "base/err.h"
#include "cache/store/impl.h"

#include <stdbool.h>
#include <sys/stat.h>

/**
 * Read `format`.
 *
 * @param stat  filled when there is a file.
 * @retval 0           valid and of our version.
 * @retval -ENOENT     there is none.
 * @retval -EPROTO     of another version.
 * @retval -EILSEQ     no format at all: torn, foreign, or something else.
 * @retval -errno      of open(2) or the read.
 */
NODISCARD int format_read(
    int dir_fd, struct format_file *out, struct stat *stat);

/** What format_have() may do. */
struct format_wish {
	bool takeover;   /* begin anew when it is of another version */
	uint64_t spoilt; /* begin anew when it names this generation; or 0 */
	const struct hash_secret *secret; /* to go on with; NULL: a new one */
};

/**
 * Have a valid format: read it, or begin a new generation under the
 * directory's lock; tables are made larger when the store's size asks for it.
 *
 * @retval 0        *out and *stat are filled.
 * @retval -EPROTO  it is of another version, and may not be taken over.
 * @retval -EBUSY   another process holds the lock.
 * @retval -errno   of the file system.
 */
NODISCARD int format_have(const struct store *store, int dir_fd,
    const struct format_wish *wish, struct format_file *out, struct stat *stat);

/** The size of cache that its tables were made for. */
uint64_t format_cache_bytes(const struct format_file *format);

enum { GENERATION_NAME_BYTES = 24 };
void generation_name(
    char out[GENERATION_NAME_BYTES], const struct format_file *format);

enum { TABLE_NAME_BYTES = 24 };
void table_name(char out[TABLE_NAME_BYTES], const struct format_file *format,
    enum table_kind kind);

/** Open the cache directory itself; refuse one that others may write to.
 *  @param make  when it is missing. @return descriptor, or -errno. */
NODISCARD int directory_open(const char *path, bool make, struct err *err);

/**
 * Open everything a generation has.
 * @param secret  of the format, at its lasting place.
 */
NODISCARD int generation_open(struct store *store, int dir_fd,
    const struct format_file *format, const struct hash_secret *secret,
    struct generation **out);

/** Remove generations that the format does not name; may wait. */
void generation_clean(int dir_fd, const struct format_file *format);

/** Close and free; nobody uses it. */
void generation_free(struct store *store, struct generation *generation);

#endif
