/* SPDX-License-Identifier: Apache-2.0 */
/*
 * fs/patience.h - how long the FUSE thread looks for the next request before
 * it sleeps.
 *
 * A program that goes from file to file sends its next request some
 * microseconds after it got an answer. To fall asleep between the two and be
 * woken costs more than the answer does, most of all where a processor is
 * virtual and was given back meanwhile (measured: bench/run --only opens;
 * an open of a cached file 55 us with, 41 us without the sleep). So while
 * requests come in quick succession the thread looks again before it sleeps.
 * One slow gap ends that: a reader of large blocks, or a machine whose
 * processors have other work, is never looked out for. Nor is one whose READ
 * waits for the disk or the network: nothing is due before its answer
 * (measured, random 4 KiB from disk: 38 us of CPU a read instead of 45, as
 * many reads).
 *
 * Threads: the FUSE thread alone; plain data.
 */
#ifndef FS_PATIENCE_H
#define FS_PATIENCE_H

#include <stdbool.h>
#include <stdint.h>

enum {
	/* A gap up to this is quick; and so long is looked at most. */
	PATIENCE_US_MAX = 100,
	/* Quick gaps in a row before any looking: what a slow one wastes is
	 * at most PATIENCE_US_MAX in so many requests. */
	PATIENCE_QUICK_MIN = 16,
};

struct patience {
	unsigned processors; /* that this process may run on */
	unsigned quick;      /* gaps in a row, up to PATIENCE_QUICK_MIN */
	uint64_t since_us;   /* when this gap began; 0: there is none */
	bool paused;         /* this gap tells nothing */
};

/** Begin without patience; `processors`: with one there is never any, whoever
 *  is waited for could not run. */
void patience_init(struct patience *patience, unsigned processors);

/** No request is there, at this time (monotonic, not 0): whether to look
 *  again rather than sleep. */
bool patience_looks(struct patience *patience, uint64_t now_us);

/** None is there and none is due: somebody waits for an answer. */
void patience_pauses(struct patience *patience);

/** One has come. */
void patience_ends(struct patience *patience, uint64_t now_us);

#endif
