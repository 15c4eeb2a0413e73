/* SPDX-License-Identifier: Apache-2.0 */
/* tokens/callers/looker.c - queue, shares and answers; see looker.h. */
#include "tokens/callers/looker.h"

#include "base/secret.h"
#include "tokens/callers/looker_impl.h"

#include <assert.h>
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

enum look_phase {
	LOOK_FREE,
	LOOK_WAITING,
	LOOK_RUNNING,
	LOOK_ANSWERED, /* not taken yet; its process may live */
	LOOK_STUCK,    /* taken; its process lives */
};

struct look {
	enum look_phase phase;
	bool gone; /* its process is no more */
	uint64_t order;
	uint64_t number;
	struct caller caller;
	int answer_fd; /* -1: none */
	int code;
	char *bytes;
	size_t size_bytes;
};

struct looker {
	int socket;   /* -1: the forker has ended */
	int epoll_fd; /* the socket, the answers, and: */
	int event_fd; /* readable as long as answers are to be taken */
	pid_t forker;
	uint64_t next_order;
	struct look looks[LOOKER_LOOKS_MAX];
};

void looker_answer_fini(struct looker_answer *answer)
{
	if (answer->bytes != NULL)
		secret_wipe(answer->bytes, answer->size_bytes);
	free(answer->bytes);
	answer->bytes = NULL;
}

static void drop_bytes(struct look *look)
{
	if (look->bytes != NULL)
		secret_wipe(look->bytes, look->size_bytes);
	free(look->bytes);
	look->bytes = NULL;
	look->size_bytes = 0;
}

static void close_answer(struct look *look)
{
	if (look->answer_fd >= 0)
		(void)close(look->answer_fd);
	look->answer_fd = -1;
}

static void answer(const struct looker *looker, struct look *look, int code)
{
	close_answer(look);
	if (code < 0)
		drop_bytes(look);
	look->code = code;
	look->phase = LOOK_ANSWERED;
	(void)eventfd_write(looker->event_fd, 1);
}

static int watch(const struct looker *looker, int fd)
{
	struct epoll_event event = {.events = EPOLLIN};

	return epoll_ctl(looker->epoll_fd, EPOLL_CTL_ADD, fd, &event);
}

int looker_start(
    struct looker **out, looker_look_fn look, void *arg, struct err *err)
{
	AUTO(looker) looker = calloc(1, sizeof(*looker));
	int ends[2];

	if (looker == NULL)
		return err_set(err, -ENOMEM, "out of memory");
	looker->socket = -1;
	looker->epoll_fd = epoll_create1(EPOLL_CLOEXEC);
	looker->event_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	for (unsigned i = 0; i < LOOKER_LOOKS_MAX; i++)
		looker->looks[i].answer_fd = -1;
	if (watch(looker, looker->event_fd) < 0 ||
	    socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, ends) < 0)
		return err_set(err, -errno, "helper process for callers: %s",
		    err_message(errno));
	looker->forker = fork();
	if (looker->forker == 0) {
		(void)close(ends[0]);
		looker_fork_loop(ends[1], look, arg);
	}
	(void)close(ends[1]);
	looker->socket = ends[0];
	if (looker->forker < 0 || watch(looker, ends[0]) < 0)
		return err_set(err, -errno, "helper process for callers: %s",
		    err_message(errno));
	*out = STEAL(looker);
	return 0;
}

void looker_free(struct looker *looker)
{
	if (looker == NULL)
		return;
	if (looker->socket >= 0)
		(void)close(looker->socket);
	if (looker->epoll_fd >= 0)
		(void)close(looker->epoll_fd);
	if (looker->event_fd >= 0)
		(void)close(looker->event_fd);
	for (unsigned i = 0; i < LOOKER_LOOKS_MAX; i++) {
		close_answer(&looker->looks[i]);
		drop_bytes(&looker->looks[i]);
	}
	if (looker->forker > 0)
		(void)waitpid(looker->forker, NULL, 0);
	free(looker);
}

