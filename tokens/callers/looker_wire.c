/* SPDX-License-Identifier: Apache-2.0 */
/* tokens/callers/looker_wire.c - see looker_wire.h. */
#include "tokens/callers/looker_wire.h"

#include "tokens/callers/looker.h"

#include <errno.h>
#include <string.h>
#include <sys/socket.h>

/* Room for one descriptor. */
union control {
	struct cmsghdr align;
	char bytes[CMSG_SPACE(sizeof(int))];
};

int looker_wire_new(int ends[2])
{
	return socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, ends) < 0
	    ? -errno
	    : 0;
}

int looker_wire_ask(
    int socket, const struct looker_request *request, int answer_fd)
{
	union control control = {.bytes = {0}};
	struct looker_request copy = *request;
	struct iovec part = {&copy, sizeof(copy)};
	struct msghdr message = {.msg_iov = &part,
	    .msg_iovlen = 1,
	    .msg_control = &control,
	    .msg_controllen = sizeof(control)};
	struct cmsghdr *header = CMSG_FIRSTHDR(&message);

	header->cmsg_level = SOL_SOCKET;
	header->cmsg_type = SCM_RIGHTS;
	header->cmsg_len = CMSG_LEN(sizeof(int));
	memcpy(CMSG_DATA(header), &answer_fd, sizeof(answer_fd));
	return sendmsg(socket, &message, MSG_NOSIGNAL | MSG_DONTWAIT) < 0
	    ? -errno
	    : 0;
}

bool looker_wire_take(int socket, struct looker_request *out, int *answer_fd)
{
	union control control;
	struct iovec part = {out, sizeof(*out)};
	struct msghdr message;
	const struct cmsghdr *header;
	ssize_t n;

	do {
		message = (struct msghdr){.msg_iov = &part,
		    .msg_iovlen = 1,
		    .msg_control = &control,
		    .msg_controllen = sizeof(control)};
		n = recvmsg(socket, &message, MSG_CMSG_CLOEXEC);
	} while (n < 0 && errno == EINTR);
	if (n != (ssize_t)sizeof(*out))
		return false;
	*answer_fd = -1;
	header = CMSG_FIRSTHDR(&message);
	if (header != NULL && header->cmsg_type == SCM_RIGHTS)
		memcpy(answer_fd, CMSG_DATA(header), sizeof(*answer_fd));
	return true;
}

void looker_wire_tell(int socket, const struct looker_news *news)
{
	while (send(socket, news, sizeof(*news), MSG_NOSIGNAL) < 0 &&
	    errno == EINTR)
		continue;
}

static bool is_sound(const struct looker_news *news)
{
	return news->slot < LOOKER_LOOKS_MAX && news->code <= 0 &&
	    news->code > -4096;
}

int looker_wire_hear(int socket, struct looker_news *out)
{
	ssize_t n;

	do
		n = recv(socket, out, sizeof(*out), MSG_DONTWAIT);
	while (n < 0 && errno == EINTR);
	if (n < 0 && errno == EAGAIN)
		return 0;
	return n == (ssize_t)sizeof(*out) && is_sound(out) ? 1 : -EPIPE;
}
