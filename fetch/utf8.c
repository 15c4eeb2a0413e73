/* SPDX-License-Identifier: Apache-2.0 */
/* fetch/utf8.c - see utf8.h. */
#include "fetch/utf8.h"

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
