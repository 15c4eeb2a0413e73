/* SPDX-License-Identifier: Apache-2.0 */
/*
 * fetch/changes/feed.h - the bytes of an upload, on their way from where the
 * caller has them to libcurl.
 *
 * The fetch thread waits for no disk: the bytes of a small file are read when
 * the upload is asked for, by who asks. Those of a larger one, which was
 * written a moment ago as a rule, are read right into libcurl's buffer as long
 * as they are in memory; while they are not, or when a checksum is wanted, a
 * thread of their own reads them two windows ahead, and sums them.
 * While none is full the transfer pauses.
 *
 * What grows has its bytes noted by feed_grow(); while there are no more of
 * them the transfer pauses as well.
 *
 * Reference counted: a read may still be under way when the upload has ended.
 *
 * Threads: feed_new() and the references on any; the rest on the fetch
 * thread.
 */
#ifndef FETCH_CHANGES_FEED_H
#define FETCH_CHANGES_FEED_H

#include "base/attr.h"
#include "base/sync.h"
#include "fetch/change.h"
#include "fetch/digest.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <curl/curl.h>

struct feed;
struct fetch;

enum {
	FEED_SMALL_BYTES = 64 * 1024,
	FEED_WINDOW_BYTES = 256 * 1024,
	FEED_WINDOWS = 2,
};

/**
 * @param bytes  taken over, also on failure.
 * @retval 0, -ENOMEM, or what reading a small file gave.
 */
NODISCARD int feed_new(
    struct feed **out, struct fetch *fetch, const struct fetch_bytes *bytes);

struct feed *feed_get(struct feed *feed);
/** NULL is allowed. */
void feed_put(struct feed *feed);

/** How much libcurl is to take at once. */
size_t feed_room_bytes(const struct feed *feed);

/** Of what grows: so far. */
uint64_t feed_size_bytes(const struct feed *feed);

/** Whether libcurl can be given more of a larger file at once. */
bool feed_has_more(const struct feed *feed);

/** Whether that may become more. */
bool feed_grows(const struct feed *feed);

/** There are so many bytes now; whole: and no more will come. */
void feed_grow(struct feed *feed, uint64_t size_bytes, bool whole)
    REQUIRES(fetch_thread);

/** Whether the transfer waits for more to come. */
bool feed_is_hungry(const struct feed *feed) REQUIRES(fetch_thread);

/** Compute this in passing, of a larger file; before the first pass. */
void feed_want_digest(struct feed *feed, enum fetch_algorithm algorithm)
    REQUIRES(fetch_thread);

/** From the begin, for this transfer. */
void feed_begin(struct feed *feed, CURL *easy) REQUIRES(fetch_thread);

/** The transfer has gone. */
void feed_end(struct feed *feed) REQUIRES(fetch_thread);

/** What CURLOPT_READFUNCTION is to return. */
size_t feed_take(struct feed *feed, void *out, size_t size_bytes)
    REQUIRES(fetch_thread);

/** Go on at an offset. */
void feed_seek(struct feed *feed, uint64_t offset_bytes) REQUIRES(fetch_thread);

/** How many bytes of this pass libcurl has. */
uint64_t feed_given_bytes(const struct feed *feed);

/** 0, or why the bytes cannot be read. */
int feed_code(const struct feed *feed);

/** The checksum, when the last pass was whole and of a larger file. */
void feed_digest(struct feed *feed, struct fetch_digest *out)
    REQUIRES(fetch_thread);

#endif
