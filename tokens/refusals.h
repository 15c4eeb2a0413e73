/* SPDX-License-Identifier: Apache-2.0 */
/*
 * tokens/refusals.h - which refusals the log has been told of, so that each
 * path and errno gets one line and a walk over a forbidden tree does not fill
 * a disk. Pure: the caller writes the line.
 *
 * Threads: the caller's lock.
 */
#ifndef TOKENS_REFUSALS_H
#define TOKENS_REFUSALS_H

#include <stdbool.h>
#include <stdint.h>

enum {
	REFUSALS_KNOWN = 64,               /* told last */
	REFUSALS_AGAIN_MS = 5 * 60 * 1000, /* the same one is told again */
	REFUSALS_BURST = 20,               /* lines in ... */
	REFUSALS_BURST_MS = 10 * 1000,
};

struct refusal_told {
	uint64_t hash; /* of path and errno; 0: free */
	uint64_t told_ms;
};

struct refusals {
	struct refusal_told known[REFUSALS_KNOWN];
	unsigned oldest;
	unsigned burst;
	uint64_t burst_ms; /* when it began */
	uint64_t untold;   /* since the last line */
};

/**
 * Whether this refusal is to be told now.
 *
 * @param untold  set with true: how many were kept back since the last one.
 */
bool refusals_tell(struct refusals *refusals, const char *path, int code,
    uint64_t now_ms, uint64_t *untold);

#endif