/* The forker is no more: every look has its answer now. */
static void lose_forker(struct looker *looker)
{
	(void)close(looker->socket);
	looker->socket = -1;
	for (unsigned i = 0; i < LOOKER_LOOKS_MAX; i++) {
		struct look *look = &looker->looks[i];

		look->gone = true;
		if (look->phase == LOOK_WAITING || look->phase == LOOK_RUNNING)
			answer(looker, look, -EIO);
		else if (look->phase == LOOK_STUCK)
			look->phase = LOOK_FREE;
	}
}

/* Whether a look's process counts against shares: not gone. */
static bool has_process(const struct look *look)
{
	return look->phase == LOOK_RUNNING || look->phase == LOOK_STUCK ||
	    (look->phase == LOOK_ANSWERED && !look->gone);
}

static unsigned user_running(const struct looker *looker, uid_t uid)
{
	unsigned count = 0;

	for (unsigned i = 0; i < LOOKER_LOOKS_MAX; i++)
		count += looker->looks[i].caller.uid == uid &&
		    has_process(&looker->looks[i]);
	return count;
}

/* The first of those that wait whose user's share is not used up. */
static struct look *next_look(struct looker *looker)
{
	struct look *best = NULL;
	unsigned running = 0;

	for (unsigned i = 0; i < LOOKER_LOOKS_MAX; i++) {
		struct look *look = &looker->looks[i];

		running += look->phase == LOOK_RUNNING;
		if (look->phase == LOOK_WAITING &&
		    (best == NULL || look->order < best->order) &&
		    user_running(looker, look->caller.uid) <
		        LOOKER_USER_RUNNING_MAX)
			best = look;
	}
	return running < LOOKER_RUNNING_MAX ? best : NULL;
}

static ssize_t send_request(
    const struct looker *looker, const struct look *look, int answer_fd)
{
	union {
		struct cmsghdr align;
		char bytes[CMSG_SPACE(sizeof(int))];
	} control = {.bytes = {0}};
	struct looker_request request = {
	    .slot = (uint32_t)(look - looker->looks), .caller = look->caller};
	struct iovec part = {&request, sizeof(request)};
	struct msghdr message = {.msg_iov = &part,
	    .msg_iovlen = 1,
	    .msg_control = &control,
	    .msg_controllen = sizeof(control)};
	struct cmsghdr *header = CMSG_FIRSTHDR(&message);

	header->cmsg_level = SOL_SOCKET;
	header->cmsg_type = SCM_RIGHTS;
	header->cmsg_len = CMSG_LEN(sizeof(int));
	memcpy(CMSG_DATA(header), &answer_fd, sizeof(answer_fd));
	return sendmsg(looker->socket, &message, MSG_NOSIGNAL | MSG_DONTWAIT);
}

/* 1 when it runs or has failed, 0 when the forker has no ear now. */
static int dispatch(struct looker *looker, struct look *look)
{
	int ends[2];
	ssize_t n;
	int code;

	look->bytes = malloc(LOOKER_ANSWER_BYTES_MAX + 1);
	if (look->bytes == NULL ||
	    socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends) < 0) {
		look->gone = true;
		answer(looker, look, look->bytes == NULL ? -ENOMEM : -errno);
		return 1;
	}
	n = send_request(looker, look, ends[1]);
	code = errno;
	(void)close(ends[1]);
	look->answer_fd = ends[0];
	if (n >= 0) {
		/* Unwatched, it is read at its end, if it fits. */
		(void)watch(looker, ends[0]);
		look->phase = LOOK_RUNNING;
		return 1;
	}
	close_answer(look);
	drop_bytes(look);
	if (code != EAGAIN)
		lose_forker(looker);
	return 0;
}

static void dispatch_all(struct looker *looker)
{
	while (looker->socket >= 0) {
		struct look *look = next_look(looker);

		if (look == NULL || dispatch(looker, look) == 0)
			return;
	}
}

