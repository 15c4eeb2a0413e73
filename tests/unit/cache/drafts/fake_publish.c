/* SPDX-License-Identifier: Apache-2.0 */
/* tests/unit/cache/drafts/fake_publish.c - see fake_publish.h. */
#include "tests/unit/cache/drafts/fake_publish.h"

#include "base/err.h"
#include "base/ident.h"
#include "base/list.h"
#include "cache/drafts/impl.h"
#include "cache/note.h"
#include "tests/unit/cache/drafts/fake_cache.h"
#include "tests/unit/cache/drafts/fake_send.h"

#include <assert.h>
#include <errno.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct call {
	struct list in;
	unsigned nth; /* of `calls`; UINT32_MAX: a fetch_delete() */
	uint64_t number;
	struct fetch_bytes bytes;
	struct fetch_version version;
	uint8_t *read;
	uint64_t at;
	int code;
	bool is_held;
	bool cancelled;
	fetch_published_fn published;
	fetch_changed_fn changed;
	void *arg;
};

static pthread_mutex_t mutex = PTHREAD_MUTEX_INITIALIZER;
static pthread_cond_t wake = PTHREAD_COND_INITIALIZER;
static pthread_cond_t idle = PTHREAD_COND_INITIALIZER;
static unsigned answering;
static struct call *being_read; /* before it is held */
static unsigned let_go;         /* so many go on though they are held */
static pthread_t thread;
static bool runs;
static bool stopped;
static struct list queue;
static struct fake_call calls[FAKE_CALLS];
static unsigned call_count, held_count, held_most, deletes;
static unsigned hold_percent;
static int say_code, say_after, say_delete;
static bool is_blind, is_lost, is_removing, reads_again, holds_late,
    takes_growing;
static char leftover[256];
static unsigned notes, doubts;
static uint64_t noted_was;
static bool noted_version;

static void enter(void)
{
	(void)pthread_mutex_lock(&mutex);
}

static void leave(void)
{
	(void)pthread_mutex_unlock(&mutex);
}

#define SETTER(name, type, variable)              \
	void name(type value)                     \
	{                                         \
		enter();                          \
		variable = value;                 \
		(void)pthread_cond_signal(&wake); \
		leave();                          \
	}

SETTER(fake_publish_hold, unsigned, hold_percent)
SETTER(fake_publish_code, int, say_code)
SETTER(fake_publish_code_after, int, say_after)
SETTER(fake_publish_blind, bool, is_blind)
SETTER(fake_publish_lost, bool, is_lost)
SETTER(fake_publish_removes, bool, is_removing)
SETTER(fake_publish_again, bool, reads_again)
SETTER(fake_send_late, bool, holds_late)
SETTER(fake_publish_grows, bool, takes_growing)
SETTER(fake_delete_code, int, say_delete)

#define GETTER(name, type, variable) \
	type name(void)              \
	{                            \
		type value;          \
		enter();             \
		value = variable;    \
		leave();             \
		return value;        \
	}

GETTER(fake_publish_held, unsigned, held_count)
GETTER(fake_published, unsigned, call_count)
GETTER(fake_publish_most, unsigned, held_most)
GETTER(fake_deletes, unsigned, deletes)
GETTER(fake_notes, unsigned, notes)
GETTER(fake_doubts, unsigned, doubts)
GETTER(fake_noted_was, uint64_t, noted_was)
GETTER(fake_noted_version, bool, noted_version)

void fake_publish_one(void)
{
	enter();
	let_go++;
	(void)pthread_cond_signal(&wake);
	leave();
}

void fake_publish_leftover(const char *path)
{
	enter();
	(void)snprintf(
	    leftover, sizeof(leftover), "%s", path == NULL ? "" : path);
	leave();
}

struct fake_call fake_call(unsigned nth)
{
	struct fake_call call;

	enter();
	assert(nth < call_count);
	call = calls[nth];
	leave();
	return call;
}

/* ---- the server ---- */

static const char *below_source(const char *path)
{
	assert(strncmp(path, "/src/", 5) == 0);
	return path + 4;
}

/* Read up to a part of it. */
static void read_some(struct call *call, uint64_t until)
{
	while (call->code == 0 && call->at < until) {
		uint64_t left = until - call->at;
		int64_t n = call->bytes.read(call->bytes.arg, call->at,
		    call->read + call->at, left < 70000 ? (size_t)left : 70000,
		    false);

		if (n <= 0)
			call->code = n < 0 ? (int)n : -EIO;
		else
			call->at += (uint64_t)n;
	}
}

