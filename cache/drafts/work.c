/* SPDX-License-Identifier: Apache-2.0 */
/*
 * cache/drafts/work.c - see work.h.
 *
 * A work is in one of three places: the queue of its draft, the list of what
 * is ready, or a thread's (`running` of its draft, when it is ordered).
 */
#include "cache/drafts/impl.h"

#include <assert.h>
#include <errno.h>
#include <sched.h>
#include <signal.h>

/* The mount whose work thread this is. */
static _Thread_local const struct drafts *works_for;

static struct work *work_of(struct list *in)
{
	return CONTAINER_OF(in, struct work, in);
}

/* Have somebody look at what is ready who sleeps. */
static void call_one(struct drafts *drafts) REQUIRES(drafts_lock);
static void call_one(struct drafts *drafts)
{
	struct list *in = list_pop(&drafts->idle);

	if (in == NULL)
		return;
	drafts->called[drafts->called_count++] =
	    CONTAINER_OF(in, struct worker, in);
	drafts->awake++;
}

/* There is something ready. Who works looks for more by himself when he is
 * through, and has others called for what he does not take (do_one()). */
static void wake(struct drafts *drafts) REQUIRES(drafts_lock);
static void wake(struct drafts *drafts)
{
	if (works_for != drafts)
		call_one(drafts);
}

/* Whether it is not to run yet. What somebody waits for is not changed before
 * it was sent, be it late. */
static bool is_to_wait(const struct draft *draft, const struct work *work)
    REQUIRES(drafts_lock);
static bool is_to_wait(const struct draft *draft, const struct work *work)
{
	if (!work->changes)
		return false;
	return draft->sending == DRAFT_LATE
	    ? work->asks || !list_is_empty(&draft->waiters)
	    : draft->sending != DRAFT_AT_REST;
}

/* Make the first of a queue ready if it may run. */
enum turn {
	TURN_NONE,  /* nothing was made ready */
	TURN_READY, /* it was, or has been for a while */
	TURN_WAITS, /* a change waits for the end of a sending */
};

static enum turn take_turn(struct draft *draft) REQUIRES(drafts_lock);
static enum turn take_turn(struct draft *draft)
{
	struct work *work;

	if (draft->running != NULL || list_is_empty(&draft->queue))
		return TURN_NONE;
	work = work_of(draft->queue.next);
	if (is_to_wait(draft, work))
		return TURN_WAITS;
	list_remove(&work->in);
	draft->running = work;
	list_push(&draft->drafts->ready, &work->in);
	return TURN_READY;
}

/* Put it where it belongs. */
static enum turn enqueue(struct draft *draft, struct work *work)
    REQUIRES(drafts_lock);
static enum turn enqueue(struct draft *draft, struct work *work)
{
	enum turn turn;

	draft_hold(draft);
	work->draft = draft;
	draft->drafts->busy++;
	list_init(&work->in);
	if (work->unordered) {
		list_push(&draft->drafts->ready, &work->in);
		return TURN_READY;
	}
	list_push(&draft->queue, &work->in);
	turn = take_turn(draft);
	/* Nobody may have been called for the one before (at leisure). */
	if (turn == TURN_NONE && !list_is_empty(&draft->running->in))
		turn = TURN_READY;
	return turn;
}

void work_add(struct draft *draft, struct work *work)
{
	struct drafts *drafts = draft->drafts;
	enum turn turn;

	drafts_lock_enter(drafts);
	draft_hold(draft); /* it may be through before we are */
	turn = enqueue(draft, work);
	if (turn == TURN_READY)
		wake(drafts);
	drafts_lock_leave(drafts);
	if (turn == TURN_WAITS)
		send_give_way(draft);
	draft_put(draft);
}

void work_add_quietly(struct draft *draft, struct work *work)
{
	assert(!work->changes);
	/* A change that stands before it has made itself heard. */
	if (enqueue(draft, work) == TURN_READY)
		wake(draft->drafts);
}

void work_add_first(struct draft *draft, struct work *work)
{
	struct drafts *drafts = draft->drafts;

	assert(!work->changes && !work->unordered);
	drafts_lock_enter(drafts);
	draft_hold(draft);
	work->draft = draft;
	drafts->busy++;
	list_init(&work->in);
	list_push_front(&draft->queue, &work->in);
	if (take_turn(draft) == TURN_READY)
		wake(drafts);
	drafts_lock_leave(drafts);
}

void work_add_at_leisure(struct draft *draft, struct work *work)
{
	assert(!work->changes);
	/* Whoever is awake looks once more before he sleeps. */
	if (enqueue(draft, work) == TURN_READY && draft->drafts->awake == 0)
		wake(draft->drafts);
}

void work_chore(struct drafts *drafts, struct work *work)
{
	work->draft = NULL;
	drafts->busy++;
	list_push(&drafts->ready, &work->in);
	wake(drafts);
}

void work_again(struct work *work)
{
	struct drafts *drafts = work->draft->drafts;

	drafts_lock_enter(drafts);
	list_push(&drafts->ready, &work->in);
	wake(drafts);
	drafts_lock_leave(drafts);
}

