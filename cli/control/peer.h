/* SPDX-License-Identifier: Apache-2.0 */
/*
 * cli/control/peer.h - one connection to the control socket: its request is
 * read, answered, and the answer taken; each within a deadline, so that no
 * client holds a place for long. Private to this folder.
 *
 * Threads: control thread.
 */
#ifndef CLI_CONTROL_PEER_H
#define CLI_CONTROL_PEER_H

#include "base/buf.h"

#include <stddef.h>
#include <stdint.h>

#include "cli/control/control.h"

enum control_phase {
	CONTROL_FREE,  /* nobody */
	CONTROL_ASKS,  /* the request is on its way */
	CONTROL_WAITS, /* for an answer */
	CONTROL_TAKES, /* the answer is on its way */
	CONTROL_HELD,  /* until control_free() */
};

/** A place for a client; all zero is a free one. */
struct control_peer {
	enum control_phase phase;
	int fd;
	uint64_t deadline_ms; /* of the phase */
	struct control_request request;
	struct buf asked; /* the request's bytes */
	struct buf answer;
	size_t sent_bytes;
};

/** Take a connection into a free place; `fd` is consumed. */
void control_peer_begin(struct control_peer *peer, int fd,
    const struct ident *who, bool owner, uint64_t now_ms);

/** End it. A free place is left as it is. */
void control_peer_drop(
    struct control_peer *peer, const struct control_config *config);

/** What to poll for. */
struct pollfd control_peer_poll(const struct control_peer *peer);

/** Go on as far as can be gone without waiting. */
void control_peer_turn(struct control_peer *peer,
    const struct control_config *config, short events, uint64_t now_ms);

#endif
