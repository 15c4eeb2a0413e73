/* SPDX-License-Identifier: Apache-2.0 */
/*
 * fetch/digest.h - checksums of whole files: as servers tell them, and as
 * they are computed here.
 *
 * The rule: a checksum of at least 32 bits is compared, the strongest one
 * that is told, whichever that is. It comes from the very server that the
 * bytes come from, over the same TLS, so it is there to find accidents: a
 * rotten disk, a broken cache on the way, a mistake here. For these each of
 * them will do. Only SHA-256 and SHA-512 would also withstand somebody who
 * makes bytes on purpose; a name is shown with each, and none of them opens
 * anything or takes the place of another check.
 *
 * Public: what others of this folder's neighbours may include.
 *
 * Threads: every function may be called from any thread; a struct fetch_sum
 * belongs to one at a time.
 * Sources: RFC 9530 (Repr-Digest), RFC 3230 (Digest) and its registry,
 * ownCloud's OC-Checksum, RFC 1950 (Adler-32), RFC 3720 appendix B (CRC-32C).
 */
#ifndef FETCH_DIGEST_H
#define FETCH_DIGEST_H

#include "base/attr.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/** The weaker ones first. */
enum fetch_algorithm {
	FETCH_ADLER32,
	FETCH_CRC32C,
	FETCH_MD5,
	FETCH_SHA1,
	FETCH_SHA256,
	FETCH_SHA512,
	FETCH_ALGORITHM_COUNT
};

enum {
	FETCH_DIGEST_BYTES_MAX = 64,
	FETCH_DIGEST_TEXT_BYTES = 144, /* "sha-512:" and 128 digits */
};

/** A checksum; numbers of 32 bits with the highest byte first. */
struct fetch_digest {
	bool known; /* false: there is none */
	enum fetch_algorithm algorithm;
	uint8_t bytes[FETCH_DIGEST_BYTES_MAX];
};

size_t fetch_digest_size(enum fetch_algorithm algorithm);

/** "adler32", "crc32c", "md5", "sha-1", "sha-256", "sha-512". */
const char *fetch_digest_name(enum fetch_algorithm algorithm);

/** Whether both are known, of one algorithm, and equal. */
bool fetch_digest_equal(
    const struct fetch_digest *a, const struct fetch_digest *b);

/** "adler32:0a1b2c3d"; "" for one that is not known. */
void fetch_digest_text(
    char out[FETCH_DIGEST_TEXT_BYTES], const struct fetch_digest *digest);

/** A checksum that is being computed. */
struct fetch_sum;

/** NULL: out of memory, or not in this OpenSSL (a FIPS one has no MD5). */
struct fetch_sum *fetch_sum_new(enum fetch_algorithm algorithm);

void fetch_sum_free(struct fetch_sum *sum);
DEFINE_FREEP(fetch_sum, fetch_sum_free)

enum fetch_algorithm fetch_sum_algorithm(const struct fetch_sum *sum);

/** The next bytes. */
void fetch_sum_add(struct fetch_sum *sum, const void *bytes, size_t size_bytes);

/** The end: `out` is not known when OpenSSL had no memory on the way. */
void fetch_sum_end(struct fetch_sum *sum, struct fetch_digest *out);

#endif
