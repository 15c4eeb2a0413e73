/* SPDX-License-Identifier: Apache-2.0 */
/*
 * cli/say.h - what a person at a terminal is told: one line on stderr,
 * "bearerfs: what, which one: why; do this".
 *
 * Not the log (base/log.h), which programs read. Bytes that could steer a
 * terminal are written as \xNN.
 *
 * Threads: any; a line is one write.
 */
#ifndef CLI_SAY_H
#define CLI_SAY_H

#include "base/attr.h"

/** Write "bearerfs: " and the sentence to stderr. */
void say(const char *format, ...) PRINTF_LIKE(1, 2);

/** As say(), and return `status`, so that `return say_exit(1, ...)` reads
 *  well in a command. */
int say_exit(int status, const char *format, ...) PRINTF_LIKE(2, 3);

/** Write text to stdout, all of it. @retval 0, or -errno (EPIPE). */
NODISCARD int say_out(const char *text);

#endif
