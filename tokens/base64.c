/* SPDX-License-Identifier: Apache-2.0 */
/* tokens/base64.c - see base64.h. */
#include "tokens/base64.h"

#include <errno.h>
#include <stdint.h>

size_t token_base64_room_bytes(size_t size_bytes)
{
	return size_bytes / 4 * 3 + 3 + 1;
}

/* RFC 4648, section 5; -1 for a character that is not in the alphabet. */
static int value_of(char c)
{
	if (c >= 'A' && c <= 'Z')
		return c - 'A';
	if (c >= 'a' && c <= 'z')
		return c - 'a' + 26;
	if (c >= '0' && c <= '9')
		return c - '0' + 52;
	if (c == '-')
		return 62;
	if (c == '_')
		return 63;
	return -1;
}

ssize_t token_base64_decode(
    unsigned char *out, const char *text, size_t size_bytes)
{
	uint32_t bits = 0;
	unsigned bit_count = 0;
	size_t used = 0;

	if (size_bytes % 4 == 1)
		return -EINVAL;
	for (size_t i = 0; i < size_bytes; i++) {
		int value = value_of(text[i]);

		if (value < 0)
			return -EINVAL;
		bits = bits << 6 | (uint32_t)value;
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
