/* SPDX-License-Identifier: Apache-2.0 */
/*
 * fetch/changes/change_rmdir.c - a directory is removed, if it is empty. See change.h.
 *
 * Threads: the fetch thread.
 */
#include "fetch/changes/change_impl.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

static int on_left(void *arg, const char *name, const struct fetch_stat *stat)
{
	struct change *change = arg;

	if (stat->kind != FETCH_FILE || !fetch_is_temporary(name))
		return -ENOTEMPTY;
	if (change->left == NULL)
		change->left = calloc(CHANGE_LEFT_MAX, sizeof(*change->left));
	if (change->left == NULL)
		return -ENOMEM;
	if (change->left_count == CHANGE_LEFT_MAX)
		return -ENOTEMPTY;
	memcpy(change->left[change->left_count++], name, strlen(name) + 1);
	return 0;
}

static void on_restart(void *arg)
{
	struct change *change = arg;

	change->left_count = 0;
}

/* Remove what was left, one after the other, and the directory at last. */
static void on_left_gone(void *arg, const struct change_result *result);

static void empty(struct change *change) REQUIRES(fetch_thread);

static void empty(struct change *change)
{
	int code;

	if (change->left_count == 0) {
		change_ask_now(change);
		return;
	}
	code = path_join(change->left_path, change->path,
	    change->left[--change->left_count]);
	if (code < 0) {
		change_finish(change,
		    err_set(&change->err, code, "a name too long below it"),
		    &change->err);
		return;
	}
	change_call_start(change->fetch,
	    &(struct change_ask){.ident = &change->ident,
	        .path = change->left_path,
	        .method = REQUEST_DELETE,
	        .repeatable = true},
	    on_left_gone, change);
}

static void on_left_gone(void *arg, const struct change_result *result)
{
	struct change *change = arg;

	fetch_assert_thread(change->fetch);
	if (result->code == 0 || result->code == -ENOENT)
		empty(change);
	else
		change_finish(change, result->code, result->err);
}

static void on_listed(void *arg, int code, const struct err *err)
{
	struct change *change = arg;

	fetch_assert_thread(change->fetch);
	if (code == 0) {
		empty(change);
		return;
	}
	change->err = *err;
	if (code == -ENOTEMPTY)
		(void)err_set(&change->err, code,
		    "there is something in it; remove that first");
	change_finish(change, code, &change->err);
}

void change_rmdir(struct change *change)
{
	const struct fetch_lister lister = {.entry = on_left,
	    .restart = on_restart,
	    .done = on_listed,
	    .arg = change,
	    .all = true};

	(void)fetch_list(
	    change->fetch, &change->ident, change->path, true, &lister);
}
