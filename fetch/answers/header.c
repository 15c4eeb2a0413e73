/* SPDX-License-Identifier: Apache-2.0 */
/* fetch/answers/header.c - see header.h. Dates are in header_date.c. */
#include "fetch/answers/header.h"

#include <errno.h>
#include <string.h>
#include <strings.h>

static bool is_digit(char c)
{
	return c >= '0' && c <= '9';
}

/* RFC 9110, section 5.6.2: what a token may hold. */
static bool is_tchar(char c)
{
	return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') ||
	    is_digit(c) || (c != '\0' && strchr("!#$%&'*+-.^_`|~", c) != NULL);
}

static bool is_blank(char c)
{
	return c == ' ' || c == '\t';
}

static bool is_control(char c)
{
	return ((unsigned char)c < 0x20 && c != '\t') || c == 0x7f;
}

/* The line without its CRLF, or bare LF (RFC 9112, section 2.2). */
static size_t without_line_end(const char *line, size_t size_bytes)
{
	if (size_bytes > 0 && line[size_bytes - 1] == '\n')
		size_bytes--;
	if (size_bytes > 0 && line[size_bytes - 1] == '\r')
		size_bytes--;
	return size_bytes;
}

int header_split(const char *line, size_t size_bytes, struct header_field *out)
{
	size_t end = without_line_end(line, size_bytes);
	size_t at = 0;

	if (end == 0)
		return -ENOMSG;
	while (at < end && is_tchar(line[at]))
		at++;
	/* A blank before the colon must be refused, not skipped: RFC 9112,
	 * section 5.1. A folded line begins with one. */
	if (at == 0 || at == end || line[at] != ':')
		return -EBADMSG;
	out->name = line;
	out->name_bytes = at++;
	while (at < end && is_blank(line[at]))
		at++;
	while (end > at && is_blank(line[end - 1]))
		end--;
	out->value = line + at;
	out->value_bytes = end - at;
	for (; at < end; at++) {
		if (is_control(line[at]))
			return -EBADMSG;
	}
	return 0;
}

bool header_is(const struct header_field *field, const char *name)
{
	return strlen(name) == field->name_bytes &&
	    strncasecmp(field->name, name, field->name_bytes) == 0;
}

/* NOLINTNEXTLINE(readability-function-cognitive-complexity): one check a token */
int header_status_line(const char *line, size_t size_bytes)
{
	size_t end = without_line_end(line, size_bytes);
	size_t at = 5;
	int status;

	if (end < 5 || memcmp(line, "HTTP/", 5) != 0)
		return -EBADMSG;
	if (at == end || !is_digit(line[at++]))
		return -EBADMSG;
	if (at < end && line[at] == '.') {
		at++;
		if (at == end || !is_digit(line[at++]))
			return -EBADMSG;
	}
	if (end - at < 4 || line[at] != ' ')
		return -EBADMSG;
	line += at + 1;
	end -= at + 1;
	if (!is_digit(line[0]) || !is_digit(line[1]) || !is_digit(line[2]))
		return -EBADMSG;
	if (end > 3 && line[3] != ' ')
		return -EBADMSG;
	status = (line[0] - '0') * 100 + (line[1] - '0') * 10 + (line[2] - '0');
	return status >= 100 && status <= 599 ? status : -EBADMSG;
}

/* Take digits from the front of a text; -EBADMSG when there is none or the
 * number does not fit 63 bits (what off_t can say). */
static int take_number(const char **text, const char *end, uint64_t *out)
{
	uint64_t value = 0;
	const char *p = *text;

	for (; p < end && is_digit(*p); p++) {
		if (__builtin_mul_overflow(value, 10, &value) ||
		    __builtin_add_overflow(value, (uint64_t)(*p - '0'), &value))
			return -EBADMSG;
	}
	if (p == *text || value > INT64_MAX)
		return -EBADMSG;
	*text = p;
	*out = value;
	return 0;
}

static bool take_char(const char **text, const char *end, char c)
{
	if (*text == end || **text != c)
		return false;
	(*text)++;
	return true;
}

