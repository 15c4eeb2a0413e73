/* SPDX-License-Identifier: Apache-2.0 */
/*
 * tokens/claims/reach.h - how far a token's own scopes go, read as the mount's
 * paths: whether they cover one, and which would.
 *
 * Nothing here says whether the token is true.
 *
 * Threads: every function may be called from any thread.
 */
#ifndef TOKENS_REACH_H
#define TOKENS_REACH_H

#include "base/err.h"
#include "tokens/claims/token.h"

#include <stdbool.h>

/** What the scopes' paths are relative to. */
struct reach_root {
	const char *base_path;   /* configured; NULL: to be guessed */
	const char *source_path; /* the mount's root */
};

enum reach {
	REACH_UNSAID, /* no scope is about files, or they are too many */
	REACH_COVERED,
	REACH_OTHER, /* of TOKENS_LOOK, TOKENS_LIST: another right covers it */
	REACH_NOT,
};

/** What a token's own scopes say of a path (the server's). */
enum reach reach_of(const struct reach_root *root, const struct token *token,
    const char *path, enum tokens_right right);

/** Say that a token's scope leaves a path out: which one it has and which
 *  would be needed. @return -EACCES */
int reach_explain(const struct reach_root *root, const struct token *token,
    const char *path, enum tokens_right right, struct err *err);

/** The scope that would cover a path, in the words of the token's own:
 *  "read:/a". @return false: the token does not speak of files, no scope of
 *  its issuer can name the path, or it is too long. */
bool reach_needed(const struct reach_root *root, const struct token *token,
    const char *path, enum tokens_right right, char out[TOKENS_SCOPE_BYTES]);

/** What "/" of a token's scopes means on the server, borrowed from both. */
const char *reach_base(
    const struct reach_root *root, const struct token *token);

/** As scope_reach(), of a token's scopes. With more scopes than are looked at
 *  no name is shown. */
unsigned reach_names(const struct reach_root *root, const struct token *token,
    const char *path, void (*name)(void *arg, const char *name), void *arg);

#endif
