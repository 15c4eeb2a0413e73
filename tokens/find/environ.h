/* SPDX-License-Identifier: Apache-2.0 */
/*
 * tokens/find/environ.h - the environment of another process, as
 * /proc/PID/environ gives it.
 *
 * The process writes these bytes itself and may write anything: no "=", a
 * name twice, no NUL at the end. So nothing is believed beyond the block,
 * and a variable whose end is not in it is none: it may have been cut, and a
 * cut path names another file.
 *
 * Reading may stall as long as the process likes (its memory may be served
 * by itself): only a helper process with a deadline does it.
 *
 * Threads: a block belongs to one thread at a time.
 * Sources: proc(5); environ(7).
 */
#ifndef TOKENS_ENVIRON_H
#define TOKENS_ENVIRON_H

#include "base/attr.h"

#include <stddef.h>

enum {
	ENVIRON_BYTES_MAX = 1024 * 1024,
	/* What execve(2) lets one string have (MAX_ARG_STRLEN), NUL included. */
	ENVIRON_VARIABLE_BYTES_MAX = 128 * 1024,
};

/** Bytes that may hold tokens: wiped by environ_fini(). */
struct environ_block {
	char *bytes; /* NULL: none */
	size_t size_bytes;
};

/**
 * Read a block to its end.
 *
 * @param out  overwritten; empty on failure.
 * @retval 0          read; an ended process has an empty one.
 * @retval -EMSGSIZE  more than ENVIRON_BYTES_MAX.
 * @retval -ENOMEM    out of memory.
 * @retval -errno     of read(2).
 */
NODISCARD int environ_read(struct environ_block *out, int fd);

/** Wipe and free. */
void environ_fini(struct environ_block *block);

/**
 * The value of a variable, NUL-terminated and borrowed from the block: the
 * first one of that name, as getenv(3). Not one that is longer than
 * ENVIRON_VARIABLE_BYTES_MAX with its name, nor one without its end.
 *
 * @param name  not empty, without "=".
 * @return NULL when there is none.
 */
const char *environ_get(const struct environ_block *block, const char *name);

#endif