int header_content_length(const char *text, size_t size_bytes, uint64_t *out)
{
	const char *end = text + size_bytes;
	int code = take_number(&text, end, out);

	return code == 0 && text != end ? -EBADMSG : code;
}

/* "first-last" */
static int take_pair(
    const char **text, const char *end, struct header_content_range *out)
{
	if (take_number(text, end, &out->first_bytes) < 0 ||
	    !take_char(text, end, '-') ||
	    take_number(text, end, &out->last_bytes) < 0 ||
	    out->first_bytes > out->last_bytes)
		return -EBADMSG;
	out->satisfied = true;
	return 0;
}

int header_content_range(
    const char *text, size_t size_bytes, struct header_content_range *out)
{
	const char *end = text + size_bytes;

	*out = (struct header_content_range){0};
	/* Range units are case-insensitive: RFC 9110, section 14.1. */
	if (size_bytes < 6 || strncasecmp(text, "bytes ", 6) != 0)
		return -EBADMSG;
	text += 6;
	if (!take_char(&text, end, '*') && take_pair(&text, end, out) < 0)
		return -EBADMSG;
	if (!take_char(&text, end, '/'))
		return -EBADMSG;
	if (out->satisfied && take_char(&text, end, '*'))
		return text == end ? 0 : -EBADMSG;
	if (take_number(&text, end, &out->total_bytes) < 0 || text != end)
		return -EBADMSG;
	out->total_known = true;
	return 0;
}

int header_retry_after(
    const char *text, size_t size_bytes, int64_t now_s, uint32_t *out_s)
{
	uint64_t wait_s;
	int64_t date_s;
	size_t digits = 0;

	while (digits < size_bytes && is_digit(text[digits]))
		digits++;
	if (digits > 0 && digits == size_bytes) {
		if (header_content_length(text, size_bytes, &wait_s) < 0)
			wait_s = HEADER_RETRY_AFTER_MAX_S; /* overflow */
	} else {
		if (header_date(text, size_bytes, now_s, &date_s) < 0)
			return -EBADMSG;
		wait_s = date_s > now_s ? (uint64_t)(date_s - now_s) : 0;
	}
	if (wait_s > HEADER_RETRY_AFTER_MAX_S)
		wait_s = HEADER_RETRY_AFTER_MAX_S;
	*out_s = (uint32_t)wait_s;
	return 0;
}

bool header_etag_strong(
    char out[FETCH_ETAG_BYTES], const char *text, size_t size_bytes)
{
	out[0] = '\0';
	if (size_bytes < 2 || size_bytes >= FETCH_ETAG_BYTES)
		return false;
	if (text[0] != '"' || text[size_bytes - 1] != '"')
		return false;
	/* etagc: no quote, no blank, no control byte. It goes back to the
	 * server in If-Match, so nothing here may act as syntax there. */
	for (size_t i = 1; i < size_bytes - 1; i++) {
		if (text[i] == '"' || text[i] == ' ' || text[i] == '\t' ||
		    is_control(text[i]))
			return false;
	}
	memcpy(out, text, size_bytes);
	out[size_bytes] = '\0';
	return true;
}

void header_media_type(
    char out[HEADER_MEDIA_TYPE_BYTES], const char *text, size_t size_bytes)
{
	size_t at = 0;
	unsigned slashes = 0;

	out[0] = '\0';
	for (; at < size_bytes && text[at] != ';' && !is_blank(text[at]);
	     at++) {
		if (at + 1 == HEADER_MEDIA_TYPE_BYTES)
			return;
		if (text[at] == '/')
			slashes++;
		else if (!is_tchar(text[at]))
			return;
	}
	if (slashes != 1 || text[0] == '/' || text[at - 1] == '/')
		return;
	for (size_t i = 0; i < at; i++) {
		char c = text[i];

		out[i] = (char)(c >= 'A' && c <= 'Z' ? c - 'A' + 'a' : c);
	}
	out[at] = '\0';
}

bool header_encoding_is_identity(const char *text, size_t size_bytes)
{
	return size_bytes == 0 ||
	    (size_bytes == 8 && strncasecmp(text, "identity", 8) == 0);
}
