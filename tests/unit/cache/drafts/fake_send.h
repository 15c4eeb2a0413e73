/* SPDX-License-Identifier: Apache-2.0 */
/*
 * tests/unit/cache/drafts/fake_send.h - the sender's half of
 * cache/drafts/impl.h, to the server of fake_cache.h: one draft after the
 * other, when the test lets it.
 */
#ifndef TESTS_UNIT_CACHE_DRAFTS_FAKE_SEND_H
#define TESTS_UNIT_CACHE_DRAFTS_FAKE_SEND_H

#include <stdbool.h>

void fake_send_reset(void);

/** What is being sent stays on its way, until it is let go. */
void fake_send_hold(bool hold);

/** From the next hold on: all of it was read before, so it does not give way. */
void fake_send_late(bool late);

/** What the server says to what comes; 0: it takes it. */
void fake_send_code(int code);

/** So many are on their way (held), were taken, ended for a change, failed. */
unsigned fake_send_held(void);
unsigned fake_sent(void);
unsigned fake_gave_way(void);
unsigned fake_failed(void);

#endif
