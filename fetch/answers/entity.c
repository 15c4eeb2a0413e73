/* SPDX-License-Identifier: Apache-2.0 */
/* fetch/answers/entity.c - see entity.h. */
#include "fetch/answers/entity.h"

#include "base/utf8.h"

#include <stdbool.h>
#include <stdint.h>
#include <string.h>

static bool is_letter(char c)
{
	return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z');
}

static char lower(char c)
{
	return (char)(c >= 'A' && c <= 'Z' ? c - 'A' + 'a' : c);
}

/* The number of "#65;" or "#x41;" (behind the '&'); 0: none. */
static uint32_t number_of(const char *text, size_t size_bytes)
{
	bool hex = size_bytes > 1 && (text[1] == 'x' || text[1] == 'X');
	uint32_t point = 0;

	for (size_t i = hex ? 2 : 1; i + 1 < size_bytes; i++) {
		unsigned digit = (unsigned)(text[i] - '0');

		if (is_letter(text[i]))
			digit = (unsigned)(lower(text[i]) - 'a') + 10;
		if (digit >= (hex ? 16 : 10) || point > 0x10FFFF)
			return 0;
		point = point * (hex ? 16 : 10) + digit;
	}
	return point;
}

/*
 * Decode one entity at `text` ('&') into `out`: numbers, and the names that
 * writers of index pages use. 0 when it is none: then '&' is itself.
 * `*used` tells how much was read; never less than what is written.
 */
static size_t decode_entity(
    char *out, const char *text, size_t size_bytes, size_t *used)
{
	static const struct {
		const char *name;
		char c;
	} known[] = {{"amp;", '&'}, {"lt;", '<'}, {"gt;", '>'}, {"quot;", '"'},
	    {"apos;", '\''}};
	const char *end = memchr(text, ';', size_bytes < 12 ? size_bytes : 12);
	size_t n;

	if (end == NULL)
		return 0;
	n = (size_t)(end - text); /* with ';', without '&' */
	*used = n + 1;
	if (text[1] == '#')
		return utf8_put(out, number_of(text + 1, n));
	for (size_t i = 0; i < ARRAY_COUNT(known); i++) {
		if (strlen(known[i].name) == n &&
		    memcmp(known[i].name, text + 1, n) == 0) {
			*out = known[i].c;
			return 1;
		}
	}
	return 0;
}

size_t entity_decode(char *text, size_t size_bytes)
{
	size_t out_bytes = 0;

	for (size_t at = 0; at < size_bytes;) {
		char point[UTF8_BYTES_MAX];
		size_t used = 1;
		size_t n = 0;

		if (text[at] == '&')
			n = decode_entity(
			    point, text + at, size_bytes - at, &used);
		if (n == 0) {
			text[out_bytes++] = text[at++];
			continue;
		}
		memcpy(text + out_bytes, point, n);
		out_bytes += n;
		at += used;
	}
	return out_bytes;
}
