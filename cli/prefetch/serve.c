/* SPDX-License-Identifier: Apache-2.0 */
/* cli/prefetch/serve.c - see serve.h. */
#include "cli/prefetch/serve.h"

#include "base/clock.h"
#include "base/log.h"
#include "cache/cache.h"
#include "tokens/tokens.h"

#include <errno.h>
#include <inttypes.h>
#include <poll.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/socket.h>
#include <unistd.h>

#include "cli/control/describe.h"
#include "cli/prefetch/impl.h"

enum {
	STEP_MS = 100, /* a young file is looked at anew */
	OUT_BYTES_MAX = 4 * PREFETCH_OUT_BYTES + 1024 * 1024,
};

struct prefetch_serve {
	struct session *sessions[PREFETCH_SESSIONS_MAX];
};

int prefetch_serve_new(struct prefetch_serve **out)
{
	*out = calloc(1, sizeof(**out));
	return *out == NULL ? -ENOMEM : 0;
}

static void session_free(struct session *session)
{
	if (session->wake_fd >= 0)
		(void)close(session->wake_fd);
	buf_fini(&session->in);
	buf_fini(&session->out);
	(void)pthread_mutex_destroy(&session->mutex);
	free(session);
}

/* The thread has ended, or ends now. */
static void reap(struct prefetch_serve *serve, unsigned i)
{
	(void)pthread_join(serve->sessions[i]->thread, NULL);
	session_free(serve->sessions[i]);
	serve->sessions[i] = NULL;
}

void prefetch_serve_free(struct prefetch_serve *serve)
{
	const uint64_t one = 1;

	if (serve == NULL)
		return;
	for (unsigned i = 0; i < PREFETCH_SESSIONS_MAX; i++) {
		struct session *session = serve->sessions[i];

		if (session == NULL)
			continue;
		atomic_store(&session->ending, true);
		(void)!write(session->wake_fd, &one, sizeof(one));
		reap(serve, i);
	}
	free(serve);
}

static void read_in(struct session *session)
{
	char chunk[4096];
	ssize_t n = recv(session->fd, chunk, sizeof(chunk), 0);

	if (n < 0 && (errno == EAGAIN || errno == EINTR))
		return;
	if (n <= 0 || buf_append(&session->in, chunk, (size_t)n) < 0)
		session->gone = true;
}

/* Begin what has been asked for, as far as there are places. */
static void take_lines(struct session *session)
{
	struct buf *in = &session->in;
	size_t used = 0;

	while (!session->gone && session->job_count < PREFETCH_JOBS_MAX &&
	    used < in->size_bytes) {
		char *line = in->bytes + used;
		char *end = memchr(line, '\n', in->size_bytes - used);

		if (end == NULL)
			break;
		*end = '\0';
		if (job_begin(session, line) < 0)
			session->gone = true;
		used = (size_t)(end + 1 - in->bytes);
	}
	if (used == 0)
		return;
	memmove(in->bytes, in->bytes + used, in->size_bytes - used);
	in->size_bytes -= used;
}

static void send_out(struct session *session)
{
	struct buf *out = &session->out;
	ssize_t n;

	if (buf_code(out) < 0)
		session->gone = true;
	if (session->gone || session_out_bytes(session) == 0)
		return;
	n = send(session->fd, out->bytes + session->sent_bytes,
	    session_out_bytes(session), MSG_NOSIGNAL);
	if (n < 0 && errno != EAGAIN && errno != EINTR)
		session->gone = true;
	if (n > 0)
		session->sent_bytes += (size_t)n;
	if (session->sent_bytes == out->size_bytes) {
		buf_clear(out);
		session->sent_bytes = 0;
	}
}

static void wait_for_something(struct session *session)
{
	struct pollfd fds[] = {
	    {.fd = session->gone ? -1 : session->fd, .events = POLLIN},
	    {.fd = session->wake_fd, .events = POLLIN},
	};
	uint64_t count;

	if (session_out_bytes(session) > 0)
		fds[0].events |= POLLOUT;
	/* What it says now could not be begun. */
	if (session->job_count == PREFETCH_JOBS_MAX)
		fds[0].events &= ~POLLIN;
	if (poll(fds, 2, STEP_MS) <= 0)
		return;
	if (fds[1].revents != 0)
		(void)!read(session->wake_fd, &count, sizeof(count));
	if ((fds[0].revents & (POLLIN | POLLHUP | POLLERR)) != 0)
		read_in(session);
}

