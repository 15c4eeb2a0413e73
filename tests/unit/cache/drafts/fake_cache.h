/* SPDX-License-Identifier: Apache-2.0 */
/*
 * tests/unit/cache/drafts/fake_cache.h - a server of files in memory, and the
 * cache's interface (cache.h, note.h) to it. It stands before the real library
 * in link order.
 *
 * Threads: every function may be called from any thread.
 */
#ifndef TESTS_UNIT_CACHE_DRAFTS_FAKE_CACHE_H
#define TESTS_UNIT_CACHE_DRAFTS_FAKE_CACHE_H

#include "fetch/fetch.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum { FAKE_FILES = 64 };

/** The calls of this thread are a fake's, and are not to fail in place of
 *  those that are looked at. Volatile: gcc knows that malloc(3) does not look at
 *  it. */
extern _Thread_local volatile unsigned fake_at_work;

/** Forget all; answers come before the question returns. */
void fake_cache_reset(void);

/** Answers come later from now on, on a thread of their own. fake_cache_end()
 *  ends it. */
void fake_cache_later(void);
void fake_cache_end(void);

/** Put a file there, a new version of it; the version. */
struct fetch_version fake_put(
    const char *path, const void *bytes, size_t size_bytes);
void fake_remove(const char *path);

/** A copy of its bytes, malloc'ed; NULL: there is none. */
uint8_t *fake_get(
    const char *path, size_t *size_bytes, struct fetch_version *version);

/** No token may look at anything; or see names, and no bytes. */
void fake_look_code(int code);
void fake_open_code(int code);

/** The next times that it is asked for one the cache does not know a version of
 *  what it told. */
void fake_forgets(unsigned times);

/** What it was told. */
unsigned fake_lookups(void);
unsigned fake_opens(void);
unsigned fake_reads(void);
unsigned fake_kept(void); /* of the right bytes */
unsigned fake_open_files(void);

#endif
