/* SPDX-License-Identifier: Apache-2.0 */
/* base/utf8.c - see utf8.h. */
#include "base/utf8.h"

size_t utf8_size_bytes(const unsigned char *text)
{
	size_t want;

	if (text[0] < 0x80)
		return 1;
	if (text[0] < 0xc2 || text[0] > 0xf4)
		return 0;
	want = text[0] < 0xe0 ? 2 : text[0] < 0xf0 ? 3 : 4;
	for (size_t i = 1; i < want; i++) {
		if ((text[i] & 0xc0) != 0x80)
			return 0;
	}
	/* Overlong forms, surrogates, and what lies beyond U+10FFFF. */
	if ((text[0] == 0xe0 && text[1] < 0xa0) ||
	    (text[0] == 0xed && text[1] > 0x9f) ||
	    (text[0] == 0xf0 && text[1] < 0x90) ||
	    (text[0] == 0xf4 && text[1] > 0x8f))
		return 0;
	return want;
}

size_t utf8_put(char out[UTF8_BYTES_MAX], uint32_t point)
{
	static const unsigned char leads[] = {0, 0, 0xC0, 0xE0, 0xF0};
	size_t size_bytes = point < 0x800 ? 2 : point < 0x10000 ? 3 : 4;

	if (point == 0 || point > 0x10FFFF ||
	    (point >= 0xD800 && point <= 0xDFFF))
		return 0;
	if (point < 0x80) {
		out[0] = (char)point;
		return 1;
	}
	for (size_t i = size_bytes - 1; i > 0; i--) {
		out[i] = (char)(0x80 | (point & 0x3F));
		point >>= 6;
	}
	out[0] = (char)(leads[size_bytes] | point);
	return size_bytes;
}