/* What the server makes of it. */
static void judge(struct call *call, struct fetch_published *out)
{
	const char *path = below_source(calls[call->nth].path);
	enum fetch_condition condition = calls[call->nth].condition;
	struct fetch_version now = {.mtime_s = -1};
	size_t size;
	uint8_t *there = fake_get(path, &size, &now);

	if (call->code == 0 && condition == FETCH_IF_ABSENT && there != NULL)
		call->code = -EEXIST;
	if (call->code == 0 && condition == FETCH_IF_SAME &&
	    (there == NULL || !fetch_version_equal(&now, &call->version)))
		call->code = -ESTALE;
	free(there);
	if (call->code == 0 && condition == FETCH_IF_SAME && is_removing) {
		fake_remove(path);
		out->removed = true;
		call->code = -EACCES;
		return;
	}
	out->version_known = call->code != 0 && there != NULL;
	if (call->code == 0) {
		now = fake_put(path, call->read, call->bytes.size_bytes);
		out->sent = true;
		out->version_known = true;
		out->proof = is_blind ? FETCH_UNVERIFIED : FETCH_SIZE;
		call->code = say_after;
	}
	if (is_lost) {
		*out = (struct fetch_published){.leftover = ""};
		call->code = -ETIMEDOUT;
		return;
	}
	out->version = now;
	if (out->sent && is_blind)
		out->version = (struct fetch_version){
		    .size_bytes = call->bytes.size_bytes, .mtime_s = -1};
}

static void answer(struct call *call)
{
	struct fetch_published out = {.leftover = ""};
	struct err err = ERR_INIT;
	char left[256];
	bool early = call->number % 2 == 0;

	if (call->changed != NULL) {
		enter();
		if (call->code == 0)
			call->code = stopped ? -ECANCELED : say_delete;
		leave();
		call->changed(call->arg, call->code, &err);
		free(call);
		enter();
		deletes++;
		leave();
		return;
	}
	enter();
	if (call->cancelled || stopped)
		call->code = -ECANCELED;
	else if (call->code == 0)
		call->code = say_code;
	if (reads_again)
		call->at = 0;
	leave();
	if (call->code == 0)
		read_some(call, call->bytes.size_bytes);
	judge(call, &out);
	enter();
	(void)strcpy(left, leftover);
	calls[call->nth].code = call->code;
	calls[call->nth].cancelled = call->cancelled;
	leave();
	out.leftover = left;
	if (call->code < 0)
		(void)err_set(&err, call->code, "the server says %s",
		    err_name(call->code));
	if (early && call->bytes.release != NULL)
		call->bytes.release(call->bytes.arg);
	call->published(call->arg, call->code, &out, &err);
	if (!early && call->bytes.release != NULL)
		call->bytes.release(call->bytes.arg);
	free(call->read);
	free(call);
}

/* One that can be gone on with; it leaves the queue. Under the lock. */
static struct call *next_call(void)
{
	for (struct list *in = queue.next; in != &queue; in = in->next) {
		struct call *call = CONTAINER_OF(in, struct call, in);

		/* More of it is to come. */
		if (call->bytes.grows && !call->cancelled && !stopped)
			continue;
		if (call->is_held && hold_percent <= 100 && !call->cancelled &&
		    !stopped) {
			if (let_go == 0)
				continue;
			let_go--;
		}
		list_remove(in);
		return call;
	}
	return NULL;
}

static void hold(struct call *call)
{
	call->is_held = true;
	list_push(&queue, &call->in);
	if (++held_count > held_most)
		held_most = held_count;
}

static void *serve(void *arg)
{
	(void)arg;
	enter();
	while (runs || !list_is_empty(&queue)) {
		struct call *call = next_call();
		unsigned percent = hold_percent;

		if (call == NULL) {
			(void)pthread_cond_wait(&wake, &mutex);
			continue;
		}
		/* An empty one has been read at once. */
		if (call->is_held || percent > 100 || call->changed != NULL ||
		    stopped || (call->bytes.size_bytes == 0 && percent > 0)) {
			held_count -= call->is_held;
			answering++;
			leave();
			answer(call);
			enter();
			answering--;
			(void)pthread_cond_broadcast(&idle);
			continue;
		}
		answering++;
		being_read = call;
		leave();
		read_some(call, call->bytes.size_bytes * percent / 100);
		enter();
		answering--;
		being_read = NULL;
		hold(call);
	}
	leave();
	return NULL;
}

void fake_publish_reset(void)
{
	enter();
	if (runs) {
		stopped = true;
		runs = false;
		(void)pthread_cond_signal(&wake);
		leave();
		(void)pthread_join(thread, NULL);
		enter();
	}
	list_init(&queue);
	call_count = held_count = held_most = deletes = let_go = 0;
	hold_percent = 101;
	say_code = say_after = say_delete = 0;
	is_blind = is_lost = is_removing = stopped = reads_again = holds_late =
	    false;
	takes_growing = false;
	leftover[0] = '\0';
	notes = doubts = 0;
	leave();
}

void fake_publish_stop(void)
{
	enter();
	stopped = true;
	(void)pthread_cond_signal(&wake);
	/* All that was asked before has been answered. */
	while (runs && (!list_is_empty(&queue) || answering > 0))
		(void)pthread_cond_wait(&idle, &mutex);
	leave();
}

/* ---- fetch.h, change.h ---- */

bool fetch_version_equal(
    const struct fetch_version *a, const struct fetch_version *b)
{
	if (a->size_bytes != b->size_bytes)
		return false;
	if (a->etag[0] != '\0' && b->etag[0] != '\0')
		return strcmp(a->etag, b->etag) == 0;
	return a->mtime_s < 0 || b->mtime_s < 0 || a->mtime_s == b->mtime_s;
}

