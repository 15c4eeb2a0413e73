/* SPDX-License-Identifier: Apache-2.0 */
/*
 * base/clock.h - monotonic time for durations, wall time for `exp` and
 * `Date`, and jitter; a hand-driven clock for tests that must not sleep.
 *
 * Threads: every function may be called from any thread.
 */
#ifndef BASE_CLOCK_H
#define BASE_CLOCK_H

#include <stdatomic.h>
#include <stdint.h>

/** A source of time. Tests set the values by hand; the system's clock
 *  ignores them. */
struct clock {
	int hand_driven; /* 0: ask the system */
	_Atomic uint64_t monotonic_ms;
	_Atomic uint64_t wall_s;
	_Atomic uint64_t slept_ms;
};

/** The system's clocks. Never freed. */
const struct clock *clock_system(void);

/** Monotonic milliseconds (CLOCK_MONOTONIC; stands still in suspend). */
uint64_t clock_now_ms(const struct clock *clock);

/** Milliseconds that the machine has slept (suspend) since it was started:
 *  what CLOCK_BOOTTIME is ahead of the monotonic one, within a few. */
uint64_t clock_slept_ms(const struct clock *clock);

/** Seconds since 1970-01-01T00:00:00Z. */
uint64_t clock_wall_s(const struct clock *clock);

/** A number in [0, range), from getrandom(2): spreads retries and renewals
 *  of many clients, and names files. 0 when range is 0. */
uint64_t clock_jitter(uint64_t range);

/** Fill `out` with random bytes from getrandom(2). */
void clock_random(void *out, unsigned long size_bytes);

enum { CLOCK_STAMP_BYTES = 24 };

/** "2026-11-29T01:02:03Z" (RFC 3339) of seconds since 1970. */
void clock_stamp(char out[CLOCK_STAMP_BYTES], uint64_t wall_s);

#endif
