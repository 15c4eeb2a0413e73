/* SPDX-License-Identifier: Apache-2.0 */
/* cli/control/control.c - the daemon's end of the control socket: where it
 * listens and who is let in; see control.h. */
#include "cli/control/control.h"

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

#include "cli/control/dir.h"
#include "cli/control/peer.h"
#include "cli/env.h"

enum {
	/* Let in or sent away in one turn, so that a flood of connections
	 * holds up nothing else. */
	ACCEPTS_MAX = 64,
	BACKLOG = 128,
};

struct control {
	struct control_config config;
	int listener;
	int dir_fd;
	char name[CONTROL_NAME_BYTES];
	char path[CONTROL_PATH_BYTES];
	struct control_peer peers[CONTROL_CLIENTS_MAX];
};

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
	mode_t mode = control->config.shared ? 0666 : 0600;
	struct sockaddr_un address;

	if (is_alive(control->dir_fd, control->name))
		return err_set(err, -EADDRINUSE,
		    "control socket '%s': another bearerfs answers there",
		    control->path);
	(void)unlinkat(control->dir_fd, control->name, 0);
	control->listener =
	    socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	control_address(&address, control->dir_fd, control->name);
	/* Nobody can connect before it listens: the mode comes first. */
	if (control->listener < 0 ||
	    bind(control->listener, (const struct sockaddr *)&address,
	        sizeof(address)) < 0 ||
	    fchmodat(control->dir_fd, control->name, mode, 0) < 0 ||
	    listen(control->listener, BACKLOG) < 0)
		return err_set(err, -errno, "control socket '%s': %s",
		    control->path, err_message(errno));
	return 0;
}

static int begin(struct control *control, struct err *err)
{
	const struct control_config *config = &control->config;
	char dir[CONTROL_PATH_BYTES];
	/* Where everybody looks; a runtime directory is closed to others. */
	int code = control_dir(dir, sizeof(dir), geteuid(),
	    config->shared ? NULL : env_get("XDG_RUNTIME_DIR"));

	if (code < 0)
		return err_set(
		    err, code, "control socket: $XDG_RUNTIME_DIR is too long");
	control->dir_fd = control_dir_make(dir, geteuid(), config->shared, err);
	if (control->dir_fd < 0)
		return control->dir_fd;
	control_name(control->name, config->major, config->minor);
	(void)snprintf(control->path, sizeof(control->path), "%.*s/%s",
	    (int)(sizeof(control->path) - sizeof(control->name) - 2), dir,
	    control->name);
	return listen_at(control, err);
}

int control_new(
    struct control **out, const struct control_config *config, struct err *err)
{
	struct control *control = calloc(1, sizeof(*control));
	int code;

	if (control == NULL)
		return err_set(err, -ENOMEM, "control socket: out of memory");
	control->config = *config;
	control->listener = -1;
	control->dir_fd = -1;
	code = begin(control, err);
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
		control_peer_drop(&control->peers[i], &control->config);
	if (control->dir_fd >= 0)
		(void)close(control->dir_fd);
	free(control);
}

const char *control_path(const struct control *control)
{
	return control->path;
}

static const struct control_peer *free_place(const struct control *control)
{
	for (unsigned i = 0; i < CONTROL_CLIENTS_MAX; i++) {
		if (control->peers[i].phase == CONTROL_FREE)
			return &control->peers[i];
	}
	return NULL;
}

unsigned control_poll(
    const struct control *control, struct pollfd fds[CONTROL_POLL_MAX])
{
	/* Without a place, those who come next wait in the kernel's queue. A
	 * shared one is kept empty: who is in it may have come to fill it. */
	bool hears = control->config.shared || free_place(control) != NULL;

	fds[0] = (struct pollfd){
	    .fd = hears ? control->listener : -1, .events = POLLIN};
	for (unsigned i = 0; i < CONTROL_CLIENTS_MAX; i++)
		fds[1 + i] = control_peer_poll(&control->peers[i]);
	return CONTROL_POLL_MAX;
}

/* Who is at the other end. @return false: that cannot be known. */
static bool who_is(int fd, struct ident *out)
{
	struct ucred peer;
	socklen_t size_bytes = sizeof(peer);

	if (getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &peer, &size_bytes) < 0)
		return false;
	*out =
	    (struct ident){.uid = peer.uid, .gid = peer.gid, .pid = peer.pid};
	return true;
}

static bool owns(uid_t uid)
{
	return uid == geteuid() || uid == 0;
}

/* Why this user is not let in; NULL: they are. */
static const char *why_not(const struct control *control, uid_t uid)
{
	unsigned guests = 0;
	unsigned theirs = 0;

	if (!owns(uid) && !control->config.shared)
		return "this mount is somebody else's";
	for (unsigned i = 0; i < CONTROL_CLIENTS_MAX; i++) {
		const struct control_peer *peer = &control->peers[i];

		if (peer->phase == CONTROL_FREE || peer->request.owner)
			continue;
		guests++;
		theirs += peer->request.peer.uid == uid;
	}
	if (!owns(uid) && theirs >= CONTROL_GUESTS_OF_UID_MAX)
		return "you ask too many questions at once; try again";
	if ((!owns(uid) && guests >= CONTROL_GUESTS_MAX) ||
	    free_place(control) == NULL)
		return "too many users ask at once; try again";
	return NULL;
}

static void send_away(int fd, const char *why)
{
	char line[128];
	int n = snprintf(line, sizeof(line), "error %s\n", why);

	(void)!send(fd, line, (size_t)n, MSG_NOSIGNAL);
	(void)close(fd);
}

/* @return whether there may be another one. */
static bool accept_one(struct control *control, uint64_t now_ms)
{
	struct ident who;
	const char *why;
	int fd = accept4(
	    control->listener, NULL, NULL, SOCK_CLOEXEC | SOCK_NONBLOCK);

	if (fd < 0)
		return false; /* none, or descriptors are short */
	why = who_is(fd, &who) ? why_not(control, who.uid)
	                       : "who asks cannot be known";
	if (why != NULL) {
		send_away(fd, why);
		return true;
	}
	for (unsigned i = 0; i < CONTROL_CLIENTS_MAX; i++) {
		if (control->peers[i].phase != CONTROL_FREE)
			continue;
		control_peer_begin(
		    &control->peers[i], fd, &who, owns(who.uid), now_ms);
		break;
	}
	return control->config.shared || free_place(control) != NULL;
}

void control_turn(struct control *control, const struct pollfd *fds,
    unsigned count, uint64_t now_ms)
{
	assert(count == CONTROL_POLL_MAX);
	for (unsigned i = 0; i < CONTROL_CLIENTS_MAX; i++)
		control_peer_turn(&control->peers[i], &control->config,
		    fds[1 + i].revents, now_ms);
	if (fds[0].revents == 0)
		return;
	for (unsigned i = 0; i < ACCEPTS_MAX; i++) {
		if (!accept_one(control, now_ms))
			break;
	}
}
