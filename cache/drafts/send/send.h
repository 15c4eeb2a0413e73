/* SPDX-License-Identifier: Apache-2.0 */
/*
 * cache/drafts/send/send.h - drafts on their way to the server, for the files
 * that bring them there: send.c (who is next), look.c and flight.c (the steps
 * of one), land.c and fail.c (what becomes of it), ahead.c (before its turn),
 * tries.c, own.c, send_bytes.c, late.c, leftover.c, again.c, adopt.c; and
 * ../tell.c.
 *
 * A *flight* is one try to send one draft:
 *
 *   DRAFT_QUEUED   in one of four turns
 *   DRAFT_FILLING  begun: look what stands there, when that is not known;
 *                  bring what is missing of the base
 *   DRAFT_SENDING  the spool says so, and fetch has it
 *   DRAFT_LATE     fetch has read all of it, and no answer comes while a
 *                  change waits
 *   DRAFT_AT_REST  landed: answered, and fetch reads no more of it; the spool
 *                  knows, whoever waits has been told
 *
 * It is a work of its draft that is done when it has landed. Its steps run on
 * work threads; what answers a question only chooses the next one. A late one
 * lands in the draft's queue, since others change it.
 */
#ifndef CACHE_DRAFTS_SEND_H
#define CACHE_DRAFTS_SEND_H

#include "cache/drafts/impl.h"

#include <stdbool.h>
#include <stdint.h>

enum {
	/* What takes seconds: others are not to wait for it. */
	SEND_LARGE_BYTES = 16 * 1024 * 1024,
	SEND_LARGE_MAX = 8,   /* of DRAFTS_SENDING_MAX */
	SEND_LARGE_LEAST = 2, /* that small ones do not keep out */
	SEND_LATE_MS = 2000,  /* that a change waits for an answer */
	/* Up to here what a try sends is summed up before, and read back when
	 * it may stand in the way of a later one. */
	SEND_SUMMED_BYTES = 16 * 1024 * 1024,
	SEND_LOOKS_MAX = 8, /* at what stands there, of one flight */
	/* Tried again in one tick: each of them asks for memory. */
	AGAIN_TICK_MAX = 64,
};

/* Whose turn it is: those for whom somebody waits before the others, and among
 * equals small ones first. */
enum turn_kind {
	TURN_WAITED_SMALL,
	TURN_WAITED_LARGE,
	TURN_SMALL,
	TURN_LARGE,
	TURN_KINDS,
};

struct sender {
	struct list turns[TURN_KINDS] GUARDED_BY(drafts_lock);
	unsigned large_count GUARDED_BY(drafts_lock); /* of those that fly */
	unsigned quiet_count GUARDED_BY(drafts_lock); /* nobody waits for */
	/* The server did not answer the last one: one at a time tries whether
	 * it does again. */
	bool down GUARDED_BY(drafts_lock);
	uint64_t failures GUARDED_BY(drafts_lock); /* in all */
	uint64_t unverified GUARDED_BY(
	    drafts_lock); /* sent; no token may look */
	struct list leftovers GUARDED_BY(drafts_lock);
	struct list aheads GUARDED_BY(drafts_lock); /* ahead.c */
	unsigned ahead_count GUARDED_BY(drafts_lock);
	unsigned ahead_wasted GUARDED_BY(drafts_lock); /* one after the other */
	unsigned ahead_skip GUARDED_BY(drafts_lock);   /* files, until then */
	bool ahead_never GUARDED_BY(drafts_lock);      /* not to this server */
	struct list parked GUARDED_BY(drafts_lock);    /* adopt.c */
	struct list yielding GUARDED_BY(
	    drafts_lock); /* of those that fly, those
	                                                 for which a change
	                                                 waits */
};

struct flight {
	struct drafts *drafts;
	struct draft *draft; /* kept by the work */
	struct work work;
	/* On a work thread; the next one after flight_go(). */
	void (*step)(struct flight *flight);
	bool large;
	bool quiet;    /* nobody waited when it began */
	bool by_fetch; /* fetch has it, and will answer */
	bool ahead;    /* it had begun before: ahead.c */
	/* Of these three the last one has it land. */
	bool asked GUARDED_BY(drafts_lock); /* fetch_publish() returned */
	bool answered GUARDED_BY(drafts_lock);
	bool released GUARDED_BY(drafts_lock); /* it reads no more */
	bool reading GUARDED_BY(drafts_lock);  /* right now */
	bool lands GUARDED_BY(drafts_lock);    /* it is on its last step */
	struct work landing;                   /* of one that is late */
	bool in_turn;                          /* it lands as that */
	/* What is sent. */
	struct ident ident;
	uint64_t size_bytes;
	uint64_t changes; /* spool_sending() */
	enum fetch_condition condition;
	struct fetch_version version; /* of the condition */
	char path[PATH_BYTES_MAX];    /* the mount's */
	unsigned looks;               /* whose answer was forgotten */
	struct own *own;              /* own.c; NULL but while it compares */
	unsigned own_looks;
	/* What tries before this one sent, of whose end nobody knows; set when
	 * `noted`. */
	bool noted;
	unsigned earlier_count;
	struct spool_try earlier[SPOOL_TRIES_MAX];
	struct spool_try now; /* and this one */
	/* How it ended. */
	int code;
	struct err err;
	struct fetch_published published; /* without `leftover` */
	char leftover[PATH_BYTES_MAX];    /* "": none */
};

