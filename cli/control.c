/* SPDX-License-Identifier: Apache-2.0 */
/* cli/control.c - the daemon's end of the control socket; see control.h. */
#include "cli/control.h"

#include "base/log.h"

#include <assert.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include "cli/control_dir.h"
#include "cli/env.h"

enum client_phase { CLIENT_FREE, CLIENT_ASKS, CLIENT_TAKES, CLIENT_HELD };

struct client {
	enum client_phase phase;
	int fd;
	uint64_t deadline_ms;
	size_t request_bytes;
	char request[CONTROL_REQUEST_BYTES_MAX];
	struct buf answer;
	size_t sent_bytes;
	bool hold;
};

struct control {
	int listener;
	int dir_fd;
	char name[CONTROL_NAME_BYTES];
	char path[CONTROL_PATH_BYTES];
	control_answer_fn answer;
	void *arg;
	struct client clients[CONTROL_CLIENTS_MAX];
};

static void drop(struct client *client)
{
	if (client->phase == CLIENT_FREE)
		return;
	(void)close(client->fd);
	buf_fini(&client->answer);
	client->phase = CLIENT_FREE;
}

/* Whether someone answers on a socket that already has our name. */
static bool is_alive(int dir_fd, const char *name)
{
	struct sockaddr_un address;
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	bool alive;

	if (fd < 0)
		return false;
	control_address(&address, dir_fd, name);
	/* EAGAIN: its queue is full, so it lives. */
	alive = connect(fd, (const struct sockaddr *)&address,
	            sizeof(address)) == 0 ||
	    errno == EAGAIN;
	(void)close(fd);
	return alive;
}

static int listen_at(struct control *control, struct err *err)
{
	struct sockaddr_un address;

	if (is_alive(control->dir_fd, control->name))
		return err_set(err, -EADDRINUSE,
		    "control socket '%s': another bearerfs answers there",
		    control->path);
	(void)unlinkat(control->dir_fd, control->name, 0);
	control->listener =
	    socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	control_address(&address, control->dir_fd, control->name);
	if (control->listener < 0 ||
	    bind(control->listener, (const struct sockaddr *)&address,
	        sizeof(address)) < 0 ||
	    fchmodat(control->dir_fd, control->name, 0600, 0) < 0 ||
	    listen(control->listener, CONTROL_CLIENTS_MAX) < 0)
		return err_set(err, -errno, "control socket '%s': %s",
		    control->path, err_message(errno));
	return 0;
}

static int begin(
    struct control *control, unsigned major, unsigned minor, struct err *err)
{
	char dir[CONTROL_PATH_BYTES];
	int code = control_dir(
	    dir, sizeof(dir), geteuid(), env_get("XDG_RUNTIME_DIR"));

	if (code < 0)
		return err_set(
		    err, code, "control socket: $XDG_RUNTIME_DIR is too long");
	control->dir_fd = control_dir_make(dir, geteuid(), err);
	if (control->dir_fd < 0)
		return control->dir_fd;
	control_name(control->name, major, minor);
	(void)snprintf(control->path, sizeof(control->path), "%.*s/%s",
	    (int)(sizeof(control->path) - sizeof(control->name) - 2), dir,
	    control->name);
	return listen_at(control, err);
}

int control_new(struct control **out, unsigned major, unsigned minor,
    control_answer_fn answer, void *arg, struct err *err)
{
	struct control *control = calloc(1, sizeof(*control));
	int code;

	if (control == NULL)
		return err_set(err, -ENOMEM, "control socket: out of memory");
	control->listener = -1;
	control->dir_fd = -1;
	control->answer = answer;
	control->arg = arg;
	code = begin(control, major, minor, err);
	if (code < 0) {
		control_free(control);
		return code;
	}
	*out = control;
	return 0;
}

void control_free(struct control *control)
{
	if (control == NULL)
		return;
	/* First the name, then the connections: who waits for the end of one
	 * finds no socket after it. */
	if (control->listener >= 0) {
		(void)unlinkat(control->dir_fd, control->name, 0);
		(void)close(control->listener);
	}
	for (unsigned i = 0; i < CONTROL_CLIENTS_MAX; i++)
		drop(&control->clients[i]);
	if (control->dir_fd >= 0)
		(void)close(control->dir_fd);
	free(control);
}

const char *control_path(const struct control *control)
{
	return control->path;
}

unsigned control_poll(
    const struct control *control, struct pollfd fds[CONTROL_POLL_MAX])
{
	bool room = false;

	for (unsigned i = 0; i < CONTROL_CLIENTS_MAX; i++) {
		const struct client *client = &control->clients[i];

		fds[1 + i] = (struct pollfd){.fd = -1};
		room = room || client->phase == CLIENT_FREE;
		if (client->phase == CLIENT_FREE)
			continue;
		fds[1 + i].fd = client->fd;
		fds[1 + i].events =
		    client->phase == CLIENT_TAKES ? POLLOUT : POLLIN;
	}
	/* Without room, those who come next wait in the kernel's queue. */
	fds[0] = (struct pollfd){
	    .fd = room ? control->listener : -1, .events = POLLIN};
	return CONTROL_POLL_MAX;
}

