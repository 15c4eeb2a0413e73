/* SPDX-License-Identifier: Apache-2.0 */
/*
 * tokens/callers/looker_impl.h - what the three kinds of processes say to
 * one another. All are one program, so structures travel as they are.
 */
#ifndef TOKENS_LOOKER_IMPL_H
#define TOKENS_LOOKER_IMPL_H

#include "tokens/callers/looker.h"

/* To the forker, with the writing end of a pipe. */
struct looker_request {
	uint32_t slot; /* < LOOKER_LOOKS_MAX */
	struct caller caller;
};

/* From the forker. A look that passes its deadline is told twice. */
struct looker_news {
	uint32_t slot;
	int32_t code;
	bool gone; /* its process is no more */
};

/** What the forker does until `socket` is closed. Does not return. */
_Noreturn void looker_fork_loop(int socket, looker_look_fn look, void *arg);

/** What the process of one look does.
 *  @return its exit status: a positive errno, or 0. */
int looker_child(
    const struct caller *caller, int answer_fd, looker_look_fn look, void *arg);

#endif