/* Take it out of the turns, or of drafts.again. */
void send_leave_turn(struct draft *draft) REQUIRES(drafts_lock);

/* ---- flight.c ---- */

/* One that may begin; under the lock, since its draft is chosen there.
 * @retval false  no memory. */
bool flight_begin(struct draft *draft) REQUIRES(drafts_lock);

/* As whom it is sent. */
struct ident flight_sender(const struct draft *draft) REQUIRES(drafts_lock);

/* Bring what is missing of the base, then publish. */
void flight_fill(struct flight *flight);

/* Ask fetch once more, for what the draft is to be compared with now. On a
 * work thread, instead of landing. */
void flight_publish_again(struct flight *flight);

/* Run this step next, on a work thread. */
void flight_go(struct flight *flight, void (*step)(struct flight *flight));

/* Whether it is not to go on: with -ECANCELED for whoever waits to change it,
 * and nothing but that for what is to be sent no more. */
bool flight_is_given_up(struct flight *flight) REQUIRES(drafts_lock);

/* What fetch says in the end, once each. */
void flight_published(struct flight *flight, int code,
    const struct fetch_published *published, const struct err *err);
void flight_released(struct flight *flight);

/* What fetch reads. */
int64_t flight_give(struct flight *flight, uint64_t offset_bytes, void *out,
    size_t size_bytes, bool nowait);

/* ---- look.c ---- */

/* The first step. */
void flight_look(struct flight *flight);

/* ---- ahead.c ---- */

/* The temporary name under which it is being sent, if it may become the
 * server's `path`. @retval false  it is not. */
bool ahead_temporary(
    struct draft *draft, const char *path, char out[PATH_BYTES_MAX]);

/* Have what was sent of it so far become this flight's, which is for the
 * server's `path`: flight_published() and flight_released() follow.
 * @return the call's number; 0: there is nothing that would do. */
uint64_t ahead_take(struct flight *flight, const char *path);

/* ---- tries.c ---- */

/* What it sends is to be noted with the next spool_sending(), and what was
 * before is taken over. Once; on a work thread, since it reads all of it. */
void tries_note(struct flight *flight);

/* Which of the earlier ones sent so many bytes. @return one whose sum is (not)
 * known, after `last`; NULL: none is left */
const struct spool_try *tries_of_size(const struct flight *flight,
    uint64_t size_bytes, bool summed, const struct spool_try *last);

/* A sum that is being made, of the kind that is noted; NULL: no memory. */
struct fetch_sum *tries_sum(void);

/* The end of one. @retval false  no memory; nothing is known. */
bool tries_sum_end(struct fetch_sum *sum, uint8_t out[SPOOL_SUM_BYTES]);

/* ---- own.c ---- */

/* A conflict: find out whether an earlier try of the same draft is what stands
 * in its way. On a work thread.
 * @retval true  it lands afterwards, sent or as before; or is sent again, over
 *               what an earlier try put there. */
bool own_look(struct flight *flight);

/* The same of one that was late: what it sent is not here any more, and who has
 * written on has it sent again. That try looks, if there is what to look for:
 * until then this one was only given up. */
void own_look_later(struct flight *flight);

/* ---- land.c ---- */

/* The last step. */
void flight_land(struct flight *flight);

/* Whether a version of ours can be told from another by comparing. */
bool version_is_known(const struct fetch_version *version);

/* ---- fail.c ---- */

/* Somebody else's version is there: it has parted from its path. */
bool send_is_conflict(int code);

/* A late one that is written again: it is sent when it is closed.
 * @return what whoever waits hears */
int send_failed_written(struct flight *flight);

/* ---- late.c ---- */

/* It is to land: a late one does so between two changes, by flight_land().
 * @retval true  later, in its turn. */
bool late_takes_turn(struct flight *flight);

/* ---- leftover.c ---- */

/* A name that stays on the server: note it in the spool. On a work thread. */
void leftover_add(
    struct drafts *drafts, const struct ident *ident, const char *path);

/* The same of one that the spool has. @retval -ENOMEM: it is still yours */
NODISCARD int leftover_adopt(struct drafts *drafts, const struct ident *ident,
    const char *path, struct spool_entry *entry);

/* Remove those whose time has come; never waits. */
void leftover_tick(struct drafts *drafts, uint64_t now_ms);

/* How many there are. */
unsigned leftover_count(struct drafts *drafts) REQUIRES(drafts_lock);

/* And how many of those nobody has tried to remove yet. */
unsigned leftover_untried(struct drafts *drafts) REQUIRES(drafts_lock);

/* Let go of them; they stay in the spool. */
void leftover_free(struct sender *sender);

/* ---- adopt.c ---- */

/* Whose path is free now? Never waits. */
void adopt_tick(struct drafts *drafts);

/* How many there are, and their bytes. */
unsigned adopt_parked(struct drafts *drafts, uint64_t *bytes)
    REQUIRES(drafts_lock);

/* Whether there is one at or below a path. */
bool adopt_is_parked(struct drafts *drafts, const char *path)
    REQUIRES(drafts_lock);

/* Let go of them; they stay in the spool. */
void adopt_free(struct sender *sender);

/* ---- tell.c ---- */

/* A draft could not be sent: whoever waits for all is to hear. */
void flushes_note(struct draft *draft, int code, const struct err *err)
    REQUIRES(drafts_lock);

/* Answer those for whom nothing is left to wait for. Never waits; without the
 * lock. */
void flushes_look(struct drafts *drafts, uint64_t now_ms);

#endif
