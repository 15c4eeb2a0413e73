/* SPDX-License-Identifier: Apache-2.0 */
/* tokens/callers/auxv.c - see auxv.h. */
#include "tokens/callers/auxv.h"

#include <stdint.h>
#include <string.h>
#include <sys/auxv.h>

/* The kernel numbers its entries from 0, and has some 50. Read in the wrong
 * width they have larger ones. */
enum { TYPE_MAX = 255 };

/* Words of a program, 4 or 8 bytes each. */
static uint64_t word_at(const char *bytes, size_t word_bytes, size_t index)
{
	uint32_t narrow;
	uint64_t wide;

	if (word_bytes == sizeof(wide)) {
		memcpy(&wide, bytes + index * word_bytes, sizeof(wide));
		return wide;
	}
	memcpy(&narrow, bytes + index * word_bytes, sizeof(narrow));
	return narrow;
}

/* The value of AT_SECURE; -1: these are no entries of that width. */
static int find_secure(const char *bytes, size_t size_bytes, size_t word_bytes)
{
	size_t words = size_bytes / word_bytes;
	int secure = -1;

	for (size_t i = 0; i + 1 < words; i += 2) {
		uint64_t type = word_at(bytes, word_bytes, i);

		if (type == AT_NULL)
			return secure;
		if (type > TYPE_MAX)
			return -1;
		if (type == AT_SECURE)
			secure = word_at(bytes, word_bytes, i + 1) != 0;
	}
	return -1;
}

bool auxv_is_secure(const void *bytes, size_t size_bytes)
{
	int secure = find_secure(bytes, size_bytes, sizeof(uint64_t));

	if (secure < 0)
		secure = find_secure(bytes, size_bytes, sizeof(uint32_t));
	return secure != 0;
}
