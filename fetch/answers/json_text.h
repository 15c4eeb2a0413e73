/* SPDX-License-Identifier: Apache-2.0 */
/*
 * fetch/answers/json_text.h - one string (or bare word) of a JSON text, byte by
 * byte. Bytes above 0x7f are taken as they are.
 *
 * Threads: a struct json_text belongs to one thread at a time.
 * Source: RFC 8259 section 7.
 */
#ifndef FETCH_ANSWERS_JSON_TEXT_H
#define FETCH_ANSWERS_JSON_TEXT_H

#include "base/attr.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum { JSON_TEXT_BYTES_MAX = 1024 };

struct json_text {
	bool bad; /* longer than there is room, or half a character */
	unsigned char state;
	unsigned hex_digits;
	uint32_t unit;      /* UTF-16 unit being read */
	uint32_t high_unit; /* a high surrogate waits for its other half */
	size_t size_bytes;
	char bytes[JSON_TEXT_BYTES_MAX + 1]; /* room for a NUL */
};

void json_text_begin(struct json_text *text);

/** Append a byte without looking at it (a bare word). */
void json_text_add(struct json_text *text, char c);

/**
 * Take one byte behind the opening quote.
 * @retval 0         more is to come.
 * @retval 1         the closing quote.
 * @retval -EBADMSG  no JSON: a control character or a bad escape.
 */
NODISCARD int json_text_byte(struct json_text *text, char c);

/** Whether it is exactly that word. */
bool json_text_is(const struct json_text *text, const char *word);

/** Whether it is a number of RFC 8259, section 6. */
bool json_text_is_number(const struct json_text *text);

#endif
