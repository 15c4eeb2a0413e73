/* SPDX-License-Identifier: Apache-2.0 */
/*
 * base/secret.h - text that cannot be printed, compared or dumped by
 * accident.
 *
 * A struct secret is no `const char *`: printf("%s", secret) and strcmp() on
 * it do not compile. The one way to its bytes is secret_reveal(), which is
 * searched for in review. The bytes are wiped before they are freed.
 *
 * Threads: immutable once made; references may be dropped on any thread.
 */
#ifndef BASE_SECRET_H
#define BASE_SECRET_H

#include "base/attr.h"

#include <stdbool.h>
#include <stddef.h>

struct secret;

/** A copy of `size_bytes` bytes of text (a NUL is put behind it), with one
 *  reference. NULL when out of memory. The caller wipes its own copy. */
struct secret *secret_new(const char *text, size_t size_bytes);

/** Another reference; returns `secret`. */
struct secret *secret_get(struct secret *secret);

/** Drop a reference; the last one wipes the bytes. NULL is allowed. */
void secret_put(struct secret *secret);
DEFINE_FREEP(secret, secret_put)

/** The text, NUL-terminated, borrowed as long as the reference is held. */
const char *secret_reveal(const struct secret *secret);

/** Bytes of the text, without the NUL. */
size_t secret_size_bytes(const struct secret *secret);

/** Whether both texts are the same, in time that depends on lengths only. */
bool secret_equal(const struct secret *a, const struct secret *b);

/** Overwrite bytes in a way that no compiler removes. */
void secret_wipe(void *bytes, size_t size_bytes);

#endif
