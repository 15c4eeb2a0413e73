/* SPDX-License-Identifier: Apache-2.0 */
/* tokens/callers/looker.c - the mount's side; see looker.h. */
#include "tokens/callers/looker.h"

#include "base/secret.h"
#include "tokens/callers/looker_impl.h"
#include "tokens/callers/looker_queue.h"
#include "tokens/callers/looker_wire.h"

#include <errno.h>
#include <stdlib.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

struct looker {
	int socket;          /* -1: the others have ended */
	int epoll_fd;        /* the socket, the answers, and: */
	int event_fd;        /* readable as long as answers are to be taken */
	pid_t keeper;        /* 0: none yet */
	uint32_t generation; /* of the forker, as far as is known here */
	struct looker_queue queue;
};

void looker_answer_fini(struct looker_answer *answer)
{
	if (answer->bytes != NULL)
		secret_wipe(answer->bytes, answer->size_bytes);
	free(answer->bytes);
	answer->bytes = NULL;
}

static int watch(const struct looker *looker, int fd)
{
	struct epoll_event event = {.events = EPOLLIN};

	return epoll_ctl(looker->epoll_fd, EPOLL_CTL_ADD, fd, &event);
}

static int start(struct looker *looker, looker_look_fn look, void *arg)
{
	int ends[2];
	int code;

	if (watch(looker, looker->event_fd) < 0)
		return -errno;
	code = looker_wire_new(ends);
	if (code < 0)
		return code;
	looker->socket = ends[0];
	looker->keeper = fork();
	if (looker->keeper == 0) {
		(void)close(ends[0]);
		looker_keep(ends[1], look, arg);
	}
	if (looker->keeper < 0)
		code = -errno;
	(void)close(ends[1]);
	if (code == 0 && watch(looker, ends[0]) < 0)
		code = -errno;
	return code;
}

int looker_start(
    struct looker **out, looker_look_fn look, void *arg, struct err *err)
{
	AUTO(looker) looker = calloc(1, sizeof(*looker));
	int code;

	if (looker == NULL)
		return err_set(err, -ENOMEM, "out of memory");
	looker_queue_init(&looker->queue);
	looker->socket = -1;
	looker->epoll_fd = epoll_create1(EPOLL_CLOEXEC);
	looker->event_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	code = start(looker, look, arg);
	if (code < 0)
		return err_set(err, code, "helper process for callers: %s",
		    err_message(code));
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
	looker_queue_fini(&looker->queue);
	if (looker->keeper > 0)
		(void)waitpid(looker->keeper, NULL, 0);
	free(looker);
}

/* Answers are to be taken. */
static void ring(const struct looker *looker)
{
	(void)eventfd_write(looker->event_fd, 1);
}

/* Nobody is left to make looks: every one has its answer now. */
static void lose_all(struct looker *looker)
{
	(void)close(looker->socket);
	looker->socket = -1;
	looker_queue_lose(&looker->queue, -EIO);
	looker_queue_refuse(&looker->queue, -EPIPE);
	ring(looker);
}

/* The forker was killed: what it had is answered, and the next one is asked
 * from now on. */
static void lose_forker(struct looker *looker)
{
	looker->generation++;
	looker_queue_lose(&looker->queue, -EIO);
	ring(looker);
}

/* It could not even be asked for. */
static void fail(struct looker *looker, struct look *look, int code)
{
	look->gone = true;
	look_answer(look, code);
	ring(looker);
}

/* 1 when it runs or has failed, 0 when the forker has no ear now. */
static int dispatch(struct looker *looker, struct look *look)
{
	struct looker_request request = {.generation = looker->generation,
	    .slot = (uint32_t)(look - looker->queue.looks),
	    .caller = look->caller,
	    .held_s = look->held_s};
	int ends[2];
	int code;

	look->bytes = malloc(LOOKER_ANSWER_BYTES_MAX + 1);
	if (look->bytes == NULL ||
	    socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends) < 0) {
		fail(looker, look, look->bytes == NULL ? -ENOMEM : -errno);
		return 1;
	}
	code = looker_wire_ask(looker->socket, &request, ends[1]);
	(void)close(ends[1]);
	if (code == 0) {
		look->answer_fd = ends[0];
		/* Unwatched, it is read at its end, if it fits. */
		(void)watch(looker, ends[0]);
		look->phase = LOOK_RUNNING;
		return 1;
	}
	(void)close(ends[0]);
	free(STEAL(look->bytes));
	if (code != -EAGAIN)
		lose_all(looker);
	return 0;
}

static void dispatch_all(struct looker *looker)
{
	while (looker->socket >= 0) {
		struct look *look = looker_queue_next(&looker->queue);

		if (look == NULL || dispatch(looker, look) == 0)
			return;
	}
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
			look_close_answer(look); /* or epoll tells for ever */
		if (n <= 0)
			return;
		look->size_bytes += (size_t)n;
	}
	look_close_answer(look);
}

static void read_answers(struct looker *looker)
{
	for (unsigned i = 0; i < LOOKER_LOOKS_MAX; i++) {
		struct look *look = &looker->queue.looks[i];

		if (look->phase == LOOK_RUNNING && look->answer_fd >= 0)
			read_answer(look);
	}
}

static void take_news(struct looker *looker, const struct looker_news *news)
{
	struct look *look = &looker->queue.looks[news->slot];

	if (look->phase == LOOK_RUNNING) {
		bool too_long;

		if (look->answer_fd >= 0 && news->code == 0)
			read_answer(look);
		too_long = look->size_bytes > LOOKER_ANSWER_BYTES_MAX;
		look_answer(
		    look, news->code == 0 && too_long ? -EMSGSIZE : news->code);
		ring(looker);
	}
	if (news->gone)
		look_end(look);
}

static void hear(struct looker *looker)
{
	while (looker->socket >= 0) {
		struct looker_news news;
		int code = looker_wire_hear(looker->socket, &news);

		if (code == 0)
			return;
		if (code < 0)
			lose_all(looker);
		else if (news.lost)
			lose_forker(looker);
		else
			take_news(looker, &news);
	}
}

int looker_ask(struct looker *looker, uint64_t number,
    const struct caller *caller, uint32_t held_s)
{
	int code;

	/* Or it would be asked of one that is known to be dead. */
	hear(looker);
	if (looker->socket < 0)
		return -EPIPE;
	code = looker_queue_add(&looker->queue, number, caller, held_s);
	if (code == 0)
		dispatch_all(looker);
	return code;
}

int looker_take(struct looker *looker, struct looker_answer *out)
{
	struct look *look;
	eventfd_t ignored;

	read_answers(looker);
	hear(looker);
	dispatch_all(looker);
	look = looker_queue_answered(&looker->queue);
	if (look == NULL) {
		(void)eventfd_read(looker->event_fd, &ignored);
		return 0;
	}
	look_take(look, out);
	return 1;
}
