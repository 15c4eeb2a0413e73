/* SPDX-License-Identifier: Apache-2.0 */
/*
 * tokens/store/pick.h - which of several tokens goes with a request.
 *
 * A job may hold several: HTCondor puts one file for each of its services
 * into $_CONDOR_CREDS. The best one is, in this order, one that is good now;
 * that no server has refused for this path; that is of an issuer who is
 * trusted here; whose scope covers the path. Equal ones in the order in which
 * they were found.
 *
 * Threads: under the store's lock.
 */
#ifndef TOKENS_PICK_H
#define TOKENS_PICK_H

#include "base/sync.h"
#include "tokens/find/finding.h"
#include "tokens/tokens.h"

/** The token of a finding for this, borrowed; NULL: it has none.
 *  @param path  the server's; "" for any. */
struct token *pick(struct tokens *tokens, const struct finding *finding,
    const char *path, enum tokens_right right) REQUIRES(tokens_lock);

#endif
