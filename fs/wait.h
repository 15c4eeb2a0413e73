/* SPDX-License-Identifier: Apache-2.0 */
/*
 * fs/wait.h - a request that waits for the cache, and the way back to the
 * FUSE thread.
 *
 *	phase        who                   what
 *	wait_begin   FUSE thread           claimable, interruptible
 *	(cache call) FUSE thread           the wait is its callback's argument
 *	wait_claim   any thread            whoever wins replies, once
 *	wait_return  the cache's callback  the last use on that thread
 *	finish       FUSE thread           replies if it wins; frees
 *
 * A READ is answered on the thread that has the bytes; all other answers
 * touch nodes and handles and are given in finish. An INTERRUPT claims and
 * replies EINTR without a lock; the wait itself stays until the cache has
 * called back, because the cache still holds it.
 *
 * What changes something is *patient*: its caller is answered EINTR only when
 * they were killed. To the kernel an INTERRUPT is any signal, and a program
 * that catches one does not expect a write(2) or close(2) of a file to fail of
 * it, nor would it learn whether the change was made. What was asked for is
 * done in any case.
 *
 * libfuse calls the interrupt callback with its own lock held and a pointer
 * it has read before: so waits are freed on the FUSE thread, which is the
 * one that processes INTERRUPTs, and nowhere else.
 */
#ifndef FS_WAIT_H
#define FS_WAIT_H

#include "base/attr.h"
#include "base/list.h"
#include "base/sync.h"
#include "fs/lowlevel.h"

#include <stdatomic.h>
#include <stdbool.h>
#include <sys/types.h>

struct fs_wait;

/** Reply unless somebody has; free the wait. Called once. */
typedef void (*fs_finish_fn)(struct fs_wait *wait);

/** The head of each structure that waits. */
struct fs_wait {
	struct fs_mail *mail;
	fuse_req_t req; /* belongs to whoever won the claim */
	fs_finish_fn finish;
	struct fs_wait *next; /* on the way back */
	_Atomic bool claimed;
	bool patient;
	pid_t pid;      /* the thread that asked; 0: of another pid namespace */
	struct list in; /* the patient ones */
};

/** Waits on their way back to the FUSE thread. */
struct fs_mail {
	_Atomic(struct fs_wait *) head; /* last one first */
	_Atomic bool ringing;           /* wake_fd has been written to */
	_Atomic unsigned lingering;     /* what cannot end before a return */
	int wake_fd;                    /* an eventfd */
	struct list patient;            /* of struct fs_wait; FUSE thread */
};

/** @retval 0 made. @retval -EMFILE, -ENFILE, -ENOMEM of eventfd(2) */
NODISCARD int mail_init(struct fs_mail *mail);

void mail_fini(struct fs_mail *mail);

/** From here on the calling thread is the FUSE thread of `mail`. */
void mail_enter(struct fs_mail *mail) ACQUIRES(fuse_thread);

void mail_leave(struct fs_mail *mail) RELEASES(fuse_thread);

/** Abort unless the calling thread is the FUSE thread. */
void mail_assert_here(const struct fs_mail *mail) ON_THREAD(fuse_thread);

/** Call finish for everything that has come back. */
void mail_drain(struct fs_mail *mail) REQUIRES(fuse_thread);

/** Wake the FUSE thread. Safe in a signal handler and from any thread. */
void mail_ring(struct fs_mail *mail);

/** Whether wake_fd is readable, or soon will be. */
bool mail_rings(const struct fs_mail *mail);

/** wake_fd is readable. */
void mail_answer_ring(struct fs_mail *mail) REQUIRES(fuse_thread);

/**
 * Make a request wait. When it was interrupted before we came to it, it is
 * answered here.
 *
 * @return  false: answered, the caller frees the wait.
 */
NODISCARD bool wait_begin(struct fs_wait *wait, struct fs_mail *mail,
    fuse_req_t req, fs_finish_fn finish) REQUIRES(fuse_thread);

/** The same for a request that changes something. */
NODISCARD bool wait_begin_patient(struct fs_wait *wait, struct fs_mail *mail,
    fuse_req_t req, fs_finish_fn finish) REQUIRES(fuse_thread);

/** In its finish: it waits for one more answer, and then for `finish`. */
void wait_go_on(struct fs_wait *wait, fs_finish_fn finish)
    REQUIRES(fuse_thread);

/** Answer patient ones whose callers were killed; to be called now and then
 *  while there are any: of a killed process that closes its files the kernel
 *  sends no INTERRUPT. */
void mail_tend(struct fs_mail *mail) REQUIRES(fuse_thread);

/** Win the right to answer, which only one caller does. Any thread. */
NODISCARD bool wait_claim(struct fs_wait *wait);

/** Has somebody won? */
bool wait_is_claimed(const struct fs_wait *wait);

/**
 * Give the wait back; called once, from the cache's callback, on any thread.
 * On the FUSE thread `finish` runs at once.
 */
void wait_return(struct fs_wait *wait);

/** As wait_return(), for a wait that has been answered and has only to be
 *  freed: the FUSE thread is not woken unless something lingers. */
void wait_return_idle(struct fs_wait *wait);

#endif
