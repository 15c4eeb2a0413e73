/* SPDX-License-Identifier: Apache-2.0 */
/*
 * cache/ahead/climb.h - how many ranges are fetched at once: found by
 * measuring.
 *
 * One connection may carry all that a path has, or a small part of it; more
 * connections than are needed only cost, the server most of all. So a few
 * are tried, then half as many more as long as that brings noticeably more
 * bytes; what brings none is taken back, and tried again only after a rest.
 * More than the least are given up again when fewer carry the same.
 *
 * Pure: rates in, a number out.
 *
 * Threads: under the lock of whoever owns the struct.
 */
#ifndef CACHE_AHEAD_CLIMB_H
#define CACHE_AHEAD_CLIMB_H

#include <stdbool.h>
#include <stdint.h>

enum {
	CLIMB_MIN = 2, /* one may end without the next being late */
	CLIMB_MAX = 12,
	CLIMB_GAIN_PERCENT = 10, /* less than that is no reason for more */
	CLIMB_LOSS_PERCENT = 3,  /* less than that does not keep them */
	CLIMB_REST = 10,         /* periods until the next try */
};

struct climb {
	unsigned lanes;
	unsigned before; /* the try; 0: none is being made */
	uint64_t rate;   /* that `before` gave, in bytes/s */
	unsigned rest;   /* periods until the next try */
	bool down;       /* the next try is with fewer */
};

void climb_init(struct climb *climb, unsigned lanes);

/** A period has ended in which readers waited for the network. */
void climb_note(struct climb *climb, uint64_t bytes_per_s);

/** A period has ended that tells nothing: readers were slower. */
void climb_skip(struct climb *climb);

#endif
