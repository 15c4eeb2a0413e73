/* SPDX-License-Identifier: Apache-2.0 */
/*
 * cache/drafts/work.h - threads that wait for the spool's disk, and the queue
 * of each draft: what changes a file is done in the order in which it came.
 *
 * Threads: every function on any thread; none waits, but work_drain() and
 * work_stop().
 */
#ifndef CACHE_DRAFTS_WORK_H
#define CACHE_DRAFTS_WORK_H

#include "base/attr.h"
#include "base/err.h"
#include "base/list.h"
#include "base/sync.h"

#include <pthread.h>
#include <semaphore.h>
#include <stdbool.h>

struct draft;
struct drafts;

/* A question about a draft that may wait for the disk. */
struct work {
	struct list in;      /* the draft's queue, or that of the threads */
	struct draft *draft; /* one reference */
	/* On a work thread, without the lock. Ends with work_done(), at once or
	 * later, on any thread; on a work thread that is the last it does, since
	 * the next work may be this thread's. */
	void (*run)(struct work *work);
	bool changes;   /* waits while the draft is not at rest (enum
	                   draft_sending) */
	bool asks;      /* a change that asks the server, too: waits also while
	                   that is silent */
	bool unordered; /* reading, and the sender's own: at once */
};

/* A thread that waits for the spool's disk. */
struct worker {
	struct drafts *drafts;
	pthread_t thread;
	/* Who is woken by a condition leaves the mutex with a system call, as
	 * if others waited for that. */
	sem_t wake;
	struct list in; /* drafts.idle: it sleeps, and nobody has called it */
};

NODISCARD int work_start(struct drafts *drafts, struct err *err);

/* Wait until nothing is busy; what is added meanwhile counts. */
void work_drain(struct drafts *drafts);

/* End the threads; what comes later is done by work_drain(), on its thread. */
void work_stop(struct drafts *drafts);

/* Have it run when its turn comes: after what the draft has before it, and
 * one that changes not while it is being sent (send_give_way()). */
void work_add(struct draft *draft, struct work *work);

/* The same of a work that is no change, under the lock. */
void work_add_quietly(struct draft *draft, struct work *work)
    REQUIRES(drafts_lock);

/* Have it run before all others of the queue: a sending of it ends. */
void work_add_first(struct draft *draft, struct work *work);

/* The same of a work for which nobody waits. */
void work_add_at_leisure(struct draft *draft, struct work *work)
    REQUIRES(drafts_lock);

/* Have one that runs, and is not done, run once more. */
void work_again(struct work *work);

/* The same of a work of no draft, which may wait for the disk as well. It ends
 * with work_end_last(). */
void work_chore(struct drafts *drafts, struct work *work) REQUIRES(drafts_lock);

/* It has ended and been answered; lets go of the draft, frees nothing. The
 * work may be freed when this has returned, and not before. */
void work_done(struct work *work);

/* draft.c: the work of a draft that somebody has again, and of one that is no
 * more, or has never been. */
void work_end(struct draft *draft, struct work *work) REQUIRES(drafts_lock);
void work_end_last(struct drafts *drafts) REQUIRES(drafts_lock);

/* A sending has ended, or been given up: those that wait for it may go on. */
void work_resume(struct draft *draft) REQUIRES(drafts_lock);

#endif