int looker_ask(
    struct looker *looker, uint64_t number, const struct caller *caller)
{
	struct look *free_look = NULL;
	unsigned waiting = 0;

	if (looker->socket < 0)
		return -EPIPE;
	for (unsigned i = 0; i < LOOKER_LOOKS_MAX; i++) {
		struct look *look = &looker->looks[i];

		if (look->phase == LOOK_FREE)
			free_look = look;
		waiting += look->phase == LOOK_WAITING &&
		    look->caller.uid == caller->uid;
	}
	if (waiting == LOOKER_USER_WAITING_MAX)
		return -EDQUOT;
	if (free_look == NULL)
		return -EAGAIN;
	*free_look = (struct look){.phase = LOOK_WAITING,
	    .order = looker->next_order++,
	    .number = number,
	    .caller = *caller,
	    .answer_fd = -1};
	dispatch_all(looker);
	return 0;
}

int looker_fd(const struct looker *looker)
{
	return looker->epoll_fd;
}

/* What has come of an answer so far. */
static void read_answer(struct look *look)
{
	while (look->size_bytes <= LOOKER_ANSWER_BYTES_MAX) {
		ssize_t n =
		    recv(look->answer_fd, look->bytes + look->size_bytes,
		        LOOKER_ANSWER_BYTES_MAX + 1 - look->size_bytes,
		        MSG_DONTWAIT);

		if (n < 0 && errno == EINTR)
			continue;
		if (n == 0)
			close_answer(look); /* or epoll tells it for ever */
		if (n <= 0)
			return;
		look->size_bytes += (size_t)n;
	}
	close_answer(look);
}

static void take_news(struct looker *looker, const struct looker_news *news)
{
	struct look *look = &looker->looks[news->slot];

	look->gone = news->gone;
	if (look->phase == LOOK_STUCK && news->gone)
		look->phase = LOOK_FREE;
	if (look->phase != LOOK_RUNNING)
		return;
	if (look->answer_fd >= 0 && news->code == 0)
		read_answer(look);
	if (news->code == 0 && look->size_bytes > LOOKER_ANSWER_BYTES_MAX)
		answer(looker, look, -EMSGSIZE);
	else
		answer(looker, look, news->code);
}

static bool news_is_sound(const struct looker_news *news, ssize_t size_bytes)
{
	return size_bytes == (ssize_t)sizeof(*news) &&
	    news->slot < LOOKER_LOOKS_MAX && news->code <= 0 &&
	    news->code > -4096;
}

static void hear(struct looker *looker)
{
	while (looker->socket >= 0) {
		struct looker_news news;
		ssize_t n =
		    recv(looker->socket, &news, sizeof(news), MSG_DONTWAIT);

		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0 && errno == EAGAIN)
			return;
		if (!news_is_sound(&news, n))
			lose_forker(looker);
		else
			take_news(looker, &news);
	}
}

static struct look *first_answered(struct looker *looker)
{
	for (unsigned i = 0; i < LOOKER_LOOKS_MAX; i++) {
		if (looker->looks[i].phase == LOOK_ANSWERED)
			return &looker->looks[i];
	}
	return NULL;
}

int looker_take(struct looker *looker, struct looker_answer *out)
{
	struct look *look;
	eventfd_t ignored;

	for (unsigned i = 0; i < LOOKER_LOOKS_MAX; i++) {
		look = &looker->looks[i];
		if (look->phase == LOOK_RUNNING && look->answer_fd >= 0)
			read_answer(look);
	}
	hear(looker);
	dispatch_all(looker);
	look = first_answered(looker);
	if (look == NULL) {
		(void)eventfd_read(looker->event_fd, &ignored);
		return 0;
	}
	*out = (struct looker_answer){.number = look->number,
	    .code = look->code,
	    .bytes = STEAL(look->bytes),
	    .size_bytes = look->size_bytes};
	look->phase = look->gone ? LOOK_FREE : LOOK_STUCK;
	return 1;
}
