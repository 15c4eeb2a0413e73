/* SPDX-License-Identifier: Apache-2.0 */
/*
 * tests/unit/fs/mounted.h - a mount under the real kernel, in a mount
 * namespace of its own, over the fake cache; the mount's thread and its users
 * are one process.
 *
 * Without the right to mount (no root, or no /dev/fuse) the cases are
 * skipped, and say so. One at a time in a process.
 */
#ifndef TESTS_MOUNTED_H
#define TESTS_MOUNTED_H

#include "fs/fs.h"

#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include <cmocka.h>

enum {
	FILE_BYTES = 3 * 1024 * 1024 + 17,
	FOREVER_MS = 1000 * 1000,
};

/** One at a time: "f" of version 7, "d" with "x" and "y". */
struct mounted {
	char where[64];
	struct cache *cache;
	struct fs *fs;
	pthread_t thread; /* returns the address of fs_run()'s result */
	bool possible;    /* may this process mount? */
};

extern struct mounted mounted;

/** A configuration for a mount at `mounted.where`. */
struct fs_config mounted_config(struct cache *cache);

/** Mount at `mounted.where`, and serve. */
void mounted_start(void);

/** fs_run() on a thread. @return as pthread_create() */
int mounted_serve(void);

/** Setup and teardown of a case: a mount on a new directory. */
int mounted_setup(void **state);
int mounted_teardown(void **state);

/** Run the cases in a mount namespace. @return as cmocka's */
int mounted_run(const struct CMUnitTest tests[], size_t count);

/** The path of a name in the mount; valid for the next three calls. */
const char *path_of(const char *name);

/** Open for reading or fail. */
int open_file(const char *name);

void assert_bytes(int fd, uint64_t version, off_t offset, size_t size_bytes);

#define NEEDS_MOUNT()                  \
	do {                           \
		(void)state;           \
		if (!mounted.possible) \
			skip();        \
	} while (0)

#endif
