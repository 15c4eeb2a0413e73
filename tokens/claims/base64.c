/* SPDX-License-Identifier: Apache-2.0 */
/* tokens/claims/base64.c - see base64.h. */
#include "tokens/claims/base64.h"

#include <errno.h>
#include <stdint.h>

size_t token_base64_room_bytes(size_t size_bytes)
{
	return size_bytes / 4 * 3 + 3 + 1;
}

/* RFC 4648, section 5: value + 1 of each character; 0 for one that is not in
 * the alphabet. */
/* NOLINTNEXTLINE(bugprone-macro-parentheses): an initialiser */
#define ROW(c, v) [(c)] = (v) + 1
#define ROWS(c, v)                                                   \
	ROW((c), (v)), ROW((c) + 1, (v) + 1), ROW((c) + 2, (v) + 2), \
	    ROW((c) + 3, (v) + 3), ROW((c) + 4, (v) + 4)
#define LETTERS(c, v)                                                     \
	ROWS((c), (v)), ROWS((c) + 5, (v) + 5), ROWS((c) + 10, (v) + 10), \
	    ROWS((c) + 15, (v) + 15), ROWS((c) + 20, (v) + 20),           \
	    ROW((c) + 25, (v) + 25)
static const unsigned char values[256] = {LETTERS('A', 0), LETTERS('a', 26),
    ROWS('0', 52), ROWS('5', 57), ROW('-', 62), ROW('_', 63)};

ssize_t token_base64_decode(
    unsigned char *out, const char *text, size_t size_bytes)
{
	uint32_t bits = 0;
	unsigned bit_count = 0;
	size_t used = 0;

	if (size_bytes % 4 == 1)
		return -EINVAL;
	for (size_t i = 0; i < size_bytes; i++) {
		uint32_t value = values[(unsigned char)text[i]];

		if (value == 0)
			return -EINVAL;
		bits = bits << 6 | (value - 1);
		bit_count += 6;
		if (bit_count >= 8) {
			bit_count -= 8;
			out[used++] = (unsigned char)(bits >> bit_count);
			bits &= (1u << bit_count) - 1;
		}
	}
	if (bits != 0)
		return -EINVAL; /* left-over bits that are set */
	out[used] = '\0';
	return (ssize_t)used;
}
