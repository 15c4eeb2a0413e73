/* SPDX-License-Identifier: Apache-2.0 */
/*
 * cli/mount/start.h - the look at the source when a mount starts: does it
 * start, start with a warning, or not start?
 *
 * It starts with one warning when what is missing may still come; it refuses
 * what cannot heal by waiting. With -o check it refuses both.
 *
 * Threads: main thread; the answer comes on the fetch thread.
 */
#ifndef CLI_MOUNT_START_H
#define CLI_MOUNT_START_H

#include "base/attr.h"
#include "base/err.h"

#include <stdbool.h>
#include <stdint.h>

struct fetch;
struct ident;
struct tokens;

enum {
	START_LOOK_MS = 5000, /* longest that a start waits for a server */
};

/** What the look has found. */
struct start_facts {
	int token_code; /* of tokens_state() */
	int code;       /* of fetch_stat(), 0 when nothing was asked */
	bool asked;     /* the source was asked */
	bool directory; /* code is 0 and it is one */
	bool untrusted; /* TLS: not the server it should be */
	bool reach;     /* the token's scopes lead to something below */
	struct err token_err;
	struct err err;
};

enum start_verdict { START_GO, START_WARN, START_REFUSE };

/**
 * Judge the facts: pure.
 *
 * @param check  -o check: refuse what would be a warning.
 * @param out    for START_WARN and START_REFUSE: one sentence with the
 *               remedy.
 */
NODISCARD enum start_verdict start_judge(const struct start_facts *facts,
    const char *source, bool check, struct err *out);

/**
 * Look: at the token, and when there is one at the source's root; when that is
 * not its time, at what time the server has.
 *
 * @param signal_fd  readable when the start is to be given up.
 * @retval 0           facts are filled in.
 * @retval -ECANCELED  given up; every call of `fetch` was cancelled.
 * @retval -errno      no descriptor left.
 */
NODISCARD int start_look(struct start_facts *facts, struct tokens *tokens,
    struct fetch *fetch, const struct ident *ident, const char *path,
    int signal_fd);

/** The same where many users share the mount and there is no token yet: only
 *  whether the server is there and may be trusted. That it says no to one
 *  without a token is no trouble. */
NODISCARD int start_look_bare(struct start_facts *facts, struct fetch *fetch,
    const char *path, int signal_fd);

#endif
