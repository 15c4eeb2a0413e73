/* SPDX-License-Identifier: Apache-2.0 */
/*
 * tokens/claims/base64.h - base64url as tokens use it, strictly.
 *
 * No padding, no white space, no other alphabet, no left-over bits: one text
 * for one sequence of bytes, so that nothing can hide in a second spelling.
 *
 * Threads: every function may be called from any thread.
 * Source: RFC 7515, section 2 (base64url without padding); RFC 4648,
 * sections 3.5 and 5.
 */
#ifndef TOKENS_BASE64_H
#define TOKENS_BASE64_H

#include "base/attr.h"

#include <stddef.h>
#include <sys/types.h>

/** Room that `size_bytes` of text may need, with a NUL behind. */
size_t token_base64_room_bytes(size_t size_bytes);

/**
 * Decode base64url.
 *
 * @param out  token_base64_room_bytes(size_bytes) bytes; a NUL is put behind.
 * @return     bytes written, without the NUL; -EINVAL when it is not
 *             base64url in the strict sense above.
 */
NODISCARD ssize_t token_base64_decode(
    unsigned char *out, const char *text, size_t size_bytes);

#endif
