/* SPDX-License-Identifier: Apache-2.0 */
/*
 * fs/truncate.c - truncate(2) of a path: a draft is opened, cut, dressed and
 * closed again.
 *
 * Threads: the FUSE thread, but for opening_answer().
 */
#include "fs/opening.h"
#include "fs/reply.h"
#include "fs/setattr.h"

#include <assert.h>
#include <errno.h>
#include <fcntl.h>

/* The request itself waits in `opening`; this one is done with when that is
 * freed. */
static void closed_finish(struct fs_wait *wait)
{
	struct opening *opening = CONTAINER_OF(wait, struct opening, wait);
	struct set_wait *ask = opening->extra;

	mail_assert_here(wait->mail);
	if (wait_claim(wait)) {
		ask->wait.req = wait->req;
		ask->code = opening->code;
		set_reply(ask);
	}
	opening_free(opening);
	set_wait_free(ask);
}

static void opening_answer(void *arg, int code)
{
	struct opening *opening = arg;

	assert(code <= 0);
	opening->code = code;
	wait_return(&opening->wait);
}

static void worn_finish(struct fs_wait *wait)
{
	struct opening *opening = CONTAINER_OF(wait, struct opening, wait);
	struct ident ident = opening->ident;

	mail_assert_here(wait->mail);
	if (opening->code < 0) {
		closed_finish(wait);
		return;
	}
	wait_go_on(wait, closed_finish);
	draft_flush(opening->draft, &ident, opening_answer, opening);
}

static void cut_finish(struct fs_wait *wait)
{
	struct opening *opening = CONTAINER_OF(wait, struct opening, wait);
	struct set_wait *ask = opening->extra;

	mail_assert_here(wait->mail);
	if (opening->code < 0 || !ask->wears) {
		worn_finish(wait);
		return;
	}
	wait_go_on(wait, worn_finish);
	draft_set(opening->draft, &ask->set, opening_answer, opening);
}

static void opened_finish(struct fs_wait *wait)
{
	struct opening *opening = CONTAINER_OF(wait, struct opening, wait);
	struct set_wait *ask = opening->extra;

	mail_assert_here(wait->mail);
	if (opening->code == 0 && !opening_is_of(opening, ask->node))
		opening->code = -ESTALE;
	if (opening->code < 0) {
		closed_finish(wait);
		return;
	}
	/* Who has the node open has it from now on, also when it is as long as
	 * that already. */
	opening->given = true;
	ask->draft = draft_get(opening->draft);
	node_has_draft(ask->node, ask->draft);
	ask->node->began = 0;
	opening_known(opening);
	wait_go_on(wait, cut_finish);
	draft_truncate(
	    opening->draft, ask->size_bytes, opening_answer, opening);
}

void set_size(struct set_wait *ask, fuse_req_t req)
{
	bool empties = ask->size_bytes == 0;
	struct opening *opening =
	    opening_new(ask->fs, req, ask->node, NULL, empties ? O_TRUNC : 0);

	if (!opening) {
		reply_error(req, -ENOMEM);
		set_wait_free(ask);
		return;
	}
	opening->extra = ask;
	if (!opening_start(opening, req, empties ? DRAFTS_OPEN_TRUNCATE : 0, 0,
	        opened_finish))
		set_wait_free(ask);
}
