/* SPDX-License-Identifier: Apache-2.0 */
/*
 * base/log.h - one line per event, `key=value`, nothing forgeable.
 *
 * The message is constant (scripts look for it); what comes from outside
 * (names, hosts, server texts) goes through LOG_TEXT, which quotes and
 * escapes it, so that no file name can forge a second line. A token never
 * gets here: struct secret cannot be printed.
 *
 * Levels: error = a person must act; warn = something was lost or slow and
 * we coped; info = state changes, few; debug = per request.
 *
 * Threads: every function may be called from any thread.
 */
#ifndef BASE_LOG_H
#define BASE_LOG_H

#include "base/attr.h"
#include "base/err.h"

#include <stddef.h>
#include <stdint.h>

enum log_level {
	LOG_LEVEL_ERROR,
	LOG_LEVEL_WARN,
	LOG_LEVEL_INFO,
	LOG_LEVEL_DEBUG
};

/* Which folder speaks. */
enum log_part { LOG_CLI, LOG_FS, LOG_CACHE, LOG_FETCH, LOG_TOKENS };

enum {
	LOG_TEXT_BYTES = 512,  /* an escaped text, its quotes included */
	LOG_LINE_BYTES = 2048, /* a whole line; longer ones are cut */
	LOG_RECENT_COUNT = 64, /* warnings and errors kept for `status` */
};

/** Where lines go. */
enum log_sink { LOG_TO_STDERR, LOG_TO_SYSLOG, LOG_TO_FILE };

/**
 * Choose where lines go and how many of them. May be called again (the
 * daemon moves from the terminal to its sink when it detaches).
 *
 * @param path  for LOG_TO_FILE: opened for appending, mode 0600; else NULL.
 * @retval 0        done.
 * @retval -errno   of open(2); nothing was changed.
 */
NODISCARD int log_start(enum log_sink sink, enum log_level level,
    const char *path, struct err *err);

/** Whether a line of that level would be written. */
int log_enabled(enum log_level level);

/** "error", "warn", "info", "debug" to a level; -EINVAL for another word. */
NODISCARD int log_level_parse(const char *word, enum log_level *out);

/** Write one line: level, part, msg="...", then `format`, which is written
 *  as key=value pairs. */
void log_line(enum log_level level, enum log_part part, const char *msg,
    const char *format, ...) PRINTF_LIKE(4, 5);

/** How often one kind of warning was written; one static instance a kind. */
struct log_limit {
	uint64_t last_ms; /* private to log_limited() */
	uint64_t dropped;
};

/** As log_line(), at most one line each `interval_ms` for one `limit`;
 *  the next line that is written says `dropped=N`. */
void log_limited(struct log_limit *limit, uint64_t interval_ms,
    enum log_level level, enum log_part part, const char *msg,
    const char *format, ...) PRINTF_LIKE(6, 7);

/** Call `each` with the latest warnings and errors, oldest first. The line
 *  is borrowed for the call. `each` must not log. */
void log_recent(void (*each)(void *arg, const char *line), void *arg);

/** Quote and escape a text from outside into `out`; returns `out`. NULL is
 *  written as "". Control bytes, quotes, backslashes and bytes that are not
 *  UTF-8 become \xNN. A long one is cut and ends in "...". */
const char *log_text(char out[LOG_TEXT_BYTES], const char *text);

#define LOG_TEXT(text) log_text((char[LOG_TEXT_BYTES]){0}, (text))

#endif
