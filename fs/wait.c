/* SPDX-License-Identifier: Apache-2.0 */
/* fs/wait.c - see wait.h. */
#include "fs/wait.h"

#include "base/stats.h"
#include "fs/killed.h"
#include "fs/reply.h"

#include <assert.h>
#include <errno.h>
#include <stdint.h>
#include <sys/eventfd.h>
#include <unistd.h>

/* Whose FUSE thread this thread is. */
static _Thread_local const struct fs_mail *here;

int mail_init(struct fs_mail *mail)
{
	atomic_init(&mail->head, NULL);
	atomic_init(&mail->ringing, false);
	atomic_init(&mail->lingering, 0);
	list_init(&mail->patient);
	mail->wake_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	return mail->wake_fd < 0 ? -errno : 0;
}

void mail_fini(struct fs_mail *mail)
{
	assert(atomic_load(&mail->head) == NULL);
	assert(list_is_empty(&mail->patient));
	(void)close(mail->wake_fd);
}

UNCHECKED void mail_enter(struct fs_mail *mail)
{
	assert(here == NULL);
	here = mail;
}

UNCHECKED void mail_leave(struct fs_mail *mail)
{
	assert(here == mail);
	here = NULL;
}

UNCHECKED void mail_assert_here(const struct fs_mail *mail)
{
	assert(here == mail);
}

static void finish(struct fs_wait *wait)
{
	list_remove(&wait->in);
	wait->finish(wait);
}

void mail_drain(struct fs_mail *mail)
{
	struct fs_wait *wait;
	struct fs_wait *first = NULL;

	/* The usual case costs one load. */
	if (!atomic_load(&mail->head))
		return;
	wait = atomic_exchange(&mail->head, NULL);
	while (wait) { /* answers in the order in which they came */
		struct fs_wait *next = wait->next;

		wait->next = first;
		first = wait;
		wait = next;
	}
	while (first) {
		wait = first;
		first = wait->next;
		finish(wait);
	}
}

void mail_ring(struct fs_mail *mail)
{
	const uint64_t one = 1;
	int saved = errno; /* a signal handler may be calling */

	/* It cannot fail but with EAGAIN, when the count is at its end: then
	 * the FUSE thread has been woken already. */
	if (!atomic_exchange(&mail->ringing, true) &&
	    write(mail->wake_fd, &one, sizeof(one)) < 0)
		assert(errno == EAGAIN);
	errno = saved;
}

bool mail_rings(const struct fs_mail *mail)
{
	return atomic_load(&mail->ringing);
}

void mail_answer_ring(struct fs_mail *mail)
{
	uint64_t count;

	if (read(mail->wake_fd, &count, sizeof(count)) < 0)
		assert(errno == EAGAIN || errno == EINTR);
	/* Before the drain that follows: what is pushed after it rings. */
	atomic_store(&mail->ringing, false);
}

/* Called by libfuse, with its lock held, on the FUSE thread. */
static void interrupted(fuse_req_t req, void *data)
{
	struct fs_wait *wait = data;

	assert(here == wait->mail);
	if ((wait->patient && !is_killed(wait->pid)) || !wait_claim(wait))
		return;
	stats_add(STATS_fs_interrupted, 1);
	reply_error(req, -EINTR);
}

static void prepare(struct fs_wait *wait, struct fs_mail *mail, fuse_req_t req,
    fs_finish_fn finish_fn)
{
	wait->mail = mail;
	wait->req = req;
	wait->finish = finish_fn;
	wait->next = NULL;
	wait->patient = false;
	wait->pid = fuse_req_ctx(req)->pid;
	list_init(&wait->in);
	atomic_init(&wait->claimed, false);
}

bool wait_begin(struct fs_wait *wait, struct fs_mail *mail, fuse_req_t req,
    fs_finish_fn finish_fn)
{
	prepare(wait, mail, req, finish_fn);
	/* The INTERRUPT came before its request: libfuse would call back from
	 * within the registration and then use what the reply has freed. */
	if (fuse_req_interrupted(req)) {
		stats_add(STATS_fs_interrupted, 1);
		reply_error(req, -EINTR);
		return false;
	}
	stats_add(STATS_fs_waiting, 1);
	fuse_req_interrupt_func(req, interrupted, wait);
	return true;
}

bool wait_begin_patient(struct fs_wait *wait, struct fs_mail *mail,
    fuse_req_t req, fs_finish_fn finish_fn)
{
	bool interrupted_before = fuse_req_interrupted(req);

	prepare(wait, mail, req, finish_fn);
	wait->patient = true;
	if (interrupted_before && is_killed(wait->pid)) {
		stats_add(STATS_fs_interrupted, 1);
		reply_error(req, -EINTR);
		return false;
	}
	stats_add(STATS_fs_waiting, 1);
	list_push(&mail->patient, &wait->in);
	if (!interrupted_before)
		fuse_req_interrupt_func(req, interrupted, wait);
	return true;
}

void wait_go_on(struct fs_wait *wait, fs_finish_fn finish_fn)
{
	assert(here == wait->mail);
	wait->finish = finish_fn;
	if (wait->patient)
		list_push(&wait->mail->patient, &wait->in);
}

void mail_tend(struct fs_mail *mail)
{
	struct list *at = mail->patient.next;

	for (; at != &mail->patient; at = at->next) {
		struct fs_wait *wait = CONTAINER_OF(at, struct fs_wait, in);

		if (wait_is_claimed(wait) || wait->pid == 0 ||
		    !is_killed(wait->pid) || !wait_claim(wait))
			continue;
		stats_add(STATS_fs_interrupted, 1);
		reply_error(wait->req, -EINTR);
	}
}

bool wait_claim(struct fs_wait *wait)
{
	if (atomic_exchange(&wait->claimed, true))
		return false;
	stats_add(STATS_fs_waiting, -1);
	return true;
}

bool wait_is_claimed(const struct fs_wait *wait)
{
	return atomic_load(&wait->claimed);
}

static void push(struct fs_mail *mail, struct fs_wait *wait)
{
	struct fs_wait *head = atomic_load(&mail->head);

	do
		wait->next = head;
	while (!atomic_compare_exchange_weak(&mail->head, &head, wait));
}

void wait_return(struct fs_wait *wait)
{
	struct fs_mail *mail = wait->mail;

	if (here == mail) {
		finish(wait);
		return;
	}
	push(mail, wait); /* from here on it may be gone */
	mail_ring(mail);
}

void wait_return_idle(struct fs_wait *wait)
{
	struct fs_mail *mail = wait->mail;

	assert(wait_is_claimed(wait));
	if (here == mail) {
		finish(wait);
		return;
	}
	push(mail, wait);
	/* Pushed first, looked at second; the FUSE thread counts first and
	 * drains second: one of the two sees the other. */
	if (atomic_load(&mail->lingering) > 0)
		mail_ring(mail);
}
