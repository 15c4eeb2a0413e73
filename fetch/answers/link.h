/* SPDX-License-Identifier: Apache-2.0 */
/*
 * fetch/answers/link.h - where a path in a listing lies, seen from the directory
 * that was listed. Shared by PROPFIND answers and index pages.
 *
 * Threads: every function may be called from any thread.
 */
#ifndef FETCH_ANSWERS_LINK_H
#define FETCH_ANSWERS_LINK_H

#include "base/attr.h"
#include "base/path.h"

#include <stdbool.h>
#include <stddef.h>

enum link_where {
	LINK_SELF,      /* the directory itself */
	LINK_CHILD,     /* in it; its name has passed path_name_ok() */
	LINK_ELSEWHERE, /* anywhere else, or no path that we take */
};

/**
 * Compare part by part, each decoded alone, so that an encoded slash never
 * separates. Empty parts are passed over (XRootD writes "/exp//name").
 *
 * @param request_path  normal (base/path.h).
 * @param path          as the server wrote it, relative to the root.
 * @param unescaped     it is not percent-encoded.
 * @param name          for LINK_CHILD the decoded name.
 */
NODISCARD enum link_where link_locate(const char *request_path,
    const char *path, size_t size_bytes, bool unescaped,
    char name[PATH_NAME_BYTES_MAX + 1]);

#endif
