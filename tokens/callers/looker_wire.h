/* SPDX-License-Identifier: Apache-2.0 */
/*
 * tokens/callers/looker_wire.h - what the processes of a looker say to one
 * another: requests go to the forker, news come from it and from its keeper,
 * on one socket whose end tells either side that the other has gone. All are
 * one program, so structures travel as they are.
 *
 * Threads: one at a time on each side.
 */
#ifndef TOKENS_LOOKER_WIRE_H
#define TOKENS_LOOKER_WIRE_H

#include "tokens/callers/caller.h"

#include <stdbool.h>
#include <stdint.h>

/** Have a look made. */
struct looker_request {
	uint32_t generation; /* of the forker: one that came later is silent */
	uint32_t slot;       /* < LOOKER_LOOKS_MAX */
	struct caller caller;
	uint32_t held_s;
};

/** Of a look, told twice when it passes its deadline; or `lost`: a forker has
 *  been killed, and with it all that it was asked. */
struct looker_news {
	bool lost;
	bool gone; /* the look's process is no more */
	uint32_t slot;
	int32_t code;
};

/** A pair of ends.
 *  @retval -errno  of socketpair(2). */
NODISCARD int looker_wire_new(int ends[2]);

/** Send a request, with the writing end of its answer; never waits.
 *  @retval -EAGAIN  not now.
 *  @retval -errno   the other side has gone. */
NODISCARD int looker_wire_ask(
    int socket, const struct looker_request *request, int answer_fd);

/** The next request; waits. @param answer_fd  the caller's to close; -1 when
 *  there was no room for a descriptor.
 *  @retval false  the other side has gone. */
NODISCARD bool looker_wire_take(
    int socket, struct looker_request *out, int *answer_fd);

/** Tell; waits for room. Nobody there: the next look at the socket shows. */
void looker_wire_tell(int socket, const struct looker_news *news);

/** The next news; never waits.
 *  @retval 1      one.
 *  @retval 0      none at present.
 *  @retval -EPIPE the other side has gone, or talks nonsense. */
NODISCARD int looker_wire_hear(int socket, struct looker_news *out);

#endif
