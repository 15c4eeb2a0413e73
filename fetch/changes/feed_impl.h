/* SPDX-License-Identifier: Apache-2.0 */
/*
 * fetch/changes/feed_impl.h - a feed as its two files share it: feed.c, what
 * libcurl takes; feed_fill.c, windows that the feeder fills.
 *
 * A window belongs to the fetch thread, but between its way to the feeder and
 * its way back through the mailbox.
 */
#ifndef FETCH_CHANGES_FEED_IMPL_H
#define FETCH_CHANGES_FEED_IMPL_H

#include "fetch/changes/feed.h"
#include "fetch/changes/feeder.h"
#include "fetch/engine.h"

#include <stdatomic.h>

struct window {
	struct post post;
	struct feeder_job job;
	struct feed *feed;
	bool away; /* at the feeder */
	bool full;
	unsigned pass;
	uint64_t offset_bytes;
	size_t size_bytes;
	bool waited; /* for the disk, or it could not be told */
	int code;
	uint8_t *bytes; /* NULL before the first time */
};

struct feed {
	atomic_uint references;
	struct fetch *fetch;
	struct mailbox *mailbox; /* a reference */
	struct fetch_bytes source;
	uint64_t size_bytes; /* so far */
	bool whole;          /* and no more will come */
	uint8_t *small;      /* all of it; NULL: by windows */
	struct window windows[FEED_WINDOWS];
	CURL *easy; /* the transfer; NULL: none */
	bool paused;
	bool windowed; /* by windows: the disk was waited for last, or sums */
	unsigned pass;
	uint64_t given_bytes;  /* to libcurl */
	uint64_t wanted_bytes; /* offset of the next window to be asked for */
	int code;
	bool sums; /* a checksum is wanted; set before the first pass */
	enum fetch_algorithm algorithm; /* so is this */
	/* The feeder's, and the fetch thread's once the last window is back. */
	struct fetch_sum *sum;
	unsigned sum_pass;
	uint64_t summed_bytes;
	struct fetch_digest digest;
};

/* All of [offset, offset + size), on a thread that may wait.
 * @param waits  from the begin; and whether it had to in the end */
NODISCARD int feed_read_whole(const struct fetch_bytes *source,
    uint64_t offset_bytes, uint8_t *out, size_t size_bytes, bool *waits);

/* The least that is worth asking for, unless it is the end. */
uint64_t feed_least_bytes(const struct feed *feed);

/* There may be something to give, or to ask for. */
void feed_go_on(struct feed *feed) REQUIRES(fetch_thread);

/* ---- feed_fill.c ---- */

/* Whether some are full, or on their way. */
bool feed_has_windows(const struct feed *feed);

/* Have what is empty filled. */
void feed_fill(struct feed *feed) REQUIRES(fetch_thread);

/* By windows from an offset; what is on its way is for nothing. */
void feed_refill(struct feed *feed, uint64_t offset_bytes)
    REQUIRES(fetch_thread);

/* The full one that has this byte; NULL: none. */
struct window *feed_window_at(struct feed *feed, uint64_t offset_bytes);

#endif
