/* SPDX-License-Identifier: Apache-2.0 */
/*
 * fetch/calls/loop_socket.c - see loop_socket.h.
 */
#include "fetch/calls/loop_socket.h"

#include "fetch/calls/tls_ahead.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

enum { LOOP_SOCKETS_MAX = 1 << 20 };

struct loop_socket *loop_socket_of(struct loop *loop, int fd)
{
	size_t index = (size_t)fd;

	if (fd < 0 || fd >= LOOP_SOCKETS_MAX)
		return NULL;
	if (index >= loop->socket_count) {
		size_t count = (index + 64) & ~(size_t)63;
		struct loop_socket *grown =
		    reallocarray(loop->sockets, count, sizeof(*grown));

		if (grown == NULL)
			return NULL;
		memset(grown + loop->socket_count, 0,
		    (count - loop->socket_count) * sizeof(*grown));
		loop->sockets = grown;
		loop->socket_count = count;
	}
	return &loop->sockets[index];
}

int loop_socket_watch(struct loop *loop, int fd, struct loop_socket *socket)
{
	struct epoll_event event = {.events = socket->wanted, .data.fd = fd};
	int how = socket->watched == 0 ? EPOLL_CTL_ADD : EPOLL_CTL_MOD;

	if (socket->wanted == socket->watched)
		return 0;
	if (socket->wanted == 0)
		how = EPOLL_CTL_DEL;
	if (epoll_ctl(loop->epoll, how, fd, &event) < 0)
		return -errno;
	socket->watched = socket->wanted;
	return 0;
}

int loop_on_socket(
    CURL *easy, curl_socket_t fd, int what, void *arg, void *socket_arg)
{
	struct loop *loop = arg;
	struct loop_socket *socket = loop_socket_of(loop, fd);

	(void)socket_arg;
	if (socket == NULL)
		return -1;
	socket->easy = easy;
	if (what == CURL_POLL_REMOVE) {
		socket->wanted = 0;
		/* A kept connection stays in the set: the next request wants
		 * it again. Others libcurl may close without telling us. */
		if (!socket->ours)
			(void)loop_socket_watch(loop, fd, socket);
		return 0;
	}
	socket->wanted = 0;
	if (what == CURL_POLL_IN || what == CURL_POLL_INOUT)
		socket->wanted |= EPOLLIN;
	if (what == CURL_POLL_OUT || what == CURL_POLL_INOUT)
		socket->wanted |= EPOLLOUT;
	return loop_socket_watch(loop, fd, socket) < 0 ? -1 : 0;
}

static curl_socket_t on_open(
    void *arg, curlsocktype purpose, struct curl_sockaddr *address)
{
	struct loop *loop = arg;
	struct loop_socket *slot;
	int fd = socket(address->family, address->socktype | SOCK_CLOEXEC,
	    address->protocol);

	(void)purpose;
	if (fd < 0)
		return CURL_SOCKET_BAD;
	slot = loop_socket_of(loop, fd);
	if (slot == NULL) {
		(void)close(fd);
		return CURL_SOCKET_BAD;
	}
	*slot = (struct loop_socket){.ours = true};
	return fd;
}

static int on_close(void *arg, curl_socket_t fd)
{
	struct loop *loop = arg;
	struct loop_socket *socket = loop_socket_of(loop, fd);

	if (socket != NULL)
		*socket = (struct loop_socket){0};
	return close(fd);
}

void loop_prepare(struct loop *loop, CURL *easy)
{
	(void)curl_easy_setopt(easy, CURLOPT_OPENSOCKETFUNCTION, on_open);
	(void)curl_easy_setopt(easy, CURLOPT_OPENSOCKETDATA, loop);
	(void)curl_easy_setopt(easy, CURLOPT_CLOSESOCKETFUNCTION, on_close);
	(void)curl_easy_setopt(easy, CURLOPT_CLOSESOCKETDATA, loop);
	(void)curl_easy_setopt(easy, CURLOPT_SHARE, loop->share);
	tls_ahead_prepare(easy, &loop->records);
}
