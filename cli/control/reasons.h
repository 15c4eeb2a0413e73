/* SPDX-License-Identifier: Apache-2.0 */
/*
 * cli/control/reasons.h - why a path gives what it gives: what is known, what
 * follows from it, and both told to programs and people. No server is asked.
 *
 * Threads: control thread.
 */
#ifndef CLI_CONTROL_REASONS_H
#define CLI_CONTROL_REASONS_H

#include "base/attr.h"
#include "base/buf.h"
#include "base/err.h"
#include "base/path.h"
#include "cache/cache.h"
#include "cache/drafts/drafts.h"
#include "fetch/fetch.h"
#include "tokens/tokens.h"

#include <stdbool.h>

struct describe;
struct describe_to;

enum {
	/* What was said of a path longer ago may not be so any more. */
	REASONS_SAID_S = 600,
	REASONS_DEPTH_MAX = 64, /* directories on the way that are looked at */
};

/** A directory on the way to the path, at which a program is stopped. */
struct reasons_stop {
	char server_path[PATH_BYTES_MAX]; /* "": none is known */
	int code;
	char why[ERR_TEXT_BYTES];
};

/** What is known. */
struct reasons {
	char server_path[PATH_BYTES_MAX];
	struct tokens_explained look; /* of the token of who asks */
	struct tokens_explained read;
	bool leads; /* the token's scopes lead to something below */
	struct reasons_stop stop;
	int known_code; /* of cache_known() */
	struct cache_known known;
	bool has_said;
	struct fetch_said said;
	unsigned tried_count; /* caches of which something is remembered */
	struct reasons_tried {
		char url[FETCH_NAME_BYTES];
		struct fetch_said said;
	} tried[FETCH_SERVERS_MAX];
	bool has_draft; /* it is written here */
	struct draft_attr draft;
	uint64_t silent_ms; /* as fetch_silent_ms() */
	uint64_t now_s;
};

/** The server's path of one in the mount. @retval 0 or -ENAMETOOLONG */
NODISCARD int reasons_server_path(
    const struct describe *mount, char out[PATH_BYTES_MAX], const char *path);

/** Fill in all but `known` and `known_code`, which take a while. */
void reasons_find(struct reasons *out, const struct describe *mount,
    const struct describe_to *to);

/** What follows. */
struct reasons_verdict {
	int code; /* 0: nothing hinders; else the errno that a program gets */
	char text[ERR_TEXT_BYTES]; /* why, with the remedy */
};

/** Judge: pure. */
void reasons_judge(
    const struct reasons *reasons, struct reasons_verdict *verdict);

/** Append a JSON object with stable names (bearerfs(1), EXPLAIN). */
void reasons_json(const struct reasons *reasons, const struct describe *mount,
    const struct describe_to *to, struct buf *out);

/** Append lines for a person; the last one is the verdict. */
void reasons_text(const struct reasons *reasons, const struct describe *mount,
    const struct describe_to *to, struct buf *out);

#endif
