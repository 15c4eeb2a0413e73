/* SPDX-License-Identifier: Apache-2.0 */
/*
 * tokens/find/mounts.h - which devices are bearerfs mounts, whatever their
 * paths: a token is not looked for on one, because the mount may be waiting
 * for that very token.
 *
 * Anybody can mount and choose names: the kernel escapes blanks and line
 * breaks in them, so that a line's words are what they seem. A user who calls
 * another file system fuse.bearerfs has no token looked for on it.
 *
 * Threads: one at a time; read-only once read.
 * Source: proc(5), /proc/PID/mountinfo; its types have `fuse.` and the
 * subtype that a mount was given (fs/fs.c).
 */
#ifndef TOKENS_MOUNTS_H
#define TOKENS_MOUNTS_H

#include "base/attr.h"

#include <stdbool.h>
#include <stddef.h>
#include <sys/types.h>

/* The kernel has at most 100000 mounts in a namespace (fs.mount-max). */
enum { MOUNTS_BYTES_MAX = 64 * 1024 * 1024, MOUNTS_WORD_BYTES = 32 };

struct mounts {
	unsigned count;
	unsigned room;
	dev_t *devices;
};

/** Where the reading of a table stands. */
struct mounts_reader {
	struct mounts *mounts;
	unsigned field;     /* of this line */
	unsigned separator; /* the field that is "-"; 0: not seen yet */
	bool have_device;
	dev_t device;
	size_t size_bytes; /* of this word; what does not fit is dropped */
	char word[MOUNTS_WORD_BYTES];
};

/**
 * Read a table to its end.
 *
 * @param out  overwritten; empty on failure.
 * @param fd   /proc/PID/mountinfo, at its beginning.
 * @retval 0          read.
 * @retval -EMSGSIZE  more than MOUNTS_BYTES_MAX.
 * @retval -ENOMEM    out of memory.
 * @retval -errno     of read(2).
 */
NODISCARD int mounts_read(struct mounts *out, int fd);

void mounts_fini(struct mounts *mounts);

/** Whether a device is a bearerfs mount. */
bool mounts_have(const struct mounts *mounts, dev_t device);

/** Read a piece of a table, of any size.
 *  @retval -ENOMEM  out of memory. */
NODISCARD int mounts_feed(
    struct mounts_reader *reader, const char *bytes, size_t size_bytes);

#endif
