/* SPDX-License-Identifier: Apache-2.0 */
/* tests/unit/cache/drafts/fake_send.c - see fake_send.h. */
#include "tests/unit/cache/drafts/fake_send.h"

#include "cache/drafts/impl.h"
#include "tests/unit/cache/drafts/fake_cache.h"

#include <assert.h>
#include <errno.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

static pthread_mutex_t mutex = PTHREAD_MUTEX_INITIALIZER;
static pthread_cond_t changed = PTHREAD_COND_INITIALIZER;
static bool held;
static unsigned waiting;
static _Atomic int code_of_all;
static atomic_uint sent, gave_way, failed;

void fake_send_reset(void)
{
	held = false;
	waiting = 0;
	code_of_all = 0;
	sent = gave_way = failed = 0;
}

void fake_send_hold(bool hold)
{
	(void)pthread_mutex_lock(&mutex);
	held = hold;
	(void)pthread_cond_broadcast(&changed);
	(void)pthread_mutex_unlock(&mutex);
}

void fake_send_late(bool late)
{
	(void)late; /* this one always gives way */
}

void fake_send_code(int code)
{
	code_of_all = code;
}

unsigned fake_send_held(void)
{
	unsigned now;

	(void)pthread_mutex_lock(&mutex);
	now = waiting;
	(void)pthread_mutex_unlock(&mutex);
	return now;
}

unsigned fake_sent(void)
{
	return sent;
}

unsigned fake_gave_way(void)
{
	return gave_way;
}

unsigned fake_failed(void)
{
	return failed;
}

/* ---- a sending ---- */

struct sender {
	struct list turns;
};

struct sender *sender_new(void)
{
	struct sender *sender = calloc(1, sizeof(*sender));

	assert(sender != NULL);
	list_init(&sender->turns);
	return sender;
}

void sender_free(struct sender *sender)
{
	free(sender);
}

struct flight {
	struct work work;
	struct draft *draft; /* a reference */
	uint64_t changes;
	uint8_t *bytes;
	size_t size_bytes;
	size_t at;
	int code; /* of reading it */
};

int send_want(struct draft *draft, struct waiter *waiter)
{
	if (draft->parted && !draft->gone)
		return draft->code;
	if (draft->gone || !draft->changed || draft->entry == NULL)
		return 0;
	if (draft->drafts->stopping)
		return -ECANCELED;
	if (waiter != NULL)
		list_push(&draft->waiters, &waiter->in);
	if (draft->sending == DRAFT_AT_REST) {
		assert(draft->running != NULL && !draft->running->changes);
		draft_hold(draft);
		draft->sending = DRAFT_QUEUED;
		draft->giving_way = false;
		list_remove(&draft->turn);
		list_push(&draft->drafts->sender->turns, &draft->turn);
	}
	return 1;
}

void send_give_way(struct draft *draft)
{
	struct drafts *drafts = draft->drafts;

	drafts_lock_enter(drafts);
	if (list_is_empty(&draft->waiters)) {
		if (draft->sending == DRAFT_QUEUED) {
			list_remove(&draft->turn);
			draft->sending = DRAFT_AT_REST;
			work_resume(draft);
			draft_let_go(draft);
		} else if (draft->sending != DRAFT_AT_REST) {
			draft->giving_way = true;
		}
	}
	drafts_lock_leave(drafts);
	(void)pthread_mutex_lock(&mutex);
	(void)pthread_cond_broadcast(&changed);
	(void)pthread_mutex_unlock(&mutex);
}

/* Waits on a work thread, which only a test may. @return whether it is let go
 * to give way */
static bool wait(struct draft *draft)
{
	bool gives_way = false;

	(void)pthread_mutex_lock(&mutex);
	waiting++;
	while (!gives_way) {
		bool go = !held;

		(void)pthread_mutex_unlock(&mutex);
		drafts_lock_enter(draft->drafts);
		gives_way = draft->giving_way;
		go = go || draft->drafts->stopping;
		drafts_lock_leave(draft->drafts);
		(void)pthread_mutex_lock(&mutex);
		if (go || gives_way)
			break;
		if (held) {
			struct timespec until;

			(void)clock_gettime(CLOCK_REALTIME, &until);
			until.tv_nsec += 1000000;
			if (until.tv_nsec >= 1000000000) {
				until.tv_nsec -= 1000000000;
				until.tv_sec++;
			}
			(void)pthread_cond_timedwait(&changed, &mutex, &until);
		}
	}
	waiting--;
	(void)pthread_mutex_unlock(&mutex);
	return gives_way;
}

