/* SPDX-License-Identifier: Apache-2.0 */
/*
 * fetch/changes/publish_move.c - what was sent under a temporary name gets its own:
 * see publish_impl.h.
 *
 * Threads: the fetch thread.
 */
#include "fetch/changes/publish_impl.h"

#include <errno.h>

static void on_move(void *arg, const struct change_result *result)
{
	struct publish *publish = arg;
	struct writing *writing = &publish->fetch->origin->writing;
	int code = result->code;

	fetch_assert_thread(publish->fetch);
	if (code == 0) {
		publish->temporary_there = false;
		publish->out.removed = false;
		publish->out.sent = true;
		if (result->as_is)
			publish_done(publish);
		else
			publish_look_after(publish);
	} else if (result->lost && (code == -ENOENT || code == -EEXIST)) {
		publish_look_moved(publish, code, result->err);
	} else if (result->status == 409) {
		publish_look_why(publish, code, result->err);
	} else {
		/* Then its PUT has to do. */
		if (code == -ENOTSUP && !writing->no_move) {
			writing->no_move = true;
			publish->anew = true;
		}
		publish_fail(publish, code, result->err);
	}
}

static void send_move(struct publish *publish) REQUIRES(fetch_thread);

static void send_move(struct publish *publish)
{
	change_call_start(publish->fetch,
	    &(struct change_ask){.ident = &publish->ident,
	        .path = publish->temporary,
	        .number = publish->number,
	        .method = REQUEST_MOVE,
	        .to = publish->path,
	        .overwrite = publish->condition != FETCH_IF_ABSENT,
	        .repeatable = true},
	    on_move, publish);
}

static void on_cleared(void *arg, const struct change_result *result)
{
	struct publish *publish = arg;

	fetch_assert_thread(publish->fetch);
	if (result->code == 0 || result->code == -ENOENT) {
		publish->out.removed = true; /* but by publish_done() */
		send_move(publish);
	} else {
		publish_fail(publish, result->code, result->err);
	}
}

void publish_move(struct publish *publish)
{
	const struct writing *writing = &publish->fetch->origin->writing;

	if (publish->condition == FETCH_IF_ABSENT ||
	    !writing_moves_beside(writing)) {
		send_move(publish);
		return;
	}
	/* The new one is there, whole, if not under its name. */
	change_call_start(publish->fetch,
	    &(struct change_ask){.ident = &publish->ident,
	        .path = publish->path,
	        .number = publish->number,
	        .method = REQUEST_DELETE,
	        .repeatable = true},
	    on_cleared, publish);
}
