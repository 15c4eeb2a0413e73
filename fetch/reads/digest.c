/* SPDX-License-Identifier: Apache-2.0 */
/* fetch/reads/digest.c - what a checksum is; see digest.h. */
#include "fetch/digest.h"

#include <assert.h>
#include <stdio.h>
#include <string.h>

static const struct {
	const char *name;
	size_t size_bytes;
} table[FETCH_ALGORITHM_COUNT] = {
    [FETCH_ADLER32] = {"adler32", 4},
    [FETCH_CRC32C] = {"crc32c", 4},
    [FETCH_MD5] = {"md5", 16},
    [FETCH_SHA1] = {"sha-1", 20},
    [FETCH_SHA256] = {"sha-256", 32},
    [FETCH_SHA512] = {"sha-512", 64},
};

size_t fetch_digest_size(enum fetch_algorithm algorithm)
{
	assert(algorithm < FETCH_ALGORITHM_COUNT);
	return table[algorithm].size_bytes;
}

const char *fetch_digest_name(enum fetch_algorithm algorithm)
{
	assert(algorithm < FETCH_ALGORITHM_COUNT);
	return table[algorithm].name;
}

bool fetch_digest_equal(
    const struct fetch_digest *a, const struct fetch_digest *b)
{
	return a->known && b->known && a->algorithm == b->algorithm &&
	    memcmp(a->bytes, b->bytes, table[a->algorithm].size_bytes) == 0;
}

void fetch_digest_text(
    char out[FETCH_DIGEST_TEXT_BYTES], const struct fetch_digest *digest)
{
	static const char digits[] = "0123456789abcdef";
	size_t at;

	out[0] = '\0';
	if (!digest->known)
		return;
	at = (size_t)snprintf(out, FETCH_DIGEST_TEXT_BYTES,
	    "%s:", fetch_digest_name(digest->algorithm));
	for (size_t i = 0; i < table[digest->algorithm].size_bytes; i++) {
		out[at++] = digits[digest->bytes[i] >> 4];
		out[at++] = digits[digest->bytes[i] & 15];
	}
	out[at] = '\0';
}
