/* SPDX-License-Identifier: Apache-2.0 */
/*
 * bench/tool.h - what the bench's programs share: time, options of the form
 * name=value, names with numbers, workers, the result, and a way to end.
 */
#ifndef BENCH_TOOL_H
#define BENCH_TOOL_H

#include <errno.h>
#include <pthread.h>
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

enum { WORKERS_MAX = 64, NAME_BYTES = 4096 };

/* A path or URL with one or two numbers in it: `format` is the caller's own
 * argument. */
#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Wformat-nonliteral"
static inline void name_of(
    char out[NAME_BYTES], const char *format, uint64_t first, uint64_t second)
{
	(void)snprintf(out, NAME_BYTES, format, (unsigned long long)first,
	    (unsigned long long)second);
}
#pragma GCC diagnostic pop

/* `count` threads that do `work`, to their end; `word` is their option. */
static inline void run_workers(
    const char *word, uint64_t count, void *(*work)(void *arg), void *arg)
{
	pthread_t threads[WORKERS_MAX];

	if (count == 0 || count > WORKERS_MAX)
		die("%s=1..%d", word, WORKERS_MAX);
	for (uint64_t i = 0; i < count; i++) {
		if (pthread_create(&threads[i], NULL, work, arg) != 0)
			die("cannot make a thread");
	}
	for (uint64_t i = 0; i < count; i++)
		(void)pthread_join(threads[i], NULL);
}

static inline void print_result(double begun, uint64_t bytes, uint64_t ops)
{
	(void)printf("{\"seconds\": %.9f, \"bytes\": %llu, \"ops\": %llu}\n",
	    now_s() - begun, (unsigned long long)bytes,
	    (unsigned long long)ops);
}

#endif
