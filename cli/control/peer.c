/* SPDX-License-Identifier: Apache-2.0 */
/* cli/control/peer.c - see peer.h. */
#include "cli/control/peer.h"

#include <errno.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

enum { FIRST_LINE_BYTES = 1024 }; /* "error TEXT", the answer's first line */

static void enter(
    struct control_peer *peer, enum control_phase phase, uint64_t now_ms)
{
	peer->phase = phase;
	peer->deadline_ms = now_ms + CONTROL_DEADLINE_MS;
}

void control_peer_begin(struct control_peer *peer, int fd,
    const struct ident *who, bool owner, uint64_t now_ms)
{
	*peer = (struct control_peer){
	    .fd = fd, .request = {.peer = *who, .owner = owner, .fd = fd}};
	buf_init(&peer->asked, CONTROL_REQUEST_BYTES_MAX);
	buf_init(&peer->answer, CONTROL_ANSWER_BYTES_MAX);
	enter(peer, CONTROL_ASKS, now_ms);
}

void control_peer_drop(
    struct control_peer *peer, const struct control_config *config)
{
	if (peer->phase == CONTROL_FREE)
		return;
	if (peer->request.memo != NULL)
		config->forget(config->arg, &peer->request);
	if (!peer->request.taken)
		(void)close(peer->fd);
	buf_fini(&peer->asked);
	buf_fini(&peer->answer);
	*peer = (struct control_peer){.phase = CONTROL_FREE};
}

struct pollfd control_peer_poll(const struct control_peer *peer)
{
	struct pollfd poll_fd = {.fd = -1};

	if (peer->phase != CONTROL_FREE)
		poll_fd.fd = peer->fd;
	if (peer->phase == CONTROL_ASKS || peer->phase == CONTROL_HELD)
		poll_fd.events = POLLIN;
	if (peer->phase == CONTROL_TAKES)
		poll_fd.events = POLLOUT;
	return poll_fd;
}

static void give_text(
    struct control_peer *peer, const struct buf *text, uint64_t now_ms)
{
	(void)buf_printf(&peer->answer, "ok\n");
	(void)buf_append(&peer->answer, text->bytes, text->size_bytes);
	enter(peer, CONTROL_TAKES, now_ms);
}

static void give_error(
    struct control_peer *peer, const char *why, uint64_t now_ms)
{
	(void)buf_printf(&peer->answer, "error %s\n", why);
	enter(peer, CONTROL_TAKES, now_ms);
}

/* Ask for the answer; it may come later. */
static void find_answer(struct control_peer *peer,
    const struct control_config *config, uint64_t now_ms)
{
	struct buf text;
	struct err err = ERR_INIT;
	int code;

	buf_init(&text, CONTROL_ANSWER_BYTES_MAX - FIRST_LINE_BYTES);
	code = config->answer(config->arg, &peer->request, &text, &err);
	if (code == -EINVAL && err.code == 0)
		(void)err_set(&err, code, "no such request");
	if (code == 0)
		code = buf_code(&text);
	if (code == 0 && peer->request.taken)
		control_peer_drop(peer, config);
	else if (code == 0)
		give_text(peer, &text, now_ms);
	else if (code != -EINPROGRESS)
		give_error(
		    peer, err.code != 0 ? err.text : err_message(code), now_ms);
	else if (peer->phase != CONTROL_WAITS)
		enter(peer, CONTROL_WAITS, now_ms);
	if (peer->phase == CONTROL_WAITS && peer->request.latest_ms != 0)
		peer->deadline_ms = peer->request.latest_ms;
	buf_fini(&text);
}

static void read_request(struct control_peer *peer,
    const struct control_config *config, uint64_t now_ms)
{
	char chunk[4096];
	ssize_t n = recv(peer->fd, chunk, sizeof(chunk), 0);
	char *end;

	if (n < 0 && (errno == EAGAIN || errno == EINTR))
		return;
	/* No request is longer than the buffer may grow. */
	if (n <= 0 || buf_append(&peer->asked, chunk, (size_t)n) < 0) {
		control_peer_drop(peer, config);
		return;
	}
	end = memchr(peer->asked.bytes, '\n', peer->asked.size_bytes);
	if (end == NULL)
		return;
	*end = '\0';
	peer->request.text = peer->asked.bytes;
	find_answer(peer, config, now_ms);
}

static void send_answer(
    struct control_peer *peer, const struct control_config *config)
{
	ssize_t n = send(peer->fd, peer->answer.bytes + peer->sent_bytes,
	    peer->answer.size_bytes - peer->sent_bytes, MSG_NOSIGNAL);

	if (n < 0 && (errno == EAGAIN || errno == EINTR))
		return;
	if (n >= 0) {
		peer->sent_bytes += (size_t)n;
		if (peer->sent_bytes < peer->answer.size_bytes)
			return;
		if (peer->request.hold) {
			peer->phase = CONTROL_HELD;
			return;
		}
	}
	control_peer_drop(peer, config);
}

/* A held client has nothing more to say: it is gone, or it is noise. */
static void hear_held(
    struct control_peer *peer, const struct control_config *config)
{
	char noise[64];
	ssize_t n = recv(peer->fd, noise, sizeof(noise), 0);

	if (n == 0 || (n < 0 && errno != EAGAIN && errno != EINTR))
		control_peer_drop(peer, config);
}

/* The deadline has passed. Who waits for an answer is told so. */
static void end_phase(struct control_peer *peer,
    const struct control_config *config, uint64_t now_ms)
{
	if (peer->phase == CONTROL_WAITS)
		give_error(peer, "no answer was found in time", now_ms);
	else if (peer->phase != CONTROL_HELD)
		control_peer_drop(peer, config);
}

void control_peer_turn(struct control_peer *peer,
    const struct control_config *config, short events, uint64_t now_ms)
{
	switch (peer->phase) {
	case CONTROL_FREE:
		return;
	case CONTROL_ASKS:
		if (events != 0)
			read_request(peer, config, now_ms);
		break;
	case CONTROL_WAITS:
		if (events != 0) /* it has hung up */
			control_peer_drop(peer, config);
		else
			find_answer(peer, config, now_ms);
		break;
	case CONTROL_TAKES:
		if (events != 0)
			send_answer(peer, config);
		break;
	case CONTROL_HELD:
		if (events != 0)
			hear_held(peer, config);
		break;
	}
	if (peer->phase != CONTROL_FREE && now_ms >= peer->deadline_ms)
		end_phase(peer, config, now_ms);
}
