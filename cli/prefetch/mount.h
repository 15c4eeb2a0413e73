/* SPDX-License-Identifier: Apache-2.0 */
/*
 * cli/prefetch/mount.h - what is to be prefetched of one mount: the paths that
 * were named are looked at and their directories listed; when all of it fits
 * into the cache, each file is asked for.
 *
 * Threads: main thread.
 */
#ifndef CLI_PREFETCH_MOUNT_H
#define CLI_PREFETCH_MOUNT_H

#include "base/attr.h"

#include <signal.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "cli/mounts.h"

struct tally;

/** A file or directory. Its path is made of the names on the way to it. */
struct wanted {
	char *name;   /* of the first: as the user writes it */
	char *inside; /* of the first: the path in the mount; else NULL */
	size_t parent;
	uint64_t size_bytes;
	uint64_t there_bytes; /* so much of it, as it was last told */
	uint64_t listed_ms;   /* of a directory: when */
	bool named;           /* by the user: has no parent */
	bool directory;
	bool sized; /* what it is, and how large, is known */
};

struct prefetch_mount {
	struct mount_entry entry;
	struct wanted *wanted;
	size_t count;
	size_t room;
};

/** @retval -ENOMEM  Strings are copied. */
NODISCARD int prefetch_mount_add(
    struct prefetch_mount *mount, const char *path, const char *inside);

/** One more, at the end; what was borrowed of the array is void. NULL: out of
 *  memory. */
struct wanted *wanted_add(struct prefetch_mount *mount, const char *name);

/** The path of one: in the mount, or (`shown`) as the user would write it.
 *  @retval -ENAMETOOLONG */
NODISCARD int wanted_path(const struct prefetch_mount *mount, size_t i,
    bool shown, char out[PATH_BYTES_MAX]);

/** Do it. What came of it is in the tally. @param interrupted  set by a
 *  signal's handler: leave off. */
void prefetch_mount_run(struct prefetch_mount *mount, struct tally *tally,
    const volatile sig_atomic_t *interrupted);

void prefetch_mount_fini(struct prefetch_mount *mount);

#endif