static bool is_welcome(int fd)
{
	struct ucred peer;
	socklen_t size_bytes = sizeof(peer);

	return getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &peer, &size_bytes) ==
	    0 &&
	    (peer.uid == geteuid() || peer.uid == 0);
}

static void accept_one(struct control *control, uint64_t now_ms)
{
	struct client *client = NULL;
	int fd;

	for (unsigned i = 0; i < CONTROL_CLIENTS_MAX && client == NULL; i++) {
		if (control->clients[i].phase == CLIENT_FREE)
			client = &control->clients[i];
	}
	if (client == NULL)
		return;
	fd = accept4(
	    control->listener, NULL, NULL, SOCK_CLOEXEC | SOCK_NONBLOCK);
	if (fd < 0)
		return; /* it has gone, or descriptors are short: poll again */
	if (!is_welcome(fd)) {
		(void)close(fd);
		return;
	}
	memset(client, 0, sizeof(*client));
	client->phase = CLIENT_ASKS;
	client->fd = fd;
	client->deadline_ms = now_ms + CONTROL_DEADLINE_MS;
	buf_init(&client->answer, CONTROL_ANSWER_BYTES_MAX);
}

static void give_answer(
    struct control *control, struct client *client, uint64_t now_ms)
{
	struct buf text;
	struct err err = ERR_INIT;
	int code;

	buf_init(&text, CONTROL_ANSWER_BYTES_MAX - 1024);
	code = control->answer(
	    control->arg, client->request, &text, &client->hold, &err);
	if (code == -EINVAL && err.code == 0)
		(void)err_set(&err, code, "no such request");
	if (code == 0)
		code = buf_code(&text);
	if (code == 0) {
		(void)buf_printf(&client->answer, "ok\n");
		(void)buf_append(&client->answer, text.bytes, text.size_bytes);
	} else {
		(void)buf_printf(&client->answer, "error %s\n",
		    err.code != 0 ? err.text : err_message(code));
	}
	buf_fini(&text);
	client->phase = CLIENT_TAKES;
	client->deadline_ms = now_ms + CONTROL_DEADLINE_MS;
}

static void read_request(
    struct control *control, struct client *client, uint64_t now_ms)
{
	size_t room = sizeof(client->request) - 1 - client->request_bytes;
	ssize_t n =
	    recv(client->fd, client->request + client->request_bytes, room, 0);
	char *end;

	if (n < 0 && (errno == EAGAIN || errno == EINTR))
		return;
	if (n <= 0) {
		drop(client);
		return;
	}
	client->request_bytes += (size_t)n;
	client->request[client->request_bytes] = '\0';
	end = memchr(client->request, '\n', client->request_bytes);
	if (end != NULL) {
		*end = '\0';
		give_answer(control, client, now_ms);
	} else if (client->request_bytes == sizeof(client->request) - 1) {
		drop(client); /* no request is that long */
	}
}

static void send_answer(struct client *client)
{
	ssize_t n = send(client->fd, client->answer.bytes + client->sent_bytes,
	    client->answer.size_bytes - client->sent_bytes, MSG_NOSIGNAL);

	if (n < 0 && (errno == EAGAIN || errno == EINTR))
		return;
	if (n < 0) {
		drop(client);
		return;
	}
	client->sent_bytes += (size_t)n;
	if (client->sent_bytes < client->answer.size_bytes)
		return;
	if (client->hold)
		client->phase = CLIENT_HELD;
	else
		drop(client);
}

/* A held client has nothing more to say: it is gone, or it is noise. */
static void hear_held(struct client *client)
{
	char noise[64];
	ssize_t n = recv(client->fd, noise, sizeof(noise), 0);

	if (n == 0 || (n < 0 && errno != EAGAIN && errno != EINTR))
		drop(client);
}

void control_turn(struct control *control, const struct pollfd *fds,
    unsigned count, uint64_t now_ms)
{
	assert(count == CONTROL_POLL_MAX);
	for (unsigned i = 0; i < CONTROL_CLIENTS_MAX; i++) {
		struct client *client = &control->clients[i];
		bool ready = fds[1 + i].revents != 0;

		if (ready && client->phase == CLIENT_ASKS)
			read_request(control, client, now_ms);
		else if (ready && client->phase == CLIENT_TAKES)
			send_answer(client);
		else if (ready && client->phase == CLIENT_HELD)
			hear_held(client);
		if ((client->phase == CLIENT_ASKS ||
		        client->phase == CLIENT_TAKES) &&
		    now_ms >= client->deadline_ms)
			drop(client);
	}
	if (fds[0].revents != 0)
		accept_one(control, now_ms);
}
