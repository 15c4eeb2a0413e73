/* SPDX-License-Identifier: Apache-2.0 */
/* base/buf.c - see buf.h. */
#include "base/buf.h"

#include "base/utf8.h"

#include <errno.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { BUF_FIRST_BYTES = 64 };

void buf_init(struct buf *buf, size_t limit_bytes)
{
	*buf = (struct buf){.limit_bytes = limit_bytes};
}

void buf_fini(struct buf *buf)
{
	free(buf->bytes);
	*buf = (struct buf){.limit_bytes = buf->limit_bytes};
}

void buf_clear(struct buf *buf)
{
	buf->size_bytes = 0;
	buf->code = 0;
	if (buf->bytes != NULL)
		buf->bytes[0] = '\0';
}

static int fail(struct buf *buf, int code)
{
	if (buf->code == 0)
		buf->code = code;
	return code;
}

/* Make room for `more` bytes and the NUL. */
static int reserve(struct buf *buf, size_t more)
{
	size_t want;
	size_t room = buf->room_bytes > 0 ? buf->room_bytes : BUF_FIRST_BYTES;
	char *bytes;

	if (__builtin_add_overflow(buf->size_bytes, more, &want) ||
	    want > buf->limit_bytes || want == SIZE_MAX)
		return fail(buf, -EMSGSIZE);
	if (want + 1 <= buf->room_bytes)
		return 0;
	while (room < want + 1) {
		if (__builtin_mul_overflow(room, 2, &room))
			room = want + 1;
	}
	bytes = realloc(buf->bytes, room);
	if (bytes == NULL)
		return fail(buf, -ENOMEM);
	buf->bytes = bytes;
	buf->room_bytes = room;
	return 0;
}

int buf_append(struct buf *buf, const void *bytes, size_t size_bytes)
{
	int code = reserve(buf, size_bytes);

	if (code < 0)
		return code;
	if (size_bytes > 0)
		memcpy(buf->bytes + buf->size_bytes, bytes, size_bytes);
	buf->size_bytes += size_bytes;
	buf->bytes[buf->size_bytes] = '\0';
	return 0;
}

int buf_printf(struct buf *buf, const char *format, ...)
{
	va_list args;
	va_list again;
	int size;
	int code;

	va_start(args, format);
	va_copy(again, args);
	size = vsnprintf(NULL, 0, format, args);
	va_end(args);
	code = size < 0 ? fail(buf, -EMSGSIZE) : reserve(buf, (size_t)size);
	if (code == 0) {
		(void)vsnprintf(buf->bytes + buf->size_bytes, (size_t)size + 1,
		    format, again);
		buf->size_bytes += (size_t)size;
	}
	va_end(again);
	return code;
}

int buf_json(struct buf *buf, const char *text)
{
	const unsigned char *p = (const unsigned char *)text;

	if (text == NULL)
		return buf_append(buf, "null", 4);
	(void)buf_append(buf, "\"", 1);
	while (*p != '\0') {
		size_t n = utf8_size_bytes(p);

		if (n == 0) {
			(void)buf_append(buf, "\xef\xbf\xbd", 3);
			p++;
		} else if (*p == '"' || *p == '\\') {
			(void)buf_printf(buf, "\\%c", *p++);
		} else if (*p < 0x20) {
			(void)buf_printf(buf, "\\u%04x", *p++);
		} else {
			(void)buf_append(buf, p, n);
			p += n;
		}
	}
	(void)buf_append(buf, "\"", 1);
	return buf->code;
}

int buf_visible(struct buf *buf, const char *text)
{
	const unsigned char *p = (const unsigned char *)text;

	while (*p != '\0') {
		size_t n = utf8_size_bytes(p);
		/* U+0080 to U+009F are control characters too. */
		bool plain = n > 0 && *p >= 0x20 && *p != 0x7f &&
		    !(*p == 0xc2 && p[1] < 0xa0);

		(void)buf_append(
		    buf, plain ? (const char *)p : "?", plain ? n : 1);
		p += n > 0 ? n : 1;
	}
	return buf->code;
}

const char *buf_text(const struct buf *buf)
{
	return buf->bytes != NULL ? buf->bytes : "";
}

int buf_copy_text(const struct buf *buf, char **out)
{
	*out = buf->code == 0 ? strdup(buf_text(buf)) : NULL;
	if (*out == NULL)
		return buf->code != 0 ? buf->code : -ENOMEM;
	return 0;
}

int buf_code(const struct buf *buf)
{
	return buf->code;
}
