/* SPDX-License-Identifier: Apache-2.0 */
/*
 * base/err.h - a failure told to a person: a negative errno and one sentence.
 *
 * No allocation, so that running out of memory can be told as well. The text
 * reads from the outside in: `mount '/data': cache '/var/x': no space left`.
 * It never holds a byte of a token.
 *
 * Threads: a struct err belongs to one thread at a time.
 */
#ifndef BASE_ERR_H
#define BASE_ERR_H

#include "base/attr.h"

#include <stddef.h>

enum { ERR_TEXT_BYTES = 512 };

struct err {
	int code; /* 0, or a negative errno */
	char text[ERR_TEXT_BYTES];
};

#define ERR_INIT          \
	{                 \
		.code = 0 \
	}

/**
 * Fill `err` with a code and a sentence.
 *
 * @param err   never NULL; overwritten.
 * @param code  negative errno.
 * @return      `code`, so that `return err_set(...)` reads well.
 */
int err_set(struct err *err, int code, const char *format, ...)
    PRINTF_LIKE(3, 4);

/** Put "context: " in front of the text that stands in `err`.
 *  @return err->code */
int err_wrap(struct err *err, const char *format, ...) PRINTF_LIKE(2, 3);

/** The name of an errno, such as "ENOENT", for log lines; takes either sign.
 *  "0" for 0, "E?" for a number that has no name. */
const char *err_name(int code);

/** The message of an errno ("No such file or directory"), thread safe,
 *  takes either sign. */
const char *err_message(int code);

#endif
