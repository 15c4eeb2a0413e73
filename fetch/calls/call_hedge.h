/* SPDX-License-Identifier: Apache-2.0 */
/*
 * fetch/calls/call_hedge.h - a second server is asked for what the first is late
 * with; hedge.h says when, call_hedge.c how.
 *
 * Threads: the fetch thread.
 */
#ifndef FETCH_CALLS_CALL_HEDGE_H
#define FETCH_CALLS_CALL_HEDGE_H

#include "base/attr.h"
#include "base/sync.h"
#include "fetch/calls/call.h"

#include <stdbool.h>

/** It was sent, or somebody has come to wait for it: it may be late. */
void call_watch(const struct call *call) REQUIRES(fetch_thread);

/** Ask others for what is late. */
void call_hedge(struct fetch *fetch) REQUIRES(fetch_thread);

/** Whether it is a second one. */
bool call_is_second(const struct call *call);

/** Exchange what a call and its second have on their way: `call` is either,
 *  and the first has afterwards what the second had asked for. Also from
 *  libcurl's callbacks. */
void call_swap(struct call *call) REQUIRES(fetch_thread);

/** One of the two has answered the first call; the other's answer is not
 *  wanted any more. `second`: the one that was asked later has. */
void call_race_over(struct call *first, bool second) REQUIRES(fetch_thread);

/** Bytes have come for the first call: the second is too late. */
void call_race_off(struct call *first) REQUIRES(fetch_thread);

/** The first call's request is over, in vain: go on with the second's.
 *  @return false: there is none. */
bool call_take_over(struct call *first, enum retry_reason reason)
    REQUIRES(fetch_thread);

/** What follows from the verdict on a second call's own request. */
void call_second_judge(struct call *second, const struct verdict *verdict)
    REQUIRES(fetch_thread);

/** The call is answered: nothing is asked for it any more. */
void call_end_second(struct call *call) REQUIRES(fetch_thread);

#endif
