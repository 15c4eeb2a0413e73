/* SPDX-License-Identifier: Apache-2.0 */
/* fetch/answers/json_text.c - see json_text.h. */
#include "fetch/answers/json_text.h"

#include "base/utf8.h"

#include <errno.h>
#include <string.h>

enum state { PLAIN, ESCAPE, HEX };

void json_text_begin(struct json_text *text)
{
	text->bad = false;
	text->state = PLAIN;
	text->high_unit = 0;
	text->size_bytes = 0;
}

void json_text_add(struct json_text *text, char c)
{
	if (text->high_unit != 0)
		text->bad = true; /* its other half did not come */
	text->high_unit = 0;
	if (text->size_bytes == JSON_TEXT_BYTES_MAX)
		text->bad = true;
	else
		text->bytes[text->size_bytes++] = c;
}

static void add_point(struct json_text *text, uint32_t point)
{
	char bytes[UTF8_BYTES_MAX];
	size_t n = utf8_put(bytes, point);

	if (n == 0)
		text->bad = true; /* \u0000 */
	for (size_t i = 0; i < n; i++)
		json_text_add(text, bytes[i]);
}

/* An escape of four digits is complete: a character, or one half of one. */
static void take_unit(struct json_text *text)
{
	uint32_t high = text->high_unit;

	text->state = PLAIN;
	if (text->unit >= 0xD800 && text->unit <= 0xDBFF) {
		text->bad = text->bad || high != 0;
		text->high_unit = text->unit;
	} else if (text->unit >= 0xDC00 && text->unit <= 0xDFFF) {
		text->high_unit = 0;
		if (high == 0)
			text->bad = true;
		else
			add_point(text,
			    0x10000 + ((high - 0xD800) << 10) +
			        (text->unit - 0xDC00));
	} else {
		add_point(text, text->unit);
	}
}

static int take_hex(struct json_text *text, char c)
{
	static const char digits[] = "0123456789abcdef";
	char low = (char)(c >= 'A' && c <= 'F' ? c - 'A' + 'a' : c);
	const char *found = memchr(digits, low, sizeof(digits) - 1);

	if (found == NULL)
		return -EBADMSG;
	text->unit = text->unit * 16 + (uint32_t)(found - digits);
	if (++text->hex_digits == 4)
		take_unit(text);
	return 0;
}

static int take_escape(struct json_text *text, char c)
{
	static const char letters[] = "\"\\/bfnrt";
	static const char bytes[] = "\"\\/\b\f\n\r\t";
	const char *found = memchr(letters, c, sizeof(letters) - 1);

	if (c == 'u') {
		text->unit = 0;
		text->hex_digits = 0;
		text->state = HEX;
		return 0;
	}
	if (found == NULL)
		return -EBADMSG;
	json_text_add(text, bytes[found - letters]);
	text->state = PLAIN;
	return 0;
}

int json_text_byte(struct json_text *text, char c)
{
	if (text->state == HEX)
		return take_hex(text, c);
	if (text->state == ESCAPE)
		return take_escape(text, c);
	if (c == '"') {
		text->bad = text->bad || text->high_unit != 0;
		return 1;
	}
	if ((unsigned char)c < 0x20)
		return -EBADMSG;
	if (c == '\\')
		text->state = ESCAPE;
	else
		json_text_add(text, c);
	return 0;
}

bool json_text_is(const struct json_text *text, const char *word)
{
	return !text->bad && text->size_bytes == strlen(word) &&
	    memcmp(text->bytes, word, text->size_bytes) == 0;
}

/* Pass over digits; false: there is none. */
static bool pass_digits(const char **at, const char *end)
{
	const char *from = *at;

	while (*at < end && **at >= '0' && **at <= '9')
		(*at)++;
	return *at > from;
}

bool json_text_is_number(const struct json_text *text)
{
	const char *at = text->bytes;
	const char *end = at + text->size_bytes;
	const char *from;

	at += at < end && *at == '-';
	from = at;
	if (text->bad || !pass_digits(&at, end) ||
	    (*from == '0' && at - from > 1))
		return false;
	if (at < end && *at == '.') {
		at++;
		if (!pass_digits(&at, end))
			return false;
	}
	if (at < end && (*at == 'e' || *at == 'E')) {
		at++;
		at += at < end && (*at == '-' || *at == '+');
		if (!pass_digits(&at, end))
			return false;
	}
	return at == end;
}