/* What the server makes of it. */
static int publish(struct flight *flight, struct fetch_version *version)
{
	struct draft *draft = flight->draft;
	struct fetch_version now;
	char path[256];
	size_t size;
	uint8_t *there;
	bool same;

	if (code_of_all != 0)
		return code_of_all;
	drafts_lock_enter(draft->drafts);
	(void)snprintf(path, sizeof(path), "%s", draft->path);
	drafts_lock_leave(draft->drafts);
	there = fake_get(path, &size, &now);
	same = there != NULL && fetch_version_equal(&now, &draft->base.version);
	free(there);
	if (!draft->base.exists && there != NULL)
		return -EEXIST;
	if (draft->base.exists && draft->base.known && !same)
		return -ESTALE;
	*version = fake_put(path, flight->bytes, flight->size_bytes);
	return 0;
}

static void tell(struct list *waiters, int code)
{
	struct list *in;

	while ((in = list_pop(waiters)) != NULL) {
		struct waiter *waiter = CONTAINER_OF(in, struct waiter, in);

		waiter->sent(waiter, code);
	}
}

static void rest(struct draft *draft, struct list *waiters)
    REQUIRES(drafts_lock);
static void rest(struct draft *draft, struct list *waiters)
{
	list_init(waiters);
	list_move_all(waiters, &draft->waiters);
	draft->sending = DRAFT_AT_REST;
	draft->giving_way = false;
	work_resume(draft);
}

void send_failed(struct draft *draft, int code, const struct err *why)
{
	bool conflict = code == -EEXIST || code == -ESTALE;
	struct list waiters;
	struct err err = ERR_INIT;

	failed++;
	fake_at_work++;
	if (spool_stop(draft->entry, conflict ? SPOOL_CONFLICT : SPOOL_FAILED,
	        code, why->text, &err) < 0 &&
	    err.code == 0)
		code = -EIO;
	fake_at_work--;
	drafts_lock_enter(draft->drafts);
	draft->code = code;
	draft->tries++;
	draft->again_ms = 1;
	list_remove(&draft->turn);
	list_push(&draft->drafts->again, &draft->turn);
	if (conflict)
		draft_part(draft);
	rest(draft, &waiters);
	drafts_lock_leave(draft->drafts);
	tell(&waiters, code);
}

static void succeed(struct flight *flight, const struct fetch_version *version)
{
	struct draft *draft = flight->draft;
	struct spool_version told = {.exists = true,
	    .size_bytes = version->size_bytes,
	    .mtime_s = version->mtime_s,
	    .etag = version->etag};
	struct list waiters;
	struct err err = ERR_INIT;
	int code = spool_sent(draft->entry, flight->changes, &told, &err);

	assert(code == 1);
	sent++;
	drafts_lock_enter(draft->drafts);
	draft->base.known = true;
	draft->base.exists = true;
	draft->base.version = *version;
	draft->created = false;
	draft->changed = false;
	draft->blank = false;
	draft->code = 0;
	draft_settle(draft);
	rest(draft, &waiters);
	drafts_lock_leave(draft->drafts);
	tell(&waiters, 0);
}

static void fly(struct work *work)
{
	struct flight *flight = CONTAINER_OF(work, struct flight, work);
	struct draft *draft = flight->draft;
	struct drafts *drafts = draft->drafts;
	struct fetch_version version;
	struct list waiters;
	struct err err = ERR_INIT;
	int code = flight->code;

	fake_at_work++;
	if (wait(draft)) {
		gave_way++;
		/* It is to be sent as before. */
		code = spool_reopen(draft->entry, &err);
		assert(code == 0);
		code = spool_finish(draft->entry, SPOOL_TO_KILL, &err);
		assert(code == 0);
		drafts_lock_enter(drafts);
		rest(draft, &waiters);
		drafts_lock_leave(drafts);
		tell(&waiters, -ECANCELED);
	} else {
		if (code == 0)
			code = publish(flight, &version);
		if (code == 0)
			succeed(flight, &version);
		else
			send_failed(draft, code, &err);
	}
	drafts_lock_enter(drafts);
	drafts->sending_count--;
	drafts_lock_leave(drafts);
	fake_at_work--;
	send_next(drafts);
	draft_put(draft);
	work_done(work);
	free(flight->bytes);
	free(flight);
}

