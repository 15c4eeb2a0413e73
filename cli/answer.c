/* SPDX-License-Identifier: Apache-2.0 */
/* cli/answer.c - see answer.h. */
#include "cli/answer.h"

#include "base/clock.h"
#include "base/log.h"
#include "fs/fs.h"
#include "tokens/tokens.h"

#include <errno.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>

#include "cli/control.h"
#include "cli/describe.h"

/* What one request waits for. Whoever answers has a reference: the client may
 * be gone by then. */
struct job {
	atomic_uint references;
	struct ident ident;
	atomic_bool looked; /* for the token of who asks */
};

static void put(struct job *job)
{
	if (atomic_fetch_sub(&job->references, 1) == 1)
		free(job);
}

static void has_looked(
    void *arg, int code, struct token *token, const struct err *err)
{
	struct job *job = arg;

	(void)code; /* what there is now is described */
	(void)err;
	token_put(token);
	atomic_store(&job->looked, true);
	put(job);
}

/* Have the token of who asks looked for. */
static struct job *begin(
    const struct describe *mount, const struct control_request *request)
{
	struct job *job = calloc(1, sizeof(*job));

	if (job == NULL)
		return NULL;
	job->ident = request->peer;
	tokens_identify(mount->tokens, &job->ident);
	atomic_init(&job->references, 2);
	atomic_init(&job->looked, false);
	/* A token that has ended is not waited for: it is told. */
	tokens_want(mount->tokens,
	    &(struct tokens_query){.ident = &job->ident,
	        .path = mount->source_path,
	        .right = TOKENS_LOOK,
	        .deadline_ms = clock_now_ms(clock_system())},
	    has_looked, job);
	return job;
}

void answer_forget(void *arg, struct control_request *request)
{
	(void)arg;
	put(request->memo);
	request->memo = NULL;
}

static int stop(const struct describe *mount, struct control_request *request)
{
	log_line(LOG_LEVEL_INFO, LOG_CLI, "stopping", "asked=\"umount\"");
	fs_stop(mount->fs);
	request->hold = true;
	return 0;
}

static int tell_state(const struct describe *mount,
    const struct control_request *request, const struct ident *ident,
    struct buf *out)
{
	const struct describe_to to = {.ident = ident, .all = request->owner};

	return strcmp(request->text, "status json") == 0
	    ? describe_json(mount, &to, out)
	    : describe_text(mount, &to, out);
}

int answer_request(void *arg, struct control_request *request, struct buf *out,
    struct err *err)
{
	const struct describe *mount = arg;
	struct job *job = request->memo;
	int code;

	if (strcmp(request->text, "stop") == 0)
		return request->owner
		    ? stop(mount, request)
		    : err_set(err, -EPERM, "only its owner may end a mount");
	if (strcmp(request->text, "status") != 0 &&
	    strcmp(request->text, "status json") != 0)
		return -EINVAL;
	/* The token of a mount of one user is always at hand. */
	if (!mount->shared)
		return tell_state(mount, request, &request->peer, out);
	if (job == NULL)
		job = request->memo = begin(mount, request);
	if (job == NULL)
		return -ENOMEM;
	if (!atomic_load(&job->looked))
		return -EINPROGRESS;
	code = tell_state(mount, request, &job->ident, out);
	answer_forget(arg, request);
	return code;
}
