/* SPDX-License-Identifier: Apache-2.0 */
/*
 * base/utf8.h - UTF-8 (RFC 3629): is a sequence well-formed, how is a code
 * point written. Threads: any.
 */
#ifndef BASE_UTF8_H
#define BASE_UTF8_H

#include "base/attr.h"

#include <stddef.h>
#include <stdint.h>

enum { UTF8_BYTES_MAX = 4 };

/** Bytes of the well-formed sequence that NUL-terminated `text` begins with
 *  (RFC 3629, section 4); 0 when there is none. */
NODISCARD size_t utf8_size_bytes(const unsigned char *text);

/** Write a code point; 0 for U+0000, surrogates and what Unicode has not.
 *  @return bytes written */
NODISCARD size_t utf8_put(char out[UTF8_BYTES_MAX], uint32_t point);

#endif
