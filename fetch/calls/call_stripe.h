/* SPDX-License-Identifier: Apache-2.0 */
/*
 * fetch/calls/call_stripe.h - long ranges over several caches: stripe.h says
 * whether, call_stripe.c which range where.
 *
 * Threads: the fetch thread.
 */
#ifndef FETCH_CALLS_CALL_STRIPE_H
#define FETCH_CALLS_CALL_STRIPE_H

#include "base/sync.h"
#include "fetch/calls/call.h"
#include "fetch/servers/choice.h"

#include <stdint.h>

/** Where of several servers a long range is asked; `rank` for others. */
unsigned call_stripe(const struct call *call, struct choice *const of[],
    unsigned rank) REQUIRES(fetch_thread);

/** Learn from what has come; each tick. */
void call_stripe_tick(struct fetch *fetch) REQUIRES(fetch_thread);

/** Bytes of a body have come. */
void call_stripe_note(const struct call *call, uint64_t bytes)
    REQUIRES(fetch_thread);

#endif
