/* SPDX-License-Identifier: Apache-2.0 */
/*
 * fetch/calls/loop.c - the fetch thread: epoll around curl_multi_socket_action().
 *
 * Measured against curl_multi_perform() and curl_multi_poll(): a 64 KiB range
 * over TLS costs less when libcurl is told which socket is ready (it then
 * does not poll by itself), when a socket that gave bytes is read again at
 * once (records of 16 KiB come one a call), and when a kept connection stays
 * in the epoll set between two requests.
 *
 * Not here: what a call is. Posts know how to deliver themselves.
 *
 * Threads: all of it on the fetch thread, but loop_init() and loop_fini().
 * Sources: libcurl's manual, curl_multi_socket_action(3); epoll(7).
 */
#include "fetch/calls/loop.h"

#include "base/clock.h"
#include "base/err.h"
#include "fetch/calls/call.h"
#include "fetch/calls/call_hedge.h"
#include "fetch/calls/loop_socket.h"
#include "fetch/calls/request.h"
#include "fetch/calls/tls_ahead.h"
#include "fetch/engine.h"

#include <assert.h>
#include <errno.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <unistd.h>

enum {
	LOOP_EVENTS_MAX = 64,
	LOOP_CONNECTIONS_KEPT = 48,
	LOOP_ROUNDS = 4,
};

static int on_timer(CURLM *multi, long wait_ms, void *arg)
{
	struct fetch *fetch = arg;

	(void)multi;
	fetch->loop.timer_ms = wait_ms < 0
	    ? UINT64_MAX
	    : clock_now_ms(fetch->clock) + (uint64_t)wait_ms;
	return 0;
}

static int make_multi(struct fetch *fetch)
{
	struct loop *loop = &fetch->loop;
	CURLM *multi = curl_multi_init();

	loop->multi = multi;
	loop->share = curl_share_init();
	if (multi == NULL || loop->share == NULL)
		return -ENOMEM;
	/* One thread: no locks are needed. */
	(void)curl_share_setopt(
	    loop->share, CURLSHOPT_SHARE, CURL_LOCK_DATA_SSL_SESSION);
	(void)curl_multi_setopt(multi, CURLMOPT_SOCKETFUNCTION, loop_on_socket);
	(void)curl_multi_setopt(multi, CURLMOPT_SOCKETDATA, loop);
	(void)curl_multi_setopt(multi, CURLMOPT_TIMERFUNCTION, on_timer);
	(void)curl_multi_setopt(multi, CURLMOPT_TIMERDATA, fetch);
	(void)curl_multi_setopt(
	    multi, CURLMOPT_MAXCONNECTS, (long)LOOP_CONNECTIONS_KEPT);
	(void)curl_multi_setopt(
	    multi, CURLMOPT_MAX_HOST_CONNECTIONS, (long)SERVER_CHANGES_MAX);
	(void)curl_multi_setopt(multi, CURLMOPT_PIPELINING, CURLPIPE_NOTHING);
	return 0;
}

int loop_init(struct fetch *fetch, struct err *err)
{
	struct loop *loop = &fetch->loop;
	struct epoll_event bell = {.events = EPOLLIN | EPOLLET};

	TAILQ_INIT(&loop->active);
	TAILQ_INIT(&loop->idle);
	loop->timer_ms = UINT64_MAX;
	loop->tick_ms = UINT64_MAX;
	loop->epoll = epoll_create1(EPOLL_CLOEXEC);
	if (loop->epoll < 0)
		return err_set(err, -errno, "epoll: %s", err_message(errno));
	bell.data.fd = mailbox_bell(fetch->mailbox);
	if (epoll_ctl(loop->epoll, EPOLL_CTL_ADD, bell.data.fd, &bell) < 0)
		return err_set(err, -errno, "epoll: %s", err_message(errno));
	network_init(&fetch->network, fetch->clock);
	if (fetch->network.fd >= 0) {
		struct epoll_event news = {
		    .events = EPOLLIN, .data.fd = fetch->network.fd};

		if (epoll_ctl(loop->epoll, EPOLL_CTL_ADD, news.data.fd, &news) <
		    0)
			network_fini(&fetch->network);
	}
	if (make_multi(fetch) < 0)
		return err_set(err, -ENOMEM, "out of memory");
	return 0;
}

