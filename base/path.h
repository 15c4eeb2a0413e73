/* SPDX-License-Identifier: Apache-2.0 */
/*
 * base/path.h - normalised absolute paths, and how they stand in a URL: the
 * one implementation.
 *
 * A *path* here is absolute, NUL-terminated, in raw bytes (not
 * percent-encoded): "/" or "/a/b", no empty part, no "." or "..", no
 * trailing slash.
 *
 * Threads: every function may be called from any thread.
 * Source: RFC 3986 sections 2.1-2.3 and 3.3.
 */
#ifndef BASE_PATH_H
#define BASE_PATH_H

#include "base/attr.h"
#include "base/buf.h"

#include <stdbool.h>
#include <stddef.h>

enum {
	PATH_BYTES_MAX = 4096, /* PATH_MAX, the NUL included */
	PATH_NAME_BYTES_MAX = 255,
};

/** Whether `path` is a path in the sense above and short enough. */
bool path_is_normal(const char *path);

/** Whether a name from a server may stand in a directory: 1-255 bytes, no
 *  '/', no NUL, neither "." nor "..". `size_bytes` counts without NUL. */
bool path_name_ok(const char *name, size_t size_bytes);

/**
 * Write `parent` + "/" + `name` to `out`.
 * @retval 0              written.
 * @retval -ENAMETOOLONG  does not fit PATH_BYTES_MAX.
 */
NODISCARD int path_join(
    char out[PATH_BYTES_MAX], const char *parent, const char *name);

/** Write the parent of `path` to `out`; that of "/" is "/". */
void path_parent(char out[PATH_BYTES_MAX], const char *path);

/** The last part of `path`, borrowed from it; "" for "/". */
const char *path_name(const char *path);

/** Whether `path` is `prefix` or lies below it, by whole parts. */
bool path_is_within(const char *path, const char *prefix);

/** Append `path` percent-encoded for a URL: everything but unreserved
 *  characters and '/' is encoded, so that no byte can act as syntax. */
int path_encode(struct buf *out, const char *path);

/**
 * Decode %NN. A '%' that is not followed by two hex digits stands for
 * itself (XRootD leaves names unencoded in its hrefs).
 *
 * @param out   at least `size_bytes` + 1 bytes; NUL-terminated.
 * @return      bytes written, without the NUL; -EILSEQ when a NUL byte was
 *              encoded.
 */
NODISCARD int path_decode(char *out, const char *text, size_t size_bytes);

#endif
