/* SPDX-License-Identifier: Apache-2.0 */
/*
 * fetch/calls/mailbox.c - see mailbox.h.
 *
 * A burst of posts costs one system call: the bell is rung only when the
 * loop has said that it sleeps.
 */
#include "fetch/calls/mailbox.h"

#include "base/sync.h"

#include <assert.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdint.h>
#include <stdlib.h>
#include <sys/eventfd.h>
#include <unistd.h>

struct mailbox {
	pthread_mutex_t mutex;
	atomic_uint references;
	int bell;
	struct post *first GUARDED_BY(fetch_queue_lock);
	struct post **end GUARDED_BY(fetch_queue_lock);
	bool asleep GUARDED_BY(fetch_queue_lock);
	bool closed GUARDED_BY(fetch_queue_lock);
};

static void enter(struct mailbox *box) ACQUIRES(fetch_queue_lock);
static void leave(struct mailbox *box) RELEASES(fetch_queue_lock);
static void set_empty(struct mailbox *box) REQUIRES(fetch_queue_lock);

static UNCHECKED void enter(struct mailbox *box)
{
	(void)pthread_mutex_lock(&box->mutex);
}

static UNCHECKED void leave(struct mailbox *box)
{
	(void)pthread_mutex_unlock(&box->mutex);
}

static void set_empty(struct mailbox *box)
{
	box->first = NULL;
	box->end = &box->first;
}

struct mailbox *mailbox_new(void)
{
	struct mailbox *box = calloc(1, sizeof(*box));

	if (box == NULL)
		return NULL;
	box->bell = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	if (box->bell < 0) {
		free(box);
		return NULL;
	}
	(void)pthread_mutex_init(&box->mutex, NULL);
	atomic_init(&box->references, 1);
	enter(box);
	set_empty(box);
	leave(box);
	return box;
}

struct mailbox *mailbox_get(struct mailbox *box)
{
	(void)atomic_fetch_add(&box->references, 1);
	return box;
}

void mailbox_put(struct mailbox *box)
{
	if (box == NULL || atomic_fetch_sub(&box->references, 1) != 1)
		return;
	(void)close(box->bell);
	(void)pthread_mutex_destroy(&box->mutex);
	free(box);
}

static void ring(const struct mailbox *box)
{
	uint64_t one = 1;

	/* EAGAIN would need 2^64 rings; nothing else can fail. */
	ssize_t written = write(box->bell, &one, sizeof(one));

	assert(written == (ssize_t)sizeof(one));
}

bool mailbox_send(struct mailbox *box, struct post *post)
{
	bool taken = false;
	bool wake = false;

	post->next = NULL;
	enter(box);
	if (!box->closed) {
		*box->end = post;
		box->end = &post->next;
		wake = box->asleep;
		box->asleep = false;
		taken = true;
	}
	leave(box);
	if (wake)
		ring(box);
	return taken;
}

void mailbox_close(struct mailbox *box)
{
	enter(box);
	box->closed = true;
	box->asleep = false;
	leave(box);
	ring(box);
}

struct post *mailbox_take(struct mailbox *box)
{
	struct post *first;

	enter(box);
	first = box->first;
	set_empty(box);
	leave(box);
	return first;
}

bool mailbox_sleep(struct mailbox *box)
{
	bool may;

	enter(box);
	may = box->first == NULL && !box->closed;
	box->asleep = may;
	leave(box);
	return may;
}

bool mailbox_is_closed(struct mailbox *box)
{
	bool closed;

	enter(box);
	closed = box->closed;
	leave(box);
	return closed;
}

int mailbox_bell(const struct mailbox *box)
{
	return box->bell;
}
