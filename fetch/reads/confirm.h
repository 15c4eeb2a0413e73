/* SPDX-License-Identifier: Apache-2.0 */
/*
 * fetch/reads/confirm.h - is a file still the version that was asked for?
 *
 * For servers that give no validator with the bytes: size and time are asked
 * for again after the last byte of a range, and whenever an answer looks as
 * if the file had changed. Ranges of one path that have ended share a
 * question, but only one that was sent after their last byte.
 *
 * Threads: the fetch thread.
 */
#ifndef FETCH_READS_CONFIRM_H
#define FETCH_READS_CONFIRM_H

#include "base/sync.h"

struct call;
struct fetch_stat;

/** The call (a range) waits for the answer; range_confirmed() gets it. */
void confirm_ask(struct call *call) REQUIRES(fetch_thread);

/** The call no longer waits. */
void confirm_forget(struct call *call) REQUIRES(fetch_thread);

/** range.c: what the origin said: 0 and attributes, or an errno and why
 *  stands in call->err. */
void range_confirmed(struct call *call, int code, const struct fetch_stat *stat)
    REQUIRES(fetch_thread);

#endif
