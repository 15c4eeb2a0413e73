/* SPDX-License-Identifier: Apache-2.0 */
/*
 * cli/control/answer.h - the requests of the control socket: which there are,
 * who may ask them, and what has to be looked up before they are answered.
 *
 *   status [json]         everybody who is let in; see describe.h
 *   explain [json] /PATH  the same; see reasons.h. The path is the mount's,
 *                         percent-encoded; the answer begins with "well" or
 *                         "wrong" in a line of its own
 *   stop                  the owner
 *   prefetch              everybody who may read; the connection goes over to
 *                         prefetch/serve.h
 *
 * What is told is what the very process that asks would be given: its token
 * is looked for first.
 *
 * Threads: control thread.
 */
#ifndef CLI_CONTROL_ANSWER_H
#define CLI_CONTROL_ANSWER_H

#include "base/buf.h"
#include "base/err.h"

struct control;
struct control_request;
struct describe;

enum {
	ANSWER_TOKEN_MS = 1000, /* for a newer token */
	ANSWER_CACHE_MS = 2000, /* for what is known of a file on disk */
};

/** A control_answer_fn; `arg` is a struct describe. */
int answer_request(void *arg, struct control_request *request, struct buf *out,
    struct err *err);

/** A control_forget_fn. */
void answer_forget(void *arg, struct control_request *request);

/** Open the control socket of a mount that is there, named after its device.
 *  @return NULL when it cannot have one (its directory is someone else's):
 *  that is said, and the mount works all the same. Main thread. */
struct control *answer_open(struct describe *mount);

#endif
