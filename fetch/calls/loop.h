/* SPDX-License-Identifier: Apache-2.0 */
/*
 * fetch/calls/loop.h - the one thread that calls curl_multi_*(): it waits for
 * sockets, posts and times, and hands what happens to the calls.
 *
 * Threads: loop_init() and loop_fini() before and after the thread, the rest
 * on it.
 */
#ifndef FETCH_CALLS_LOOP_H
#define FETCH_CALLS_LOOP_H

#include "base/attr.h"
#include "base/sync.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/queue.h>

#include <curl/curl.h>

struct err;
struct fetch;
struct request;

TAILQ_HEAD(request_list, request);

/** A socket of libcurl's, by its number. */
struct loop_socket {
	uint32_t wanted;  /* epoll events libcurl waits for; 0: none */
	uint32_t watched; /* those the kernel was told of */
	CURL *easy;       /* whose it is; while `wanted` */
	bool ours;        /* opened through us: we see it closed */
};

struct loop {
	int epoll;
	CURLM *multi;
	CURLSH *share; /* TLS sessions */
	struct loop_socket *sockets;
	size_t socket_count;
	uint64_t timer_ms; /* when libcurl wants to be called; UINT64_MAX */
	uint64_t tick_ms;
	struct request_list active; /* in the multi handle */
	struct request_list idle;   /* for the next one */
	unsigned idle_count;
	uint64_t records; /* of TLS, that have begun to come */
	bool more;        /* libcurl has not had all that OpenSSL has */
};

NODISCARD int loop_init(struct fetch *fetch, struct err *err);
void loop_fini(struct fetch *fetch);

/** The thread of a struct fetch, `arg`; ends when the mailbox is closed. */
void *loop_main(void *arg);

/** Set what a new handle must have: a connection keeps the functions of the
 *  handle that opened it. */
void loop_prepare(struct loop *loop, CURL *easy);

/** Send a request that was filled in. -ENOMEM. */
NODISCARD int loop_add(struct fetch *fetch, struct request *request)
    REQUIRES(fetch_thread);

/** Take a request out, finished or not; the connection of an unfinished one
 *  is closed. */
void loop_remove(struct fetch *fetch, struct request *request)
    REQUIRES(fetch_thread);

#endif
