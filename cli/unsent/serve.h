/* SPDX-License-Identifier: Apache-2.0 */
/*
 * cli/unsent/serve.h - the mount's answers about what is not sent yet.
 *
 *   unsent           "FILES BYTES SENT FAILED CONFLICTS", numbers
 *   spool            three lines: origin, the server's path of the root, the
 *                    spool's directory, the last two percent-encoded; without
 *                    a third one the mount is read-only
 *   flush MS /PATH   when nothing below PATH (percent-encoded) is unsent, or
 *                    at the end of MS milliseconds: "sent", or "unsent ERRNO
 *                    SENTENCE"
 *
 * Of a mount that many users share each may ask; but a sentence, which may name
 * another user's file, is told to its owner alone, and others wait for
 * UNSENT_GUEST_MS at most, so that none of them keeps a place for long.
 *
 * Nothing here waits.
 *
 * Threads: control thread; flushes are answered on any.
 */
#ifndef CLI_UNSENT_SERVE_H
#define CLI_UNSENT_SERVE_H

#include "base/attr.h"
#include "base/buf.h"
#include "base/err.h"

#include <stdbool.h>

struct control_request;
struct describe;

enum { UNSENT_GUEST_MS = 4000 };

/** Whether the request is one of these. */
bool unsent_is_asked(const char *text);

/** Answer it: as control_answer_fn. */
NODISCARD int unsent_answer(const struct describe *mount,
    struct control_request *request, struct buf *out, struct err *err);

/** As control_forget_fn, of one that unsent_is_asked(). */
void unsent_forget(struct control_request *request);

#endif
