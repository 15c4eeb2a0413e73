/* SPDX-License-Identifier: Apache-2.0 */
/*
 * fetch/utf8.h - a code point as UTF-8 (RFC 3629). Threads: any.
 */
#ifndef FETCH_UTF8_H
#define FETCH_UTF8_H

#include "base/attr.h"

#include <stddef.h>
#include <stdint.h>

enum { UTF8_BYTES_MAX = 4 };

/** Write a code point; 0 for U+0000, surrogates and what Unicode has not.
 *  @return bytes written */
NODISCARD size_t utf8_put(char out[UTF8_BYTES_MAX], uint32_t point);

#endif