void work_end_last(struct drafts *drafts)
{
	assert(drafts->busy > 0);
	if (--drafts->busy == 0)
		(void)pthread_cond_broadcast(&drafts->quiet);
}

/* One is through. @return what has become of the next */
static enum turn end(struct draft *draft, struct work *work)
    REQUIRES(drafts_lock);
static enum turn end(struct draft *draft, struct work *work)
{
	struct drafts *drafts = draft->drafts;
	enum turn turn = TURN_NONE;

	if (!work->unordered) {
		assert(draft->running == work);
		draft->running = NULL;
		turn = take_turn(draft);
	}
	if (turn == TURN_READY)
		wake(drafts);
	work_end_last(drafts);
	return turn;
}

void work_end(struct draft *draft, struct work *work)
{
	/* It is at rest, so nobody has to give way. */
	(void)end(draft, work);
}

void work_done(struct work *work)
{
	struct draft *draft = work->draft;
	struct drafts *drafts = draft->drafts;
	enum turn turn;

	drafts_lock_enter(drafts);
	turn = end(draft, work);
	if (turn != TURN_WAITS)
		draft_let_go(draft);
	drafts_lock_leave(drafts);
	if (turn == TURN_WAITS) {
		send_give_way(draft);
		draft_put(draft);
	}
}

void work_resume(struct draft *draft)
{
	if (take_turn(draft) == TURN_READY)
		wake(draft->drafts);
	if (draft->drafts->busy == 0)
		(void)pthread_cond_broadcast(&draft->drafts->quiet);
}

/* Do one of what is ready. @return false: there was none */
static bool do_one(struct drafts *drafts) REQUIRES(drafts_lock);
static bool do_one(struct drafts *drafts) UNCHECKED
{
	struct list *first = list_pop(&drafts->ready);

	if (first == NULL)
		return false;
	if (!list_is_empty(&drafts->ready))
		call_one(drafts);
	drafts_lock_leave(drafts);
	work_of(first)->run(work_of(first));
	drafts_lock_enter(drafts);
	return true;
}

static void *serve(void *arg) UNCHECKED
{
	struct worker *worker = arg;
	struct drafts *drafts = worker->drafts;

	works_for = drafts;
	drafts_lock_enter(drafts);
	drafts->awake++;
	for (;;) {
		if (do_one(drafts))
			continue;
		if (drafts->ended)
			break;
		assert(drafts->called_count == 0);
		drafts->awake--;
		list_push_front(&drafts->idle, &worker->in);
		drafts_lock_leave(drafts);
		while (sem_wait(&worker->wake) < 0)
			assert(errno == EINTR);
		drafts_lock_enter(drafts);
	}
	drafts->awake--;
	drafts_lock_leave(drafts);
	return NULL;
}

int work_start(struct drafts *drafts, struct err *err)
{
	sigset_t all;
	sigset_t old;
	int code = 0;

	/* Signals are for the main thread. */
	(void)sigfillset(&all);
	(void)pthread_sigmask(SIG_SETMASK, &all, &old);
	while (code == 0 && drafts->worker_count < DRAFTS_THREADS) {
		struct worker *worker = &drafts->workers[drafts->worker_count];

		worker->drafts = drafts;
		list_init(&worker->in);
		(void)sem_init(&worker->wake, 0, 0);
		code = pthread_create(&worker->thread, NULL, serve, worker);
		if (code == 0) {
			drafts->worker_count++;
			(void)pthread_setname_np(worker->thread, "drafts");
		} else {
			(void)sem_destroy(&worker->wake);
		}
	}
	(void)pthread_sigmask(SIG_SETMASK, &old, NULL);
	return code == 0 ? 0
	                 : err_set(err, -code, "threads of what is written: %s",
	                       err_message(code));
}

void work_drain(struct drafts *drafts) UNCHECKED
{
	drafts_lock_enter(drafts);
	while (drafts->busy > 0 || drafts->sending_count > 0) {
		if (drafts->worker_count == 0 && do_one(drafts))
			continue;
		if (drafts->busy > 0 || drafts->sending_count > 0)
			(void)pthread_cond_wait(&drafts->quiet, &drafts->mutex);
	}
	drafts_lock_leave(drafts);
}

void work_stop(struct drafts *drafts)
{
	drafts_lock_enter(drafts);
	drafts->ended = true;
	while (!list_is_empty(&drafts->idle))
		call_one(drafts);
	drafts_lock_leave(drafts);
	for (unsigned i = 0; i < drafts->worker_count; i++)
		(void)pthread_join(drafts->workers[i].thread, NULL);
	/* Others may have called one of them a moment ago. */
	while (atomic_load(&drafts->waking) > 0)
		(void)sched_yield();
	for (unsigned i = 0; i < drafts->worker_count; i++)
		(void)sem_destroy(&drafts->workers[i].wake);
	drafts->worker_count = 0;
}
