/* SPDX-License-Identifier: Apache-2.0 */
/*
 * fetch/sink.h - where bytes go: the seam that keeps fetch from knowing the
 * cache. The one who asks for a range implements it (cache/bytes/fill.c).
 *
 * Threads: all are called on the fetch thread and must not wait. Order: (from
 * begin write*)* done. begin comes again when the range goes on with another
 * answer (another server, a lost connection); the offset goes on from where the
 * bytes stopped.
 */
#ifndef FETCH_SINK_H
#define FETCH_SINK_H

#include <stddef.h>
#include <stdint.h>

struct err;
struct fetch_digest;

struct fetch_sink {
	/**
	 * An answer has begun and its headers fit what was asked.
	 * @param etag  the strong ETag of these bytes, "" when there is none.
	 * @return 0, or -ESTALE when that is not the version wanted: the
	 *         answer is dropped and done(-ESTALE) follows.
	 */
	int (*begin)(void *arg, const char *etag);

	/** Before begin(): by whom the bytes are given that come now. 0: the
	 *  origin; n: the nth cache. NULL: not wanted. */
	void (*from)(void *arg, unsigned server);

	/** Behind begin(): the answer tells the checksum that was asked for, of
	 *  the whole file, which is this very range; NULL: not wanted. */
	void (*digest)(void *arg, const struct fetch_digest *digest);

	/** The next bytes of the range, in order, without a gap. */
	void (*write)(void *arg, uint64_t offset_bytes, const void *bytes,
	    size_t size_bytes);

	/**
	 * Exactly once, last. 0: every byte has come and belongs to the
	 * version. Else a negative errno of the man page, -ECANCELED after
	 * fetch_cancel(), -ESTALE when the file has changed.
	 */
	void (*done)(void *arg, int code, const struct err *err);

	void *arg;
};

#endif
