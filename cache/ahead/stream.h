/* SPDX-License-Identifier: Apache-2.0 */
/*
 * cache/ahead/stream.h - how a file is being read, and what will be wanted
 * next.
 *
 * Pure: offsets in, a plan out. Up to four readers that go forward through
 * one file are told apart; a fixed step between reads is found after three
 * of the same; everything else is random and gets no read-ahead. The kernel
 * sends the reads of its own read-ahead in any order, so that a stream
 * tolerates reads a few sizes before or behind the expected one.
 *
 * Threads: under the lock of whoever owns the struct.
 */
#ifndef CACHE_AHEAD_STREAM_H
#define CACHE_AHEAD_STREAM_H

#include <stdbool.h>
#include <stdint.h>

enum {
	STREAMS_MAX = 4,
	STREAM_STRIDE_REPEATS = 3, /* equal steps before one is believed */
	STREAM_STRIDES_MAX = 8,    /* reads fetched ahead of a strided reader */
	STREAM_ACTIVE_READS = 32,  /* of others, until one counts as ended */
	STREAM_SKIP_BYTES = 16 * 1024,   /* left out by a small reader */
	STREAM_FIRST_BYTES = 128 * 1024, /* a read of the kernel's read-ahead */
	STREAM_WINDOW_MIN_BYTES = 256 * 1024,
	STREAM_WINDOW_START_BYTES = 1024 * 1024, /* at the start of a file */
};

struct stream {
	uint64_t start_bytes;     /* where it began */
	uint64_t first_end_bytes; /* end of its first read */
	uint64_t end_bytes;       /* how far its reader has come */
	uint64_t ahead_bytes;     /* how far it was fetched ahead */
	uint64_t window_bytes;    /* how far ahead it may be; 0: not yet */
	uint64_t used;            /* for the least recently used */
};

struct streams {
	struct stream stream[STREAMS_MAX];
	uint64_t count; /* of reads seen */
	uint64_t last_bytes;
	int64_t step_bytes; /* between the last two reads */
	unsigned step_repeats;
};

struct stream_read {
	uint64_t offset_bytes;
	uint64_t size_bytes;
	uint64_t file_bytes;
	uint64_t cap_bytes;  /* window at most */
	uint64_t room_bytes; /* all windows of the file; 0: enough */
	uint64_t step_bytes; /* fetched at a time when the window is large */
};

/** What to fetch beyond the read itself. */
struct stream_plan {
	bool sequential;     /* part of a stream */
	bool full;           /* whose window is as large as it may be */
	unsigned stream;     /* which */
	uint64_t from_bytes; /* [from, until): empty when equal */
	uint64_t until_bytes;
	uint64_t window_bytes;
	unsigned strides; /* predicted reads: offset + step * (1..strides) */
	int64_t step_bytes;
};

/** Note a read and say what will be wanted next. */
struct stream_plan streams_note(
    struct streams *streams, const struct stream_read *read);

/** The plan was carried out up to `until_bytes` only. */
void streams_cut(struct streams *streams, const struct stream_plan *plan,
    uint64_t until_bytes);

#endif
