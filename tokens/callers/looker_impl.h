/* SPDX-License-Identifier: Apache-2.0 */
/*
 * tokens/callers/looker_impl.h - the processes of a looker, each of which
 * forks the next: the keeper, the forker, a look.
 */
#ifndef TOKENS_LOOKER_IMPL_H
#define TOKENS_LOOKER_IMPL_H

#include "tokens/callers/looker.h"
#include "tokens/callers/looker_wire.h"

enum {
	LOOKER_SOCKET = 3, /* of keeper and forker; 0 to 2 are /dev/null */
	LOOKER_ANSWER = 3, /* of a look */
};

/** What the keeper does until the other end of `socket` is closed: it has a
 *  forker, and when that is killed another one. */
_Noreturn void looker_keep(int socket, looker_look_fn look, void *arg);

/** What the forker does until then. */
_Noreturn void looker_fork_loop(
    uint32_t generation, looker_look_fn look, void *arg);

/** What the process of one look does.
 *  @return its exit status: a positive errno, or 0. */
int looker_child(const struct looker_request *request, int answer_fd,
    looker_look_fn look, void *arg);

#endif
