/* SPDX-License-Identifier: Apache-2.0 */
/*
 * cli/control/control.h - the control socket of a mount: where it is, the
 * daemon's end and the client's end.
 *
 * A request is one line of words ("status", "status json", "stop"), the
 * answer is "ok" or "error TEXT" in a line of its own, then a text until the
 * end of the connection. After "stop" the connection ends with the process,
 * so that a client can wait for that. Neither end touches the mount point.
 *
 * The socket is named after the device number of the mount, which is the
 * same in every mount namespace: MAJOR-MINOR.sock. Only the owner and root
 * are let in. Where many users share a mount anybody is; who asks is judged
 * by SO_PEERCRED, what they are told is the answerer's to choose, and each
 * user has a few places and some seconds, so that none keeps others out.
 *
 * Threads: a struct control belongs to the control thread.
 */
#ifndef CLI_CONTROL_CONTROL_H
#define CLI_CONTROL_CONTROL_H

#include "base/attr.h"
#include "base/buf.h"
#include "base/err.h"
#include "base/ident.h"

#include <poll.h>
#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

enum {
	CONTROL_CLIENTS_MAX = 32,
	/* Of a shared mount; the rest is kept for its owner. */
	CONTROL_GUESTS_MAX = 24,
	CONTROL_GUESTS_OF_UID_MAX = 4,
	CONTROL_POLL_MAX = CONTROL_CLIENTS_MAX + 1,
	/* A word or two, and a path with each byte as %NN. */
	CONTROL_REQUEST_BYTES_MAX = 13 * 1024,
	CONTROL_ANSWER_BYTES_MAX = 1024 * 1024,
	/* To send a request, to wait for an answer, to take it. */
	CONTROL_DEADLINE_MS = 5000,
};

struct control;
struct mount_entry;

/** A request, as it is answered. */
struct control_request {
	const char *text;  /* one line, without its end */
	struct ident peer; /* who asks: user and process at the other end */
	bool owner;        /* who mounted, or root */
	bool hold;         /* set by the answer: keep the connection until
	              control_free() */
	int fd; /* the connection; the answerer's from then on, when it
	              sets `taken` and answers with 0 */
	bool taken;
	uint64_t latest_ms; /* set with -EINPROGRESS: until when the answer may
	                       take (monotonic); 0: CONTROL_DEADLINE_MS */
	void *memo; /* the answerer's, from one call for this request to the
	               next; NULL at first */
};

/**
 * Answer a request: the text goes to `out`. Must not wait.
 *
 * @retval 0             answered; request->memo is NULL again.
 * @retval -EINPROGRESS  not yet: called again at the next turns.
 * @retval -EINVAL       no such request.
 * @retval -errno        could not be answered; `err` has the sentence.
 */
typedef int (*control_answer_fn)(void *arg, struct control_request *request,
    struct buf *out, struct err *err);

/** The client has gone, or its time is over: release request->memo, which is
 *  not NULL. */
typedef void (*control_forget_fn)(void *arg, struct control_request *request);

struct control_config {
	unsigned major, minor; /* of the mount's device */
	bool shared;           /* other users than the owner may ask */
	control_answer_fn answer;
	control_forget_fn forget; /* NULL: no answer needs a memo */
	void *arg;
};

/**
 * Make the socket for a mount (0600, where users share it 0666), its
 * directory too (0700, for a shared mount 0711).
 *
 * A socket that a killed daemon left behind is replaced; one on which
 * someone answers is not.
 *
 * @retval 0       listening.
 * @retval -errno  with a sentence.
 */
NODISCARD int control_new(
    struct control **out, const struct control_config *config, struct err *err);

/** Close every connection and remove the socket. NULL is allowed. */
void control_free(struct control *control);
DEFINE_FREEP(control, control_free)

/** Where the socket is, borrowed. */
const char *control_path(const struct control *control);

/** Fill in what to poll for. @return how many (at most CONTROL_POLL_MAX). */
unsigned control_poll(
    const struct control *control, struct pollfd fds[CONTROL_POLL_MAX]);

/** Accept, read, answer, write and drop the slow: never waits. Called after
 *  each poll(2) with its result, also when nothing happened. */
void control_turn(struct control *control, const struct pollfd *fds,
    unsigned count, uint64_t now_ms);

/** A directory for sockets: $XDG_RUNTIME_DIR/bearerfs, root's /run/bearerfs,
 *  else /tmp/bearerfs-UID. @retval 0 or -ENAMETOOLONG. */
NODISCARD int control_dir(
    char *out, size_t room_bytes, uid_t uid, const char *runtime_dir);

/**
 * Connect to the socket of a mount, as its owner or as root.
 *
 * @param owner  who mounted it (mountinfo's user_id): nobody else's socket
 *               is trusted, but root's.
 * @return a descriptor with a deadline on reading and writing, or
 *         -ENOENT        no socket,
 *         -ECONNREFUSED  the daemon is gone,
 *         -EACCES        not ours,
 *         -errno, with a sentence.
 */
NODISCARD int control_connect(unsigned major, unsigned minor, uid_t owner,
    uint64_t deadline_ms, struct err *err);

/** Remove the socket that a dead daemon left behind. */
void control_sweep(unsigned major, unsigned minor, uid_t owner);

/**
 * Send a request and read its answer to the end.
 *
 * @param fd  stays open.
 * @retval 0           `out` has the answer's text.
 * @retval -ETIMEDOUT  no answer in the deadline of control_connect().
 * @retval -ECONNRESET the process ends or has ended.
 * @retval -EPROTO     not an answer, or "error TEXT": `err` has the text.
 * @retval -errno
 */
NODISCARD int control_ask(
    int fd, const char *request, struct buf *out, struct err *err);

/** The second half of it, after control_tell(): the answer to a request that
 *  was sent. */
NODISCARD int control_hear(int fd, struct buf *out, struct err *err);

/** The number of the process at the other end, as this one sees it; 0: not
 *  known. */
pid_t control_pid(int fd);

/** A pidfd of the process at the other end, readable when it has ended; -1
 *  when it cannot be had (another pid namespace). */
NODISCARD int control_process(int fd);

/** control_connect() to a mount, to which this process shows itself before
 *  when it is a shared one (harden_show()). */
NODISCARD int control_reach(const struct mount_entry *entry, struct err *err);

/** control_reach(), control_ask(), and close: the errors of both. */
NODISCARD int control_query(const struct mount_entry *entry,
    const char *request, struct buf *out, struct err *err);

/** Send a request. @retval 0 or -errno. */
NODISCARD int control_tell(int fd, const char *request);

/** Read and drop what comes until the connection ends.
 *  @param heard  set when something came.
 *  @retval 0 it has ended, -ETIMEDOUT nothing came for the deadline of
 *  control_connect(), -errno it broke. */
NODISCARD int control_await_end(int fd, bool *heard);

#endif
