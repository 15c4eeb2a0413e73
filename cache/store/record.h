/* SPDX-License-Identifier: Apache-2.0 */
/*
 * cache/store/record.h - identities that are read back from disk: the heads
 * of maps and of small files' records.
 *
 * Readers of files never need this: they compare with the head they expect.
 * It is for who looks at everything that is there (eviction, `bearerfs
 * cache`). Bytes on disk may be anything; what is returned was checked.
 *
 * Threads: pure.
 */
#ifndef CACHE_STORE_RECORD_H
#define CACHE_STORE_RECORD_H

#include "base/attr.h"
#include "cache/store/format.h"
#include "cache/store/hash.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum {
	HEAD_BYTES_MAX = sizeof(struct format_head) + FORMAT_TEXT_BYTES_MAX + 8,
	/* With its sums and the largest small file. */
	RECORD_BYTES_MAX = 96 * 1024,
};

/** An identity, as it stands in a head. The texts are not terminated. */
struct head {
	size_t bytes; /* of the head */
	uint64_t size_bytes;
	int64_t mtime_s;
	uint64_t nonce;
	const char *origin; /* borrowed from the bytes */
	size_t origin_bytes;
	const char *path;
	size_t path_bytes;
	const char *etag;
	size_t etag_bytes;
};

/** Parse a head. False: it is none. */
NODISCARD bool head_parse(
    const uint8_t *bytes, size_t size_bytes, struct head *out);

/** A small file's record. */
struct record {
	struct head head;
	struct hash128 key;
	size_t content_offset;
	size_t content_bytes;
	size_t extent_bytes; /* all of it, as it lies in a pack */
};

/** Parse a record and verify it and its content. False: it is none. */
NODISCARD bool record_parse(const struct hash_secret *secret,
    const uint8_t *bytes, size_t size_bytes, struct record *out);

#endif
