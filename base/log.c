/* SPDX-License-Identifier: Apache-2.0 */
/* base/log.c - see log.h. One mutex orders the lines; a line is one write. */
#include "base/log.h"

#include "base/clock.h"
#include "base/io.h"
#include "base/utf8.h"

#include <assert.h>
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <syslog.h>
#include <unistd.h>

static pthread_mutex_t mutex = PTHREAD_MUTEX_INITIALIZER;
static enum log_sink sink_now = LOG_TO_STDERR;
static int file = -1;
static atomic_int level_now = LOG_LEVEL_INFO;

/* Warnings and errors for `status`, a ring; next = total ever written. */
static char recent[LOG_RECENT_COUNT][LOG_LINE_BYTES];
static uint64_t recent_next;

static const char *const level_words[] = {"error", "warn", "info", "debug"};
static const char *const part_words[] = {
    "cli", "fs", "cache", "fetch", "tokens"};

int log_start(
    enum log_sink sink, enum log_level level, const char *path, struct err *err)
{
	int fd = -1;

	if (sink == LOG_TO_FILE) {
		fd = open(path,
		    O_WRONLY | O_APPEND | O_CREAT | O_CLOEXEC | O_NOFOLLOW,
		    0600);
		if (fd < 0)
			return err_set(err, -errno, "log file '%s': %s", path,
			    err_message(errno));
	}
	if (sink == LOG_TO_SYSLOG)
		openlog("bearerfs", LOG_PID | LOG_NDELAY, LOG_DAEMON);
	(void)pthread_mutex_lock(&mutex);
	if (file >= 0)
		(void)close(file);
	file = fd;
	sink_now = sink;
	(void)pthread_mutex_unlock(&mutex);
	atomic_store(&level_now, (int)level);
	return 0;
}

int log_enabled(enum log_level level)
{
	return (int)level <= atomic_load(&level_now);
}

int log_level_parse(const char *word, enum log_level *out)
{
	for (size_t i = 0; i < ARRAY_COUNT(level_words); i++) {
		if (strcmp(word, level_words[i]) == 0) {
			*out = (enum log_level)i;
			return 0;
		}
	}
	return -EINVAL;
}

static void emit(enum log_level level, const char *line, size_t size_bytes)
{
	static const int priorities[] = {
	    LOG_ERR, LOG_WARNING, LOG_INFO, LOG_DEBUG};

	(void)pthread_mutex_lock(&mutex);
	if (level <= LOG_LEVEL_WARN) {
		char *slot = recent[recent_next++ % LOG_RECENT_COUNT];

		(void)snprintf(
		    slot, LOG_LINE_BYTES, "%.*s", (int)(size_bytes - 1), line);
	}
	/* Where lines cannot be written there is nowhere to complain. */
	switch (sink_now) {
	case LOG_TO_SYSLOG:
		syslog(priorities[level], "%.*s", (int)(size_bytes - 1), line);
		break;
	case LOG_TO_FILE:
		(void)io_write_all(file, line, size_bytes);
		break;
	case LOG_TO_STDERR:
	default:
		(void)io_write_all(STDERR_FILENO, line, size_bytes);
		break;
	}
	(void)pthread_mutex_unlock(&mutex);
}

PRINTF_LIKE(5, 0)
static void write_line(enum log_level level, enum log_part part,
    const char *msg, uint64_t dropped, const char *format, va_list args)
{
	char line[LOG_LINE_BYTES];
	char stamp[CLOCK_STAMP_BYTES];
	size_t room = sizeof(line) - 1; /* the newline */
	size_t used;
	int n;

	clock_stamp(stamp, clock_wall_s(clock_system()));
	n = snprintf(line, room, "%s level=%s part=%s msg=\"%s\" ", stamp,
	    level_words[level], part_words[part], msg);
	used = n < 0 ? 0 : (size_t)n;
	if (used < room) {
		n = vsnprintf(line + used, room - used, format, args);
		used += n < 0 ? 0 : (size_t)n;
	}
	if (dropped > 0 && used < room) {
		n = snprintf(line + used, room - used, " dropped=%llu",
		    (unsigned long long)dropped);
		used += n < 0 ? 0 : (size_t)n;
	}
	if (used >= room)
		used = room - 1;
	line[used++] = '\n';
	emit(level, line, used);
}

void log_line(enum log_level level, enum log_part part, const char *msg,
    const char *format, ...)
{
	va_list args;

	if (!log_enabled(level))
		return;
	va_start(args, format);
	write_line(level, part, msg, 0, format, args);
	va_end(args);
}

void log_limited(struct log_limit *limit, uint64_t interval_ms,
    enum log_level level, enum log_part part, const char *msg,
    const char *format, ...)
{
	uint64_t now_ms = clock_now_ms(clock_system());
	uint64_t dropped;
	bool due;
	va_list args;

	if (!log_enabled(level))
		return;
	(void)pthread_mutex_lock(&mutex);
	due = limit->last_ms == 0 || now_ms - limit->last_ms >= interval_ms;
	dropped = limit->dropped;
	limit->dropped = due ? 0 : dropped + 1;
	if (due)
		limit->last_ms = now_ms;
	(void)pthread_mutex_unlock(&mutex);
	if (!due)
		return;
	va_start(args, format);
	write_line(level, part, msg, dropped, format, args);
	va_end(args);
}

void log_recent(void (*each)(void *arg, const char *line), void *arg)
{
	(void)pthread_mutex_lock(&mutex);
	uint64_t first =
	    recent_next > LOG_RECENT_COUNT ? recent_next - LOG_RECENT_COUNT : 0;

	for (uint64_t i = first; i < recent_next; i++)
		each(arg, recent[i % LOG_RECENT_COUNT]);
	(void)pthread_mutex_unlock(&mutex);
}

const char *log_text(char out[LOG_TEXT_BYTES], const char *text)
{
	const unsigned char *p = (const unsigned char *)(text ? text : "");
	size_t used = 0;

	out[used++] = '"';
	while (*p != '\0') {
		size_t n = utf8_size_bytes(p);
		/* C1 controls (U+0080-U+009F) steer terminals as well. */
		bool plain = n > 0 && *p >= 0x20 && *p != 0x7f && *p != '"' &&
		    *p != '\\' && !(*p == 0xc2 && p[1] < 0xa0);

		/* Room for this, "...", the quote and the NUL. */
		if (used + 4 + 5 > LOG_TEXT_BYTES) {
			memcpy(out + used, "...", 3);
			used += 3;
			break;
		}
		if (plain) {
			memcpy(out + used, p, n);
			used += n;
			p += n;
		} else {
			(void)snprintf(out + used, 5, "\\x%02x", *p++);
			used += 4;
		}
	}
	out[used++] = '"';
	out[used] = '\0';
	return out;
}
