/* SPDX-License-Identifier: Apache-2.0 */
/*
 * fs/echo.h - a READ that failed after a long wait, for the moment after it.
 *
 * When a READ fails, the kernel asks once more for the one page that the
 * program waits for, before the program learns of it. That would wait as long
 * again, and the read(2) take twice its `timeout`. So what failed is answered
 * for a moment with the same errno. What failed at once is asked again: that
 * costs nothing, and may go well.
 *
 * Threads: any.
 * Sources: Linux, mm/filemap.c, filemap_fault() and filemap_get_pages().
 */
#ifndef FS_ECHO_H
#define FS_ECHO_H

#include "base/attr.h"

#include <pthread.h>
#include <stdatomic.h>
#include <stddef.h>
#include <stdint.h>

enum {
	ECHO_AFTER_MS = 1000, /* a wait as long is echoed... */
	ECHO_FOR_MS = 100,    /* ...for so long */
};

/** Of one handle. */
struct echo {
	pthread_mutex_t mutex;
	_Atomic uint64_t until_ms; /* 0: nothing has failed */
	uint64_t from_bytes;       /* under the mutex, as the next */
	uint64_t to_bytes;
	int code;
};

void echo_init(struct echo *echo);
void echo_fini(struct echo *echo);

/** A READ that waited `waited_ms` is about to be answered with
 *  `code` (negative). */
void echo_note(struct echo *echo, uint64_t from_bytes, size_t size_bytes,
    int code, uint64_t waited_ms, uint64_t now_ms);

/** What a READ that begins at `offset_bytes` is answered with at once; 0: it
 *  is to be asked. */
NODISCARD int echo_code(
    struct echo *echo, uint64_t offset_bytes, uint64_t now_ms);

#endif
