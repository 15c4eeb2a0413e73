/* SPDX-License-Identifier: Apache-2.0 */
/*
 * tokens/find/discover.h - where a token is looked for, and in which order.
 *
 *   the explicit option, alone when it is given; else
 *   BEARER_TOKEN, BEARER_TOKEN_FILE, $XDG_RUNTIME_DIR/bt_u$UID,
 *   /tmp/bt_u$UID, then the .use files of $_CONDOR_CREDS.
 *
 * The first token that is good now is taken, and of HTCondor's files all that
 * are: which of them is for a path is decided elsewhere. What is missing or
 * empty is passed over silently; what is refused, garbled, ended or not yet
 * valid is passed over with one line when that begins. While the file of a
 * token in use is missing or unusable, its last token serves until its own
 * end: files are replaced in ways that make them vanish for a moment.
 *
 * Lifecycle: _new, any number of _look, _free, on one thread at a time (the
 * store's reader). A look may stall on a dead file system.
 *
 * Sources: WLCG Bearer Token Discovery; HTCondor (condor.h). Where the first
 * says "otherwise", XRootD and Pelican go on to /tmp when $XDG_RUNTIME_DIR
 * has none; so do we.
 */
#ifndef TOKENS_DISCOVER_H
#define TOKENS_DISCOVER_H

#include "base/attr.h"
#include "tokens/find/finding.h"

#include <stdbool.h>
#include <stdint.h>

struct discover;
struct environ_block;
struct mounts;

/** For whom it is looked, when not for this process itself: which sees files
 *  as the caller does then, and stands in its own /proc/self/fd. */
struct discover_caller {
	const struct environ_block *environment; /* may be empty */
	const struct mounts *mounts;             /* none of them is touched */
	uint32_t held_s; /* an agent gives one that lives longer; 0: any */
};

/**
 * Read the environment and the configuration.
 *
 * @param caller    NULL: this process, as it is now; else borrowed for the
 *                  discover's life. Paths that its variables name must be
 *                  absolute.
 * @retval 0        made.
 * @retval -EINVAL  what the configuration names is of no use: the token file
 *                  is no absolute path, or too long; an account, and no agent
 *                  is known.
 * @retval -ENOMEM  out of memory.
 */
NODISCARD int discover_new(struct discover **out,
    const struct tokens_config *config, const struct discover_caller *caller,
    struct err *err);

void discover_free(struct discover *discover);
DEFINE_FREEP(discover, discover_free)

/**
 * Look for the token to use now.
 *
 * @param force  read files even when they look unchanged.
 * @param now_s  wall clock.
 * @param out    overwritten; out->token is the caller's.
 */
void discover_look(
    struct discover *discover, bool force, uint64_t now_s, struct finding *out);

#endif
