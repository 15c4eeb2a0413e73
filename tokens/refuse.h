/* SPDX-License-Identifier: Apache-2.0 */
/*
 * tokens/refuse.h - a refusal that a caller gets: its errno, and the one
 * place where it is told.
 *
 * Threads: every function may be called from any thread, without the store's
 * lock.
 */
#ifndef TOKENS_REFUSE_H
#define TOKENS_REFUSE_H

#include "base/err.h"
#include "base/ident.h"
#include "tokens/tokens.h"

/** What 401 and 403 mean by themselves: XRootD answers 403 to everything,
 *  others tell the two apart. */
int refuse_code(int status);

/** One line in the log, unless it was told lately. A directory above the
 *  caller's reach is shown with the names that lead on: that is no refusal.
 *  @param ident  NULL: nobody in particular. */
void refuse_tell(struct tokens *tokens, const struct ident *ident,
    const char *path, const struct err *why);

#endif