static void greet(struct session *session)
{
	const char *why = "";
	uint64_t room_bytes = cache_room_bytes(session->mount->cache, &why);

	(void)buf_printf(&session->out, "ok\n");
	if (room_bytes > 0)
		(void)buf_printf(&session->out, "cache %" PRIu64 " %u\n",
		    room_bytes, session->mount->attr_ttl_ms);
	else
		(void)buf_printf(&session->out, "uncached %s\n", why);
}

static void *run(void *arg)
{
	struct session *session = arg;
	uint64_t alive_ms = 0;

	greet(session);
	while (!session->gone || session->job_count > 0) {
		uint64_t now_ms = clock_now_ms(clock_system());

		if (atomic_load(&session->ending))
			session->gone = true;
		for (unsigned i = 0; i < PREFETCH_JOBS_MAX; i++)
			job_go_on(&session->jobs[i], now_ms);
		if (now_ms >= alive_ms + PREFETCH_ALIVE_MS &&
		    session_out_bytes(session) < PREFETCH_OUT_BYTES) {
			(void)buf_printf(&session->out, ".\n");
			alive_ms = now_ms;
		}
		send_out(session);
		if (!session->gone || session->job_count > 0)
			wait_for_something(session);
		take_lines(session);
	}
	(void)close(session->fd);
	atomic_store(&session->ended, true);
	return NULL;
}

static struct session *session_new(
    const struct describe *mount, const struct ident *ident, int fd)
{
	struct session *session = calloc(1, sizeof(*session));

	if (session == NULL)
		return NULL;
	session->mount = mount;
	session->ident = *ident;
	session->fd = fd;
	session->wake_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	atomic_init(&session->ended, false);
	atomic_init(&session->ending, false);
	buf_init(&session->in, (size_t)PREFETCH_LINE_BYTES_MAX * 2);
	buf_init(&session->out, OUT_BYTES_MAX);
	(void)pthread_mutex_init(&session->mutex, NULL);
	for (unsigned i = 0; i < PREFETCH_JOBS_MAX; i++)
		session->jobs[i].session = session;
	return session;
}

/* @return 0 and a thread that takes no signals, or -errno. */
static int start(struct session *session)
{
	sigset_t all;
	sigset_t old;
	int code;

	if (session->wake_fd < 0)
		return -EMFILE;
	tokens_identify(session->mount->tokens, &session->ident);
	(void)sigfillset(&all);
	(void)pthread_sigmask(SIG_SETMASK, &all, &old);
	code = pthread_create(&session->thread, NULL, run, session);
	(void)pthread_sigmask(SIG_SETMASK, &old, NULL);
	if (code == 0)
		(void)pthread_setname_np(session->thread, "prefetch");
	return -code;
}

/* @return a place, or -EUSERS. */
static int place_for(struct prefetch_serve *serve, uid_t uid)
{
	unsigned theirs = 0;
	int place = -EUSERS;

	for (unsigned i = 0; i < PREFETCH_SESSIONS_MAX; i++) {
		const struct session *session = serve->sessions[i];

		if (session != NULL && atomic_load(&session->ended))
			reap(serve, i);
		if (serve->sessions[i] == NULL)
			place = (int)i;
		else
			theirs += session->ident.uid == uid;
	}
	return theirs < PREFETCH_SESSIONS_OF_UID_MAX ? place : -EUSERS;
}

int prefetch_serve_begin(struct prefetch_serve *serve,
    const struct describe *mount, const struct ident *ident, int fd,
    struct err *err)
{
	struct session *session;
	int place;
	int code;

	/* Whom the kernel would not let in either. */
	if (!mount->shared && ident->uid != geteuid())
		return err_set(err, -EPERM,
		    "the mount is of user %u, who alone may prefetch",
		    (unsigned)geteuid());
	place = place_for(serve, ident->uid);
	if (place < 0)
		return err_set(err, place,
		    "others of yours, or too many users, prefetch at the "
		    "moment; try again when they have ended");
	session = session_new(mount, ident, fd);
	code = session == NULL ? -ENOMEM : start(session);
	if (code < 0) {
		if (session != NULL)
			session_free(session);
		return err_set(err, code, "prefetch: %s", err_message(code));
	}
	serve->sessions[place] = session;
	return 0;
}
