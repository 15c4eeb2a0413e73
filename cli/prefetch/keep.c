/* SPDX-License-Identifier: Apache-2.0 */
/* cli/prefetch/keep.c - a file that a client of `bearerfs prefetch` wants to
 * be on the disk: its ranges, a few at a time; see impl.h. */
#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>

#include "cli/prefetch/impl.h"

/* What a range was counted with in flying_bytes. */
struct range {
	struct job *job;
	uint64_t size_bytes;
};

static void take_range(
    void *arg, int code, uint64_t size_bytes, uint64_t brought_bytes)
{
	struct range *range = arg;
	struct job *job = range->job;

	session_enter(job->session);
	job->session->flying_bytes -= range->size_bytes;
	free(range);
	job_note_code(job, code);
	job->done_bytes += size_bytes;
	job->brought_bytes += brought_bytes;
	job_answered(job);
}

/* Ask for the next range. @return false: not now. */
static bool ask_range(struct job *job)
{
	struct session *session = job->session;
	uint64_t left = job->attr.size_bytes - job->next_bytes;
	uint64_t size_bytes =
	    left < CACHE_PREFETCH_BYTES ? left : CACHE_PREFETCH_BYTES;
	struct range *range = NULL;
	bool may;

	session_enter(session);
	may = job->code == 0 &&
	    session->flying_bytes + size_bytes <= PREFETCH_FLYING_BYTES;
	if (may) {
		range = malloc(sizeof(*range));
		may = range != NULL;
		job_note_code(job, may ? 0 : -ENOMEM);
	}
	if (may) {
		*range = (struct range){.job = job, .size_bytes = size_bytes};
		session->flying_bytes += size_bytes;
		job->asked++;
	}
	session_leave(session);
	if (!may)
		return false;
	cache_prefetch(job->file, &session->ident, job->next_bytes, size_bytes,
	    take_range, range);
	job->next_bytes += size_bytes;
	return true;
}

/* A version that is too young is looked at once more when it is older. */
static void wait_until_older(struct job *job, uint64_t now_ms)
{
	cache_close(STEAL(job->file));
	job->young_tries++;
	job->again_ms = now_ms + CACHE_YOUNG_MS;
	job->next_bytes = job->done_bytes = job->brought_bytes = 0;
	job->code = 0;
}

static void tell_progress(struct job *job, uint64_t done_bytes)
{
	if (done_bytes == job->told_bytes ||
	    session_out_bytes(job->session) >= PREFETCH_OUT_BYTES)
		return;
	job->told_bytes = done_bytes;
	(void)buf_printf(&job->session->out, "P %" PRIu64 " %" PRIu64 "\n",
	    job->number, done_bytes);
}

void job_keep_on(struct job *job, uint64_t now_ms)
{
	struct session *session = job->session;
	uint64_t done_bytes;
	bool busy;
	int code;

	if (job->again_ms > now_ms && !session->gone)
		return;
	if (job->file == NULL) {
		job->again_ms = 0;
		job_ask(job);
		return;
	}
	while (!session->gone && job->next_bytes < job->attr.size_bytes &&
	    ask_range(job))
		continue;
	session_enter(session);
	busy = job->asked > 0;
	code = job->code;
	done_bytes = job->done_bytes;
	session_leave(session);
	if (busy || (code == 0 && done_bytes < job->attr.size_bytes)) {
		tell_progress(job, done_bytes);
	} else if (code == -EAGAIN &&
	    job->young_tries < PREFETCH_YOUNG_TRIES_MAX) {
		wait_until_older(job, now_ms);
	} else if (code < 0) {
		job_fail(job);
	} else {
		(void)buf_printf(&session->out,
		    "K %" PRIu64 " %" PRIu64 " %" PRIu64 "\n", job->number,
		    done_bytes, job->brought_bytes);
		job_end(job);
	}
}
