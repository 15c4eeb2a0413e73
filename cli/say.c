/* SPDX-License-Identifier: Apache-2.0 */
/* cli/say.c - see say.h. */
#include "cli/say.h"

#include "base/io.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

enum { SAY_BYTES = 2048 };

PRINTF_LIKE(1, 0)
static void write_line(const char *format, va_list args)
{
	char text[SAY_BYTES];
	char line[4 * SAY_BYTES + 32];
	size_t used;

	(void)vsnprintf(text, sizeof(text), format, args);
	used = (size_t)snprintf(line, sizeof(line), "bearerfs: ");
	for (const char *p = text; *p != '\0'; p++) {
		unsigned char c = (unsigned char)*p;

		if (c >= 0x20 && c != 0x7f) {
			line[used++] = *p;
		} else {
			(void)snprintf(line + used, 5, "\\x%02x", c);
			used += 4;
		}
	}
	line[used++] = '\n';
	/* There is nowhere to say that stderr cannot be written. */
	(void)io_write_all(STDERR_FILENO, line, used);
}

void say(const char *format, ...)
{
	va_list args;

	va_start(args, format);
	write_line(format, args);
	va_end(args);
}

int say_exit(int status, const char *format, ...)
{
	va_list args;

	va_start(args, format);
	write_line(format, args);
	va_end(args);
	return status;
}

int say_out(const char *text)
{
	return io_write_all(STDOUT_FILENO, text, strlen(text));
}