void loop_fini(struct fetch *fetch)
{
	struct loop *loop = &fetch->loop;

	if (loop->idle.tqh_last != NULL)
		request_free_idle(fetch);
	/* The handles first, then what they share. */
	if (loop->multi != NULL)
		(void)curl_multi_cleanup(loop->multi);
	if (loop->share != NULL)
		(void)curl_share_cleanup(loop->share);
	network_fini(&fetch->network);
	if (loop->epoll >= 0)
		(void)close(loop->epoll);
	free(loop->sockets);
	*loop = (struct loop){.epoll = -1};
}

int loop_add(struct fetch *fetch, struct request *request)
{
	struct loop *loop = &fetch->loop;

	if (curl_multi_add_handle(loop->multi, request->easy) != CURLM_OK)
		return -ENOMEM;
	TAILQ_INSERT_TAIL(&loop->active, request, link);
	return 0;
}

void loop_remove(struct fetch *fetch, struct request *request)
{
	struct loop *loop = &fetch->loop;

	(void)curl_multi_remove_handle(loop->multi, request->easy);
	TAILQ_REMOVE(&loop->active, request, link);
}

/* Give what libcurl has finished to the calls. */
static void take_finished(struct fetch *fetch) REQUIRES(fetch_thread);

static void take_finished(struct fetch *fetch)
{
	CURLMsg *message;
	int left;

	while ((message = curl_multi_info_read(fetch->loop.multi, &left)) !=
	    NULL) {
		struct request *request = NULL;
		CURLcode result = message->data.result;

		if (message->msg != CURLMSG_DONE)
			continue;
		(void)curl_easy_getinfo(
		    message->easy_handle, CURLINFO_PRIVATE, &request);
		assert(request != NULL);
		call_finished(request, result);
	}
}

static void on_ready(struct fetch *fetch, int fd, uint32_t events)
    REQUIRES(fetch_thread);

static void on_ready(struct fetch *fetch, int fd, uint32_t events)
{
	struct loop *loop = &fetch->loop;
	struct loop_socket *socket = loop_socket_of(loop, fd);
	int ready = 0;
	int running;

	if (socket == NULL)
		return;
	if (socket->wanted == 0) {
		/* A kept connection that has ended or says something unasked:
		 * libcurl sees that when it looks at it next. */
		(void)loop_socket_watch(loop, fd, socket);
		return;
	}
	if ((events & EPOLLIN) != 0)
		ready |= CURL_CSELECT_IN;
	if ((events & EPOLLOUT) != 0)
		ready |= CURL_CSELECT_OUT;
	if ((events & (EPOLLERR | EPOLLHUP)) != 0)
		ready |= CURL_CSELECT_ERR;
	/* libcurl reads on while there is something, up to 1.6 MB; then the
	 * others have their turn. */
	(void)curl_multi_socket_action(loop->multi, fd, ready, &running);
}

/* Let libcurl have what OpenSSL has read ahead. A call for one transfer can
 * read of another, whose time has come: so all are asked. */
static void read_on(struct fetch *fetch) REQUIRES(fetch_thread);

static void read_on(struct fetch *fetch)
{
	struct loop *loop = &fetch->loop;

	/* A few rounds, then others have their turn. */
	for (int i = 0; i < LOOP_ROUNDS; i++) {
		int fds[LOOP_EVENTS_MAX];
		uint64_t before = loop->records;
		unsigned count = 0;

		for (size_t fd = 0;
		     fd < loop->socket_count && count < LOOP_EVENTS_MAX; fd++) {
			if (loop->sockets[fd].wanted != 0 &&
			    tls_ahead_holds(loop->sockets[fd].easy))
				fds[count++] = (int)fd;
		}
		for (unsigned k = 0; k < count; k++)
			on_ready(fetch, fds[k], EPOLLIN);
		/* None, or pieces of heads. */
		loop->more = loop->records != before;
		if (!loop->more)
			return;
	}
}

static void run_timer(struct fetch *fetch) REQUIRES(fetch_thread);

