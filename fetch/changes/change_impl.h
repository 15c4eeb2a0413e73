/* SPDX-License-Identifier: Apache-2.0 */
/*
 * fetch/changes/change_impl.h - a change without bytes of ours, for change.c and
 * change_rmdir.c.
 */
#ifndef FETCH_CHANGES_CHANGE_IMPL_H
#define FETCH_CHANGES_CHANGE_IMPL_H

#include "base/ident.h"
#include "base/path.h"
#include "fetch/change.h"
#include "fetch/changes/change_call.h"
#include "fetch/engine.h"

#include <stdbool.h>

enum {
	/* Uploads that were left behind in one directory; with more, it is not
	 * empty. */
	CHANGE_LEFT_MAX = 64,
};

struct change {
	struct post post;
	struct fetch *fetch;
	struct ident ident;
	const char *path; /* as is the next in the same allocation */
	const char *to;   /* NULL: of MOVE and COPY only */
	enum request_method method;
	enum fetch_kind kind;
	bool replace;
	fetch_changed_fn answer;
	void *arg;
	struct err err; /* while something is looked at */
	/* Of the directory that goes: what was left in it. */
	char (*left)[PATH_NAME_BYTES_MAX + 1];
	unsigned left_count;
	char left_path[PATH_BYTES_MAX];
};

/** Answer and forget; `err` may be change->err. */
void change_finish(struct change *change, int code, const struct err *err);

/** Send what is asked for. */
void change_ask_now(struct change *change) REQUIRES(fetch_thread);

/** Begin to remove a directory: it is listed raw, because what is hidden
 *  counts, too. */
void change_rmdir(struct change *change) REQUIRES(fetch_thread);

#endif
