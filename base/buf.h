/* SPDX-License-Identifier: Apache-2.0 */
/*
 * base/buf.h - bytes that grow up to a stated limit; and text, JSON text
 * too, written into them.
 *
 * Always NUL-terminated behind the last byte, so that text can be used as
 * such. An overflow or a failed allocation is remembered: a writer may
 * append a hundred times and look once, with buf_code().
 *
 * Threads: a struct buf belongs to one thread at a time.
 */
#ifndef BASE_BUF_H
#define BASE_BUF_H

#include "base/attr.h"

#include <stddef.h>
#include <stdint.h>

struct buf {
	char *bytes; /* NULL until the first append */
	size_t size_bytes;
	size_t room_bytes;
	size_t limit_bytes;
	int code; /* first failure: -EMSGSIZE, -ENOMEM */
};

/** An empty buffer that will hold at most `limit_bytes`. */
void buf_init(struct buf *buf, size_t limit_bytes);

/** Free the bytes. The buffer may be used again after buf_init(). */
void buf_fini(struct buf *buf);

/** Forget content and failure, keep the room. */
void buf_clear(struct buf *buf);

/**
 * Append bytes, all or none.
 * @retval 0          appended.
 * @retval -EMSGSIZE  would pass the limit; remembered.
 * @retval -ENOMEM    out of memory; remembered.
 */
int buf_append(struct buf *buf, const void *bytes, size_t size_bytes);

/** Append formatted text; results as buf_append(). */
int buf_printf(struct buf *buf, const char *format, ...) PRINTF_LIKE(2, 3);

/** Append `text` as a JSON string (RFC 8259, section 7) with its quotes;
 *  bytes that are not UTF-8 are written as U+FFFD. NULL is written as null.
 */
int buf_json(struct buf *buf, const char *text);

/** Append a text from outside for a terminal: control characters, which might
 *  command it, and bytes that are not UTF-8 become '?'. */
int buf_visible(struct buf *buf, const char *text);

/** The content as text, "" when empty; borrowed until the next append. */
const char *buf_text(const struct buf *buf);

/** A copy of the content as text, to be freed.
 *  @retval 0, the first failure of the buffer, or -ENOMEM */
NODISCARD int buf_copy_text(const struct buf *buf, char **out);

/** 0, or the first failure. */
NODISCARD int buf_code(const struct buf *buf);

#endif
