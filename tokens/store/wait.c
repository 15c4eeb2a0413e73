/* SPDX-License-Identifier: Apache-2.0 */
/* tokens/store/wait.c - see wait.h. */
#include "tokens/store/wait.h"

#include <errno.h>

static bool asks_again(const struct wait *wait, const struct wait_view *view)
{
	return view->code == 0 && wait->refused_id != 0 &&
	    wait->refused_id == view->token_id;
}

void token_wait_enqueue(
    struct wait *wait, const struct wait_view *view, uint64_t now_ms)
{
	bool fresh =
	    view->begun > 0 && now_ms - view->begun_ms < view->fresh_ms;

	wait->stall_ms = view->stall_ms;
	/* After a refusal only a look that begins later can have seen what
	 * has come since; else a fresh one will do. */
	if (!fresh || asks_again(wait, view))
		wait->look = view->begun + 1;
	else
		wait->look = view->begun;
}

bool token_wait_over(
    const struct wait *wait, const struct wait_view *view, uint64_t now_ms)
{
	bool looked = view->ended >= wait->look ||
	    now_ms - wait->asked_ms >= wait->stall_ms;

	if (view->code == 0)
		return looked || !asks_again(wait, view);
	if (view->code == -ENOKEY)
		return looked;
	return looked && now_ms >= wait->deadline_ms;
}

uint64_t token_wait_wake_ms(const struct wait *wait, uint64_t now_ms)
{
	uint64_t stall_ms = wait->asked_ms + wait->stall_ms;
	uint64_t wake_ms = UINT64_MAX;

	if (stall_ms > now_ms)
		wake_ms = stall_ms;
	if (wait->deadline_ms > now_ms && wait->deadline_ms < wake_ms)
		wake_ms = wait->deadline_ms;
	return wake_ms;
}

bool token_wait_needs_look(
    const struct wait *wait, const struct wait_view *view)
{
	return wait->look > view->begun;
}

uint64_t token_wait_look_due_ms(const struct wait_view *view)
{
	if (view->begun == 0)
		return 0;
	if (view->code == -ENOKEY)
		return view->begun_ms + view->fresh_ms;
	return view->begun_ms +
	    (view->code == 0 ? view->again_ms : WAIT_AGAIN_MS);
}
