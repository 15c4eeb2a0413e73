/* SPDX-License-Identifier: Apache-2.0 */
/*
 * tests/unit/cache/drafts/post.h - a desk (desk.h) whose drafts the real sender
 * sends to fake_publish.h, and what is asked of it in one line.
 */
#ifndef TESTS_UNIT_CACHE_DRAFTS_POST_H
#define TESTS_UNIT_CACHE_DRAFTS_POST_H

#include "cache/drafts/send/send.h"
#include "tests/unit/cache/drafts/desk.h"
#include "tests/unit/cache/drafts/fake_publish.h"

#include <stdint.h>

/** A file with text, created or cut, closed; the code of its flush. */
int post_file(struct desk *desk, const char *path, const char *text);

/** Let time pass, and tick. */
void post_pass(struct desk *desk, uint64_t ms);

/** Ticks, as they go on in a mount, until it has come: what they look for may be
 *  noted a moment later. @return what was answered */
int post_ticks(struct desk *desk, struct reply *reply);

/** Until fake_deletes(), fake_published(), ... gives so many, or more. */
void post_until(unsigned (*count)(void), unsigned least);

/** What drafts_count() says. */
void post_expect_unsent(
    struct desk *desk, uint64_t files, uint64_t bytes, uint64_t failed);
uint64_t post_conflicts(struct desk *desk);

/** What the spool has of a path of the server's; state 0: nothing. */
void post_expect_item(
    struct desk *desk, const char *path, enum spool_state state, int code);

/** drafts_describe() has that in it. */
void post_describes(struct desk *desk, const char *text);

#endif
