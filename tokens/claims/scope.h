/* SPDX-License-Identifier: Apache-2.0 */
/*
 * tokens/claims/scope.h - does this scope claim allow this right on this path, and
 * which names lead to what it allows. Pure.
 *
 * Paths match by whole components: read:/john opens /john and what lies
 * below it, and not /johnathan. A scope that could be read in two ways
 * (`..`, a percent sign that is left after decoding, an encoded slash, no
 * path where one is needed) grants nothing and is counted.
 *
 * Not here: whether the claim is true. That is the verifier's or the
 * server's to say.
 *
 * Threads: every function may be called from any thread; a struct scope_list
 * is immutable once parsed.
 * Sources: WLCG token profile, section 2.2.1; SciTokens claims and the
 * matching of scitokens-cpp from 1.4.1 on; RFC 6749, section 3.3 (scope).
 */
#ifndef TOKENS_SCOPE_H
#define TOKENS_SCOPE_H

#include "base/attr.h"
#include "base/path.h"
#include "tokens/tokens.h"

#include <stdbool.h>
#include <stddef.h>

enum {
	SCOPE_COUNT_MAX = 1024,  /* scopes of one claim that are looked at */
	SCOPE_DECODE_PASSES = 4, /* as scitokens-cpp: names encoded twice */
};

/** One scope that names a path. */
struct scope {
	unsigned rights; /* bits 1u << enum tokens_right; 0: staging only */
	char *path;      /* normal, relative to the issuer's base path */
};

struct scope_list {
	struct scope *scopes; /* by path: what lies below one follows it */
	size_t count;
	size_t bad_count; /* scopes with a path that cannot be trusted */
};

/**
 * Take a scope claim apart. Scopes without a meaning for files are skipped.
 *
 * @param claim  space-separated; NULL is an empty one.
 * @retval 0        parsed; released with scope_list_fini().
 * @retval -EINVAL  more than SCOPE_COUNT_MAX scopes.
 * @retval -ENOMEM  out of memory.
 */
NODISCARD int scope_list_parse(struct scope_list *out, const char *claim);

void scope_list_fini(struct scope_list *list);

/** A server's path as scopes name it, borrowed from `path`, where "/" of a
 *  scope means `base_path` (both normal); NULL: none can. */
const char *scope_path(const char *base_path, const char *path);

/** Whether the scopes cover `right` on the server's path `path`, where "/"
 *  of a scope means `base_path` (both normal). */
bool scope_allows(const struct scope_list *list, const char *base_path,
    enum tokens_right right, const char *path);

/** What somebody asks whether scopes cover it: `read:/a`. */
struct scope_wish {
	unsigned rights; /* bits 1u << enum tokens_right; all are wanted */
	char path[PATH_BYTES_MAX];
};

/**
 * Read a wish as a user writes it: one of read, write, storage.read,
 * storage.create, storage.modify, a colon, and a plain path (no percent
 * encoding). Empty parts and "." do not count.
 *
 * @retval 0 or -EINVAL, with a sentence.
 */
NODISCARD int scope_wish_parse(
    struct scope_wish *out, const char *text, struct err *err);

/** Whether the scopes cover all of a wish. */
bool scope_grants(const struct scope_list *list, const char *base_path,
    const struct scope_wish *wish);

/** Call `name` once for each name directly below `path` that leads to a path
 *  of the scopes; `name` may be NULL. @return how many. */
unsigned scope_reach(const struct scope_list *list, const char *base_path,
    const char *path, void (*name)(void *arg, const char *name), void *arg);

/**
 * What "/" of these scopes probably means on the server when nobody has
 * configured it: "/" when a scope lies on the way to `source_path` or below
 * it, else `source_path`. Good for showing names, never for granting.
 */
const char *scope_guess_base(
    const struct scope_list *list, const char *source_path);

#endif
