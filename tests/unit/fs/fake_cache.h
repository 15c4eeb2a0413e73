/* SPDX-License-Identifier: Apache-2.0 */
/*
 * tests/unit/fs/fake_cache.h - cache/cache.h without servers or disk: a table
 * of paths, and calls that can be held back and answered later, on whatever
 * thread the test chooses.
 *
 * A file's byte at offset o is fake_byte(version, o).
 *
 * Threads: every function may be called from any thread.
 */
#ifndef TESTS_FAKE_CACHE_H
#define TESTS_FAKE_CACHE_H

#include "cache/cache.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct cache *fake_new(const struct clock *clock);

/** Assert that every file and listing was closed; free. */
void fake_free(struct cache *cache);

/** Put a file (or, with size -1, a directory) at `path`, or replace it; it is
 *  believed for `fresh_ms`. */
void fake_put(struct cache *cache, const char *path, int64_t size_bytes,
    uint64_t version, uint64_t fresh_ms);

/** The same, and it goes on from version `was`. */
void fake_put_was(struct cache *cache, const char *path, int64_t size_bytes,
    uint64_t version, uint64_t was);

/** What the table says of a path, asked by no mount. */
int fake_look(struct cache *cache, const char *path, struct cache_attr *attr);

/** A listing with one more entry, or another one in its place; the old one is
 *  put. */
struct cache_listing *fake_listing_with(struct cache_listing *listing,
    const char *name, const struct cache_attr *attr);

/** It is a directory above the reach of whoever asks. */
void fake_make_up(struct cache *cache, const char *path);

/** Only its kind is known to listings. */
void fake_hide_attr(struct cache *cache, const char *path);

void fake_remove(struct cache *cache, const char *path);

/** Absent paths are believed absent for so long. */
void fake_negative_ms(struct cache *cache, uint64_t fresh_ms);

/** Answer every question about `path` with a negative errno (0: no more). */
void fake_fail(struct cache *cache, const char *path, int code);

/** Keep calls from now on until they are answered by hand; off: answer at
 *  once. */
void fake_hold(struct cache *cache, bool hold);

/** Wait until `count` calls are held. */
void fake_await_held(struct cache *cache, size_t count);

size_t fake_held(struct cache *cache);

/** Answer the oldest (or the newest) held call on this thread: as the table
 *  says, or with `code` when that is negative. */
void fake_answer_oldest(struct cache *cache, int code);
void fake_answer_newest(struct cache *cache, int code);

/** Calls of all kinds so far. */
size_t fake_calls(struct cache *cache);

size_t fake_open_files(struct cache *cache);
size_t fake_open_listings(struct cache *cache);

/** Zeroed memory for the tests' own side; aborts when there is none. While it
 *  allocates, `fake_allocates` is set, so that a test that makes allocations
 *  fail can spare it. */
void *fake_memory(size_t size_bytes);
extern _Thread_local volatile bool fake_allocates;

unsigned char fake_byte(uint64_t version, uint64_t offset_bytes);

#endif
