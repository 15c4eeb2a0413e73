/* SPDX-License-Identifier: Apache-2.0 */
/*
 * cli/answer.h - the requests of the control socket: which there are, who may
 * ask them, and what has to be looked up before they are answered.
 *
 *   status [json]   everybody who is let in; see describe.h
 *   stop            the owner
 *
 * Where many users share a mount, the token of the process that asks may not
 * be known yet: the answer waits for one look at it.
 *
 * Threads: control thread.
 */
#ifndef CLI_ANSWER_H
#define CLI_ANSWER_H

#include "base/buf.h"
#include "base/err.h"

struct control_request;

/** A control_answer_fn; `arg` is a struct describe. */
int answer_request(void *arg, struct control_request *request, struct buf *out,
    struct err *err);

/** A control_forget_fn. */
void answer_forget(void *arg, struct control_request *request);

#endif