static void add(struct call *call)
{
	if (!runs) {
		runs = true;
		(void)pthread_create(&thread, NULL, serve, NULL);
	}
	list_push(&queue, &call->in);
	(void)pthread_cond_signal(&wake);
}

void fetch_temporary(struct fetch *fetch, const struct ident *ident,
    const char *path, enum fetch_condition condition, char out[PATH_BYTES_MAX])
{
	(void)fetch;
	(void)ident;
	(void)condition;
	(void)snprintf(out, PATH_BYTES_MAX, "%s.being-sent", path);
}

uint64_t fetch_publish(struct fetch *fetch, const struct fetch_publish *ask,
    fetch_published_fn to, void *arg)
{
	static uint64_t numbers;
	struct call *call = calloc(1, sizeof(*call));
	uint64_t number;
	bool at_once;

	(void)fetch;
	assert(call != NULL);
	call->bytes = ask->bytes;
	call->published = to;
	call->arg = arg;
	if (ask->condition == FETCH_IF_SAME)
		call->version = *ask->version;
	call->read = malloc(ask->bytes.size_bytes + 1);
	assert(call->read != NULL);
	enter();
	number = call->number = ++numbers;
	call->nth = call_count++;
	assert(call->nth < FAKE_CALLS);
	calls[call->nth] = (struct fake_call){.condition = ask->condition,
	    .size_bytes = ask->bytes.size_bytes,
	    .mtime_s = ask->mtime_s,
	    .uid = ask->ident->uid,
	    .of_user = ask->ident->tgid == IDENT_OF_USER,
	    .grew = ask->bytes.grows,
	    .told_bytes = ask->bytes.size_bytes,
	    .code = 1};
	(void)snprintf(
	    calls[call->nth].path, sizeof(calls[0].path), "%s", ask->path);
	(void)snprintf(calls[call->nth].temporary, sizeof(calls[0].temporary),
	    "%s", ask->temporary);
	if (ask->bytes.grows && !takes_growing) {
		call->bytes.grows = false;
		call->code = -ENOTSUP;
	}
	at_once = stopped;
	if (!at_once)
		add(call);
	leave();
	if (at_once)
		answer(call);
	return number;
}

static void grow(struct call *call, uint64_t size_bytes, bool whole)
{
	assert(call->bytes.grows && size_bytes >= call->bytes.size_bytes);
	call->read = realloc(call->read, size_bytes + 1);
	assert(call->read != NULL);
	call->bytes.size_bytes = size_bytes;
	call->bytes.grows = !whole;
	calls[call->nth].told_bytes = size_bytes;
	(void)pthread_cond_signal(&wake);
}

int fetch_grown(
    struct fetch *fetch, uint64_t number, uint64_t size_bytes, bool whole)
{
	(void)fetch;
	enter();
	for (struct list *in = queue.next; in != &queue; in = in->next) {
		struct call *call = CONTAINER_OF(in, struct call, in);

		if (call->number == number && !call->cancelled) {
			grow(call, size_bytes, whole);
			break;
		}
	}
	leave();
	return 0;
}

void fetch_cancel(struct fetch *fetch, uint64_t number)
{
	(void)fetch;
	assert(number != 0);
	enter();
	for (struct list *in = queue.next; in != &queue; in = in->next) {
		struct call *call = CONTAINER_OF(in, struct call, in);

		if (call->number == number)
			call->cancelled = true;
	}
	if (being_read != NULL && being_read->number == number)
		being_read->cancelled = true;
	(void)pthread_cond_signal(&wake);
	leave();
}

void fetch_delete(struct fetch *fetch, const struct ident *ident,
    const char *path, fetch_changed_fn to, void *arg)
{
	struct call *call = calloc(1, sizeof(*call));
	bool at_once;

	(void)fetch;
	(void)ident;
	assert(call != NULL && path[0] == '/');
	call->changed = to;
	call->arg = arg;
	enter();
	at_once = stopped;
	if (!at_once)
		add(call);
	leave();
	if (at_once)
		answer(call);
}

/* ---- note.h ---- */

void cache_note_file(struct cache *cache, const char *path,
    const struct fetch_version *version, uint64_t was)
{
	(void)cache;
	assert(path[0] == '/' && was != 0);
	enter();
	notes++;
	noted_was = was;
	noted_version = version != NULL;
	leave();
}

void cache_note_doubt(struct cache *cache, const char *path)
{
	(void)cache;
	assert(path[0] == '/');
	enter();
	doubts++;
	leave();
}

void fake_send_hold(bool does)
{
	unsigned held;

	enter();
	held = holds_late ? 100 : 70;
	leave();
	fake_publish_hold(does ? held : 101);
}

void fake_send_code(int code)
{
	fake_publish_code(code);
}

void fake_send_reset(void)
{
	fake_publish_reset();
}

unsigned fake_send_held(void)
{
	return fake_publish_held();
}