static void run_timer(struct fetch *fetch)
{
	struct loop *loop = &fetch->loop;
	int running;

	/* libcurl sets it anew from inside; adding a request sets it to now.
	 * A few rounds, then others have their turn. */
	for (int i = 0; i < LOOP_ROUNDS && loop->timer_ms <= fetch->now_ms;
	     i++) {
		loop->timer_ms = UINT64_MAX;
		(void)curl_multi_socket_action(
		    loop->multi, CURL_SOCKET_TIMEOUT, 0, &running);
		read_on(fetch);
		take_finished(fetch);
		call_dispatch(fetch);
	}
}

static int wait_ms(struct fetch *fetch) REQUIRES(fetch_thread);

static int wait_ms(struct fetch *fetch)
{
	const struct loop *loop = &fetch->loop;
	uint64_t until_ms = loop->timer_ms;
	uint64_t next_ms = call_next_ms(fetch);

	if (until_ms > next_ms)
		until_ms = next_ms;
	if (until_ms > loop->tick_ms)
		until_ms = loop->tick_ms;
	if (loop->more)
		return 0; /* read_on() left something */
	if (until_ms == UINT64_MAX)
		return -1;
	if (until_ms <= fetch->now_ms)
		return 0;
	return until_ms - fetch->now_ms > 60000
	    ? 60000
	    : (int)(until_ms - fetch->now_ms);
}

static void take_posts(struct fetch *fetch) REQUIRES(fetch_thread);

static void take_posts(struct fetch *fetch)
{
	struct post *post = mailbox_take(fetch->mailbox);

	while (post != NULL) {
		struct post *next = post->next;

		post->deliver(post, fetch);
		post = next;
	}
}

static void run_ticks(struct fetch *fetch) REQUIRES(fetch_thread);

static void run_ticks(struct fetch *fetch)
{
	struct loop *loop = &fetch->loop;

	if (fetch->hedge_ms != 0 && fetch->now_ms >= fetch->hedge_ms)
		call_hedge(fetch);
	if (fetch->now_ms >= call_next_ms(fetch) ||
	    fetch->now_ms >= loop->tick_ms) {
		call_tick(fetch);
		loop->tick_ms = UINT64_MAX;
	}
	if (fetch->call_count == 0)
		loop->tick_ms = UINT64_MAX;
	else if (loop->tick_ms == UINT64_MAX)
		loop->tick_ms = fetch->now_ms + FETCH_TICK_MS;
}

static void run(struct fetch *fetch) REQUIRES(fetch_thread);

static void run(struct fetch *fetch)
{
	struct loop *loop = &fetch->loop;
	struct epoll_event events[LOOP_EVENTS_MAX];
	int count;

	while (!mailbox_is_closed(fetch->mailbox)) {
		fetch->now_ms = clock_now_ms(fetch->clock);
		network_look(fetch);
		take_posts(fetch);
		run_ticks(fetch);
		call_dispatch(fetch);
		run_timer(fetch);

		count = wait_ms(fetch);
		if (!mailbox_sleep(fetch->mailbox))
			count = 0;
		count = epoll_wait(loop->epoll, events, LOOP_EVENTS_MAX, count);
		assert(count >= 0 || errno == EINTR);
		fetch->now_ms = clock_now_ms(fetch->clock);
		for (int i = 0; i < count; i++) {
			if (events[i].data.fd == fetch->network.fd)
				network_ready(fetch);
			else if (events[i].data.fd !=
			    mailbox_bell(fetch->mailbox))
				on_ready(
				    fetch, events[i].data.fd, events[i].events);
		}
		read_on(fetch);
		take_finished(fetch);
	}
}

void *loop_main(void *arg)
{
	struct fetch *fetch = arg;
	sigset_t none;

	/* Signals are for the main thread. */
	(void)sigfillset(&none);
	(void)pthread_sigmask(SIG_BLOCK, &none, NULL);
	(void)prctl(PR_SET_NAME, "fetch");
	fetch->loop_thread = pthread_self();
	fetch_assert_thread(fetch);
	run(fetch);
	fetch->now_ms = clock_now_ms(fetch->clock);
	take_posts(fetch);
	call_cancel_all(fetch);
	return NULL;
}
