/* SPDX-License-Identifier: Apache-2.0 */
/*
 * cache/drafts/send/sender.h - drafts are sent to the server: what the other
 * files of cache/drafts/ ask of that. How it is done is in send.h.
 */
#ifndef CACHE_DRAFTS_SENDER_H
#define CACHE_DRAFTS_SENDER_H

#include "base/attr.h"
#include "base/err.h"
#include "base/list.h"
#include "base/sync.h"

#include <stdint.h>

struct draft;
struct drafts;
struct sender;

/* A flush (or whoever else) that waits for the end of a sending. */
struct waiter {
	struct list in;
	/* Without the lock; owned by the callee from then on. */
	void (*sent)(struct waiter *waiter, int code);
};

/* ---- send.c ---- */

struct sender *sender_new(void);
/* With what is left in it; NULL is allowed. */
void sender_free(struct sender *sender);

/* It is to be sent, as its entry is now (finished: CLOSED or FAILED), or is on
 * its way already. To be called by a work of its queue; send_next() follows.
 * @param waiter  NULL: nobody waits.
 * @retval 1  the waiter will hear how it ends.
 * @retval 0  it is not unsent (or gone); or a negative errno: -ECANCELED when
 *            stopping, the conflict's when it has parted. The waiter was not
 *            taken. */
NODISCARD int send_want(struct draft *draft, struct waiter *waiter)
    REQUIRES(drafts_lock);

/* A change waits: end a sending for which nobody waits, queued, filling or
 * going on. Once it is at rest, work_resume(). Any thread, never waits. */
void send_give_way(struct draft *draft);

/* Begin as many as there is room for; without the lock, whenever there may be.
 * Any thread, never waits. */
void send_next(struct drafts *drafts);

/* drafts_stop(): whoever waits in turns hears -ECANCELED; no more begin. */
void send_stop(struct drafts *drafts);

/* Bring what is missing of its base, on work threads; `done` is called once,
 * on any thread, and must not wait. The caller has a reference until then. */
void send_fill(struct draft *draft,
    void (*done)(struct draft *draft, int code, const struct err *err));

/* What becomes of a draft that could not be sent, or not be finished, and is
 * not on its way (any more): on a work thread. */
void send_failed(struct draft *draft, int code, const struct err *err);

/* ---- ahead.c ---- */

/* So many bytes were written there, of a draft that had so many before. On its
 * queue's turn; never waits. */
void ahead_wrote(
    struct draft *draft, uint64_t offset_bytes, uint64_t was_bytes);

/* It was cut, or made longer without being written. On its queue's turn. */
void ahead_cut(struct draft *draft);

/* Drop what is not worth waiting for; when stopping, all. Never waits. */
void ahead_tick(struct drafts *drafts, uint64_t now_ms);

/* ---- again.c ---- */

/* It has failed, so many times before: in which time it is tried again, 0: not
 * by itself. */
uint32_t again_after_ms(unsigned tries, int code);

/* It is to be tried as soon as there is memory for that. */
void again_soon(struct draft *draft);

void again_tick(struct drafts *drafts, uint64_t now_ms);

/* ---- late.c ---- */

/* Changes go on that have waited long for nothing but an answer. Any thread,
 * never waits. */
void late_tick(struct drafts *drafts, uint64_t now_ms);

/* ---- adopt.c ---- */

/* Of what earlier mounts left of this source: drafts of what is to be sent. */
NODISCARD int adopt_all(struct drafts *drafts, struct err *err);

#endif
