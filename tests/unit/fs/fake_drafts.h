/* SPDX-License-Identifier: Apache-2.0 */
/*
 * tests/unit/fs/fake_drafts.h - cache/drafts/drafts.h without a spool or a
 * server: bytes in memory over a fake cache, and calls that can be held back
 * and answered later, on whatever thread the test chooses.
 *
 * What is flushed, or done with, is sent at once: the fake cache has a new
 * version of it then, that goes on from the draft.
 *
 * Threads: every function may be called from any thread.
 */
#ifndef TESTS_FAKE_DRAFTS_H
#define TESTS_FAKE_DRAFTS_H

#include "cache/drafts/drafts.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum { FAKE_DRAFT_BYTES_MAX = 4 * 1024 * 1024 };

struct drafts *fake_drafts_new(
    const struct clock *clock, struct cache *cache, bool shared);

/** Assert that nothing is held, open or referred to; free. */
void fake_drafts_free(struct drafts *drafts);

/** Keep calls from now on until they are answered by hand. */
void fake_drafts_hold(struct drafts *drafts, bool hold);
void fake_drafts_await_held(struct drafts *drafts, size_t count);

/** Do and answer the oldest held call on this thread; with a negative `code`
 *  it is not done and answered with that. */
void fake_drafts_answer(struct drafts *drafts, int code);

/** The next call is not done and answered with `code`. */
void fake_drafts_fail_next(struct drafts *drafts, int code);

/** Nothing is sent from now on. */
void fake_drafts_keep(struct drafts *drafts, bool keep);

/** Send the draft of a path. */
void fake_drafts_send(struct drafts *drafts, const char *path);

/** A conflict: the draft has its path no more. */
void fake_drafts_part(struct drafts *drafts, const char *path);

/** An unsent one, as an earlier mount left it: `size_bytes` of 'a'. */
void fake_drafts_adopt(
    struct drafts *drafts, const char *path, size_t size_bytes);

/** How many there are, are open for writing, and were ever sent. */
size_t fake_drafts_alive(struct drafts *drafts);
size_t fake_drafts_open(struct drafts *drafts);
size_t fake_drafts_sent(struct drafts *drafts);
size_t fake_drafts_calls(struct drafts *drafts);

#endif
