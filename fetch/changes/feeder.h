/* SPDX-License-Identifier: Apache-2.0 */
/*
 * fetch/changes/feeder.h - a thread that does what may wait for a disk, one thing
 * after the other.
 *
 * Threads: feeder_do() on any; feeder_new() and feeder_free() by one.
 */
#ifndef FETCH_CHANGES_FEEDER_H
#define FETCH_CHANGES_FEEDER_H

#include <sys/queue.h>

struct feeder;

struct feeder_job {
	STAILQ_ENTRY(feeder_job) link;
	/** On the feeder's thread; may free what the job is part of. */
	void (*run)(struct feeder_job *job);
};

/** NULL: no memory, or no thread. Signals should be blocked here: they are
 *  then in the thread. */
struct feeder *feeder_new(void);

/** Do a job behind those that wait. It stays where it is until then. */
void feeder_do(struct feeder *feeder, struct feeder_job *job);

/** Do what waits, then end; NULL is allowed. */
void feeder_free(struct feeder *feeder);

#endif
