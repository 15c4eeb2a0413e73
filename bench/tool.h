/* SPDX-License-Identifier: Apache-2.0 */
/*
 * bench/tool.h - what the bench's programs share: time, options of the form
 * name=value, and a way to end.
 */
#ifndef BENCH_TOOL_H
#define BENCH_TOOL_H

#include <errno.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

__attribute__((format(printf, 1, 2), noreturn)) static inline void die(
    const char *format, ...)
{
	va_list args;

	va_start(args, format);
	(void)vfprintf(stderr, format, args);
	va_end(args);
	(void)fputc('\n', stderr);
	exit(1);
}

static inline double now_s(void)
{
	struct timespec now;

	(void)clock_gettime(CLOCK_MONOTONIC, &now);
	return (double)now.tv_sec + (double)now.tv_nsec / 1e9;
}

/* The value of `name=` among the arguments, or `fallback`. */
static inline const char *option(
    int argc, char **argv, const char *name, const char *fallback)
{
	size_t size_bytes = strlen(name);

	for (int i = 1; i < argc; i++) {
		if (strncmp(argv[i], name, size_bytes) == 0 &&
		    argv[i][size_bytes] == '=')
			return argv[i] + size_bytes + 1;
	}
	return fallback;
}

static inline uint64_t number(
    int argc, char **argv, const char *name, uint64_t fallback)
{
	const char *text = option(argc, argv, name, NULL);
	char *end = NULL;
	unsigned long long value;

	if (text == NULL)
		return fallback;
	errno = 0;
	value = strtoull(text, &end, 10);
	if (errno != 0 || end == text || *end != '\0')
		die("%s=%s: not a number", name, text);
	return value;
}

#endif
