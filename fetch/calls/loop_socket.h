/* SPDX-License-Identifier: Apache-2.0 */
/*
 * fetch/calls/loop_socket.h - libcurl's sockets in the loop's epoll set.
 *
 * A kept connection stays in the set when its request has ended, so that the
 * next one costs no epoll_ctl(2). That is safe only for sockets that are
 * opened and closed through our functions; others (the resolver's) leave the
 * set when libcurl says so, because their numbers may be used again unseen.
 *
 * Threads: the fetch thread.
 * Sources: CURLMOPT_SOCKETFUNCTION(3), CURLOPT_CLOSESOCKETFUNCTION(3).
 */
#ifndef FETCH_CALLS_LOOP_SOCKET_H
#define FETCH_CALLS_LOOP_SOCKET_H

#include "base/attr.h"
#include "fetch/calls/loop.h"

#include <curl/curl.h>

/** What is known of a socket; NULL when out of memory. Borrowed until the
 *  next call. */
struct loop_socket *loop_socket_of(struct loop *loop, int fd);

/** Tell the kernel what is wanted, if that has changed. */
int loop_socket_watch(struct loop *loop, int fd, struct loop_socket *socket);

/** For CURLMOPT_SOCKETFUNCTION, with the loop as its data. */
int loop_on_socket(
    CURL *easy, curl_socket_t fd, int what, void *arg, void *socket_arg);

#endif
