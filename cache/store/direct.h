/* SPDX-License-Identifier: Apache-2.0 */
/*
 * cache/store/direct.h - reads that the disk is asked for without waiting:
 * Linux' asynchronous I/O on descriptors with O_DIRECT.
 *
 * One thread takes the answers of all of them. A pool of threads that wait
 * each for one read costs a wake-up more for every read (a fifth of the
 * processor time of a random 4 KiB read) and bounds by its size how many the
 * disk has at a time.
 *
 * Where it is missing or forbidden, or where asking would have to wait, the
 * caller takes a thread that may wait.
 *
 * Threads: direct_ask() from any; direct_serve() on one; the rest by whoever
 * owns it.
 * Sources: io_submit(2), io_getevents(2); RWF_NOWAIT in preadv2(2).
 */
#ifndef CACHE_STORE_DIRECT_H
#define CACHE_STORE_DIRECT_H

#include "base/attr.h"

#include <linux/aio_abi.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

enum {
	DIRECT_READS_MAX = 256,  /* on their way at a time */
	DIRECT_ANSWERS_MAX = 32, /* taken by one call */
};

struct direct_read {
	struct iocb iocb;
	/** With the bytes read, or -errno; on the thread in direct_serve(),
	 *  once. The read is the caller's again. */
	void (*done)(struct direct_read *read, ssize_t n);
};

struct direct {
	aio_context_t queue; /* 0: there is none */
	_Atomic unsigned flying;
	_Atomic bool ending;
	_Atomic bool closed;  /* the queue is gone */
	_Atomic bool refused; /* this file system cannot */
};

/** Make the queue. @retval -errno  there is none; nothing is to be ended. */
NODISCARD int direct_begin(struct direct *direct);

/**
 * Ask for bytes, all aligned to 4 KiB; `read` and the buffer are borrowed
 * until `read->done`, which has been set.
 *
 * @retval 0        asked.
 * @retval -EAGAIN  not here, or not now, without waiting.
 */
NODISCARD int direct_ask(struct direct *direct, struct direct_read *read,
    int fd, void *bytes, size_t size_bytes, uint64_t offset_bytes);

/** Take answers until direct_end(). */
void direct_serve(struct direct *direct);

/** No new reads; direct_serve() returns when those that are on their way have
 *  been answered. */
void direct_end(struct direct *direct);

#endif
