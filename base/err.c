/* SPDX-License-Identifier: Apache-2.0 */
/* base/err.c - see err.h. */
#include "base/err.h"

#include <assert.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

int err_set(struct err *err, int code, const char *format, ...)
{
	va_list args;

	assert(err != NULL);
	assert(code < 0);
	err->code = code;
	va_start(args, format);
	(void)vsnprintf(err->text, sizeof(err->text), format, args);
	va_end(args);
	return code;
}

int err_wrap(struct err *err, const char *format, ...)
{
	char inner[ERR_TEXT_BYTES];
	va_list args;
	int used;

	assert(err != NULL);
	memcpy(inner, err->text, sizeof(inner));
	va_start(args, format);
	used = vsnprintf(err->text, sizeof(err->text), format, args);
	va_end(args);
	/* Two steps that cut at the end by design; strlcat comes with glibc
	 * 2.38 only. */
	if (used >= 0 && (size_t)used + 2 < sizeof(err->text)) {
		size_t room = sizeof(err->text) - (size_t)used - 3;

		inner[room < sizeof(inner) ? room : sizeof(inner) - 1] = '\0';
		err->text[used] = ':';
		err->text[used + 1] = ' ';
		memcpy(err->text + used + 2, inner, strlen(inner) + 1);
	}
	return err->code;
}

const char *err_name(int code)
{
	const char *name = strerrorname_np(abs(code));

	return name != NULL ? name : "E?";
}

const char *err_message(int code)
{
	const char *text = strerrordesc_np(abs(code));

	return text != NULL ? text : "unknown error";
}