static const struct ident nobody;

/* Its base, and what is here, into memory. */
static void has_bytes(
    void *arg, int code, const struct iovec *vectors, int vector_count)
{
	struct flight *flight = arg;

	flight->code = code;
	for (int i = 0; i < vector_count; i++) {
		if (vectors[i].iov_len > 0)
			(void)memcpy(flight->bytes + flight->at,
			    vectors[i].iov_base, vectors[i].iov_len);
		flight->at += vectors[i].iov_len;
	}
	if (code == 0 && flight->at < flight->size_bytes) {
		draft_read(flight->draft, &nobody, flight->at,
		    flight->size_bytes - flight->at, has_bytes, flight);
		return;
	}
	work_again(&flight->work);
}

static void begin(struct work *work)
{
	struct flight *flight = CONTAINER_OF(work, struct flight, work);
	struct draft *draft = flight->draft;
	struct err err = ERR_INIT;
	int code;

	fake_at_work++;
	code = spool_sending(draft->entry, NULL, &flight->changes, &err);
	assert(code == 0);
	flight->size_bytes = spool_attr(draft->entry).size_bytes;
	flight->bytes = malloc(flight->size_bytes + 1);
	fake_at_work--;
	assert(flight->bytes != NULL);
	work->run = fly;
	if (flight->size_bytes > 0)
		draft_read(
		    draft, &nobody, 0, flight->size_bytes, has_bytes, flight);
	else
		work_again(work);
}

void send_next(struct drafts *drafts)
{
	for (;;) {
		struct flight *flight = NULL;
		struct list *first;

		drafts_lock_enter(drafts);
		first = drafts->sending_count < 4 && !drafts->stopping
		    ? list_pop(&drafts->sender->turns)
		    : NULL;
		if (first != NULL) {
			fake_at_work++;
			flight = calloc(1, sizeof(*flight));
			fake_at_work--;
			assert(flight != NULL);
			flight->draft = CONTAINER_OF(first, struct draft, turn);
			flight->draft->sending = DRAFT_SENDING;
			flight->work =
			    (struct work){.run = begin, .unordered = true};
			drafts->sending_count++;
		}
		drafts_lock_leave(drafts);
		if (flight == NULL)
			return;
		work_add(flight->draft, &flight->work);
	}
}

void send_stop(struct drafts *drafts)
{
	struct draft *draft;
	struct list waiters;
	struct list *first;

	do {
		list_init(&waiters);
		drafts_lock_enter(drafts);
		first = list_pop(&drafts->sender->turns);
		if (first != NULL) {
			draft = CONTAINER_OF(first, struct draft, turn);
			rest(draft, &waiters);
			draft_let_go(draft);
		}
		drafts_lock_leave(drafts);
		tell(&waiters, -ECANCELED);
	} while (first != NULL);
}

/* Tried again as soon as anybody asks. */
void again_tick(struct drafts *drafts, uint64_t now_ms)
{
	(void)now_ms;
	for (;;) {
		struct list *first;
		struct draft *draft;

		drafts_lock_enter(drafts);
		first = list_pop(&drafts->again);
		draft = first == NULL ? NULL
		                      : CONTAINER_OF(first, struct draft, turn);
		if (draft != NULL)
			draft_hold(draft);
		drafts_lock_leave(drafts);
		if (draft == NULL)
			return;
		fake_at_work++;
		assert(draft_send(draft, NULL) == 0);
		fake_at_work--;
		draft_put(draft);
	}
}

/* Nothing is sent before it is closed. */
void ahead_wrote(struct draft *draft, uint64_t offset_bytes, uint64_t was_bytes)
{
	(void)draft;
	(void)offset_bytes;
	(void)was_bytes;
}

void ahead_cut(struct draft *draft)
{
	(void)draft;
}

void ahead_tick(struct drafts *drafts, uint64_t now_ms)
{
	(void)drafts;
	(void)now_ms;
}

int adopt_all(struct drafts *drafts, struct err *err)
{
	(void)drafts;
	(void)err;
	return 0;
}

void flushes_stop(struct drafts *drafts)
{
	(void)drafts;
}
